"""A gateway ends what nobody ends, but asks a switch that answers."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
import structlog
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError

from billing.charging.reaping import Reaped
from billing.consumption import service as consumption
from billing.consumption.consumption import Open, Reservation
from ivr.reaper import Reaper
from runtime.ids import new_id
from tests.billing.books import UNIT, Books
from tests.billing.shop import open_shop
from tests.clock import SettableClock


def test_a_silent_session_of_another_service_ends_within_twice_its_grant(
    sqlite_engine: Engine, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked for again and again, also after the database did not answer."""
    monkeypatch.setattr("ivr.reaper.LOOK_EVERY_S", 0.01)
    shop = open_shop(sqlite_engine, clock)
    surfer = shop.account(UNIT)
    wish = Open(new_id(), shop.sold(surfer, "data", "net"), 1_000_000)
    assert isinstance(consumption.open_session(sqlite_engine, clock, shop.rates, wish), Reservation)
    faults = iter([OperationalError("", None, Exception()), OperationalError("", None, Exception())])
    done: list[Reaped] = []
    end_overdue = consumption.end_overdue

    def look(engine: Engine, at: SettableClock) -> list[Reaped]:
        fault = next(faults, None)
        if fault is not None:
            raise fault
        clock.advance(4201)
        ended = end_overdue(engine, at)
        done.extend(ended)
        return ended

    monkeypatch.setattr("ivr.reaper.consumption.end_overdue", look)

    async def until_done(reaper: Reaper) -> None:
        task = asyncio.create_task(reaper.run_for_ever())
        async with asyncio.timeout(30):
            while not done:
                await asyncio.sleep(0.01)
        task.cancel()

    with ThreadPoolExecutor(1) as pool, structlog.testing.capture_logs() as logs:
        asyncio.run(until_done(Reaper(sqlite_engine, clock, pool, 300, lambda: None, structlog.get_logger())))
    assert [(one.session_id, one.charged_micros) for one in done] == [(wish.session_id, 0)]
    assert [line["event"] for line in logs].count("reap-put-off") == 1


@pytest.mark.parametrize(("answers", "reaped"), [("gw1", 0), ("gw2", 1), (None, 1)])
def test_the_switch_that_answers_is_asked(
    sqlite_engine: Engine, clock: SettableClock, answers: str | None, reaped: int
) -> None:
    books = Books(sqlite_engine, clock)
    account_id, price = books.account(10 * UNIT), books.rate()
    books.up(account_id, price)
    clock.advance(3_600)
    with ThreadPoolExecutor(1) as pool, structlog.testing.capture_logs() as logs:
        reaper = Reaper(sqlite_engine, clock, pool, 300, lambda: answers, structlog.get_logger())
        assert len(asyncio.run(reaper.reap_calls())) == reaped
    assert [(line["event"], line["switch"]) for line in logs] == [("reaped", "gw1")] * reaped
    assert books.money(account_id) == (10 * UNIT, 0 if reaped else UNIT)
