"""The switch itself is killed with calls up: each is settled once, at most to the last moment it was known to be up."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dialplan.asterisk.manager_link import ManagerLink
from dialplan.lab.instance import Login
from dialplan.lab.lab import Lab
from dialplan.lab.polling import wait_for
from tests.ivr.town import CALLING
from tests.live import failures
from tests.live.callers import callers
from tests.live.conftest import linked
from tests.live.failures import SHORT_GRANTS
from tests.live.house import open_house

pytestmark = pytest.mark.live

Times = Callable[[int, int], int]
TALKS_FOR_EVER, RINGS_FOR_EVER = "01133142685317", "01133142685313"


@pytest.fixture
def mended_lab(lab: Lab) -> Iterator[Lab]:
    """The lab; its switch runs again after the test."""
    yield lab
    if lab.gateway.process is None or lab.gateway.process.poll() is not None:
        lab.gateway.start(lab.admin)


def kill(lab: Lab) -> None:
    """End the gateway's switch as a crash does."""
    assert lab.gateway.process is not None
    os.killpg(lab.gateway.process.pid, signal.SIGKILL)
    lab.gateway.process.wait(10)


def watched(lab: Lab) -> ManagerLink:
    """A link to the switch as it is now."""
    ami = lab.settings.ami
    return linked(lab.ports.gateway_ami, Login(ami.username, ami.secret.get_secret_value()))


def test_switch_is_killed_and_comes_back(mended_lab: Lab, sqlite_url: str, tmp_path: Path, times: Times) -> None:
    number = times(3, 20)
    lab = mended_lab
    with open_house(lab, sqlite_url, tmp_path, **SHORT_GRANTS) as house, callers(lab, number) as group:
        accounts = failures.customers(house, number)
        failures.connect(group, TALKS_FOR_EVER)
        with watched(lab) as watch:
            failures.wait_talking(watch, number)
        time.sleep(4.0)
        # so it comes to read of the end two seconds late; when that was, the last packet tells
        house.gateway.freeze()
        kill(lab)
        killed_s = time.time()
        time.sleep(2.0)
        house.gateway.thaw()
        time.sleep(1.0)
        lab.gateway.start(lab.admin)
        with watched(lab) as watch:
            cdrs = failures.must_be_sound(house, accounts, watch, number)
        for cdr in cdrs:
            assert cdr.answered_at is not None
            assert cdr.ended_at is not None
            assert (cdr.settled_from, cdr.hangup_cause) == ("switch-lost", 38)
            assert killed_s - 1.0 <= cdr.ended_at.timestamp() <= killed_s
            failures.must_be_billed(cdr, 3_500, 16_000)


def test_switch_and_gateway_are_killed(mended_lab: Lab, sqlite_url: str, tmp_path: Path, times: Times) -> None:
    """Nobody knows how long the calls were up: they are charged to the last extension, or nothing."""
    number = times(2, 20)
    lab = mended_lab
    with open_house(lab, sqlite_url, tmp_path, **SHORT_GRANTS) as house, callers(lab, number) as group:
        accounts = failures.customers(house, number)
        failures.connect(group, TALKS_FOR_EVER)
        with watched(lab) as watch:
            failures.wait_talking(watch, number)
        wait_for(lambda: all(house.town.balance(one)[1] > 16 * 1_000_000 // 60 + 1 for one in accounts), "extended")
        time.sleep(3.0)
        house.gateway.kill()
        kill(lab)
        killed_s = time.time()
        lab.gateway.start(lab.admin)
        house.gateway.start()
        with watched(lab) as watch:
            cdrs = failures.must_be_sound(house, accounts, watch, number)
        for cdr in cdrs:
            assert cdr.settled_from == "switch-lost"
            assert cdr.ended_at is not None
            assert cdr.ended_at.timestamp() <= killed_s - 2.0
            failures.must_be_billed(cdr, 7_500, 10_000)


def test_switch_is_killed_while_it_rings(mended_lab: Lab, sqlite_url: str, tmp_path: Path, times: Times) -> None:
    number = times(2, 20)
    lab = mended_lab
    with open_house(lab, sqlite_url, tmp_path) as house, callers(lab, number) as group:
        accounts = failures.customers(house, number)
        group.call(CALLING)
        group.wait_answered()
        group.telephones[0].listen(1.0)
        failures.dial(group, RINGS_FOR_EVER)
        wait_for(lambda: all(house.town.balance(one)[1] for one in accounts), "money is held")
        kill(lab)
        lab.gateway.start(lab.admin)
        with watched(lab) as watch:
            cdrs = failures.must_be_sound(house, accounts, watch, number)
        for cdr in cdrs:
            assert (cdr.charged_micros, cdr.answered_at) == (0, None)
