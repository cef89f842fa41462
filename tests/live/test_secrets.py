"""What callers key goes through the switch, the gateway and the database, and is written down nowhere (AGE-5)."""

import random
import re
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

import pytest

from dialplan.lab.lab import Lab
from dialplan.lab.polling import wait_for
from tests.ivr.town import CALLING
from tests.live import crowd
from tests.live.crowd import PlannedCall
from tests.live.house import House
from tests.live.measured import customers, measuring_house
from tests.live.observer import Observer

_DIGITS = re.compile(rb"[0-9]+")
PIN_DIGITS = 8


@pytest.fixture
def house(lab: Lab, sqlite_url: str, tmp_path: Path) -> Iterator[House]:
    with measuring_house(lab, sqlite_url, tmp_path) as opened:
        yield opened


@pytest.fixture
def observer(lab: Lab) -> Iterator[Observer]:
    with Observer(lab.ports.gateway_ami, lab.observer) as watching:
        yield watching


def found_in(text: bytes, secrets: frozenset[bytes]) -> list[bytes]:
    """The secrets that stand in the text, also inside a longer row of digits."""
    return [
        run[start : start + PIN_DIGITS]
        for run in _DIGITS.findall(text)
        for start in range(len(run) - PIN_DIGITS + 1)
        if run[start : start + PIN_DIGITS] in secrets
    ]


def key_in(lab: Lab, folder: Path, calls: Sequence[PlannedCall], rate: float) -> None:
    """Let SIPp key a PIN and a destination in each call; who is refused hears the gateway hang up."""
    with (
        crowd.callees(folder / "callees", lab.ports.callee_sip),
        crowd.callers(folder / "callers", lab.ports.gateway_sip, CALLING, calls, rate=rate) as callers,
        suppress(subprocess.TimeoutExpired),
    ):
        callers.process.wait(len(calls) / rate + 60)


def gone(observer: Observer) -> int:
    """How many calls are over."""
    return sum(fields.get("UserEvent") == "TollgateGone" for _, fields in observer.events("UserEvent"))


def test_a_thousand_secrets_are_written_down_nowhere(
    house: House,
    observer: Observer,
    lab: Lab,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    times: Callable[[int, int], int],
) -> None:
    """Right PINs, wrong ones, and ones keyed while the database fails: no log, event or file of ours holds one."""
    number, hand = times(10, 1000), tmp_path_factory.mktemp("hand")  # the caller's own hand may know them
    chance = random.Random(number)
    people = customers(house, [1_000_000_000] * (number * 2 // 5))
    right = [person.pin for person in people]
    drawn = {f"{chance.randrange(10**PIN_DIGITS):0{PIN_DIGITS}}" for _ in range(number)} - set(right)
    wrong = sorted(drawn)[: number - len(right)]
    at_fault, wrong = wrong[: number // 10], wrong[number // 10 :]
    calls = [
        PlannedCall(at, f"+1212557{at:04d}", pin, hear_ms=100, **({"talk_ms": 300} if pin in right else {"stay_ms": 1}))
        for at, pin in enumerate((*right, *wrong, *at_fault), 1)
    ]
    healthy = len(right) + len(wrong)
    key_in(lab, hand / "healthy", calls[:healthy], 10)
    house.wait_cdrs(healthy, 60.0)
    with closing(sqlite3.connect(tmp_path / "tollgate.db")) as spoiler:
        spoiler.execute("ALTER TABLE wrong_entry RENAME TO away")
        key_in(lab, hand / "at fault", calls[healthy:], 5)
        spoiler.execute("ALTER TABLE away RENAME TO wrong_entry")
    wait_for(lambda: gone(observer) == len(calls), "all calls are over", 60.0)
    outcomes = Counter(cdr.disposition for cdr in house.cdrs())
    assert outcomes["answered"] == len(right), outcomes
    assert house.gateway.log_lines("agi-fault"), "the database failed where a PIN was in hand"

    secrets = frozenset(pin.encode() for pin in (*right, *wrong, *at_fault))
    assert len(secrets) == number
    seen = {"events": observer.text().encode()}
    base = lab.gateway.outside
    for folder in (base / "log", base / "spool", base / "state", base / "run", tmp_path):
        seen |= {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert {"gateway.log", "tollgate.db", "messages.log"} <= {Path(name).name for name in seen}
    assert found_in(b"x" + calls[0].pin.encode() + b"0", secrets), "the search finds what is there"
    assert {name: found for name, text in seen.items() if (found := found_in(text, secrets))} == {}
