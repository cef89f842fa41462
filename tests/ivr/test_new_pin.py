"""A new PIN that is read out in a call: good once it was heard, and never lost."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from billing.accounts import service as account_service
from billing.accounts.account import Account
from billing.calls import service as call_service
from billing.tariffs.book.service import RateBook
from dialplan.routes.service import RouteBook
from ivr.agi.faults import CallerGone
from ivr.back_office import BackOffice, Shelf
from ivr.call import CallStory, StoryRules
from ivr.reception import Ring
from runtime import ids
from runtime.keys import Pepper
from runtime.settings import Settings
from tests.clock import SettableClock
from tests.ivr.scripted import ScriptedCaller
from tests.ivr.town import ANN, ISSUING, STRANGER, Town, build_town

INTRO = "tollgate/your-pin-is"
PARIS = "01133142685300"
STEPS = 7


@pytest.fixture
def town(engine: Engine, clock: SettableClock, pepper: Pepper, tmp_path: Path) -> Town:
    return build_town(engine, clock, pepper, tmp_path)


@pytest.fixture
def shelf(town: Town) -> Iterator[Shelf]:
    with ThreadPoolExecutor(2) as pool:
        rates, routes = RateBook(town.engine), RouteBook(town.engine)
        yield Shelf(town.engine, town.clock, town.pepper, Settings(), rates, routes, pool)


class Rang:
    """A call to the service that issues PINs, from ann's line."""

    def __init__(self, shelf: Shelf, caller: ScriptedCaller) -> None:
        asserted = f"<sip:{ANN}@network>"
        ring = Ring(ids.new_id(), "gw1", ids.new_id(), "PJSIP/x", ISSUING, asserted, "", shelf.clock.now())
        story = CallStory(caller, BackOffice(shelf), shelf.clock, StoryRules(3, 5000), ring)
        try:
            asyncio.run(story.tell())
        except CallerGone:
            pass
        else:
            self.kept = call_service.explain(shelf.engine, ring.call_id).events
        self.heard = caller.heard
        self.outcomes = [event.outcome for event in story.events if event.step == "pin"]

    @property
    def pin(self) -> str:
        """The digits after the first `your PIN is`; fewer than eight where he left before."""
        start = self.heard.index(INTRO) + 1
        files = (name for name in self.heard[start : start + 8] if name.startswith("digits/"))
        return "".join(name.removeprefix("digits/") for name in files)


def opens(town: Town, shelf: Shelf, pin: str, account: Account) -> bool:
    """Whether a stranger's telephone opens the account with these digits."""
    return account_service.check_pin(town.engine, town.clock, town.pepper, shelf.limits, STRANGER, pin) == account.id


def test_who_keys_all_the_time_hears_his_pin_all_the_same(town: Town, shelf: Shelf) -> None:
    ann = town.account("ann", 5_000_000, line=ANN)
    rang = Rang(shelf, ScriptedCaller({"destination": [PARIS]}, is_impatient=True))
    assert len(rang.pin) == 8
    assert opens(town, shelf, rang.pin, ann)


def test_it_is_read_out_twice_and_the_call_keeps_that_it_was_but_no_digit(town: Town, shelf: Shelf) -> None:
    town.account("ann", 5_000_000, line=ANN)
    rang = Rang(shelf, ScriptedCaller({"destination": [PARIS]}))
    again = rang.heard.index("tollgate/write-it-down") + 1
    assert rang.heard[again : again + 8] == [f"digits/{digit}" for digit in rang.pin]
    assert rang.heard.index("tollgate/enter-destination") > again, "a key during the second reading is a digit of it"
    noted = [event.outcome for event in rang.kept if event.step == "pin"]
    assert noted == ["issued", "read-out"]
    assert rang.pin not in repr(rang.kept)
    (asked,) = [event.detail for event in rang.kept if (event.step, event.outcome) == ("asked", "destination")]
    assert str(asked["prompts"]).startswith("['tollgate/your-balance-is'")


@pytest.mark.parametrize("steps", range(STEPS))
def test_whoever_leaves_has_a_pin_he_heard_or_is_given_one_in_his_next_call(
    town: Town, shelf: Shelf, steps: int
) -> None:
    ann = town.account("ann", 5_000_000, line=ANN)
    first = Rang(shelf, ScriptedCaller({"destination": [PARIS]}, hang_up_after=steps))
    was_heard = INTRO in first.heard and len(first.pin) == 8
    if INTRO in first.heard:
        assert opens(town, shelf, first.pin, ann) == was_heard
    second = Rang(shelf, ScriptedCaller({"destination": [PARIS]}))
    assert (INTRO in second.heard) == (not was_heard)
    if not was_heard:
        assert opens(town, shelf, second.pin, ann)


def test_what_could_not_be_played_is_no_pin(town: Town, shelf: Shelf) -> None:
    class Deaf(ScriptedCaller):
        async def say_whole(self, files: tuple[str, ...]) -> bool:
            await super().say_whole(files)
            return False

    ann = town.account("ann", 5_000_000, line=ANN)
    first = Rang(shelf, Deaf({"destination": [None]}))
    assert first.outcomes == ["issued", "not-read-out"]
    assert not opens(town, shelf, first.pin, ann)
    assert "tollgate/write-it-down" not in first.heard
    assert INTRO in Rang(shelf, ScriptedCaller({"destination": [PARIS]})).heard
