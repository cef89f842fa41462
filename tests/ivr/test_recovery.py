"""Resync against a switch that is made up, in the orders that a real one shows only now and then."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from billing.calls import service as call_service
from ivr.live_calls import LiveCall
from runtime.keys import Pepper
from tests.clock import SettableClock
from tests.ivr.made_up_switch import CALL, CALLED_LEG, CALLER_LEG, House, leg, stamp
from tests.ivr.town import build_town


@pytest.fixture
def house(sqlite_engine: Engine, clock: SettableClock, pepper: Pepper, tmp_path: Path) -> Iterator[House]:
    with ThreadPoolExecutor(2) as pool:
        yield House(build_town(sqlite_engine, clock, pepper, tmp_path), clock, pool)


def test_a_call_answered_between_the_looks_goes_on(house: House) -> None:
    house.switch.up = [leg(CALLER_LEG)]
    house.switch.before_channels = lambda: house.answered(house.clock.now())
    house.run(house.recovery.resync)
    assert house.cdr is None


def test_a_call_that_ended_between_the_looks_is_settled_by_its_record(house: House) -> None:
    answered_at = house.clock.now()
    house.answered(answered_at)
    house.clock.advance(30)
    house.switch.before_channels = lambda: house.ended(answered_at, answered_at + timedelta(seconds=29.5))
    house.run(house.recovery.resync)
    assert house.cdr is not None
    assert (house.cdr.used_ms, house.cdr.settled_from) == (29_500, "switch-record")
    assert not house.switch.kept


@pytest.mark.parametrize("armed_s", [None, 20.0, 90.0], ids=["none", "of-an-earlier-grant", "too-late"])
def test_a_deadline_that_is_not_that_of_the_money_is_set_anew(house: House, armed_s: float | None) -> None:
    now = house.clock.now()
    house.answered(now)
    house.clock.advance(10)
    hangup_at = None if armed_s is None else now + timedelta(seconds=armed_s)
    house.switch.up = [leg(CALLER_LEG), leg(CALLED_LEG, hangup_at)]
    house.run(house.recovery.resync)
    assert house.switch.deadlines == [(CALLED_LEG, 50.0)]
    assert house.cdr is None


def test_the_right_deadline_is_left_alone(house: House) -> None:
    now = house.clock.now()
    house.answered(now)
    house.clock.advance(10)
    house.switch.up = [leg(CALLER_LEG), leg(CALLED_LEG, (now + timedelta(seconds=60)).replace(microsecond=0))]
    house.run(house.recovery.resync)
    assert not house.switch.deadlines


def test_a_switch_that_died_is_charged_to_when_it_was_last_heard(house: House) -> None:
    house.answered(house.clock.now())
    house.clock.advance(10)
    house.switch.up = [leg(CALLER_LEG), leg(CALLED_LEG)]

    async def dies() -> None:
        house.clock.advance(9)
        house.recovery.link_lost(house.clock.monotonic_s() - 4.0)
        house.clock.advance(20)
        house.switch.up = []

    house.run(house.recovery.resync, dies, house.recovery.resync)
    assert house.cdr is not None
    assert (house.cdr.used_ms, house.cdr.settled_from) == (15_000, "switch-lost")
    assert house.town.balance(house.ann) == (4_750_000, 0)


@pytest.mark.parametrize(("extended_after_s", "used_ms"), [(None, 0), (41.0, 41_000)])
def test_a_new_process_charges_a_dead_switch_to_the_last_extension(
    house: House, extended_after_s: float | None, used_ms: int
) -> None:
    answered_at = house.clock.now()
    house.answered(answered_at)
    if extended_after_s is not None:
        house.clock.set(answered_at + timedelta(seconds=extended_after_s))
        call_service.extend(house.town.engine, house.clock, CALL, 1, 120_000)
    house.clock.set(answered_at + timedelta(seconds=90))
    house.run(house.recovery.resync)
    assert house.cdr is not None
    assert (house.cdr.used_ms, house.cdr.settled_from) == (used_ms, "switch-lost")


def test_a_switch_that_forgot_the_answer_does_not_make_the_call_free(house: House) -> None:
    """AstDB writes behind: a switch that is killed forgets its last second, which this process saw as an event."""
    call = house.live.add(LiveCall(CALL, CALLER_LEG, "PJSIP/x-1", answered_at=house.clock.now()))
    house.switch.up = [leg(CALLER_LEG), leg(CALLED_LEG)]

    async def dies() -> None:
        house.clock.advance(3)
        house.recovery.link_lost(house.clock.monotonic_s())
        house.switch.up = []

    house.run(house.recovery.resync, dies, house.recovery.resync)
    assert call.settled.is_set()
    assert house.cdr is not None
    assert house.cdr.used_ms == 3_000


def test_a_call_never_answered_frees_its_hold(house: House) -> None:
    house.run(house.recovery.resync)
    assert house.cdr is not None
    assert (house.cdr.disposition, house.cdr.charged_micros) == ("gateway-lost", 0)
    assert house.town.balance(house.ann) == (5_000_000, 0)


def test_a_call_in_a_turn_of_this_process_is_left_to_it(house: House) -> None:
    call = house.live.add(LiveCall(CALL, CALLER_LEG, "PJSIP/x-1"))
    call.in_turn = True
    house.run(house.recovery.resync)
    assert house.cdr is None


def test_a_call_the_database_never_kept_is_forgotten(house: House) -> None:
    house.live.add(LiveCall("never-kept", "1772452800.9", "PJSIP/y-1"))
    house.run(house.recovery.resync)
    assert house.live.find("never-kept") is None


def test_an_old_record_of_a_settled_call_is_forgotten(house: House) -> None:
    house.switch.kept["0192f3bb"] = f"{stamp(house.clock.now())}|{stamp(house.clock.now())}|16"
    house.clock.advance(60)
    house.run(house.recovery.resync)
    assert not house.switch.kept
