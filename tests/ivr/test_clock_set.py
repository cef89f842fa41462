"""The wall clock is set while a call is up: deadlines, charge and record stay what they were."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import structlog
from sqlalchemy.engine import Engine

from billing.calls import service as call_service
from ivr.clock_watch import ClockWatch
from ivr.switch_record import SwitchRecord
from runtime.keys import Pepper
from tests.clock import SettableClock
from tests.ivr.made_up_switch import CALL, CALLED_LEG, CALLER_LEG, House, leg
from tests.ivr.town import build_town

HOUR = timedelta(hours=1)
STEPS = pytest.mark.parametrize("step", [-HOUR, timedelta(seconds=-9), timedelta(seconds=9), HOUR], ids=str)


@pytest.fixture
def house(sqlite_engine: Engine, clock: SettableClock, pepper: Pepper, tmp_path: Path) -> Iterator[House]:
    with ThreadPoolExecutor(2) as pool:
        yield House(build_town(sqlite_engine, clock, pepper, tmp_path), clock, pool)


@pytest.fixture
def answered_at(house: House) -> datetime:
    """A call that is up, with money for 60 s."""
    now = house.clock.now()
    house.answered(now)
    house.switch.up = [leg(CALLER_LEG), leg(CALLED_LEG, (now + timedelta(seconds=60)).replace(microsecond=0))]
    return now


def step_by(house: House, step: timedelta) -> None:
    """Somebody sets the wall."""
    house.clock.set(house.clock.now() + step)


async def later(house: House) -> None:
    """Ten seconds go by."""
    house.clock.advance(10)


@STEPS
def test_a_deadline_is_armed_by_the_clock_that_only_goes_on(
    house: House, answered_at: datetime, step: timedelta
) -> None:
    async def arm() -> None:
        step_by(house, step)
        await house.meters.arm(next(iter(house.live)))

    house.run(house.recovery.resync, lambda: later(house), arm)
    assert house.switch.deadlines == [(CALLED_LEG, 50.0)]


@STEPS
def test_a_switch_whose_wall_was_set_is_told_all_deadlines_again(
    house: House, answered_at: datetime, step: timedelta
) -> None:
    watch = ClockWatch(house.clock, house.live, house.meters, structlog.get_logger())

    async def look() -> None:
        watch.look()
        assert not any(call.arm_due for call in house.live), "nothing happened yet"
        step_by(house, step)
        watch.look()
        call = next(iter(house.live))
        assert call.arm_due
        await house.meters._arm_again(call)
        watch.look()
        assert not call.arm_due, "once"

    house.run(house.recovery.resync, lambda: later(house), look)
    assert house.switch.deadlines == [(CALLED_LEG, 50.0)]


@STEPS
def test_a_resync_finds_the_right_deadline_on_the_new_wall(
    house: House, answered_at: datetime, step: timedelta
) -> None:
    async def moved() -> None:
        step_by(house, step)
        # the switch, told again, ends it so many seconds from now
        hangup_at = (house.clock.now() + timedelta(seconds=50)).replace(microsecond=0)
        house.switch.up = [leg(CALLER_LEG), leg(CALLED_LEG, hangup_at)]

    house.run(house.recovery.resync, lambda: later(house), moved, house.recovery.resync)
    assert house.switch.deadlines == []


@STEPS
def test_what_was_used_is_charged_and_the_record_tells_why(
    house: House, answered_at: datetime, step: timedelta
) -> None:
    async def ends() -> None:
        step_by(house, step)
        call = next(iter(house.live))
        record = SwitchRecord(answered_at, house.clock.now(), 16)
        house.clock.advance(0.02)
        await house.settler.settle_answered(call, record, "event")

    house.run(house.recovery.resync, lambda: later(house), ends)
    assert house.cdr is not None
    assert (house.cdr.used_ms, house.cdr.answered_at) == (10_000, answered_at)
    assert house.cdr.ended_at == answered_at + timedelta(seconds=10)
    told = [event for event in call_service.explain(house.town.engine, CALL).events if event.step == "clock"]
    assert [event.detail for event in told] == [{"stamps_off_ms": step // timedelta(milliseconds=1)}]


def test_a_record_found_later_is_charged_by_its_stamps_and_never_beyond_the_grant(
    house: House, answered_at: datetime
) -> None:
    """A process that did not see the call has nothing else to go by."""
    house.clock.advance(10)
    step_by(house, HOUR)
    house.ended(answered_at, house.clock.now())
    house.switch.up = []
    house.run(house.recovery.resync)
    assert house.cdr is not None
    assert house.cdr.billed_ms == 60_000
    assert house.town.balance(house.ann) == (4_000_000, 0)


def test_a_new_process_goes_by_the_wall_and_then_by_its_own_clock(house: House, answered_at: datetime) -> None:
    house.clock.advance(10)

    async def arm() -> None:
        step_by(house, -HOUR)
        house.clock.advance(5)
        await house.meters.arm(next(iter(house.live)))

    house.run(house.recovery.resync, arm)
    assert house.switch.deadlines == [(CALLED_LEG, 45.0)]


@STEPS
def test_a_switch_that_dies_is_charged_to_when_it_was_heard(
    house: House, answered_at: datetime, step: timedelta
) -> None:
    async def dies() -> None:
        house.clock.advance(9)
        house.recovery.link_lost(house.clock.monotonic_s() - 4.0)
        step_by(house, step)
        house.clock.advance(20)
        house.switch.up = []

    house.run(house.recovery.resync, lambda: later(house), dies, house.recovery.resync)
    assert house.cdr is not None
    assert (house.cdr.used_ms, house.cdr.settled_from) == (15_000, "switch-lost")
