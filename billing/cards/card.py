"""A prepaid card: a public serial number, a secret PIN, and what became of it (PIN-3). Pure.

Expiry is what the clock says, not a state that somebody has to set: a card whose time is over is expired in every
answer from that moment on.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from billing.accounts.account import AccountState

_SERIAL = re.compile(r"([0-9]{6})-([0-9]{7})")
LARGEST_NUMBER = 9_999_999


class CardState(StrEnum):
    """Where a card is in its life."""

    MADE = "made"
    ACTIVATED = "activated"
    USED = "used"
    EXPIRED = "expired"
    VOID = "void"


BEFORE: dict[CardState, frozenset[CardState]] = {
    CardState.ACTIVATED: frozenset({CardState.MADE}),
    CardState.VOID: frozenset({CardState.MADE, CardState.ACTIVATED}),
}
"""From which states staff may bring the cards of a batch to another; used ones are made void one by one."""


class TopUpRefusal(StrEnum):
    """Why a card that was keyed adds nothing to an account; unknown, used, void and expired are the same answer."""

    WRONG = "voucher-wrong"
    LOCKED = "locked-out"
    FAILED = "recharge-failed"


@dataclass(frozen=True, slots=True)
class Card:
    """A card as staff see it: never its PIN."""

    id: int
    batch_id: int
    batch_name: str
    number: int
    kept_state: CardState
    expires_at: datetime | None
    account_number: str | None
    first_used_at: datetime | None
    last_used_at: datetime | None
    uses: int

    @property
    def serial(self) -> str:
        """What is printed on it for everybody to see."""
        return serial_of(self.batch_id, self.number)

    def state(self, now: datetime) -> CardState:
        """Where it is now."""
        return state_now(self.kept_state, self.expires_at, now)


@dataclass(frozen=True, slots=True)
class CardEvent:
    """One change of one card, or of many at once in the history of a batch."""

    state: CardState
    at: datetime
    made_by: str
    note: str
    cards: int = 1


@dataclass(frozen=True, slots=True)
class PinFound:
    """What a PIN led to: an account, or a card that nobody has used yet; whose either is."""

    pin_id: int
    account_id: int | None
    account_state: AccountState | None
    revoked_at: datetime | None
    expires_at: datetime | None
    card_id: int | None
    card_state: CardState | None
    operator_id: int | None


def state_now(kept: CardState, expires_at: datetime | None, now: datetime) -> CardState:
    """The state that is kept, unless the card's time is over."""
    if kept is not CardState.VOID and expires_at is not None and expires_at <= now:
        return CardState.EXPIRED
    return kept


def opens(found: PinFound | None, now: datetime) -> bool:
    """Whether a PIN opens something: it is known, in force, and of an account or of an activated card."""
    if found is None or found.revoked_at is not None:
        return False
    if found.expires_at is not None and found.expires_at <= now:
        return False
    return found.account_id is not None or found.card_state is CardState.ACTIVATED


def serial_of(batch_id: int, number: int) -> str:
    """The serial number: the batch, and the card in it."""
    return f"{batch_id:06d}-{number:07d}"


def read_serial(text: str) -> tuple[int, int] | None:
    """Batch and number of a serial number; none when it is not one."""
    found = _SERIAL.fullmatch(text) if text.isascii() else None
    return None if found is None else (int(found[1]), int(found[2]))
