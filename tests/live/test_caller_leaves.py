"""The caller hangs up at every step, or the AGI connection is cut at every command: nothing charged, nothing held."""

import random
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from billing.calls import store as call_store
from dialplan.asterisk.manager_link import ManagerLink
from dialplan.lab.lab import Lab
from dialplan.lab.polling import wait_for
from runtime import database
from tests.ivr.town import ANN, CALLING, CHECKED, SSN
from tests.live import failures
from tests.live.callers import Callers, callers, line_of
from tests.live.cutting_proxy import CuttingProxy, Passage, Verdict
from tests.live.house import House, open_house
from tests.live.observer import Observer
from tests.live.raw_sip import RawCall

pytestmark = pytest.mark.live

Times = Callable[[int, int], int]
RINGS_FOR_EVER, HANGS_UP_AFTER_2_S = "01133142685313", "01133142685322"
STEPS = ("ring", "pin", "ssn", "destination", "announcement", "ringing")
SOON_S = 5.0
"""How soon after the hang-up all is settled."""


def arrived(house: House) -> int:
    """How many calls the gateway has."""
    with database.reading(house.town.engine) as connection:
        return len(call_store.live_calls(connection))


def test_hangs_up_at_every_step(lab: Lab, sqlite_url: str, tmp_path: Path, watch: ManagerLink, times: Times) -> None:
    rounds = times(1, 3)
    number = rounds * len(STEPS)
    with open_house(lab, sqlite_url, tmp_path) as house, callers(lab, number) as group:
        accounts = failures.customers_by_pin(house, number)
        among = {step: range(place, number, len(STEPS)) for place, step in enumerate(STEPS)}
        group.call(CHECKED)
        # who leaves before the gateway was asked has made no call: the next test
        wait_for(lambda: arrived(house) == number, "all have arrived")
        hang_up(group, among["ring"])
        for telephone in (one for one in group.telephones if one.is_up()):
            telephone.wait_answered()
        left = [one for one in range(number) if one not in among["ring"]]
        for step, digits in (
            ("pin", lambda one: accounts[one].pin),
            ("ssn", lambda one: SSN),
            ("destination", lambda one: f"{RINGS_FOR_EVER}#"),
        ):
            time.sleep(1.0)
            hang_up(group, among[step])
            left = [one for one in left if one not in among[step]]
            group.press(digits, left)
        time.sleep(0.8)
        hang_up(group, among["announcement"])
        group.press("#", among["ringing"])
        wait_for(lambda: held(house, accounts) == rounds, "money is held while it rings")
        hang_up(group, among["ringing"])
        begun_s = time.monotonic()
        house.wait_cdrs(number)
        cdrs = failures.must_be_sound(house, [one.account for one in accounts], watch, number)
        assert time.monotonic() - begun_s < SOON_S
        assert {cdr.charged_micros for cdr in cdrs} == {0}
        told = sorted(cdr.disposition for cdr in cdrs)
        assert told.count("caller-hung-up") == rounds, told
        assert not house.gateway.log_lines("agi-fault")


def test_leaves_before_anything_was_asked(
    lab: Lab, sqlite_url: str, tmp_path: Path, watch: ManagerLink, times: Times
) -> None:
    """A few milliseconds after the ring, and while the gateway is frozen: a call that was asked for has a CDR, one that
    was not has a line in the log; nothing is charged or held."""
    chance = random.Random(4)
    asserted = [f"P-Asserted-Identity: <sip:{ANN}@127.0.0.1>".encode()]
    with open_house(lab, sqlite_url, tmp_path) as house, Observer(lab.ports.gateway_ami, lab.observer) as observer:
        ann = house.town.account("ann", failures.MONEY, line=ANN)

        def leave(waits_ms: float) -> None:
            with RawCall(lab.ports.gateway_sip, CALLING.encode(), headers=asserted) as call:
                assert call.wait_heard()
                call.listen(waits_ms / 1000)

        for _ in range(times(6, 150)):
            leave(chance.choice((0.0, chance.uniform(0.0, 12.0))))
        house.gateway.freeze()
        for _ in range(times(1, 10)):
            leave(100.0)
        house.gateway.thaw()
        wait_for(lambda: not callers_up(watch), "all are gone")
        gone = {keys["Uniqueid"] for _, keys in observer.events("UserEvent") if keys["UserEvent"] == "TollgateGone"}

        def told() -> tuple[set[str], set[str]]:
            return {cdr.uniqueid for cdr in house.cdrs()}, {
                line["uniqueid"] for line in house.gateway.log_lines("call-abandoned")
            }

        wait_for(lambda: gone <= set.union(*told()) and not arrived(house), "each left a trace")
        with_cdr, abandoned = told()
        print(f"\n{len(with_cdr)} with a CDR, {len(abandoned - with_cdr)} that were never asked for, of {len(gone)}")
        assert {cdr.disposition for cdr in house.cdrs()} <= {"gone-at-arrival", "gone-at-destination"}
        assert {cdr.charged_micros for cdr in house.cdrs()} <= {0}
        assert house.town.balance(ann) == (failures.MONEY, 0)
        failures.must_be_calm(house)
        assert not house.gateway.log_lines("agi-fault")


