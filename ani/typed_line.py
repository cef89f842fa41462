"""A line as staff type it."""

from ani.numbers import Ani, parse_ani
from runtime.faults import BadInputError


def typed_line(text: str, home_country: str) -> str:
    """The line in E.164; raises BadInputError for what is no telephone number, whatever command it was typed in."""
    found = parse_ani(text, home_country)
    if not isinstance(found, Ani):
        raise BadInputError(f"{text!r} is not a telephone number; write it as +12125550100")
    return found.e164
