"""The disk is full while calls are up: nobody talks longer than was granted, and all goes on when there is room."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from billing.accounts import service as account_service
from billing.consumption import service as consumption
from billing.consumption.consumption import Open, Reservation, Sold
from billing.ledger import service as ledger_service
from billing.tariffs.book.service import RateBook
from ivr.metering import MeterPolicy
from runtime import database
from runtime.clock import SystemClock
from runtime.ids import new_id
from tests.proof import small_disk, told
from tests.proof.book import price_micros
from tests.proof.counter import CODES, OPERATOR, TARIFF, open_counter
from tests.proof.paper_gateway import MONEY_MICROS, PaperGateway
from tests.proof.small_disk import Place

BACK_S = 30.0
_LONGEST_S = 60.0
_KEPT = sa.text(
    "SELECT c.used_ms, c.charged_micros, s.granted_ms, s.held_micros, s.state FROM cdr c"
    " JOIN charging_session s ON s.id = c.call_id WHERE c.call_id = :id"
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """On every kind of disk there can be here; a whole server takes its time."""
    kinds = ["sqlite", "postgres-tables"]
    if metafunc.config.getoption("--proof"):
        kinds.append("postgres-whole")
    disks = told.disks(metafunc.config, kinds) or [small_disk.BOUND_FILES]
    metafunc.parametrize("place", disks, indirect=True)


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A database on a disk that can be filled: SQLite; tables of PostgreSQL; PostgreSQL with its journal and all."""
    folder = tmp_path / "disk"
    if request.param in {"sqlite", small_disk.BOUND_FILES}:
        template = request.getfixturevalue("sqlite_template")
        made = small_disk.tmpfs(folder, "64m") if request.param == "sqlite" else small_disk.bound_files(folder)
        with made as disk, small_disk.sqlite(disk, template) as found:
            yield found
    elif request.param == "postgres-tables":
        server, template = request.getfixturevalue("postgres_server"), request.getfixturevalue("postgres_template")
        with small_disk.postgres_tables(server, template) as found:
            yield found
    else:
        with small_disk.postgres_whole() as found:
            yield found


