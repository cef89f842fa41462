"""What a call leaves in the database: tables and indexes together, with all that is kept to explain it."""

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import cycle
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import Engine

from billing.accounts import service as account_service
from billing.calls import service as call_service
from billing.calls.call import Extended, Settle
from billing.tariffs.service import RateBook
from dialplan.routes.service import RouteBook
from ivr.back_office import BackOffice, Shelf
from ivr.call import CallStory, Dial, StoryRules
from ivr.reception import Ring
from runtime import ids
from runtime.keys import Pepper
from runtime.settings import CallSettings, Settings
from tests.clock import SettableClock
from tests.ivr.scripted import ScriptedCaller
from tests.ivr.town import CALLING, Town, build_town

pytestmark = pytest.mark.load
FIRST, MORE, BOUND = 100, 400, 8_192
LINES = [f"+1212555{number:04d}" for number in range(40)]
"""So many that none reaches its cap of a month."""


def test_bytes_of_a_call(engine: Engine, clock: SettableClock, pepper: Pepper, tmp_path: Path) -> None:
    """A story as callers make it, one extension, a conversation of two minutes, its CDR and its ledger entries."""
    town = build_town(engine, clock, pepper, tmp_path)
    account = town.account("ann", 10**12)
    for line in LINES:
        account_service.add_line(engine, clock, pepper, number=account.number, line=line, code=None)
    with ThreadPoolExecutor(1) as pool:
        settings = Settings(call=CallSettings(warn_at_s=(10,)))
        shelf = Shelf(engine, clock, pepper, settings, RateBook(engine, clock), RouteBook(engine, clock), pool)
        _calls(town, shelf, FIRST)
        before = _bytes(engine)
        _calls(town, shelf, MORE)
    each = (_bytes(engine) - before) / MORE
    print(f"\n{engine.dialect.name}: {each:,.0f} bytes a call (bound {BOUND:,}), of {MORE:,} calls")
    assert town.balance(account)[1] == 0
    assert 0 < each <= BOUND


def _calls(town: Town, shelf: Shelf, number: int) -> None:
    clock = town.clock
    assert isinstance(clock, SettableClock)
    lines = cycle(LINES)
    for _ in range(number):
        line = next(lines)
        ring = Ring(ids.new_id(), "gw1", ids.new_id(), "PJSIP/network-1", CALLING, f"<sip:{line}@x>", "", clock.now())
        caller = ScriptedCaller({"destination": ["01133142685300"]})
        story = CallStory(caller, BackOffice(shelf), clock, StoryRules(3, 5000), ring)
        assert isinstance(asyncio.run(story.tell()), Dial)
        answered_at = clock.now()
        clock.advance(50)
        assert isinstance(call_service.extend(town.engine, clock, ring.call_id, 1, 120_000, used_ms=50_000), Extended)
        clock.advance(70)
        told = Settle(ring.call_id, answered_at, clock.now(), "answered", 16, "event", tuple(story.events))
        call_service.settle(town.engine, clock, told)


def _bytes(engine: Engine) -> int:
    """The size of what is kept, when the room of dead rows has been given back to their tables."""
    if engine.dialect.name == "postgresql":
        address = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(address, autocommit=True) as server:
            server.execute("VACUUM")
            row = server.execute("SELECT pg_database_size(current_database())").fetchone()
        assert row is not None
        return int(row[0])
    with closing(sqlite3.connect(str(engine.url.database), isolation_level=None)) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        pages, free, size = (
            file.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
    return int((pages - free) * size)
