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
    CLAIMED = "claimed"
    ACCOUNT = "account"
    OVERALL = "overall"
    ACCESS = "access"
    UNVOUCHED = "unvouched"


@dataclass(frozen=True, slots=True)
class Way:
    """How a caller came: through which access number, and whether the network vouches for the line he calls from."""

    access_number: str = ""
    is_vouched: bool = True


UNKNOWN_WAY = Way()


@dataclass(frozen=True, slots=True)
class Wrong:
    """A wrong entry: on which line, for whose account, by which way, where known; never the digits."""

    ani: str
    account_id: int | None
    kind: str
    way: Way
    at: datetime


@dataclass(frozen=True, slots=True)
class Limits:
    """Wrong entries borne in each sliding window; the one that reaches the limit is the last."""

    per_line_hour: int
    per_account_half_hour: int
    overall_hour: int
    per_access_number_hour: int = 60

    @property
    def unvouched_hour(self) -> int:
        """What all callers together may whose number is withheld or merely claimed: half of what everybody may.

        Numbers can be made up without end; so nobody who makes them up can use up everybody's tries.
        """
        return max(1, self.overall_hour // 2)


@dataclass(frozen=True, slots=True)
class Counts:
    """Wrong entries within each window now; `claimed` are those of callers who merely claimed the line.

    They bind nobody whom the network vouches for: else whoever claims a line would lock its subscriber out.
    """

    line: int
    account: int
    overall: int
    access: int = 0
    unvouched: int = 0
    claimed: int = 0


def is_over(counts: Counts, limits: Limits) -> bool:
    """True when no further entry may be tried."""
    return (
        counts.line + counts.claimed >= limits.per_line_hour
        or counts.account >= limits.per_account_half_hour
        or counts.overall >= limits.overall_hour
        or counts.access >= limits.per_access_number_hour
        or counts.unvouched >= limits.unvouched_hour
    )
