"""When wrong entries lock a line, an account, or everybody (AGE-5)."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

LINE_WINDOW = timedelta(hours=1)
ACCOUNT_WINDOW = timedelta(minutes=30)
OVERALL_WINDOW = timedelta(hours=1)


class LockoutRefusal(StrEnum):
    """The answer while locked, whatever is keyed."""

    LOCKED = "locked-out"


class Scope(StrEnum):
    """What a wrong entry is counted against."""

    LINE = "line"
    ACCOUNT = "account"
    OVERALL = "overall"


@dataclass(frozen=True, slots=True)
class Limits:
    """Wrong entries borne in each sliding window; the one that reaches the limit is the last."""

    per_line_hour: int
    per_account_half_hour: int
    overall_hour: int


@dataclass(frozen=True, slots=True)
class Counts:
    """Wrong entries within each window now."""

    line: int
    account: int
    overall: int


def is_over(counts: Counts, limits: Limits) -> bool:
    """True when no further entry may be tried."""
    return (
        counts.line >= limits.per_line_hour
        or counts.account >= limits.per_account_half_hour
        or counts.overall >= limits.overall_hour
    )