def test_a_full_disk_in_mid_call(
    place: Place, tmp_path: Path, times: Callable[[int, int], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Full for a moment, then for longer than any grant; then there is room, and the next calls find all as it was."""
    is_full = times(0, 1) == 1
    if not is_full:
        monkeypatch.setattr("ivr.recovery.RETRY_EVERY_S", 0.2)
        monkeypatch.setattr("ivr.recovery.RESYNC_EVERY_S", 0.5)
    grant_ms = times(1_200, 6_000)
    policy = MeterPolicy(grant_ms, grant_ms * 5 // 6, (), retry_ms=100)
    operator_id = open_counter(place.engine, SystemClock())
    filler = Filler(place, operator_id)
    gateway = PaperGateway(place.engine, SystemClock(), tmp_path / "switch", policy)
    back_s, went_on = 0.0, 0
    for number in range(times(1, 3)):
        passed_s, kept = asyncio.run(one_round(place, gateway, filler, number * 100, times(3, 30)))
        back_s, went_on = max(back_s, passed_s), went_on + kept
    most_ms = must_match(place.engine, gateway)
    print(
        f"\n{len(gateway.payers)} calls, {gateway.said['meter']} extensions refused, {gateway.put_off()} settlements"
        f" put off, {went_on} calls went on after a moment, at most {most_ms} ms beyond the grant, back after"
        f" {back_s:.1f} s"
    )
    assert gateway.said["meter"], "the disk was not full"
    assert not is_full or (went_on and gateway.put_off())
    assert back_s < BACK_S


async def one_round(place: Place, gateway: PaperGateway, filler: "Filler", first: int, calls: int) -> tuple[float, int]:
    """Gives the seconds from when there is room until every call is settled, and how many outlived the short time."""
    for number in range(calls):
        gateway.call(first + number)
    async with gateway.running():
        async with filler.full():
            refused = gateway.said["meter"]
            await until(lambda: gateway.said["meter"] > refused or not gateway.up(), "an extension is refused")
        await until(lambda: not gateway.up() or gateway.has_extended(), "there is room for an extension")
        kept = gateway.up()
        async with filler.full():
            put_off = gateway.put_off()
            await until(lambda: not gateway.up(), "the switch ends the calls")
            await until(
                lambda: gateway.put_off() > put_off or not gateway.switch.legs(), "none can be settled, or all could"
            )
            if not place.whole:
                assert list(ledger_service.audit(place.engine)) == [], "nothing is half done on a full disk"
        await until(lambda: not gateway.switch.legs(), "every call is settled")
        passed_s = time.monotonic() - filler.room_s
    assert list(ledger_service.audit(place.engine)) == []
    gateway.call(first + calls)
    async with gateway.running():
        await until(gateway.has_extended, "the call after it is extended")
        gateway.hang_up()
        await until(lambda: not gateway.switch.legs(), "the call after it is settled")
    return passed_s, kept


async def until(condition: Callable[[], bool], what: str) -> None:
    async with asyncio.timeout(_LONGEST_S):
        while not condition():
            await asyncio.sleep(0.02)
    assert condition(), what


def must_match(engine: Engine, gateway: PaperGateway) -> int:
    """Each call is settled once, for what it used of what was granted; gives the most that one used beyond it."""
    beyond_ms = [0]
    for call_id, payer in gateway.payers.items():
        with database.reading(engine) as conn:
            (kept,) = conn.execute(_KEPT, {"id": call_id}).all()
        beyond_ms.append(kept.used_ms - kept.granted_ms)
        assert kept.state == "closed"
        assert kept.charged_micros == min(price_micros("call", kept.used_ms), kept.held_micros)
        found = account_service.find_account(engine, payer.number)
        assert (found.balance_micros, found.held_micros) == (MONEY_MICROS - kept.charged_micros, 0)
    assert max(beyond_ms) <= gateway.policy.grant_ms, "exposure is one grant at most"
    if engine.dialect.name == "sqlite":
        with database.reading(engine) as conn:
            assert conn.execute(sa.text("PRAGMA integrity_check")).scalar_one() == "ok"
    return max(beyond_ms)


class Filler:
    """Fills the disk, and writes on until nothing more can be written: also what was free in the files is used up."""

    def __init__(self, place: Place, operator_id: int) -> None:
        self._place, self._operator_id = place, operator_id
        clock = SystemClock()
        account = account_service.create_account(place.engine, clock, operator_code=OPERATOR, limit_micros=10**9)
        sold = Sold(operator_id, account.number, TARIFF, "data", CODES["data"])
        opened = consumption.open_session(
            place.engine, clock, RateBook(place.engine, clock), Open(new_id(), sold, 1_000)
        )
        assert isinstance(opened, Reservation)
        self._session_id, self._number = opened.session_id, 0
        self.room_s = 0.0
        """When there was room again, monotonic."""

    @asynccontextmanager
    async def full(self) -> AsyncIterator[None]:
        """For so long there is no room."""
        over = threading.Event()
        await asyncio.to_thread(self._place.disk.fill, 0)
        thread = threading.Thread(target=self._write_on, args=(over,))
        thread.start()
        try:
            yield
        finally:
            over.set()
            self._place.disk.free()
            self.room_s = time.monotonic()
            await asyncio.to_thread(thread.join)

    def _write_on(self, over: threading.Event) -> None:
        """As the meters write: a request, and what it changed of its session."""
        place, clock = self._place, SystemClock()
        while not over.wait(0.0):
            try:
                if place.whole:
                    with psycopg.connect(place.whole, autocommit=True) as connection:
                        while not over.is_set():
                            connection.execute("SELECT pg_logical_emit_message(false, '', repeat('x', 1000000))")
                self._number += 1
                consumption.extend_session(
                    place.engine, clock, self._operator_id, self._session_id, self._number, 0, 1_000 + self._number
                )
            except (SQLAlchemyError, psycopg.Error):
                over.wait(0.1)
