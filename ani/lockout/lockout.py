"""When wrong entries lock a line, an account, or everybody (AGE-5)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

LINE_WINDOW = timedelta(hours=1)
ACCOUNT_WINDOW = timedelta(minutes=30)
ACCESS_WINDOW = timedelta(hours=1)
OVERALL_WINDOW = timedelta(hours=1)


class LockoutRefusal(StrEnum):
    """The answer while locked, whatever is keyed."""

    LOCKED = "locked-out"


class Scope(StrEnum):
    """What a wrong entry is counted against."""

    LINE = "line"
    ACCOUNT = "account"
    OVERALL = "overall"
    ACCESS = "access"


@dataclass(frozen=True, slots=True)
class Wrong:
    """A wrong entry: on which line, for whose account, through which access number, where known; never the digits."""

    ani: str
    account_id: int | None
    kind: str
    access_number: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Limits:
    """Wrong entries borne in each sliding window; the one that reaches the limit is the last."""

    per_line_hour: int
    per_account_half_hour: int
    overall_hour: int
    per_access_number_hour: int = 60


@dataclass(frozen=True, slots=True)
class Counts:
    """Wrong entries within each window now."""

    line: int
    account: int
    overall: int
    access: int = 0


def is_over(counts: Counts, limits: Limits) -> bool:
    """True when no further entry may be tried."""
    return (
        counts.line >= limits.per_line_hour
        or counts.account >= limits.per_account_half_hour
        or counts.overall >= limits.overall_hour
        or counts.access >= limits.per_access_number_hour
    )
