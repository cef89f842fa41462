"""The disk is full: said in a line a person understands, nothing half done, and all goes on when there is room."""

import itertools
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError

from billing.accounts import service as account_service
from billing.ledger import service as ledger_service
from runtime import database
from runtime.database_faults import explain_fault
from tests.clock import SettableClock
from tests.postgres_server import PostgresServer
from tests.proof import small_disk
from tests.proof.book import Book
from tests.proof.counter import OPERATOR, Counter, Kind, Order, open_counter
from tests.proof.lives import steps_of
from tests.proof.small_disk import SmallDisk

LARGEST_REST_BYTES = 200_000
SAID = ("the disk is full", "the disk refuses", "the server's disk is full")
Place = tuple[SmallDisk, Engine]


DISKS = ["sqlite-bound-files"]
if small_disk.may_mount():
    DISKS += ["sqlite-tmpfs", "postgres-tmpfs"]


@pytest.fixture(params=DISKS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A database on a disk that can be filled; PostgreSQL in a tablespace on it, its journal is elsewhere."""
    if request.param == "postgres-tmpfs":
        yield from on_postgres(request.getfixturevalue("postgres_server"), request.getfixturevalue("postgres_template"))
        return
    folder = tmp_path / "disk"
    made = small_disk.tmpfs(folder, "16m") if request.param == "sqlite-tmpfs" else small_disk.bound_files(folder)
    with made as disk:
        shutil.copyfile(request.getfixturevalue("sqlite_template"), folder / "tollgate.db")
        engine = database.create_engine(f"sqlite:///{folder / 'tollgate.db'}")
        yield disk, engine
        engine.dispose()


def on_postgres(server: PostgresServer, template: str) -> Iterator[Place]:
    folder = server.home / "small"
    with small_disk.tmpfs(folder, "24m") as disk:
        server.own(folder)
        server.command(f"CREATE TABLESPACE small LOCATION '{folder}'")
        server.command(f"CREATE DATABASE full_disk TEMPLATE {template} TABLESPACE small")
        engine = database.create_engine(server.address("full_disk"))
        yield disk, engine
        engine.dispose()
        server.command("DROP DATABASE full_disk WITH (FORCE)")
        server.command("DROP TABLESPACE small")


def test_a_full_disk(place: Place, clock: SettableClock, times: Callable[[int, int], int]) -> None:
    """Fill it, work until it fails, look at the books, free it, send again what failed, and go on."""
    must_survive(*place, clock, times(1, 20))


def must_survive(disk: SmallDisk, engine: Engine, clock: SettableClock, rounds: int) -> None:
    operator_id = open_counter(engine, clock)
    account = account_service.create_account(engine, clock, operator_code=OPERATOR, limit_micros=2_000_000)
    counter, book = Counter(engine, clock, operator_id, account.number), Book()
    lives, dice = itertools.count(), random.Random(5)
    for _ in range(rounds):
        run(counter, book, orders(next(lives)))
        if engine.dialect.name == "sqlite":
            with engine.connect() as conn:  # what is written next needs room
                conn.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
        disk.fill(dice.randrange(LARGEST_REST_BYTES))
        try:
            failed = work_until_it_fails(counter, book, lives)
            assert list(ledger_service.audit(engine)) == [], "nothing is half done on a full disk"
            book.must_match(engine, account.id)
        finally:
            disk.free()
        run(counter, book, failed)
        for life in itertools.islice(lives, 3):
            run(counter, book, orders(life))
        book.must_match(engine, account.id)
    if engine.dialect.name == "sqlite":
        with database.reading(engine) as conn:
            assert conn.execute(sa.text("PRAGMA integrity_check")).scalar_one() == "ok"


def orders(life: int) -> list[Order]:
    """What one client sends."""
    return [first for first, _ in steps_of(life)]


def run(counter: Counter, book: Book, sent: list[Order]) -> None:
    """Send all of it."""
    for order in sent:
        answer = counter.send(order)
        book.note(order, answer)
        if answer.refused and order.kind in {Kind.OPEN, Kind.DEBIT}:
            return


def work_until_it_fails(counter: Counter, book: Book, lives: Iterator[int]) -> list[Order]:
    """Live on until a write is refused, in words; gives what was not done of that life."""
    for life in lives:
        left = orders(life)
        while left:
            try:
                answer = counter.send(left[0])
            except DBAPIError as error:
                fault = explain_fault(error)
                assert fault is not None
                assert any(words in fault.line for words in SAID), fault
                return left
            book.note(left[0], answer)
            left = [] if answer.refused and left[0].kind in {Kind.OPEN, Kind.DEBIT} else left[1:]
    raise AssertionError("the disk was not full")
