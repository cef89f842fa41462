"""Ranges of PINs: whose they are, with which digits they begin, how many there may be and when they end (PIN-2).

Pure. A range belongs to an operator and, where it is told, to one of his sites or campaigns.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from billing.accounts.account import PIN_DIGITS

LONGEST_PREFIX = 4
LONGEST_NAME = 40
ONE_IN = 100
"""At most one PIN in so many that could be keyed is issued, so that guessing stays hopeless (PIN-4)."""

_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,39}")


class Period(StrEnum):
    """When the PINs of a range end."""

    NEVER = "never"
    MONTH = "month"
    DAYS = "days"


@dataclass(frozen=True, slots=True)
class RangeTerms:
    """What a range is to be: `most` none for as many as its digits bear."""

    name: str
    site: str = ""
    campaign: str = ""
    prefix: str = ""
    period: Period = Period.NEVER
    period_days: int | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class PinRange:
    """A range as it is kept."""

    id: int
    operator_id: int
    operator_code: str
    name: str
    site: str
    campaign: str
    prefix: str
    period: Period
    period_days: int | None
    most: int
    issued: int

    @property
    def left(self) -> int:
        """How many PINs may still be issued."""
        return self.most - self.issued


@dataclass(frozen=True, slots=True)
class RangeUse:
    """What became of the PINs of a range, or of all ranges of a site, a campaign or an operator.

    `in_force` open an account or wait for their card's first use; `charged_micros` is what calls and services took from
    the accounts these PINs open, by whatever way they were opened.
    """

    owner: str
    issued: int
    in_force: int
    used: int
    ended: int
    revoked: int
    uses: int
    last_used_at: datetime | None
    charged_micros: int
    currency: str


def most_of(prefix: str) -> int:
    """How many PINs that begin so may be issued at most."""
    return int(10 ** (PIN_DIGITS - len(prefix))) // ONE_IN


def range_fault(terms: RangeTerms) -> str | None:
    """Why there can be no such range; none when there can."""
    if not is_name(terms.name):
        return "name: 1 to 40 letters, digits, dots, dashes"
    if any(len(text) > LONGEST_NAME or not text.isprintable() for text in (terms.site, terms.campaign)):
        return "site, campaign: at most 40 characters"
    if len(terms.prefix) > LONGEST_PREFIX or (terms.prefix and not (terms.prefix.isascii() and terms.prefix.isdigit())):
        return f"prefix: at most {LONGEST_PREFIX} digits"
    if (terms.period is Period.DAYS) != (terms.period_days is not None) or not 1 <= (terms.period_days or 1) <= 36_500:
        return "days: 1 to 36500, given with the period of days, and only then"
    if terms.most is not None and not 1 <= terms.most <= most_of(terms.prefix):
        return f"most: 1 to {most_of(terms.prefix)} with {len(terms.prefix)} digits fixed, one in {ONE_IN} of them"
    return None


def is_name(text: str) -> bool:
    """Whether this can name a range, a batch or a class."""
    return text.isascii() and _NAME.fullmatch(text) is not None


def overlaps(one: str, other: str) -> bool:
    """Whether a PIN could belong to both; a range without digits of its own leaves the choice to chance."""
    return bool(one and other) and (one.startswith(other) or other.startswith(one))


def ends_at(period: Period, period_days: int | None, now: datetime) -> datetime | None:
    """When a PIN issued now ends: the first moment it opens nothing; months end at midnight UTC."""
    if period is Period.MONTH:
        first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return (first + timedelta(days=32)).replace(day=1)
    if period is Period.DAYS and period_days is not None:
        return now + timedelta(days=period_days)
    return None
