"""Money: integer micro-units (10^-6) of one currency, and the only rounding in the house.

Amounts are read from and written as decimal text; no binary fraction is ever in between.
"""

import enum
import re

MICROS = 1_000_000
"""Micro-units in one unit of a currency."""

LARGEST_MICROS = 2**63 - 1
"""The largest amount a row can hold."""

_AMOUNT = re.compile(r"(?P<sign>[+-]?)(?P<whole>[0-9]{1,13})(?:\.(?P<part>[0-9]{1,12}))?")


class AmountError(ValueError):
    """A text is not an amount of money; the message says why, without the text."""


class Rounding(enum.Enum):
    """Which way a quotient that does not come out even goes."""

    UP = "up"
    DOWN = "down"
    HALF_UP = "half-up"
    HALF_EVEN = "half-even"


def divide_up(numerator: int, denominator: int) -> int:
    """The quotient rounded towards plus infinity; the denominator is positive."""
    return -(-numerator // denominator)


def divide(numerator: int, denominator: int, rounding: Rounding) -> int:
    """The quotient of two integers, rounded as told; raises ValueError unless the denominator is positive.

    UP goes towards plus infinity and DOWN towards minus infinity; HALF_UP sends an exact half up.
    """
    if denominator <= 0:
        raise ValueError("the denominator must be positive")
    if rounding is Rounding.UP:
        return divide_up(numerator, denominator)
    quotient, rest = divmod(numerator, denominator)
    if rounding is Rounding.DOWN or 2 * rest < denominator:
        return quotient
    if 2 * rest > denominator or rounding is Rounding.HALF_UP:
        return quotient + 1
    return quotient + quotient % 2


def parse_amount(text: str) -> int:
    """Decimal text ("12.34", "-0.5") to micro-units, exactly.

    Raises AmountError for anything that is not plain decimal digits with a point, for a fraction finer than one
    micro-unit, and for more than a row can hold. Spaces around the text are allowed; thousands marks are not.
    """
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        raise AmountError("not a decimal amount such as 12.34")
    part = (found["part"] or "").rstrip("0")
    if len(part) > 6:
        raise AmountError("finer than a micro-unit (six places)")
    micros = int(found["whole"]) * MICROS + int(part.ljust(6, "0"))
    if micros > LARGEST_MICROS:
        raise AmountError("too large")
    return -micros if found["sign"] == "-" else micros


def format_amount(micros: int, currency: str = "") -> str:
    """The exact decimal text: at least two places, at most six, and the currency after it when it is given."""
    whole, part = divmod(abs(micros), MICROS)
    places = f"{part:06d}".rstrip("0").ljust(2, "0")
    return f"{'-' if micros < 0 else ''}{whole}.{places}{' ' + currency if currency else ''}"
