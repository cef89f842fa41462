"""Terms: asked each time, kept with the call by version and hash, refused in every other way."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from billing.agreements import service
from billing.agreements.tables import terms_agreement
from billing.operators import service as operator_service
from billing.tariffs.service import RateBook
from dialplan.routes.service import RouteBook
from ivr.agi.faults import CallerGone
from ivr.back_office import BackOffice, Shelf
from ivr.call import Bye, CallStory, StoryRules
from ivr.reception import Ring
from runtime import database, ids
from runtime.faults import StaffError
from runtime.keys import Pepper
from runtime.settings import Settings
from tests.clock import SettableClock
from tests.ivr.scripted import ScriptedCaller
from tests.ivr.town import ANN, CALLING, build_town

TEXT = "You must be of legal age, and responsible for this line."


@pytest.fixture
def shelf(engine: Engine, clock: SettableClock, pepper: Pepper, tmp_path: Path) -> Iterator[Shelf]:
    town = build_town(engine, clock, pepper, tmp_path)
    town.account("ann", 5_000_000, line=ANN)
    with ThreadPoolExecutor(2) as pool:
        yield Shelf(engine, clock, pepper, Settings(), RateBook(engine), RouteBook(engine), pool, vendor_pool=pool)


def test_when_and_by_whom_they_were_set_is_told(shelf: Shelf) -> None:
    set_terms(shelf)
    set_at = shelf.clock.now().isoformat(timespec="seconds")
    assert isinstance(shelf.clock, SettableClock)
    shelf.clock.advance(86_400)
    ring = Ring(ids.new_id(), "gw1", ids.new_id(), "PJSIP/x", CALLING, f"<sip:{ANN}@n>", "", shelf.clock.now())
    story = CallStory(ScriptedCaller({"terms": ["2"]}), BackOffice(shelf), shelf.clock, StoryRules(3, 5000), ring)
    asyncio.run(story.tell())
    (event,) = [event for event in story.events if event.step == "terms"]
    assert (event.detail["set_at"], event.detail["set_by"]) == (set_at, "test")


def set_terms(shelf: Shelf, text: str = TEXT, prompt: str = "terms-of-service") -> int:
    profile = operator_service.find_profile(shelf.engine, "town", "calling")
    made = service.set_terms(shelf.engine, shelf.clock, profile.id, text=text, prompt=prompt, made_by="test")
    return made.version


def tell(shelf: Shelf, keys: list[str | None]) -> tuple[str, str, Ring]:
    """How far the caller came, what was noted of the terms, and his ring."""
    ring = Ring(ids.new_id(), "gw1", ids.new_id(), "PJSIP/x", CALLING, f"<sip:{ANN}@n>", "", shelf.clock.now())
    story = CallStory(ScriptedCaller({"terms": keys}), BackOffice(shelf), shelf.clock, StoryRules(3, 5000), ring)
    try:
        decision = asyncio.run(story.tell())
    except CallerGone:
        ended = story.step
    else:
        assert isinstance(decision, Bye)
        ended = decision.disposition
    noted = [f"{event.outcome} {event.detail['version']}" for event in story.events if event.step == "terms"]
    return ended, " ".join(noted), ring


def test_they_are_agreed_to_each_time(shelf: Shelf) -> None:
    assert tell(shelf, [])[:2] == ("destination", "")
    assert set_terms(shelf) == 1
    for _ in range(2):
        ended, noted, ring = tell(shelf, ["7", "1"])
        assert (ended, noted) == ("destination", "agreed 1")
        kept = service.agreement_of(shelf.engine, ring.call_id)
        assert kept is not None
        assert (kept.version, len(kept.text_sha256)) == (1, 64)
    assert set_terms(shelf, f"  {TEXT}\n") == 1
    assert set_terms(shelf, TEXT + " Or your guardian.") == 2
    assert tell(shelf, ["1"])[1] == "agreed 2"
    profile = operator_service.find_profile(shelf.engine, "town", "calling")
    service.ask_nothing(shelf.engine, profile.id)
    assert tell(shelf, [])[:2] == ("destination", "")
    assert [one.version for one in service.versions(shelf.engine, profile.id)] == [1, 2]


@pytest.mark.parametrize("keys", [["2"], ["7", "8", "9"], ["", "", ""]])
def test_anything_else_ends_the_call(shelf: Shelf, keys: list[str | None]) -> None:
    set_terms(shelf)
    ended, noted, ring = tell(shelf, keys)
    assert (ended, noted) == ("terms-not-accepted", "not-agreed 1")
    assert service.agreement_of(shelf.engine, ring.call_id) is None


def test_nobody_changes_what_was_agreed(shelf: Shelf) -> None:
    set_terms(shelf)
    tell(shelf, ["1"])
    with pytest.raises(sa.exc.DBAPIError), database.transaction(shelf.engine) as connection:
        connection.execute(sa.update(terms_agreement).values(version=2))


@pytest.mark.parametrize(("text", "prompt"), [("", "terms-of-service"), ("x" * 4001, "terms-of-service"), ("x", "no")])
def test_terms_that_cannot_be(shelf: Shelf, text: str, prompt: str) -> None:
    with pytest.raises(StaffError):
        set_terms(shelf, text, prompt)
