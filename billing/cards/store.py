"""Batches, cards and their history in the database; of PINs only keyed hashes are ever here.

Locks are taken in the order batch, card, then those of the ledger.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from billing.accounts.account import AccountState
from billing.accounts.tables import account, pin
from billing.cards.batch import Batch, CardClass, Inventory
from billing.cards.card import Card, CardEvent, CardState, PinFound
from billing.cards.tables import card, card_batch, card_event
from billing.operators.tables import operator
from billing.pins.tables import pin_range
from billing.tariffs.tables import tariff
from runtime.database import Instant
from runtime.prepared import Prepared

_BATCH: sa.Select[Any] = (
    sa.select(
        card_batch.c.id,
        card_batch.c.operator_id,
        operator.c.code,
        card_batch.c.name,
        card_batch.c.class_name,
        card_batch.c.face_micros,
        tariff.c.name,
        card_batch.c.valid_until_at,
        card_batch.c.valid_days,
        card_batch.c.currency,
        card_batch.c.range_id,
        pin_range.c.name,
        card_batch.c.cards,
        card_batch.c.is_virtual,
        card_batch.c.tariff_id,
        card_batch.c.created_at,
        card_batch.c.created_by,
        card_batch.c.export_id,
        card_batch.c.exported_at,
        card_batch.c.exported_by,
        card_batch.c.exported_to,
    )
    .join(operator, operator.c.id == card_batch.c.operator_id)
    .outerjoin(tariff, tariff.c.id == card_batch.c.tariff_id)
    .outerjoin(pin_range, pin_range.c.id == card_batch.c.range_id)
)
_CARD: sa.Select[Any] = (
    sa.select(
        card.c.id,
        card.c.batch_id,
        card_batch.c.name,
        card.c.number,
        card.c.state,
        pin.c.expires_at,
        account.c.number,
        pin.c.first_used_at,
        pin.c.last_used_at,
        pin.c.uses,
    )
    .join(card_batch, card_batch.c.id == card.c.batch_id)
    .join(pin, pin.c.pin_hash == card.c.pin_hash)
    .outerjoin(account, account.c.id == pin.c.account_id)
)
_WHOSE = sa.func.coalesce(account.c.operator_id, card_batch.c.operator_id)
# One look-up for every PIN there can be, so that none of the answers takes a way of its own (PIN-4).
_FIND_PIN = Prepared(
    sa.select(
        pin.c.id, pin.c.account_id, account.c.state, pin.c.revoked_at, pin.c.expires_at, card.c.id, card.c.state, _WHOSE
    )
    .select_from(pin)
    .outerjoin(account, account.c.id == pin.c.account_id)
    .outerjoin(card, card.c.pin_hash == pin.c.pin_hash)
    .outerjoin(card_batch, card_batch.c.id == card.c.batch_id)
    .where(pin.c.pin_hash == sa.bindparam("wanted_hash"))
)
_TOUCH = Prepared(
    sa.update(pin)
    .where(pin.c.id == sa.bindparam("pin_id"))
    .values(
        uses=pin.c.uses + 1,
        last_used_at=sa.bindparam("now", type_=Instant),
        first_used_at=sa.func.coalesce(pin.c.first_used_at, sa.bindparam("now", type_=Instant)),
    )
)
_LOCK_CARD = Prepared(
    sa.select(card.c.batch_id, card.c.number, card.c.state)
    .where(card.c.id == sa.bindparam("card_id"))
    .with_for_update()
)
_ADD_EVENT = Prepared(sa.insert(card_event), ("card_id", "state", "at", "made_by", "note"))
_ADD_PIN = Prepared(sa.insert(pin), ("pin_hash", "issued_at", "expires_at", "range_id"))
_ADD_CARD = Prepared(sa.insert(card), ("batch_id", "number", "pin_hash", "state"))


def find_pin(conn: Connection, pin_hashes: Sequence[str]) -> PinFound | None:
    """What a PIN leads to, whether it may or not; its hash by each key, the oldest first."""
    found = (_FIND_PIN.first(conn, wanted_hash=one) for one in pin_hashes)
    row = next((row for row in found if row is not None), None)
    if row is None:
        return None
    pin_id, account_id, state, revoked_at, expires_at, card_id, card_state, operator_id = row
    return PinFound(
        pin_id,
        account_id,
        None if state is None else AccountState(state),
        revoked_at,
        expires_at,
        card_id,
        None if card_state is None else CardState(card_state),
        operator_id,
    )


def touch_pin(conn: Connection, pin_id: int, now: datetime) -> None:
    """Count that a PIN opened its account."""
    _TOUCH.run(conn, pin_id=pin_id, now=now)


def lock_card(conn: Connection, card_id: int) -> tuple[int, int, CardState] | None:
    """Batch, number and state of a card, locked until the end of the transaction."""
    row = _LOCK_CARD.first(conn, card_id=card_id)
    return None if row is None else (row[0], row[1], CardState(row[2]))


def redeem_card(
    conn: Connection, card_id: int, pin_id: int, account_id: int, expires: datetime | None, event: CardEvent
) -> None:
    """Mark a locked card used, and let its PIN open the account that it made."""
    conn.execute(sa.update(card).where(card.c.id == card_id).values(state=CardState.USED.value))
    conn.execute(
        sa.update(pin).where(pin.c.id == pin_id).values(account_id=account_id, expires_at=expires),
    )
    _ADD_EVENT.run(conn, card_id=card_id, state=event.state.value, at=event.at, made_by=event.made_by, note=event.note)


def spend_card(conn: Connection, card_id: int, pin_id: int, account_id: int, event: CardEvent) -> None:
    """Mark a locked card used for an account that was there before: its PIN opens nothing from now on."""
    conn.execute(sa.update(card).where(card.c.id == card_id).values(state=CardState.USED.value))
    spent = {"revoked_at": event.at, "revoked_by": event.made_by, "revoke_note": event.note}
    used = {"account_id": account_id, "uses": 1, "first_used_at": event.at, "last_used_at": event.at}
    conn.execute(sa.update(pin).where(pin.c.id == pin_id).values(**spent, **used))
    _ADD_EVENT.run(conn, card_id=card_id, state=event.state.value, at=event.at, made_by=event.made_by, note=event.note)


def prolong_pins(conn: Connection, account_id: int, from_at: datetime, to_at: datetime | None) -> None:
    """Let the PINs of an account that end at one moment end at another, or never."""
    chosen = sa.and_(pin.c.account_id == account_id, pin.c.expires_at == from_at, pin.c.revoked_at.is_(None))
    conn.execute(sa.update(pin).where(chosen).values(expires_at=to_at))


def void_used(conn: Connection, card_id: int, event: CardEvent) -> int | None:
    """Make a used card void and take its PIN back; gives the account it opened, none where it was only paid in."""
    hashes = sa.select(card.c.pin_hash).where(card.c.id == card_id)
    own = sa.select(pin.c.account_id).where(pin.c.pin_hash.in_(hashes), pin.c.revoked_at.is_(None))
    account_id: int | None = conn.execute(own).scalar()
    taken_back = {"revoked_at": event.at, "revoked_by": event.made_by, "revoke_note": event.note}
    conn.execute(sa.update(pin).where(pin.c.pin_hash.in_(hashes), pin.c.revoked_at.is_(None)).values(taken_back))
    conn.execute(sa.update(card).where(card.c.id == card_id).values(state=CardState.VOID.value))
    _ADD_EVENT.run(conn, card_id=card_id, state=event.state.value, at=event.at, made_by=event.made_by, note=event.note)
    return account_id


def batch_named(conn: Connection, name: str, *, lock: bool = False) -> Batch | None:
    """A batch by its name; `lock` keeps others who change it waiting until the transaction ends."""
    query = _BATCH.where(card_batch.c.name == name)
    return _batch(conn.execute(query.with_for_update(of=card_batch) if lock else query).first())


def batch_by_id(conn: Connection, batch_id: int) -> Batch | None:
    """A batch by its row."""
    return _batch(conn.execute(_BATCH.where(card_batch.c.id == batch_id)).first())


def has_batch(conn: Connection, operator_id: int) -> bool:
    """True when an operator has any batch."""
    query = sa.select(sa.literal(1)).where(card_batch.c.operator_id == operator_id).limit(1)
    return conn.execute(query).first() is not None


def insert_batch(conn: Connection, values: dict[str, object]) -> None:
    """A new batch without cards: a value for each column."""
    conn.execute(sa.insert(card_batch), values)


def set_export(conn: Connection, batch_id: int, values: dict[str, object]) -> None:
    """Note who is exporting a batch, or has."""
    conn.execute(sa.update(card_batch).where(card_batch.c.id == batch_id).values(values))


def taken_hashes(conn: Connection, hashes: Sequence[str]) -> set[str]:
    """Which of these PINs were ever issued."""
    return set(conn.execute(sa.select(pin.c.pin_hash).where(pin.c.pin_hash.in_(hashes))).scalars())


def add_cards(
    conn: Connection, batch: Batch, first_number: int, hashes: Sequence[str], expires: datetime | None, event: CardEvent
) -> None:
    """Make cards with these PINs, numbered from `first_number` on."""
    common = {"issued_at": event.at, "expires_at": expires, "range_id": batch.range_id}
    _ADD_PIN.run_each(conn, [{"pin_hash": pin_hash, **common} for pin_hash in hashes])
    rows = [
        {"batch_id": batch.id, "number": number, "pin_hash": pin_hash, "state": CardState.MADE.value}
        for number, pin_hash in enumerate(hashes, first_number)
    ]
    _ADD_CARD.run_each(conn, rows)
    _add_events(conn, _of_batch(batch.id, (first_number, first_number + len(hashes) - 1)), event)


def last_number(conn: Connection, batch_id: int) -> int:
    """The highest number of a card of this batch; 0 when it has none."""
    return conn.execute(sa.select(sa.func.max(card.c.number)).where(card.c.batch_id == batch_id)).scalar() or 0


def change_cards(
    conn: Connection,
    batch_id: int,
    numbers: tuple[int, int] | None,
    before: frozenset[CardState],
    event: CardEvent,
    now: datetime,
) -> int:
    """Bring the cards that are in a state to be changed, and not expired, to another; gives how many.

    Void takes their PINs back as well. The batch is locked by the caller; the cards are locked here, before they are
    chosen, because a caller may be using one of them for the first time.
    """
    states = [state.value for state in before]
    is_endless = sa.or_(pin.c.expires_at.is_(None), pin.c.expires_at > now)
    # asked of each card: a list of all PINs in time would be made anew for every thousand of them
    is_in_time = sa.exists().where(pin.c.pin_hash == card.c.pin_hash, is_endless).correlate(card)
    chosen = sa.and_(_of_batch(batch_id, numbers), card.c.state.in_(states))
    if event.state is not CardState.VOID:
        chosen = sa.and_(chosen, is_in_time)
    ids = conn.execute(sa.select(card.c.id).where(chosen).order_by(card.c.id).with_for_update()).all()
    if not ids:
        return 0
    _add_events(conn, chosen, event)
    if event.state is CardState.VOID:
        hashes = sa.select(card.c.pin_hash).where(chosen)
        taken_back = {"revoked_at": event.at, "revoked_by": event.made_by, "revoke_note": event.note}
        statement = sa.update(pin).where(pin.c.pin_hash.in_(hashes), pin.c.revoked_at.is_(None))
        conn.execute(statement.values(taken_back))
    conn.execute(sa.update(card).where(chosen).values(state=event.state.value))
    return len(ids)


def card_numbered(conn: Connection, batch_id: int, number: int) -> Card | None:
    """A card by the two halves of its serial number."""
    row = conn.execute(_CARD.where(card.c.batch_id == batch_id, card.c.number == number)).first()
    if row is None:
        return None
    values = list(row)
    values[4] = CardState(row[4])
    return Card(*values)


def events_of_card(conn: Connection, card_id: int) -> list[CardEvent]:
    """The history of a card, the oldest first."""
    query = sa.select(card_event.c.state, card_event.c.at, card_event.c.made_by, card_event.c.note)
    rows = conn.execute(query.where(card_event.c.card_id == card_id).order_by(card_event.c.id))
    return [CardEvent(CardState(row[0]), *row[1:]) for row in rows]


def events_of_batch(conn: Connection, batch_id: int, limit: int) -> list[CardEvent]:
    """The history of a batch, the newest first: changes of many cards by one hand at one moment are one."""
    columns = (card_event.c.state, card_event.c.at, card_event.c.made_by, card_event.c.note)
    query = (
        sa.select(*columns, sa.func.count())
        .join(card, card.c.id == card_event.c.card_id)
        .where(card.c.batch_id == batch_id)
        .group_by(*columns)
        .order_by(card_event.c.at.desc())
        .limit(limit)
    )
    return [CardEvent(CardState(row[0]), *row[1:]) for row in conn.execute(query)]


def inventories(
    conn: Connection, now: datetime, *, operator_code: str | None = None, batch_id: int | None = None
) -> list[Inventory]:
    """Every batch with its cards counted by their state now, by name."""
    query = _BATCH if operator_code is None else _BATCH.where(operator.c.code == operator_code)
    query = query if batch_id is None else query.where(card_batch.c.id == batch_id)
    batches = [found for row in conn.execute(query.order_by(card_batch.c.name)) if (found := _batch(row)) is not None]
    is_over = sa.and_(card.c.state != CardState.VOID.value, pin.c.expires_at <= now)
    remaining = sa.func.sum(sa.case((pin.c.revoked_at.is_(None), account.c.balance_micros), else_=0))
    state = sa.case((is_over, CardState.EXPIRED.value), else_=card.c.state)
    counted = (
        sa.select(card.c.batch_id, state, sa.func.count(), sa.func.coalesce(remaining, 0))
        .join(pin, pin.c.pin_hash == card.c.pin_hash)
        .outerjoin(account, account.c.id == pin.c.account_id)
        .where(card.c.batch_id.in_([found.id for found in batches]))
        .group_by(card.c.batch_id, state)
    )
    counts: dict[int, dict[CardState, int]] = {}
    left: dict[int, int] = {}
    for batch_row, name, cards, micros in conn.execute(counted):
        counts.setdefault(batch_row, {})[CardState(name)] = cards
        left[batch_row] = left.get(batch_row, 0) + int(micros)
    return [Inventory(found, counts.get(found.id, {}), left.get(found.id, 0)) for found in batches]


def _of_batch(batch_id: int, numbers: tuple[int, int] | None) -> sa.ColumnElement[bool]:
    if numbers is None:
        return card.c.batch_id == batch_id
    return sa.and_(card.c.batch_id == batch_id, card.c.number.between(*numbers))


def _add_events(conn: Connection, chosen: sa.ColumnElement[bool], event: CardEvent) -> None:
    said = (
        sa.literal(event.state.value),
        sa.literal(event.at, Instant),
        sa.literal(event.made_by),
        sa.literal(event.note),
    )
    columns = ["card_id", "state", "at", "made_by", "note"]
    conn.execute(sa.insert(card_event).from_select(columns, sa.select(card.c.id, *said).where(chosen)))


def _batch(row: Sequence[Any] | None) -> Batch | None:
    if row is None:
        return None
    values: list[Any] = [*row[:4], CardClass(*row[4:9]), *row[9:]]
    return Batch(*values)
