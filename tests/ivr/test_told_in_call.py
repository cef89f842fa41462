"""What a caller is told while and after he talks, as `tollgate call explain` has it."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import structlog
from sqlalchemy.engine import Engine

from billing.calls import service as call_service
from billing.calls.explanation import Explanation
from ivr.agi.channel import Channel
from ivr.ami.switch import Verdict
from ivr.back_office import Shelf
from ivr.call import StoryRules
from ivr.live_calls import LiveCall
from ivr.metering import MeterPolicy
from ivr.meters import Meters
from ivr.switch_record import parse_record
from ivr.turns import UNHEARD, DialRules, Turns
from runtime.keys import Pepper
from tests.clock import SettableClock
from tests.ivr.made_up_switch import CALL, CALLED_LEG, CALLER_LEG, House, MadeUpSwitch
from tests.ivr.town import build_town


@pytest.fixture
def house(engine: Engine, clock: SettableClock, pepper: Pepper, tmp_path: Path) -> Iterator[House]:
    with ThreadPoolExecutor(2) as pool:
        yield House(build_town(engine, clock, pepper, tmp_path), clock, pool)


class AfterDial:
    """The channel of a caller who is still there after the dial."""

    uniqueid = CALLER_LEG

    def __init__(self, dialstatus: str, cause: int, record: str = "") -> None:
        self.args = (CALL, dialstatus, str(cause), record)
        self.heard: list[str] = []
        self.set: dict[str, str] = {}

    async def say(self, files: tuple[str, ...], escape_digits: str) -> None:
        self.heard.extend(files)

    async def exec(self, app: str, *args: str) -> int:
        self.set.update((name, value) for name, _, value in (one.partition("=") for one in args))
        return 0


def ended(house: House, channel: AfterDial) -> Explanation:
    """The call after its turn `/after-dial`."""
    shelf = cast(Shelf, SimpleNamespace(clock=house.clock))
    dial = DialRules("gw1", 45, frozenset())
    log = structlog.get_logger()
    turns = Turns(shelf, house.live, house.settler, house.recovery.load, StoryRules(3, 5000), dial, log)
    house.run(lambda: turns.after_dial(cast(Channel, channel)))
    return call_service.explain(house.town.engine, CALL)


def said(told: Explanation) -> list[tuple[str, str]]:
    return [(event.step, event.outcome) for event in told.events if event.step in {"said", "dialled", "announcement"}]


def test_who_was_told_that_it_is_busy(house: House) -> None:
    channel = AfterDial("BUSY", 17)
    told = ended(house, channel)
    assert channel.heard == ["tollgate/busy", "tollgate/goodbye"]
    assert said(told) == [("dialled", "busy"), ("said", "tollgate/busy")]
    assert any("said: tollgate/busy prompts=['tollgate/busy', 'tollgate/goodbye']" in m.text for m in told.timeline)
    assert told.cdr is not None
    assert told.cdr.disposition == "busy"


def test_each_trunk_that_was_tried_is_told_of(house: House) -> None:
    house.run(lambda: house.recovery.load(CALL))
    (call,) = house.live
    call.trunk, call.trunks_left = "network", ("second",)
    again = AfterDial("CONGESTION", 34)
    assert ended(house, again).cdr is None
    assert again.set["TG_DECISION"] == "dial"
    told = ended(house, AfterDial("NOANSWER", 0))
    tried = [(event.outcome, event.detail["trunk"]) for event in told.events if event.step == "dialled"]
    assert tried == [("congestion", "network"), ("noanswer", "second")]
    assert said(told)[-1] == ("said", "tollgate/no-answer")


def test_who_could_not_be_told_the_price_was_not_connected(house: House) -> None:
    channel = AfterDial(UNHEARD, 0)
    told = ended(house, channel)
    assert (channel.heard, channel.set) == ([], {}), "without a decision the switch apologises"
    assert said(told) == [("announcement", "not-played")]
    assert told.cdr is not None
    assert (told.cdr.disposition, told.cdr.charged_micros) == ("gateway-fault", 0)
    assert house.town.balance(house.ann) == (5_000_000, 0)


@pytest.mark.parametrize("settled_before", [False, True])
def test_who_was_told_that_the_balance_is_used_up(house: House, settled_before: bool) -> None:
    answered_at = house.clock.now()
    house.run(lambda: house.recovery.load(CALL))
    (call,) = house.live
    assert call.meter is not None
    call.meter = call.meter.extended(call.meter.granted_ms, final=True)
    house.clock.advance(60)
    house.ended(answered_at, house.clock.now())
    record = house.switch.kept[CALL]
    if settled_before:
        parsed = parse_record(record)
        assert parsed is not None
        house.run(lambda: house.settler.settle_answered(call, parsed, "event"))
    told = ended(house, AfterDial("ANSWER", 16, record))
    assert said(told) == [("said", "tollgate/balance-used-up")]


def test_a_conversation_that_nothing_ended_has_no_more_to_tell(house: House) -> None:
    answered_at = house.clock.now()
    house.clock.advance(30)
    house.ended(answered_at, house.clock.now())
    channel = AfterDial("ANSWER", 16, house.switch.kept[CALL])
    assert said(ended(house, channel)) == []
    assert channel.heard == ["tollgate/thank-you", "tollgate/goodbye"]


class Warns(MadeUpSwitch):
    """A switch that plays warnings."""

    async def play_warning(self, channel: str, files: tuple[str, ...]) -> Verdict:
        self.played = files
        return Verdict.DONE


def test_the_warning_in_the_call_is_told(house: House) -> None:
    answered_at = house.clock.now()
    house.run(lambda: house.recovery.load(CALL))
    (call,) = house.live
    assert call.meter is not None
    call.meter = call.meter.extended(call.meter.granted_ms, final=True)
    switch: Any = Warns()
    with ThreadPoolExecutor(1) as pool:
        log = structlog.get_logger()
        meters = Meters(house.town.engine, house.clock, switch, pool, MeterPolicy(60_000, 20_000, (30_000,)), log)
        house.clock.advance(31)
        house.run(lambda: warned(meters, call, f"{int(answered_at.timestamp())}.000000||"))
    house.clock.advance(10)
    house.ended(answered_at, house.clock.now())
    house.run(house.recovery.resync)
    told = call_service.explain(house.town.engine, CALL)
    (event,) = [event for event in told.events if event.step == "said"]
    assert (event.outcome, event.detail["prompts"]) == ("time-left", list(switch.played))
    assert event.detail["remaining_s"] == 29


async def warned(meters: Meters, call: LiveCall, record: str) -> None:
    """Start the meter and let it take its step."""
    parsed = parse_record(record)
    assert parsed is not None
    meters.start(call, parsed, CALLED_LEG)
    async with asyncio.timeout(20):
        while not call.events:
            await asyncio.sleep(0.005)
