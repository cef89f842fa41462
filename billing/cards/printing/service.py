"""Export a batch: draw the PINs, make the cards, and write the print file, encrypted, once.

The digits are in memory from the moment they are drawn until the file is sealed, and nowhere else. A run that dies
leaves cards that nobody knows the PINs of; the next run makes those void and numbers its own after them.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import Connection, Engine

from billing.accounts.account import PIN_DIGITS
from billing.cards import store
from billing.cards.batch import Batch, expires_at
from billing.cards.card import Card, CardEvent, CardState, serial_of
from billing.cards.printing.print_file import recipients_of, sealed, write_new
from billing.cards.service import CARDS_AT_ONCE, find_batch
from billing.pins import service as pin_service
from billing.pins import store as pin_store
from runtime import ids
from runtime.clock import Clock
from runtime.database import transaction
from runtime.faults import StaffError
from runtime.keys import Pepper

_DRAWS = 100

Watch = Callable[[int, int], None]
"""Told now and then: cards made so far, cards in all."""


@dataclass(frozen=True, slots=True)
class Export:
    """Who exports which batch where, for whom to read."""

    name: str
    path: Path
    recipients: tuple[str, ...]
    by: str


def export_batch(
    engine: Engine, clock: Clock, pepper: Pepper, asked: Export, watch: Watch | None = None, *, rehearse: bool = False
) -> Batch:
    """Make the cards of a batch and its print file, once; a rehearsal only finds out whether it can be done.

    Raises NotFoundError, or StaffError for a batch that was exported, is virtual, or is being exported by another run,
    for a file that is there, and for recipients that are none.
    """
    recipients = recipients_of(asked.recipients)
    if asked.path.exists():
        raise StaffError(f"{asked.path}: there is such a file already")
    run = ids.new_id()
    with transaction(engine) as conn:
        batch, first = _begin(conn, clock, asked, run)
    if rehearse:
        return batch
    made: list[tuple[str, str]] = []
    while len(made) < batch.cards:
        with transaction(engine) as conn:
            _still_mine(conn, asked.name, run)
            many = min(CARDS_AT_ONCE, batch.cards - len(made))
            number = first + len(made)
            digits = make_cards(conn, clock, pepper, batch, number, many, asked.by)
        made += [(serial_of(batch.id, number + at), pin) for at, pin in enumerate(digits)]
        if watch is not None:
            watch(len(made), batch.cards)
    write_new(asked.path, sealed(batch, made, recipients))
    try:
        with transaction(engine) as conn:
            _still_mine(conn, asked.name, run)
            done = {"exported_at": clock.now(), "exported_by": asked.by[:80], "exported_to": str(asked.path)[:200]}
            store.set_export(conn, batch.id, done)
            return find_batch(conn, asked.name)
    except BaseException:
        asked.path.unlink()
        raise


def issue_card(engine: Engine, clock: Clock, pepper: Pepper, *, name: str, by: str) -> tuple[Card, str]:
    """A card of a virtual batch, active at once, and its PIN, which nobody can ever see again.

    Raises NotFoundError, or StaffError when the batch is not virtual or has no card left.
    """
    with transaction(engine) as conn:
        batch = find_batch(conn, name, lock=True)
        if not batch.is_virtual:
            raise StaffError(f"batch {name} is of plastic: `tollgate card batch export` makes its cards")
        number = store.last_number(conn, batch.id) + 1
        if number > batch.cards:
            raise StaffError(f"batch {name} has no card left of {batch.cards}")
        (digits,) = make_cards(conn, clock, pepper, batch, number, 1, by)
        event = CardEvent(CardState.ACTIVATED, clock.now(), by[:80], "issued")
        store.change_cards(conn, batch.id, (number, number), frozenset({CardState.MADE}), event, clock.now())
        found = store.card_numbered(conn, batch.id, number)
        if found is None:
            raise RuntimeError("a card that was just written is not there")
        return found, digits


def make_cards(
    conn: Connection, clock: Clock, pepper: Pepper, batch: Batch, first_number: int, many: int, by: str
) -> Sequence[str]:
    """Make cards of a locked batch; gives their PINs, eight random digits never issued before, in their order."""
    prefix = ""
    if batch.range_id is not None:
        found = pin_store.range_by_id(conn, batch.range_id)
        if found is None:
            raise RuntimeError("a batch without its range")
        pin_service.take_from(conn, found, many)
        prefix = found.prefix
    digits = _draw(conn, pepper, prefix, many)
    event = CardEvent(CardState.MADE, clock.now(), by[:80], f"batch {batch.name}")
    until = expires_at(batch.card_class, None)
    store.add_cards(conn, batch, first_number, list(digits.values()), until, event)
    return list(digits)


def _begin(conn: Connection, clock: Clock, asked: Export, run: str) -> tuple[Batch, int]:
    """Take the batch for this run, and what an earlier one left behind out of the world; gives the first number."""
    batch = find_batch(conn, asked.name, lock=True)
    if batch.is_virtual:
        raise StaffError(f"batch {asked.name} is virtual: `tollgate card issue` gives out its cards one by one")
    if batch.exported_at is not None:
        raise StaffError(
            f"batch {asked.name} was exported {batch.exported_at:%Y-%m-%d %H:%M} UTC by {batch.exported_by} to "
            f"{batch.exported_to}; its PINs are in that file and nowhere else"
        )
    now = clock.now()
    lost = CardEvent(CardState.VOID, now, asked.by[:80], "an export that did not end")
    store.change_cards(conn, batch.id, None, frozenset({CardState.MADE}), lost, now)
    store.set_export(conn, batch.id, {"export_id": run})
    return batch, store.last_number(conn, batch.id) + 1


def _still_mine(conn: Connection, name: str, run: str) -> None:
    if find_batch(conn, name, lock=True).export_id != run:
        raise StaffError(f"batch {name} is being exported by another run, which was begun later")


def _draw(conn: Connection, pepper: Pepper, prefix: str, many: int) -> dict[str, str]:
    """So many PINs with their keyed hashes."""
    free, reserved = PIN_DIGITS - len(prefix), () if prefix else pin_store.prefixes(conn)
    drawn: dict[str, str] = {}
    for _ in range(_DRAWS):
        fresh: dict[str, str] = {}
        while len(fresh) < many - len(drawn):
            digits = f"{prefix}{secrets.randbelow(10**free):0{free}d}"
            if digits not in drawn and not digits.startswith(reserved):
                fresh[digits] = pepper.digest("pin", digits)
        by_each_key = {digits: pepper.digests("pin", digits) for digits in fresh}
        taken = store.taken_hashes(conn, [one for hashes in by_each_key.values() for one in hashes])
        drawn |= {digits: one for digits, one in fresh.items() if taken.isdisjoint(by_each_key[digits])}
        if len(drawn) == many:
            return drawn
    raise RuntimeError("no free PINs were drawn")
