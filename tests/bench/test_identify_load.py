"""Identify and qualify from what is kept, at fifty calls a second; and what a vendor that is down adds."""

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop
from sqlalchemy.engine import Engine

from ani.gateways.fetching import Fetcher
from ani.gateways.json_vendor import JsonRules, JsonVendor
from ani.importing import Source
from ani.lockout.lockout import Way
from ani.reverse_match import service as listing_service
from ani.vendor.breaker import BreakerRules
from ani.vendor.service import AskRules, VendorDesk
from billing.tariffs.service import RateBook
from dialplan.routes.service import RouteBook
from ivr.age_check import Subject, evidence_of
from ivr.back_office import BackOffice, Shelf
from ivr.gateway import CALL_THREADS, VENDOR_THREADS
from ivr.reception import Ring, needs_vendor
from runtime import ids
from runtime.clock import SystemClock
from runtime.csv_import import RejectFile
from runtime.interpreter import serve_many
from runtime.keys import Pepper
from runtime.settings import Settings
from tests.ani.gateways.fake_vendors import FakeVendor, serving
from tests.ivr.town import CHECKED, build_town

pytestmark = pytest.mark.load
CALLS_PER_S = 50
LINES = 20_000


@pytest.fixture
def shelf(engine: Engine, pepper: Pepper, tmp_path: Path) -> Iterator[Shelf]:
    clock = SystemClock()
    build_town(engine, clock, pepper, tmp_path)
    path = tmp_path / "lines.csv"
    path.write_text("ani,first_name,last_name\n" + "".join(f"{line(at)},Ana,Lee{at}\n" for at in range(LINES)))
    listing_service.import_listings(engine, clock, Source(path, RejectFile(tmp_path / "none")), "acme")
    with (
        ThreadPoolExecutor(CALL_THREADS[engine.dialect.name]) as pool,
        ThreadPoolExecutor(VENDOR_THREADS) as vendors,
    ):
        yield Shelf(engine, clock, pepper, Settings(), RateBook(engine), RouteBook(engine), pool, vendor_pool=vendors)


def line(at: int) -> str:
    return f"+1212{2_000_000 + at:07d}"


async def qualify(shelf: Shelf, ani: str) -> float:
    """Milliseconds from the ring to what is known of the line and its age."""
    start_s = time.perf_counter()
    office = BackOffice(shelf)
    ring = Ring(ids.new_id(), "gw1", ids.new_id(), "PJSIP/x", CHECKED, f"<sip:{ani}@n>", "", shelf.clock.now())
    arrival = await office.arrive(ring)
    assert arrival.profile is not None
    if needs_vendor(arrival):
        assert not isinstance(arrival.line, str)
        await office.identify(arrival.line, ring.call_id)
    await office.with_shelf(evidence_of, Subject(ring.call_id, ani, 0, Way(CHECKED), arrival.profile))
    return (time.perf_counter() - start_s) * 1000


async def arrive_at_rate(shelf: Shelf, lines: list[str]) -> list[float]:
    """Calls that arrive one after another at the rate, whatever the earlier ones do."""
    start_s = time.perf_counter()
    tasks = []
    for at, ani in enumerate(lines):
        await asyncio.sleep(max(0.0, start_s + at / CALLS_PER_S - time.perf_counter()))
        tasks.append(asyncio.create_task(qualify(shelf, ani)))
    return await asyncio.gather(*tasks)


def test_five_milliseconds_from_what_is_kept(shelf: Shelf, times: Callable[[int, int], int]) -> None:
    serve_many()
    chosen = random.Random(11)
    lines = [line(chosen.randrange(LINES)) for _ in range(CALLS_PER_S * times(10, 60))]
    waits_ms = sorted(uvloop.run(arrive_at_rate(shelf, lines)))
    p50, p99 = waits_ms[len(waits_ms) // 2], waits_ms[len(waits_ms) * 99 // 100]
    print(f"{shelf.engine.dialect.name}: {len(lines)} calls at {CALLS_PER_S}/s, p50 {p50:.2f} ms, p99 {p99:.2f} ms")
    assert p99 <= 5.0


def test_a_vendor_that_is_silent_costs_its_deadline_once(shelf: Shelf) -> None:
    deadline_s = 0.5
    with serving(FakeVendor(mode="slow")) as fake:
        fetcher = Fetcher(shelf.clock.monotonic_s)
        vendor = JsonVendor(JsonRules("acme", f"{fake.url}/v1", {"phone": "{ani}"}, {}), fetcher)
        rules = AskRules(deadline_s, BreakerRules(5, 60.0), 100_000, 0)
        told = replace(shelf, vendors=VendorDesk(shelf.engine, shelf.clock, vendor, rules))
        unknown = [f"+1213{2_000_000 + at:07d}" for at in range(CALLS_PER_S * 4)]
        waits_ms = asyncio.run(arrive_at_rate(told, unknown))
        fetcher.close()
    waited = [ms for ms in waits_ms if ms >= 100]
    late = sorted(waits_ms[len(waits_ms) // 2 :])
    print(
        f"{shelf.engine.dialect.name}: {len(waited)} of {len(waits_ms)} calls waited, {max(waits_ms):.0f} ms at most;"
        f" once the breaker was open p99 {late[len(late) * 99 // 100]:.2f} ms; {len(fake.asked)} requests"
    )
    assert max(waits_ms) <= deadline_s * 1000 + 100
    assert late[len(late) * 99 // 100] <= 20.0
