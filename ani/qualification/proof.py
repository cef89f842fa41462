"""By what a caller proves who he is, and what he keys for it (AGE-1, AGE-2). Pure."""

import re
from datetime import date
from enum import StrEnum

from ani.reverse_match.names import folded

_KEYS = {
    letter: key
    for key, letters in zip("23456789", ("ABC", "DEF", "GHI", "JKL", "MNO", "PQRS", "TUV", "WXYZ"), strict=True)
    for letter in letters
}
_DIGITS = re.compile(r"[0-9]+")
LICENCE_STATE_KEYS = 2
LONGEST_KEYED = 24


class Method(StrEnum):
    """What is asked for. The value is kept with the evidence, never what was keyed."""

    SSN_LAST_FOUR = "ssn-last-four"
    SSN = "ssn"
    BIRTH_DATE = "birth-date"
    LICENCE = "licence"
    NAME = "name"


SSN_OF_DIGITS = {4: Method.SSN_LAST_FOUR, 9: Method.SSN}


class Fallback(StrEnum):
    """What is asked for, once, after the social security number has failed."""

    NONE = "none"
    BIRTH_DATE = "birth-date"
    LICENCE = "licence"
    NAME = "name"

    @property
    def method(self) -> Method | None:
        """By what it proves."""
        return None if self is Fallback.NONE else Method(self.value)


def keypad(text: str) -> str:
    """The keys on which a text is spelt: letters as on a telephone (ITU-T E.161), digits as they are, no others.

    An accent does not count: É is on the key of E.
    """
    return "".join(_KEYS.get(mark, mark if mark in "0123456789" else "") for mark in folded(text).upper())


def is_keyed_well(method: Method, digits: str) -> bool:
    """Whether these digits can be an answer at all."""
    if _DIGITS.fullmatch(digits) is None or len(digits) > LONGEST_KEYED:
        return False
    if method is Method.BIRTH_DATE:
        return parse_birth_date(digits) is not None
    return len(digits) == {Method.SSN_LAST_FOUR: 4, Method.SSN: 9}.get(method, len(digits))


def parse_birth_date(digits: str) -> date | None:
    """Month, day and year, eight digits; none for what is no date."""
    if len(digits) != 8 or not (digits.isascii() and digits.isdigit()):
        return None
    try:
        return date(int(digits[4:]), int(digits[:2]), int(digits[2:4]))
    except ValueError:
        return None
