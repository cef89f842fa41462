"""Batches of cards of one class: how many, what they are worth, how long they are good (PIN-3). Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.cards.card import CardState
from billing.ledger.transfer import LARGEST_TRANSFER_MICROS
from billing.pins.pin_range import is_name, most_of

LARGEST_BATCH = 100_000
LONGEST_VALIDITY_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class CardClass:
    """What a card is worth and under which conditions: `tariff_name` none for that of the service called.

    A card ends at `valid_until_at` and, once used, `valid_days` later: at whichever comes first.
    """

    name: str
    face_micros: int
    tariff_name: str | None = None
    valid_until_at: datetime | None = None
    valid_days: int | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as it is kept: `cards` is how many there may be.

    Those of plastic are all made when it is exported; virtual ones one by one, as they are issued.
    """

    id: int
    operator_id: int
    operator_code: str
    name: str
    card_class: CardClass
    currency: str
    range_id: int | None
    range_name: str | None
    cards: int
    is_virtual: bool
    tariff_id: int | None
    created_at: datetime
    created_by: str
    export_id: str | None
    exported_at: datetime | None
    exported_by: str | None
    exported_to: str | None


@dataclass(frozen=True, slots=True)
class Inventory:
    """How many cards of a batch are in each state now, and what is left on the accounts of those that were used."""

    batch: Batch
    counts: dict[CardState, int]
    left_micros: int

    def count(self, state: CardState) -> int:
        """How many are in this state."""
        return self.counts.get(state, 0)


def batch_fault(name: str, card_class: CardClass, cards: int, prefix: str, now: datetime) -> str | None:
    """Why there can be no such batch; none when there can."""
    most = min(LARGEST_BATCH, most_of(prefix))
    if not is_name(name) or not is_name(card_class.name):
        return "name, class: 1 to 40 letters, digits, dots, dashes"
    if not 1 <= cards <= most:
        return f"cards: 1 to {most}"
    if not 0 < card_class.face_micros <= LARGEST_TRANSFER_MICROS:
        return "face value: more than nothing, at most a thousand million"
    if card_class.valid_until_at is not None and card_class.valid_until_at <= now:
        return "valid until: a moment to come"
    if card_class.valid_days is not None and not 1 <= card_class.valid_days <= LONGEST_VALIDITY_DAYS:
        return f"valid days: 1 to {LONGEST_VALIDITY_DAYS}"
    return None


def expires_at(card_class: CardClass, first_used_at: datetime | None) -> datetime | None:
    """When a card of this class ends, before its first use (none) or after it; none for never."""
    until, days = card_class.valid_until_at, card_class.valid_days
    if first_used_at is None or days is None:
        return until
    after = first_used_at + timedelta(days=days)
    return after if until is None else min(until, after)
