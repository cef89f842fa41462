"""Blocks on lines: why, by whom, since when and until when (ANI-5)."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum

LONGEST_NOTE = 400
LONGEST_NAME = 80
"""Characters of a note, and of who made or lifted a block."""


class NegativeReason(StrEnum):
    """Why a line may not be billed; each drops the call with a prompt of its own."""

    SUBSCRIBER = "blocked-by-subscriber"
    OPERATOR = "blocked-by-operator"
    MINOR = "minor"
    WRONG_PARTY = "wrong-party"
    OVER_THRESHOLD = "over-threshold"
    INACTIVE = "inactive"
    COLLECTIONS = "in-collections"
    DISPUTE = "in-dispute"
    CHARGEBACK = "chargeback"


@dataclass(frozen=True, slots=True)
class NewBlock:
    """A block to be made: `expires_at` is the first moment it no longer holds, none for a block without end.

    `ends_calls`: calls from the line that are up are ended too; without it they go on to their own end.
    """

    ani: str
    reason: NegativeReason
    note: str = ""
    expires_at: datetime | None = None
    ends_calls: bool = False


@dataclass(frozen=True, slots=True)
class Lift:
    """That a block was lifted: when, by whom, why."""

    at: datetime
    by: str
    note: str


@dataclass(frozen=True, slots=True)
class ToldBlock:
    """A block as another record tells it: who made it when, and who lifted it, if it was lifted."""

    block: NewBlock
    blocked_by: str
    blocked_at: datetime
    lift: Lift | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """An entry of the negative database; it is never changed but for being lifted, once, with a note."""

    entry_id: int
    ani: str
    reason: NegativeReason
    blocked_by: str
    note: str
    blocked_at: datetime
    expires_at: datetime | None
    lifted_at: datetime | None
    lifted_by: str | None
    lift_note: str | None
    ends_calls: bool = False

    @property
    def told(self) -> dict[str, object]:
        """What a call's record says of the entry that refused or ended it: rule, age and source."""
        until = self.expires_at.isoformat() if self.expires_at else "lifted"
        since = self.blocked_at.isoformat(timespec="seconds")
        return {"entry": self.entry_id, "since": since, "until": until, "source": self.blocked_by}

    def is_in_force(self, now: datetime) -> bool:
        """True while the line is refused because of this entry."""
        return self.lifted_at is None and (self.expires_at is None or self.expires_at > now)


def parse_until(text: str) -> datetime:
    """The end of a block: a date (its first moment, UTC) or an RFC 3339 moment with its zone; raises ValueError."""
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    except ValueError:
        moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return moment.astimezone(UTC)
