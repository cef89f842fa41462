"""What staff do with cards: plan a batch, see the inventory, activate, make void, look at one card (PIN-3)."""

from sqlalchemy.engine import Connection, Engine

from billing.accounts.own_tariff.service import tariff_id_of
from billing.accounts.store import close_account
from billing.cards import store
from billing.cards.batch import Batch, CardClass, Inventory, batch_fault
from billing.cards.card import BEFORE, Card, CardEvent, CardState, read_serial
from billing.ledger.store import lock_funds
from billing.operators.store import operator_named
from billing.pins import service as pin_service
from runtime.clock import Clock
from runtime.database import reading, transaction
from runtime.faults import NotFoundError, StaffError

MOST_EVENTS = 200
CARDS_AT_ONCE = 1_000


def create_batch(
    engine: Engine,
    clock: Clock,
    *,
    operator_code: str,
    name: str,
    card_class: CardClass,
    cards: int,
    range_name: str | None = None,
    is_virtual: bool = False,
    by: str,
) -> Batch:
    """Plan a batch: its cards and their PINs are made when it is exported, or, virtual, when they are issued.

    Raises NotFoundError for an unknown operator, tariff or range, StaffError when the name is taken, the range has too
    few PINs left, or a field cannot be.
    """
    now = clock.now()
    with transaction(engine) as conn:
        operator = operator_named(conn, operator_code)
        if operator is None:
            raise NotFoundError(f"no operator {operator_code}")
        if store.batch_named(conn, name) is not None:
            raise StaffError(f"there is a batch {name} already")
        found = None if range_name is None else pin_service.find_range(conn, operator.id, range_name)
        fault = batch_fault(name, card_class, cards, found.prefix if found else "", now)
        if fault is not None:
            raise StaffError(fault)
        if found is not None and cards > found.left:
            raise StaffError(f"range {found.name} has {found.left} PINs left of {found.most}")
        values: dict[str, object] = {
            "operator_id": operator.id,
            "name": name,
            "class_name": card_class.name,
            "face_micros": card_class.face_micros,
            "currency": operator.currency,
            "tariff_id": tariff_id_of(conn, operator.id, card_class.tariff_name, operator.currency, "cards"),
            "range_id": None if found is None else found.id,
            "cards": cards,
            "is_virtual": is_virtual,
            "valid_until_at": card_class.valid_until_at,
            "valid_days": card_class.valid_days,
            "created_at": now,
            "created_by": by[:80],
        }
        store.insert_batch(conn, values)
        return find_batch(conn, name)


def list_batches(engine: Engine, clock: Clock, operator_code: str | None = None) -> list[Inventory]:
    """The inventory: every batch with its cards counted by their state now."""
    with reading(engine) as conn:
        return store.inventories(conn, clock.now(), operator_code=operator_code)


def describe_batch(engine: Engine, clock: Clock, name: str) -> tuple[Inventory, list[CardEvent]]:
    """A batch, its cards counted, and its history, the newest first."""
    with reading(engine) as conn:
        found = find_batch(conn, name)
        (inventory,) = store.inventories(conn, clock.now(), batch_id=found.id)
        return inventory, store.events_of_batch(conn, found.id, MOST_EVENTS)


def sells_cards(engine: Engine, operator_id: int) -> bool:
    """Whether an operator has any batch of cards."""
    with reading(engine) as conn:
        return store.has_batch(conn, operator_id)


def describe_card(engine: Engine, serial: str) -> tuple[Card, list[CardEvent]]:
    """A card and its history, the oldest first; never its PIN."""
    with reading(engine) as conn:
        found = _card(conn, serial)
        return found, store.events_of_card(conn, found.id)


def change_batch(
    engine: Engine,
    clock: Clock,
    *,
    name: str,
    to: CardState,
    serials: tuple[str, str] | None = None,
    by: str,
    note: str,
) -> int:
    """Activate cards of a batch or make them void, all or a range of serial numbers; gives how many were changed.

    Cards in another state than one to begin from (see BEFORE) are left as they are; so are expired ones, but for void.
    A thousand at a time, so that no call waits long; a run that was cut off is simply run again.
    """
    now = clock.now()
    with reading(engine) as conn:
        found = find_batch(conn, name)
        if found.exported_at is None and not found.is_virtual and to is CardState.ACTIVATED:
            raise StaffError(f"batch {name} has no cards: `tollgate card batch export` makes them")
        first, last = (1, store.last_number(conn, found.id)) if serials is None else _numbers(found, serials)
    event, changed = CardEvent(to, now, by[:80], note[:400]), 0
    for number in range(first, last + 1, CARDS_AT_ONCE):
        some = (number, min(number + CARDS_AT_ONCE - 1, last))
        with transaction(engine) as conn:
            find_batch(conn, name, lock=True)
            changed += store.change_cards(conn, found.id, some, BEFORE[to], event, now)
    return changed


def void_card(engine: Engine, clock: Clock, *, serial: str, by: str, note: str) -> Card:
    """Make one card void: its PIN opens nothing from now on, and the account that it made is closed.

    Money that a card paid into an account which was there before stays there. Refused while a call uses the account.
    """
    now = clock.now()
    with transaction(engine) as conn:
        found = _card(conn, serial)
        store.batch_named(conn, found.batch_name, lock=True)
        locked = store.lock_card(conn, found.id)
        state = None if locked is None else locked[2]
        event = CardEvent(CardState.VOID, now, by[:80], note[:400])
        if state is CardState.VOID:
            raise StaffError(f"card {serial} is void already")
        if state is not CardState.USED:
            store.change_cards(conn, found.batch_id, (found.number, found.number), BEFORE[CardState.VOID], event, now)
        else:
            _close(conn, store.void_used(conn, found.id, event), event)
        return _card(conn, serial)


def _close(conn: Connection, account_id: int | None, event: CardEvent) -> None:
    """Close the account of a card that is made void."""
    funds = None if account_id is None else lock_funds(conn, account_id)
    if funds is None:
        return
    if funds.held_micros > 0:
        raise StaffError("a call is using the account of this card: try again when it has ended")
    close_account(conn, funds.account_id, at=event.at, by=event.made_by, note=f"card void: {event.note}"[:400])


def find_batch(conn: Connection, name: str, *, lock: bool = False) -> Batch:
    """A batch in a transaction under way; raises NotFoundError."""
    found = store.batch_named(conn, name, lock=lock)
    if found is None:
        raise NotFoundError(f"no batch {name}")
    return found


def _card(conn: Connection, serial: str) -> Card:
    halves = read_serial(serial)
    found = None if halves is None else store.card_numbered(conn, *halves)
    if found is None:
        raise NotFoundError(f"no card {serial}")
    return found


def _numbers(batch: Batch, serials: tuple[str, str]) -> tuple[int, int]:
    first, last = (read_serial(serial) for serial in serials)
    if first is None or last is None or {first[0], last[0]} != {batch.id} or first[1] > last[1]:
        raise StaffError(f"from, to: two serial numbers of batch {batch.name}, the lower one first")
    return first[1], last[1]
