"""What callers key goes through the switch, the gateway and the database, and is written down nowhere (AGE-5).

PINs, whole social security numbers, dates of birth and licences have eight digits and more: no other digits are these,
so each is looked for everywhere, also inside longer rows of digits. The last four digits of a number, and access codes,
stand by chance in times, ports and process ids. They are looked for as whole numbers, by kind of call: what writes down
what is keyed in such a call does so in every one, so that a file would have all of the kind; chance gives it a few.
Digits that are written one by one are looked for by what the switch calls them.
"""

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
from tests.live import crowd, keyed_secrets
from tests.live.crowd import PlannedCall
from tests.live.house import House
from tests.live.measured import customers, measuring_house
from tests.live.observer import Observer

_DIGITS = re.compile(rb"[0-9]+")
PIN_DIGITS = 8


@pytest.fixture
def house(lab: Lab, sqlite_url: str, tmp_path: Path) -> Iterator[House]:
    many = {f"LOCKOUT__{name}": "100000" for name in ("OVERALL_HOUR", "PER_ACCESS_NUMBER_HOUR")}
    with measuring_house(lab, sqlite_url, tmp_path, CALL__ENTRY_ATTEMPTS="1", **many) as opened:
        keyed_secrets.services(opened)
        yield opened


@pytest.fixture
def observer(lab: Lab) -> Iterator[Observer]:
    with Observer(lab.ports.gateway_ami, lab.observer) as watching:
        yield watching


def found_in(text: bytes, secrets: frozenset[bytes]) -> list[bytes]:
    """The secrets, of eight digits and more, that stand in the text, also inside a longer row of digits."""
    lengths = {len(secret) for secret in secrets}
    return [
        run[start : start + length]
        for run in _DIGITS.findall(text)
        for length in lengths
        for start in range(len(run) - length + 1)
        if run[start : start + length] in secrets
    ]


def mostly_in(text: bytes, kinds: dict[str, frozenset[bytes]]) -> list[str]:
    """The kinds of short secrets of which more than half stand in the text as whole numbers."""
    runs = set(_DIGITS.findall(text))
    return [kind for kind, secrets in kinds.items() if 2 * len(secrets & runs) > len(secrets)]


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
    number, each = times(6, 500), times(3, 84)
    hand = tmp_path_factory.mktemp("hand")  # the caller's own hand may know them
    chance = random.Random(number)
    people = customers(house, [1_000_000_000] * (number * 2 // 5))
    right = [person.pin for person in people]
    drawn = {f"{chance.randrange(10**PIN_DIGITS):0{PIN_DIGITS}}" for _ in range(number)} - set(right)
    wrong = sorted(drawn)[: number - len(right)]
    at_fault, wrong = wrong[: max(1, number // 10)], wrong[max(1, number // 10) :]
    persons = keyed_secrets.callers(house, each, number + 1, chance, hand)
    unlucky = keyed_secrets.callers(house, times(1, 3), 5001, chance, hand)
    calls = [
        PlannedCall(
            at,
            f"+1212557{at:04d}",
            pin,
            hear_ms=100,
            talk_ms=300 if pin in right else 0,
            is_refused=pin not in right,
        )
        for at, pin in enumerate((*right, *wrong, *at_fault), 1)
    ]
    healthy = [*calls[: len(right) + len(wrong)], *(person.call for person in persons)]
    chance.shuffle(healthy)
    faulty = [*calls[len(right) + len(wrong) :], *(person.call for person in unlucky)]
    key_in(lab, hand / "healthy", healthy, times(10, 6))
    house.wait_cdrs(len(healthy), 60.0)
    with closing(sqlite3.connect(tmp_path / "tollgate.db")) as spoiler:
        spoiler.execute("ALTER TABLE wrong_entry RENAME TO away")
        key_in(lab, hand / "at fault", faulty, 10)
        spoiler.execute("ALTER TABLE away RENAME TO wrong_entry")
    wait_for(lambda: gone(observer) == len(healthy) + len(faulty), "all calls are over", 60.0)
    outcomes = Counter(cdr.disposition for cdr in house.cdrs())
    assert outcomes["answered"] == len(right) + len(persons), outcomes
    assert house.gateway.log_lines("agi-fault"), "the database failed where a PIN was in hand"

    pins = (*right, *wrong, *at_fault)
    long = [secret for person in (*persons, *unlucky) for secret in person.long]
    secrets = frozenset(secret.encode() for secret in (*pins, *long))
    assert len(secrets) == number + len(long)
    short = {
        f"{kind}, {name}": frozenset(person.short.encode() for person in group if person.kind == kind)
        for name, group in (("well", persons), ("at fault", unlucky))
        for kind in ("number and date", "code")
    }
    seen = {"events": observer.text().encode()}
    base = lab.gateway.outside
    for folder in (base / "log", base / "spool", base / "state", base / "run", tmp_path):
        seen |= {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert {"gateway.log", "tollgate.db", "messages.log"} <= {Path(name).name for name in seen}
    assert found_in(b"x" + calls[0].pin.encode() + b"0", secrets), "the search finds what is there"
    assert mostly_in(b", ".join(short["code, well"]), short) == ["code, well"], "and what is short"
    assert {name: found for name, text in seen.items() if (found := found_in(text, secrets))} == {}
    assert {name: kinds for name, text in seen.items() if (kinds := mostly_in(text, short))} == {}
    assert not [name for name, _ in observer.events() if "DTMF" in name.upper()]
    assert {name for name, text in seen.items() if b"DTMF begin" in text or b"DTMF end" in text} == set()
