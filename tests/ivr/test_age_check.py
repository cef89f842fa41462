"""The age check as a caller meets it: three tries, one other proof, the end; a hang-up is a try."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from ani.lockout import store as lockout_store
from ani.qualification.proof import Fallback
from ani.qualification.tables import identity_record
from billing.operators import service as operator_service
from billing.operators.operator import ProfileTerms
from billing.tariffs.service import RateBook
from dialplan.routes.service import RouteBook
from ivr.agi.faults import CallerGone
from ivr.back_office import BackOffice, Shelf
from ivr.call import CallStory, StoryRules
from ivr.reception import Ring
from runtime import database, ids
from runtime.keys import Pepper
from runtime.settings import Settings
from tests.clock import SettableClock
from tests.ivr.scripted import ScriptedCaller
from tests.ivr.town import ANN, LIMITS, SSN, build_town

STRICT = "19005550199"
BORN = "05011970"


@pytest.fixture
def shelf(engine: Engine, clock: SettableClock, pepper: Pepper, tmp_path: Path) -> Iterator[Shelf]:
    town = build_town(engine, clock, pepper, tmp_path)
    terms = ProfileTerms(age_check=True, fallback=Fallback.BIRTH_DATE)
    operator_service.create_profile(engine, operator_code="town", name="strict", tariff_name="retail", terms=terms)
    operator_service.create_number(engine, dnis=STRICT, operator_code="town", profile_name="strict")
    town.account("ann", 5_000_000, line=ANN)
    town.listing(ANN)
    town.identity(ANN)
    town.identity(ANN, ssn="", supplier="motor")
    with ThreadPoolExecutor(2) as pool:
        yield Shelf(engine, clock, pepper, Settings(), RateBook(engine), RouteBook(engine), pool, vendor_pool=pool)


def tell(
    shelf: Shelf, script: dict[str, list[str | None]], caller: ScriptedCaller | None = None, attempts: int = 3
) -> tuple[str, list[tuple[str, object]]]:
    """How far the caller came, and what was noted of his age."""
    ring = Ring(ids.new_id(), "gw1", ids.new_id(), "PJSIP/x", STRICT, f"<sip:{ANN}@n>", "", shelf.clock.now())
    story = CallStory(
        caller or ScriptedCaller(script), BackOffice(shelf), shelf.clock, StoryRules(attempts, 5000), ring
    )
    try:
        decision = asyncio.run(story.tell())
    except CallerGone:
        ended = story.step
    else:
        ended = str(getattr(decision, "disposition", "dial"))
    ages = [(event.outcome, event.detail.get("method")) for event in story.events if event.step == "age"]
    return ended, ages


def test_three_tries_then_the_other_proof_once(shelf: Shelf) -> None:
    script: dict[str, list[str | None]] = {"ssn-last-four": ["0000", "0001", "0002"], "birth-date": [BORN]}
    wrong = ("age-not-proven", "ssn-last-four")
    assert tell(shelf, script) == ("destination", [wrong, wrong, wrong, ("proven", "birth-date")])
    assert tell(shelf, {}) == ("destination", [("known", "birth-date")])


@pytest.mark.parametrize(("attempts", "tries"), [(1, 1), (2, 2), (4, 3), (10, 3)])
def test_more_attempts_at_other_questions_are_no_more_tries_at_the_number(
    shelf: Shelf, attempts: int, tries: int
) -> None:
    numbers: list[str | None] = ["0000", "1", "0002", SSN, SSN]
    caller = ScriptedCaller({"ssn-last-four": numbers, "birth-date": ["01011970", BORN]})
    ended, _ = tell(shelf, {}, caller, attempts)
    assert caller.heard.count("tollgate/enter-ssn-last-four") == tries
    assert caller.heard.count("tollgate/enter-date-of-birth") == 1
    assert ended == "age-not-proven"


def test_without_another_source_the_same_is_asked_and_proves_nothing(shelf: Shelf) -> None:
    with database.transaction(shelf.engine) as connection:
        connection.execute(sa.delete(identity_record).where(identity_record.c.source == "motor"))
    heard = []
    for _ in ("wrong", "unknown"):
        caller = ScriptedCaller({"ssn-last-four": ["0000", "0001", "0002"], "birth-date": [BORN]})
        ended, ages = tell(shelf, {}, caller)
        wrong = ("age-not-proven", "ssn-last-four")
        assert ended == "age-not-proven"
        assert ages == [wrong] * 3 + [("no-other-source", "birth-date"), ("age-not-proven", "birth-date")]
        heard.append(caller.heard)
        with database.transaction(shelf.engine) as connection:
            connection.execute(sa.delete(identity_record))
        assert isinstance(shelf.clock, SettableClock)
        shelf.clock.advance(4000)
    assert heard[0] == heard[1]
    assert "tollgate/enter-date-of-birth" in heard[0]


def test_then_the_call_is_ended(shelf: Shelf) -> None:
    ended, ages = tell(shelf, {"ssn-last-four": ["0000", "0001", "0002"], "birth-date": ["01011970", BORN]})
    assert (ended, len(ages)) == ("age-not-proven", 4)
    assert tell(shelf, {"ssn-last-four": ["0000", SSN]}) == (
        "locked-out",
        [("age-not-proven", "ssn-last-four"), ("locked-out", "ssn-last-four")],
    )


def test_who_hangs_up_has_used_a_try(shelf: Shelf) -> None:
    for _ in range(5):
        assert tell(shelf, {})[0] == "age-check"
        assert isinstance(shelf.clock, SettableClock)
        shelf.clock.advance(1)
    with database.transaction(shelf.engine) as connection:
        assert lockout_store.is_locked(connection, ani=ANN, account_id=None, limits=LIMITS, now=shelf.clock.now())
    assert tell(shelf, {"ssn-last-four": [SSN]})[0] == "locked-out"


def test_what_is_known_is_told_with_source_and_age(shelf: Shelf) -> None:
    tell(shelf, {"ssn-last-four": [SSN]})
    ring = Ring(ids.new_id(), "gw1", ids.new_id(), "PJSIP/x", STRICT, f"<sip:{ANN}@n>", "", shelf.clock.now())
    story = CallStory(ScriptedCaller({}), BackOffice(shelf), shelf.clock, StoryRules(3, 5000), ring)
    with pytest.raises(CallerGone):
        asyncio.run(story.tell())
    told = {event.step: event.detail for event in story.events}
    assert told["age"]["source"] == "test"
    assert told["age"]["proven_at"]
    assert told["line"]["listing_source"] == "test"
    assert told["line"]["listing_seen"]
    assert told["reception"]["bound_since"]
    assert told["reception"]["rule"] == "asserted"
