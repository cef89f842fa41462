"""Whether a call meets the condition of its line (ACC-2). Pure."""

from datetime import datetime

from ani.numbers import Destination, is_long_distance
from billing.conditions.condition import ConditionRefusal, Terms, matches, read_calendar
from billing.pricing.windows import NO_BAND


def judge(terms: Terms, ani: str, destination: Destination, now: datetime) -> ConditionRefusal | None:
    """Whether a call from a line (E.164) meets the terms; spending is judged where money is held."""
    digits = destination.e164.removeprefix("+")
    if terms.allowed and not matches(terms.allowed, digits):
        return ConditionRefusal.DESTINATION
    if matches(terms.denied, digits):
        return ConditionRefusal.DESTINATION
    if terms.long_distance_only and not is_long_distance(ani, destination.e164):
        return ConditionRefusal.LOCAL_CALL
    if terms.hours and read_calendar(terms.hours, terms.zone).band_at(now) == NO_BAND:
        return ConditionRefusal.HOURS
    return None