def callers_up(watch: ManagerLink) -> list[str]:
    """Channels of telephones; the switch's own watch outlives the calls of an earlier test by a minute."""
    names = [row["Channel"] for row in watch.listed("CoreShowChannels")]
    return [name for name in names if name.startswith("PJSIP/")]


class AtCommand(Passage):
    """Cuts the session of a line before its command number n reaches the switch, or before the answer comes back."""

    def __init__(self, script: str, plan: dict[str, tuple[int, str]], seen: dict[str, int]) -> None:
        self._script = f"agi_network_script: {script}\n".encode()
        self._plan = plan
        self._seen = seen
        self._line = ""
        self._head = b""

    def to_server(self, piece: bytes) -> Verdict:
        if not self._line:
            self._head += piece
            found = re.search(rb"1212555[0-9]{4}", self._head)
            if b"\n\n" in self._head:
                self._line = found[0].decode() if found and self._script in self._head else "-"
            return piece, False
        number, lost = self._plan.get(self._line, (0, ""))
        if lost == "answer" and self._seen.get(self._line, 0) >= number:
            return b"", True
        return piece, False

    def to_client(self, piece: bytes) -> Verdict:
        commands = piece.count(b"\n")
        before = self._seen.get(self._line, 0)
        self._seen[self._line] = before + commands
        number, lost = self._plan.get(self._line, (0, ""))
        if lost == "command" and before < number <= before + commands:
            return b"", True
        return piece, False


@pytest.mark.parametrize(("script", "commands"), [("call", 8), ("after-dial", 2)])
def test_agi_is_cut_at_every_command(
    lab: Lab, sqlite_url: str, tmp_path: Path, watch: ManagerLink, script: str, commands: int
) -> None:
    """Telephone 0 is not cut, and says how many commands a turn has; the others are cut at each of them."""
    plan: dict[str, tuple[int, str]] = {}
    seen: dict[str, int] = {}
    cuts = [(number, lost) for number in range(1, commands + 1) for lost in ("command", "answer")]
    for one, cut in enumerate(cuts, start=1):
        plan[line_of(one).removeprefix("+")] = cut
    port = failures.free_port()
    with (
        CuttingProxy(lab.ports.agi, port, lambda: AtCommand(script, plan, seen)),
        open_house(lab, sqlite_url, tmp_path, AGI__PORT=str(port)) as house,
        callers(lab, len(cuts) + 1) as group,
    ):
        accounts = failures.customers_by_pin(house, len(group))
        group.call(CHECKED)
        apologised: set[str] = set()
        group.telephones[0].wait_answered()
        for digits in (lambda one: accounts[one].pin, lambda one: SSN, lambda one: f"{HANGS_UP_AFTER_2_S}#", "#"):
            until_s = time.monotonic() + 1.0
            while time.monotonic() < until_s:
                apologised.update(failures.apologies(watch))
            group.press(digits)
        wait_for(lambda: look(apologised, watch, group), "all calls end", 40.0)
        assert seen[line_of(0).removeprefix("+")] == commands
        cdrs = failures.must_be_sound(house, [one.account for one in accounts], watch, len(group))
        # a call is connected where the last command, the decision, was not lost but only the answer to it
        connected = {line_of(0), line_of(len(cuts))} if script == "call" else {cdr.ani for cdr in cdrs}
        for cdr in cdrs:
            assert (cdr.charged_micros > 0) == (cdr.ani in connected), cdr
        # where the caller is still there he hears an apology; before he is answered, as early media
        if script == "call":
            assert len(apologised) == len(cuts) - 1


def look(apologised: set[str], watch: ManagerLink, group: Callers) -> bool:
    """Whether all calls are over; collects meanwhile who hears the apology."""
    apologised.update(failures.apologies(watch))
    return group.up() == 0


def hang_up(group: Callers, among: range) -> None:
    """These hang up."""
    for one in among:
        group.telephones[one].hang_up()


def held(house: House, accounts: list[failures.Customer]) -> int:
    """How many accounts have money held."""
    return sum(house.town.balance(one.account)[1] > 0 for one in accounts)
