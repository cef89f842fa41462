"""The proof of the books: whatever is edited behind the back of the program is found."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import IntegrityError

from billing.ledger import seal_store, service
from billing.ledger.tables import ledger_account, ledger_seal, posting
from billing.ledger.tables import transfer as transfer_table
from billing.ledger.transfer import NO_LINK, Credited, TransferKind, link_hash
from runtime.database import reading, to_micros, transaction
from runtime.faults import BusyError
from runtime.keys import Pepper
from tests.billing.books import UNIT, Books, at_once
from tests.billing.ledger.raw_rows import raw
from tests.clock import SettableClock

HISTORY = (transfer_table, posting, ledger_account, ledger_seal)
Times = Callable[[int, int], int]


@pytest.fixture
def books(engine: Engine, clock: SettableClock, pepper: Pepper) -> Books:
    """Two customers who paid and called, two seals, and one payment that is not sealed yet."""
    books = Books(engine, clock)
    for _ in range(2):
        account_id = books.account(5 * UNIT)
        books.settle(books.up(account_id, books.rate(f"33{account_id}")), 60_000)
    number = books.number(account_id)
    assert service.seal(engine, clock, pepper, "night") is not None
    service.adjust(engine, clock, TransferKind.REFUND, number, UNIT, key="r", made_by="clerk", reason="bad line")
    assert service.seal(engine, clock, pepper, "night") is not None
    service.credit(engine, clock, number, UNIT, "unsealed", "clerk")
    assert service.audit(engine, pepper) == []
    return books


def otherwise(value: Any) -> tuple[Any, ...]:
    """The same value with one bit or digit changed; numbers also to one that no other row has."""
    if isinstance(value, bytes):
        return (value[:-1] + bytes([value[-1] ^ 1]),)
    if isinstance(value, str):
        return (value[:-1] + chr(ord(value[-1]) ^ 1) if value else "x",)
    return (1,) if value is None else (value + 1, value + 1_000_000)


def rewrite(conn: Connection, table: sa.Table, row: dict[str, Any], name: str, value: Any) -> bool:
    """Change one cell by force; false when another row has that value in a unique column."""
    forced = raw(table)
    keys = [forced.c[key.name] == row[key.name] for key in table.primary_key]
    statement = sa.update(forced).where(*keys).values({name: sa.bindparam("changed", value, type_=forced.c[name].type)})
    try:
        with conn.begin_nested():
            assert conn.execute(statement).rowcount == 1
    except IntegrityError:
        return False
    return True


@pytest.mark.parametrize("table", HISTORY, ids=lambda table: table.name)
def test_any_cell_that_is_changed_is_found(
    books: Books, rogue: Engine, pepper: Pepper, times: Times, table: sa.Table
) -> None:
    with rogue.connect() as conn:
        rows = [row._asdict() for row in conn.execute(sa.select(raw(table)))]
    missed, tried = [], 0
    for row in rows[: times(2, len(rows))]:
        for column, value in ((one, other) for one in table.c for other in otherwise(row[one.name])):
            with rogue.begin() as conn:
                changed = rewrite(conn, table, row, column.name, value)
            if not changed:
                continue
            tried += 1
            if not service.audit(books.engine, pepper):
                missed.append((column.name, value, row))
            with rogue.begin() as conn:
                assert rewrite(conn, table, {**row, column.name: value}, column.name, row[column.name])
    assert missed == []
    assert tried > 1.5 * len(table.c)
    assert service.audit(books.engine, pepper) == []


@pytest.mark.parametrize("table", [transfer_table, posting], ids=lambda table: table.name)
def test_any_row_that_is_removed_is_found(books: Books, rogue: Engine, pepper: Pepper, table: sa.Table) -> None:
    with rogue.connect() as conn:
        rows = [row._asdict() for row in conn.execute(sa.select(raw(table)))]
    for row in rows:
        forced = raw(table)
        with rogue.begin() as conn:
            conn.execute(sa.delete(forced).where(*(forced.c[key.name] == row[key.name] for key in table.primary_key)))
        assert service.audit(books.engine, pepper)
        with rogue.begin() as conn:
            conn.execute(sa.insert(forced), row)
    assert service.audit(books.engine, pepper) == []


def relink(conn: Connection) -> None:
    """Work out every hash anew, as one who knows this program and has the database, but not the key."""
    forced, last, chain_id = raw(transfer_table), NO_LINK, None
    for row in conn.execute(sa.select(forced).order_by(forced.c.chain_id, forced.c.chain_number)).all():
        last = NO_LINK if row.chain_id != chain_id else last
        chain_id = row.chain_id
        sides = conn.execute(
            sa.select(
                posting.c.position,
                ledger_account.c.kind,
                ledger_account.c.owner,
                posting.c.amount_micros,
                posting.c.balance_after_micros,
            )
            .join_from(posting, ledger_account, ledger_account.c.id == posting.c.ledger_account_id)
            .where(posting.c.transfer_id == row.id)
            .order_by(posting.c.position)
        ).all()
        fields = (row.key, row.kind, row.currency, row.at, row.made_by, row.note)
        last = link_hash(last, row.chain_number, fields, [tuple(side) for side in sides])
        conn.execute(sa.update(forced).where(forced.c.id == row.id).values(chain_hash=last))


def test_a_forged_chain_does_not_fit_its_seal(books: Books, rogue: Engine, pepper: Pepper) -> None:
    """A note is changed and every hash made to fit: the chain is sound, the seal is not."""
    with rogue.begin() as conn:
        conn.execute(sa.update(raw(transfer_table)).where(sa.column("id") == 1).values(note="never mind"))
        relink(conn)
    assert {finding.check for finding in service.audit(books.engine, pepper)} == {"a seal fits the transfers it covers"}


def test_forged_seals_lack_the_key(books: Books, rogue: Engine, clock: SettableClock, pepper: Pepper) -> None:
    with rogue.begin() as conn:
        conn.execute(sa.update(raw(transfer_table)).where(sa.column("id") == 1).values(note="never mind"))
        relink(conn)
        conn.execute(sa.delete(raw(ledger_seal)))
    assert service.seal(books.engine, clock, Pepper(bytes(32)), "night") is not None
    assert {finding.check for finding in service.audit(books.engine, pepper)} == {"a seal is signed with the key"}
    assert service.audit(books.engine) == []


def test_a_transfer_that_was_cut_off_the_end_of_a_chain_is_missed_by_its_seal(
    books: Books, rogue: Engine, pepper: Pepper
) -> None:
    with rogue.begin() as conn:
        key = conn.execute(sa.select(raw(transfer_table).c.id).where(sa.column("key") == "refund:r")).scalar_one()
        unsealed = conn.execute(sa.select(sa.func.max(raw(transfer_table).c.id))).scalar_one()
        for table, name in ((posting, "transfer_id"), (transfer_table, "id")):
            conn.execute(sa.delete(raw(table)).where(sa.column(name).in_([key, unsealed])))
        conn.exec_driver_sql(f"UPDATE account SET balance_micros = balance_micros - {2 * UNIT} WHERE id = 2")
    assert {finding.check for finding in service.audit(books.engine, pepper)} == {"a seal fits the transfers it covers"}


def test_a_seal_covers_each_transfer_once(books: Books, clock: SettableClock, pepper: Pepper) -> None:
    assert service.unsealed(books.engine) == 1
    made = service.seal(books.engine, clock, pepper, "night")
    assert made is not None
    assert (made.number, made.transfers) == (3, 1)
    assert service.seal(books.engine, clock, pepper, "night") is None
    assert service.unsealed(books.engine) == 0
    with reading(books.engine) as conn:
        seals = seal_store.seals(conn)
    assert [seal.first_transfer_id for seal in seals] == [1, *(seal.last_transfer_id + 1 for seal in seals[:-1])]


def test_sealing_while_money_moves_leaves_nothing_out(
    books: Books, clock: SettableClock, pepper: Pepper, times: Times
) -> None:
    """Customers are paid into from many threads while others seal; afterwards all is sealed and fits."""
    numbers = [books.number(books.account()) for _ in range(3)]

    def pay(number: str, turn: int) -> None:
        assert isinstance(service.credit(books.engine, clock, number, UNIT, f"{number}-{turn}", "t"), Credited)

    def seal() -> None:
        for _ in range(5):
            try:
                service.seal(books.engine, clock, pepper, "night")
            except BusyError:
                continue

    turns = times(10, 200)
    pays: list[Callable[[], None]] = [partial(pay, number, turn) for number in numbers for turn in range(turns)]
    for at in range(0, len(pays), 15):
        at_once([*pays[at : at + 15], seal, seal])
    service.seal(books.engine, clock, pepper, "night")
    assert service.unsealed(books.engine) == 0
    assert service.audit(books.engine, pepper) == []


def test_links_of_a_customer_follow_each_other_under_a_rush(books: Books, clock: SettableClock, times: Times) -> None:
    number = books.number(books.account())

    def pay(turn: int) -> None:
        service.credit(books.engine, clock, number, UNIT, f"rush-{turn}", "t")

    for start in range(times(1, 20)):
        at_once([partial(pay, start * 20 + turn) for turn in range(20)])
    books.assert_sound()


def test_text_that_is_no_text_is_a_finding_not_a_fault(books: Books, rogue: Engine) -> None:
    if books.engine.dialect.name == "postgresql":
        return  # PostgreSQL keeps the kinds of its columns itself
    with rogue.begin() as conn:
        conn.exec_driver_sql("UPDATE posting SET amount_micros = 'much' WHERE transfer_id = 1")
        conn.exec_driver_sql("UPDATE transfer SET note = x'ff00' WHERE id = 2")
    checks = {finding.check for finding in service.audit(books.engine)}
    assert "a transfer and its postings can be read" in checks
    with rogue.begin() as conn:
        conn.exec_driver_sql("UPDATE transfer SET note = CAST(x'ff' AS TEXT) WHERE id = 3")
    checks = {finding.check for finding in service.audit(books.engine)}
    assert "every transfer can be read" in checks


def test_two_contents_are_never_written_alike() -> None:
    """Texts carry their lengths: what is moved from one field to the next changes the hash."""
    at = 5
    one = link_hash(NO_LINK, 1, ("ab", "c", "USD", at, "m", "n"), [(0, "cash", "1", 5, None)])
    other = link_hash(NO_LINK, 1, ("a", "bc", "USD", at, "m", "n"), [(0, "cash", "1", 5, None)])
    third = link_hash(NO_LINK, 1, ("ab", "c", "USD", at, "m", "n|0 4:cash1:15 None"), [])
    assert len({one, other, third}) == 3


def test_a_moment_is_hashed_as_it_is_kept(books: Books) -> None:
    with transaction(books.engine) as conn:
        at = conn.execute(sa.select(transfer_table.c.at)).scalars().first()
        kept = conn.execute(sa.select(raw(transfer_table).c.at)).scalars().first()
    assert at is not None
    assert to_micros(at) == kept
