"""A gateway ends what nobody ends, but asks a switch that answers."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
import structlog
from sqlalchemy.engine import Engine

from ivr.reaper import Reaper
from tests.billing.books import UNIT, Books
from tests.clock import SettableClock


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
        assert len(asyncio.run(reaper.reap())) == reaped
    assert [(line["event"], line["switch"]) for line in logs] == [("reaped", "gw1")] * reaped
    assert books.money(account_id) == (10 * UNIT, 0 if reaped else UNIT)
