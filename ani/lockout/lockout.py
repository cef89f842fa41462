"""When wrong entries lock a line, an account, or everybody (AGE-5, PIN-4).

The entry that reaches the limit within a sliding window locks for as long as the window is, counted from that entry;
what is not judged meanwhile is not counted, so after that the count begins anew.
"""

from collections.abc import Callable
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
    """Wrong entries borne in each sliding window; the one that reaches the limit is the last, and locks."""

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
    """Wrong entries within twice each window; `claimed` are those of callers who merely claimed the line.

    They bind nobody whom the network vouches for: else whoever claims a line would lock its subscriber out.
    """

    line: int
    account: int
    overall: int
    access: int = 0
    unvouched: int = 0
    claimed: int = 0


@dataclass(frozen=True, slots=True)
class Bound:
    """How many entries lock what, within which time and for as long."""

    scope: Scope
    limit: int
    window: timedelta


def bounds_reached(counts: Counts, limits: Limits) -> list[Bound]:
    """The bounds that may be locked now: an entry that locked and those that led to it lie within twice the window."""
    found = (
        (counts.line + counts.claimed, Bound(Scope.LINE, limits.per_line_hour, LINE_WINDOW)),
        (counts.account, Bound(Scope.ACCOUNT, limits.per_account_half_hour, ACCOUNT_WINDOW)),
        (counts.access, Bound(Scope.ACCESS, limits.per_access_number_hour, ACCESS_WINDOW)),
        (counts.unvouched, Bound(Scope.UNVOUCHED, limits.unvouched_hour, OVERALL_WINDOW)),
        (counts.overall, Bound(Scope.OVERALL, limits.overall_hour, OVERALL_WINDOW)),
    )
    return [bound for count, bound in found if count >= bound.limit]


_SCOPE_TOLD = {
    Scope.LINE: "line",
    Scope.ACCOUNT: "account",
    Scope.ACCESS: "access number",
    Scope.UNVOUCHED: "all callers whose number is not vouched for",
    Scope.OVERALL: "over all",
}


@dataclass(frozen=True, slots=True)
class Lock:
    """Why nothing is judged now: `count` wrong entries, the one at `since_at` reached the bound's limit."""

    bound: Bound
    count: int
    since_at: datetime
    until_at: datetime

    @property
    def told(self) -> dict[str, object]:
        """What a call's record says of it."""
        return {
            "scope": _SCOPE_TOLD[self.bound.scope],
            "wrong_entries": self.count,
            "limit": f"{self.bound.limit} in {self.bound.window // timedelta(minutes=1)} min",
            "locked_since": self.since_at.isoformat(timespec="seconds"),
            "locked_until": self.until_at.isoformat(timespec="seconds"),
        }


Tell = Callable[[Lock], None]
"""Hears of the lock for which something was not judged."""


def tell_nobody(lock: Lock) -> None:
    """For who need not know."""
    del lock
