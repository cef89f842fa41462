"""What a caller wants who keys digits for a destination. Pure."""

from ani import numbers
from ani.numbers import Destination
from ivr.refusals import CallRefusal


def wanted_number(digits: str, country: str) -> Destination | CallRefusal:
    """What these digits mean to one who keys them on a line of this country."""
    if numbers.is_emergency(digits, country):
        return CallRefusal.EMERGENCY_NUMBER
    return numbers.parse_destination(digits, country) or CallRefusal.DESTINATION_NOT_VALID
