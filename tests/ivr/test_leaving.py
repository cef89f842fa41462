"""Hanging up while a secret is asked for, and the ways that wrong entries come by: counted across calls."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from ani.lockout.tables import wrong_entry
from billing.tariffs.book.service import RateBook
from dialplan.routes.service import RouteBook
from ivr.agi.faults import CallerGone
from ivr.back_office import BackOffice, Shelf
from ivr.call import Bye, CallStory, StoryRules
from ivr.reception import Ring
from runtime import ids
from runtime.keys import Pepper
from runtime.settings import LockoutSettings, Settings
from tests.clock import SettableClock
from tests.ivr.scripted import ScriptedCaller
from tests.ivr.town import ANN, CALLING, ISSUING, SHARED, STRANGER, Town, build_town

Script = dict[str, list[str | None]]
WRONG = "00000000"


@pytest.fixture
def town(engine: Engine, clock: SettableClock, pepper: Pepper, tmp_path: Path) -> Town:
    return build_town(engine, clock, pepper, tmp_path)


@pytest.fixture
def shelf(town: Town) -> Iterator[Shelf]:
    with ThreadPoolExecutor(2) as pool:
        settings = Settings(lockout=LockoutSettings(overall_hour=8, per_access_number_hour=6))
        yield Shelf(town.engine, town.clock, town.pepper, settings, RateBook(town.engine), RouteBook(town.engine), pool)


def tell(shelf: Shelf, script: Script, asserted: str = "", *, claimed: str = "", dnis: str = CALLING) -> str:
    """How a call ended: `left` where the caller hung up."""
    return story_of(shelf, script, asserted, claimed=claimed, dnis=dnis)[0]


def story_of(
    shelf: Shelf, script: Script, asserted: str = "", *, claimed: str = "", dnis: str = CALLING
) -> tuple[str, dict[str, tuple[str, Mapping[str, object]]], list[str]]:
    """How a call ended, the last of its events of each step, and what the caller heard."""
    ring = Ring(ids.new_id(), "gw1", ids.new_id(), "PJSIP/x", dnis, _sip(asserted), _sip(claimed), shelf.clock.now())
    caller = ScriptedCaller(script)
    story = CallStory(caller, BackOffice(shelf), shelf.clock, StoryRules(3, 5000), ring)
    try:
        decision = asyncio.run(story.tell())
    except CallerGone:
        ended = "left"
    else:
        ended = decision.disposition if isinstance(decision, Bye) else "dial"
    return ended, {event.step: (event.outcome, event.detail) for event in story.events}, caller.heard


def _sip(number: str) -> str:
    return f"<sip:{number}@n>" if number else ""


def counts(town: Town) -> Counter[tuple[str, str]]:
    """Wrong entries by scope and kind."""
    with town.engine.connect() as connection:
        rows = connection.execute(sa.select(wrong_entry.c.scope, wrong_entry.c.kind)).all()
    return Counter((row.scope, row.kind) for row in rows)


@pytest.mark.parametrize("keyed", [[], [""], ["", ""]])
def test_who_keyed_nothing_has_tried_nothing(town: Town, shelf: Shelf, keyed: list[str | None]) -> None:
    for _ in range(6):
        assert tell(shelf, {"pin": [*keyed, None]}, STRANGER) == "left"
    assert counts(town) == Counter()
    assert tell(shelf, {"pin": [town.pin(town.account("ann", 5_000_000)), None]}, STRANGER) == "left"


@pytest.mark.parametrize(("keyed", "entries"), [(["12"], 1), (["12", ""], 1), ([WRONG], 2), ([WRONG, "12"], 2)])
def test_who_leaves_a_later_try_has_used_it(town: Town, shelf: Shelf, keyed: list[str | None], entries: int) -> None:
    assert tell(shelf, {"pin": [*keyed, None]}, STRANGER) == "left"
    assert counts(town) == Counter({("line", "pin"): entries, ("overall", "pin"): entries, ("access", "pin"): entries})


def test_leaving_locks_the_line_across_calls(town: Town, shelf: Shelf) -> None:
    pin = town.pin(town.account("ann", 5_000_000))
    for _ in range(5):
        assert tell(shelf, {"pin": ["1", None]}, STRANGER) == "left"
    assert tell(shelf, {"pin": [pin]}, STRANGER) == "locked-out"
    assert isinstance(shelf.clock, SettableClock)
    shelf.clock.advance(3601)
    assert tell(shelf, {"pin": [pin]}, STRANGER) == "left"


def test_codes_and_the_secrets_of_the_account_count_so_too(town: Town, shelf: Shelf) -> None:
    town.account("one", 5_000_000, line=SHARED, code="1")
    town.account("two", 5_000_000, line=SHARED, code="2")
    assert tell(shelf, {"access-code": ["7", None]}, SHARED) == "left"
    assert counts(town)[("line", "access-code")] == 2
    town.account("ann", 5_000_000, line=ANN)
    assert tell(shelf, {"destination": ["*1"], "card": ["12", None]}, ANN) == "left"
    assert counts(town)[("account", "card")] == 1
    assert tell(shelf, {"destination": ["*60"], "block-pin": ["12", None]}, ANN) == "left"
    assert counts(town)[("line", "pin")] == 1


def test_an_access_number_is_locked_for_entries_and_no_other(town: Town, shelf: Shelf) -> None:
    pin = town.pin(town.account("ann", 5_000_000, line=ANN))
    for number in range(2):
        assert tell(shelf, {"pin": [WRONG] * 3}, f"+1212555070{number}") == "too-many-attempts"
    assert tell(shelf, {"pin": [pin]}, STRANGER) == "locked-out"
    assert tell(shelf, {"pin": [pin]}, STRANGER, dnis=ISSUING) == "left"
    assert tell(shelf, {}, ANN) == "left"  # a line that needs no entry goes on


def test_who_claims_a_line_does_not_lock_its_subscriber(town: Town, shelf: Shelf) -> None:
    pin = town.pin(town.account("ann", 5_000_000))
    roomy = replace(shelf, settings=Settings())
    assert [tell(roomy, {"pin": [WRONG] * 3}, claimed=STRANGER) for _ in range(2)] == [
        "too-many-attempts",
        "locked-out",
    ]
    assert counts(town)[("claimed", "pin")] == 5
    assert tell(roomy, {"pin": [pin]}, claimed=STRANGER) == "locked-out"
    assert tell(roomy, {"pin": [pin]}, STRANGER) == "left"
    assert counts(town)[("line", "pin")] == 0


@pytest.mark.parametrize("withholds", [True, False])
def test_made_up_numbers_use_up_half_of_everybodys_tries(town: Town, shelf: Shelf, *, withholds: bool) -> None:
    pin = town.pin(town.account("ann", 5_000_000))
    ends = [
        tell(shelf, {"pin": [WRONG, None]}, claimed="" if withholds else f"+1212555070{number}") for number in range(2)
    ]
    assert ends == ["left", "left"]  # each one wrong, and one left: four of eight
    assert counts(town)[("unvouched", "pin")] == 4
    assert tell(shelf, {"pin": [pin]}, claimed="+12125550709") == "locked-out"
    assert tell(shelf, {"pin": [pin]}) == "locked-out"
    assert tell(shelf, {"pin": [pin]}, STRANGER) == "left"


def test_a_lock_out_is_told_with_what_is_locked_by_how_many_and_since_when(town: Town, shelf: Shelf) -> None:
    roomy = replace(shelf, settings=Settings(lockout=LockoutSettings(per_line_hour=3)))
    began_at = shelf.clock.now()
    assert tell(roomy, {"pin": [WRONG] * 3}, STRANGER) == "too-many-attempts"
    ended, steps, _ = story_of(roomy, {}, STRANGER)
    outcome, detail = steps["lockout"]
    assert (ended, outcome, detail["scope"]) == ("locked-out", "locked-out", "line")
    assert (detail["wrong_entries"], detail["limit"]) == (3, "3 in 60 min")
    assert str(detail["locked_since"]) >= began_at.isoformat(timespec="seconds")
    assert tell(shelf, {"pin": [WRONG, WRONG, None]}, "+12125550700") == "left"
    assert story_of(shelf, {}, "+12125550709")[1]["lockout"][1]["scope"] == "access number"
    assert tell(shelf, {"pin": [WRONG, None]}, "+12125550701", dnis=ISSUING) == "left"
    assert story_of(shelf, {}, "+12125550709", dnis=ISSUING)[1]["lockout"][1]["scope"] == "over all"


def test_a_lock_out_does_not_tell_which_pin_is_right(town: Town, shelf: Shelf) -> None:
    pin = town.pin(town.account("ann", 5_000_000, line=ANN))
    roomy = replace(shelf, settings=Settings(lockout=LockoutSettings(per_account_half_hour=2)))
    assert tell(roomy, {"destination": ["*1"], "card": [WRONG, WRONG, None]}, ANN) == "left"
    before = counts(town)
    told = [story_of(roomy, {"pin": [keyed, None]}, line) for keyed, line in ((pin, STRANGER), (WRONG, "+12125550709"))]
    assert [(ended, heard) for ended, _, heard in told] == [(told[1][0], told[1][2])] * 2
    assert [steps["pin"][0] for _, steps, _ in told] == ["hung-up"] * 2
    assert counts(town) - before == Counter({("line", "pin"): 4, ("overall", "pin"): 4, ("access", "pin"): 4})
    _, steps, _ = story_of(roomy, {"pin": ["", pin, ""]}, STRANGER, dnis=ISSUING)
    assert steps["pin"][0] == "pin-wrong"
    assert (steps["pin"][1]["scope"], steps["pin"][1]["limit"]) == ("account", "2 in 30 min")
