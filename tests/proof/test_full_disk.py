"""The disk is full: said in a line a person understands, nothing half done, and all goes on when there is room."""

import itertools
import random
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
from tests.proof import small_disk, told
from tests.proof.book import Book
from tests.proof.counter import OPERATOR, Counter, Kind, Order, open_counter
from tests.proof.lives import steps_of
from tests.proof.small_disk import Place, SmallDisk

LARGEST_REST_BYTES = 200_000
SAID = ("the disk is full", "the disk refuses", "the server's disk is full")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """On every kind of disk there can be here."""
    disks = told.disks(metafunc.config, (small_disk.BOUND_FILES, "sqlite-tmpfs", "postgres-tmpfs"))
    metafunc.parametrize("place", disks, indirect=True)


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A database on a disk that can be filled; PostgreSQL in a tablespace on it, its journal is elsewhere."""
    if request.param == "postgres-tmpfs":
        server, template = request.getfixturevalue("postgres_server"), request.getfixturevalue("postgres_template")
        with small_disk.postgres_tables(server, template) as place:
            yield place
        return
    folder = tmp_path / "disk"
    made = small_disk.tmpfs(folder, "16m") if request.param == "sqlite-tmpfs" else small_disk.bound_files(folder)
    with made as disk, small_disk.sqlite(disk, request.getfixturevalue("sqlite_template")) as place:
        yield place


def test_a_full_disk(place: Place, clock: SettableClock, times: Callable[[int, int], int]) -> None:
    """Fill it, work until it fails, look at the books, free it, send again what failed, and go on."""
    must_survive(place.disk, place.engine, clock, times(1, 20))


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
