"""The gateway is killed, frozen or stopped while calls are up: nobody talks for free, nobody pays twice."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dialplan.asterisk.manager_link import ManagerLink
from dialplan.lab.lab import Lab
from dialplan.lab.polling import wait_for
from tests.ivr.town import CALLING
from tests.live import failures
from tests.live.callers import callers
from tests.live.conftest import DIALOGUE_LIMIT_S
from tests.live.failures import LATE_MS, SHORT_GRANTS
from tests.live.house import open_house
from tests.live.recording import loudness

pytestmark = pytest.mark.live

Times = Callable[[int, int], int]
TALKS_FOR_EVER, TALKS_20_S, TALKS_30_S = "01133142685317", "01133142685332", "01133142685333"
# The network's answer takes half a second of its own.
SETUP_MS = 600
LOUD = 0.01


def test_killed_and_started_again(lab: Lab, sqlite_url: str, tmp_path: Path, watch: ManagerLink, times: Times) -> None:
    """The conversation goes on, is extended by the new process, and ends when the called party hangs up at 20 s."""
    number = times(3, 20)
    with open_house(lab, sqlite_url, tmp_path, **SHORT_GRANTS) as house, callers(lab, number) as group:
        accounts = failures.customers(house, number)
        failures.connect(group, TALKS_20_S)
        failures.wait_talking(watch, number)
        house.gateway.kill()
        time.sleep(5.0)
        assert group.up() == number
        house.gateway.start()
        cdrs = failures.must_be_sound(house, accounts, watch, number)
        for cdr in cdrs:
            failures.must_be_billed(cdr, 20_000, 20_000 + SETUP_MS)
            assert cdr.disposition == "answered"
            assert len(house.explain(cdr.call_id).requests) >= 2, "extended by the new process"
        group.wait_ended()


def test_killed_and_left_dead(lab: Lab, sqlite_url: str, tmp_path: Path, watch: ManagerLink, times: Times) -> None:
    """The switch ends the calls at the granted time; the next process settles each once, from the switch's record."""
    number = times(3, 20)
    grants = {"CHARGING__GRANT_S": "6", "CHARGING__EXTEND_BEFORE_S": "1", "CALL__WARN_AT_S": "[]"}
    with open_house(lab, sqlite_url, tmp_path, **grants) as house, callers(lab, number) as group:
        accounts = failures.customers(house, number)
        failures.connect(group, TALKS_FOR_EVER)
        failures.wait_talking(watch, number)
        house.gateway.kill()
        group.wait_ended(25.0)
        assert not house.cdrs()
        house.gateway.start()
        for cdr in failures.must_be_sound(house, accounts, watch, number):
            failures.must_be_billed(cdr, 6_000, 6_000 + LATE_MS)
            assert (cdr.billed_ms, cdr.charged_micros, cdr.settled_from) == (6_000, 100_000, "switch-record")


def test_frozen_in_the_dialogue(lab: Lab, sqlite_url: str, tmp_path: Path, watch: ManagerLink, times: Times) -> None:
    """The caller is freed at the limit of the dialogue, hears an apology, and nothing is charged or held."""
    number = times(2, 20)
    with open_house(lab, sqlite_url, tmp_path) as house, callers(lab, number) as group:
        accounts = failures.customers(house, number)
        begun_s = time.monotonic()
        group.call(CALLING, record=True)
        rung_s = time.monotonic() - begun_s
        group.wait_answered()
        group.telephones[0].listen(0.5)
        house.gateway.freeze()
        wait_for(lambda: len(failures.apologies(watch)) == number, "all hear the apology", DIALOGUE_LIMIT_S + 5.0)
        freed_s = time.monotonic() - begun_s
        assert freed_s <= DIALOGUE_LIMIT_S + 1.0 + rung_s
        before_s = [recorded_s(telephone.heard()) for telephone in group.telephones]
        group.wait_ended()
        for telephone, begun in zip(group.telephones, before_s, strict=True):
            apology = loudness(telephone.heard())[int(begun) :]
            assert sum(second > LOUD for second in apology) >= 2, apology
        house.gateway.thaw()
        cdrs = failures.must_be_sound(house, accounts, watch, number)
        assert {cdr.charged_micros for cdr in cdrs} == {0}


