"""Whose line it is, from ring to plan: the listings, the vendor, and the operator's policy where it cannot be asked."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from ani.vendor.breaker import BreakerRules
from ani.vendor.service import AskRules, VendorDesk
from ani.vendor.vendor import VendorError, VendorOutcome
from billing.operators import service as operator_service
from billing.operators.operator import Unidentified
from billing.tariffs.service import RateBook
from dialplan.routes.service import RouteBook
from ivr.agi.faults import CallerGone
from ivr.back_office import BackOffice, Shelf
from ivr.call import Bye, CallStory, StoryRules
from ivr.reception import Ring
from runtime import ids
from runtime.keys import Pepper
from runtime.settings import Settings
from tests.ani.vendor.test_asking import Scripted, named
from tests.clock import SettableClock
from tests.ivr.scripted import ScriptedCaller
from tests.ivr.town import ANN, CHECKED, Town, build_town

DOWN = VendorError(VendorOutcome.UNREACHABLE, "down")


@pytest.fixture
def town(engine: Engine, clock: SettableClock, pepper: Pepper, tmp_path: Path) -> Town:
    return build_town(engine, clock, pepper, tmp_path)


@pytest.fixture
def shelf(town: Town) -> Iterator[Shelf]:
    with ThreadPoolExecutor(2) as pool, ThreadPoolExecutor(2) as vendor_pool:
        rates, routes = RateBook(town.engine, town.clock), RouteBook(town.engine, town.clock)
        yield Shelf(town.engine, town.clock, town.pepper, Settings(), rates, routes, pool, vendor_pool=vendor_pool)


def tell(shelf: Shelf, vendor: Scripted | None) -> tuple[str, list[tuple[str, str]]]:
    """The first question or the disposition, and what was noted of the reverse match."""
    desk = VendorDesk(shelf.engine, shelf.clock, vendor, AskRules(1.5, BreakerRules(3, 30.0), 100, 0))
    office = BackOffice(replace(shelf, vendors=desk))
    ring = Ring(ids.new_id(), "gw1", ids.new_id(), "PJSIP/x", CHECKED, f"<sip:{ANN}@n>", "", shelf.clock.now())
    story = CallStory(ScriptedCaller({}), office, shelf.clock, StoryRules(3, 5000), ring)
    try:
        decision = asyncio.run(story.tell())
    except CallerGone:
        ended = next(str(event.outcome) for event in story.events if event.step == "reception")
    else:
        assert isinstance(decision, Bye)
        ended = decision.disposition
    asked = [(event.outcome, str(event.detail["standing"])) for event in story.events if event.step == "reverse-match"]
    return ended, asked


def test_a_hit_is_asked_for_once(shelf: Shelf) -> None:
    vendor = Scripted(named("Ash"))
    assert tell(shelf, vendor) == ("pin", [("found", "missing")])
    assert tell(shelf, vendor) == ("pin", [])
    assert vendor.asked == 1


def test_no_hit_and_no_vendor_drop_the_call(shelf: Shelf) -> None:
    assert tell(shelf, Scripted(None)) == ("line-not-identified", [("not-found", "missing")])
    assert tell(shelf, None)[0] == "line-not-identified"


def test_the_operator_says_what_becomes_of_a_call_while_the_vendor_is_down(shelf: Shelf) -> None:
    assert tell(shelf, Scripted(DOWN)) == ("line-not-identified", [("unreachable", "missing")])
    operator_service.set_unidentified(shelf.engine, code="town", policy=Unidentified.PIN)
    assert tell(shelf, Scripted(DOWN)) == ("pin", [("unreachable", "missing")])
    assert tell(shelf, Scripted(None))[0] == "line-not-identified"


def test_a_line_that_changed_hands_no_longer_opens_the_account(shelf: Shelf, town: Town) -> None:
    town.account("ann", 5_000_000, line=ANN)
    town.listing(ANN)
    vendor = Scripted(named("Ash"), named("Roe"))
    assert tell(shelf, vendor) == ("line", [])
    clock = shelf.clock
    assert isinstance(clock, SettableClock)
    clock.advance(61 * 86_400)
    assert tell(shelf, vendor) == ("line", [("found", "old")])
    clock.advance(61 * 86_400)
    assert tell(shelf, vendor) == ("pin", [("found", "old")])
    assert tell(shelf, vendor) == ("pin", [])


def test_an_old_listing_and_a_vendor_that_is_down_ask_for_the_pin(shelf: Shelf, town: Town) -> None:
    town.account("ann", 5_000_000, line=ANN)
    town.listing(ANN)
    clock = shelf.clock
    assert isinstance(clock, SettableClock)
    clock.advance(61 * 86_400)
    assert tell(shelf, Scripted(DOWN)) == ("pin", [("unreachable", "old")])
    assert tell(shelf, None) == ("line", [("no-vendor", "old")])
