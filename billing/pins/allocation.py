"""Allocations: an outside system supplies a PIN or asks for one, once under each id it chose before (PIN-5). Pure."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

LONGEST_KEY = 128
_KEY = re.compile(r"[\x21-\x7e]{1,128}")


class AllocationRefusal(StrEnum):
    """Why nothing was allocated."""

    ACCOUNT_UNKNOWN = "account-unknown"
    ACCOUNT_CLOSED = "account-closed"
    RANGE_UNKNOWN = "range-unknown"
    RANGE_FULL = "range-full"
    PIN_NOT_IN_RANGE = "pin-not-in-range"
    PIN_TAKEN = "pin-taken"
    EXPIRY = "expiry-not-possible"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: without an account a new one is opened, without a PIN one is drawn."""

    operator_id: int
    key: str
    account_number: str | None = None
    range_name: str | None = None
    expires_at: datetime | None = None
    pin: str | None = field(default=None, repr=False)

    def content(self) -> tuple[str, ...]:
        """All of it but the id, as it is hashed to tell a replay from another request."""
        expires = self.expires_at.isoformat() if self.expires_at else ""
        return (self.account_number or "", self.range_name or "", expires, self.pin or "")


@dataclass(frozen=True, slots=True)
class Allocated:
    """What was allocated, the same when it is asked for again; `pin` only where it was drawn here."""

    key: str
    account_number: str
    range_name: str | None
    at: datetime
    expires_at: datetime | None
    is_replay: bool
    pin: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class KeptAllocation:
    """What an allocation is known again by, and the PIN that was drawn: sealed, or (before that) which draw it was."""

    content_hash: str
    draw: int | None
    pin_sealed: str | None


@dataclass(frozen=True, slots=True)
class AllocationUse:
    """What became of one allocated PIN; `id` orders them."""

    id: int
    key: str
    account_number: str
    range_name: str | None
    site: str | None
    campaign: str | None
    at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    first_used_at: datetime | None
    last_used_at: datetime | None
    uses: int
    balance_micros: int
    currency: str
    account_id: int

    def state(self, now: datetime) -> str:
        """One word: revoked, ended, used or waiting."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return "ended"
        return "used" if self.uses else "waiting"


def is_key(text: str) -> bool:
    """Whether this can be the id of an allocation: 1 to 128 printable ASCII characters without spaces."""
    return _KEY.fullmatch(text) is not None