def test_frozen_in_the_conversation(
    lab: Lab, sqlite_url: str, tmp_path: Path, watch: ManagerLink, times: Times
) -> None:
    """The switch ends the calls at the granted time; thawed, the gateway settles each once."""
    number = times(2, 20)
    grants = {"CHARGING__GRANT_S": "6", "CHARGING__EXTEND_BEFORE_S": "1", "CALL__WARN_AT_S": "[]"}
    with open_house(lab, sqlite_url, tmp_path, **grants) as house, callers(lab, number) as group:
        accounts = failures.customers(house, number)
        failures.connect(group, TALKS_FOR_EVER)
        failures.wait_talking(watch, number)
        house.gateway.freeze()
        # the conversation is cut; the caller then waits for the frozen gateway's goodbye no longer than the limit
        group.wait_ended(6.0 + DIALOGUE_LIMIT_S + 15.0)
        house.gateway.thaw()
        for cdr in failures.must_be_sound(house, accounts, watch, number):
            failures.must_be_billed(cdr, 6_000, 6_000 + LATE_MS)
            assert (cdr.billed_ms, cdr.charged_micros) == (6_000, 100_000)


def test_killed_in_the_dialogue(lab: Lab, sqlite_url: str, tmp_path: Path, watch: ManagerLink, times: Times) -> None:
    """The caller hears out the prompt, then an apology; the next process settles the call for nothing."""
    number = times(2, 20)
    with open_house(lab, sqlite_url, tmp_path) as house, callers(lab, number) as group:
        accounts = failures.customers(house, number)
        group.call(CALLING, record=True)
        group.wait_answered()
        group.telephones[0].listen(1.0)
        house.gateway.kill()
        wait_for(lambda: len(failures.apologies(watch)) == number, "all hear the apology", DIALOGUE_LIMIT_S)
        group.wait_ended()
        house.gateway.start()
        cdrs = failures.must_be_sound(house, accounts, watch, number)
        assert {(cdr.charged_micros, cdr.disposition) for cdr in cdrs} == {(0, "gateway-lost")}


def test_restarted_while_a_caller_is_in_dialogue(
    lab: Lab, sqlite_url: str, tmp_path: Path, watch: ManagerLink, times: Times
) -> None:
    """SIGTERM lets the turn in progress end in a connected call; the next process, started meanwhile, keeps it up."""
    number = times(2, 20)
    with open_house(lab, sqlite_url, tmp_path, **SHORT_GRANTS) as house, callers(lab, number) as group:
        accounts = failures.customers(house, number)
        group.call(CALLING)
        group.wait_answered()
        group.telephones[0].listen(1.0)
        old = house.gateway.hand_over()
        failures.dial(group, TALKS_30_S)
        failures.wait_talking(watch, number)
        assert old.wait(40.0) == 0
        for cdr in failures.must_be_sound(house, accounts, watch, number):
            failures.must_be_billed(cdr, 30_000, 30_000 + SETUP_MS)
        group.wait_ended()


def test_stopped_with_calls_up(lab: Lab, sqlite_url: str, tmp_path: Path, watch: ManagerLink, times: Times) -> None:
    """SIGTERM ends with 0 at once, the calls stay up, and the next process extends them."""
    number = times(2, 20)
    with open_house(lab, sqlite_url, tmp_path, **SHORT_GRANTS) as house, callers(lab, number) as group:
        accounts = failures.customers(house, number)
        failures.connect(group, TALKS_20_S)
        failures.wait_talking(watch, number)
        begun_s = time.monotonic()
        assert house.gateway.stop() == 0
        assert time.monotonic() - begun_s < 3.0
        assert group.up() == number
        house.gateway.start()
        for cdr in failures.must_be_sound(house, accounts, watch, number):
            failures.must_be_billed(cdr, 20_000, 20_000 + SETUP_MS)
        group.wait_ended()


def recorded_s(recording: Path) -> float:
    """How many seconds of a recording in the making are written; it grows only while something is sent."""
    return max(0, recording.stat().st_size - 44) / 16_000 if recording.exists() else 0.0
