"""Many calls a second, each with the whole dialogue: PIN, destination, prompts broken into, conversation, bill.

SIPp is caller and callee, digits arrive as RFC 4733, and one Asterisk, the gateway and SIPp share the processors of
this machine. `make bench` runs the full load; a small one belongs to the tests.
"""

import math
import os
import random
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from dialplan.lab.lab import Lab
from runtime.settings import Settings
from tests.host import Watch
from tests.live.crowd import PlannedCall
from tests.live.house import House
from tests.live.measured import Measured, customers, measuring_house, off_the_second, place

pytestmark = pytest.mark.live

# Under load the stamps of a call wait for the processor: the two clocks are told apart by this much only.
MARGIN_MS = 200
DECISION_LIMIT_MS = 100
CPU_RATIO_LIMIT = 0.5
PEOPLE = 500


@pytest.fixture(scope="module")
def patient_lab() -> Iterator[Lab]:
    with Lab(Settings(), f"test-{os.getpid()}-load") as running:
        yield running


@pytest.fixture
def house(patient_lab: Lab, sqlite_url: str, tmp_path: Path) -> Iterator[House]:
    with measuring_house(patient_lab, sqlite_url, tmp_path) as opened:
        yield opened


def plan(house: House, count: int, talk_s: int) -> list[PlannedCall]:
    """So many calls by a few hundred people, who take turns; every second one is ended by its caller."""
    chance = random.Random(30)
    people = customers(house, [1_000_000_000] * min(count, PEOPLE))
    calls = []
    for number in range(count):
        person = people[number % len(people)]
        lasts_ms = off_the_second(chance, talk_s - 1, talk_s + 1, MARGIN_MS)
        talk_ms, stay_ms = (0, lasts_ms) if number % 2 else (lasts_ms, 0)
        calls.append(PlannedCall(number + 1, person.telephone, person.pin, talk_ms=talk_ms, stay_ms=stay_ms))
    return calls


def wrong_bills(measured: Sequence[Measured]) -> list[str]:
    """What differs from the callee's own trace: the billed second, or the price of it."""
    wrong = []
    for one in measured:
        billed_ms = one.cdr.billed_ms
        # Nobody can say when a caller's own hang-up falls, so beside a whole second either side of it is right.
        slips_ms = (-MARGIN_MS, 0, MARGIN_MS) if one.call.stay_ms else (0,)
        fair_ms = {math.ceil((one.talk.used_ms + slip) / 1000) * 1000 for slip in slips_ms}
        if billed_ms not in fair_ms or one.cdr.charged_micros != -(-billed_ms * 1_000_000 // 60_000):
            wrong.append(f"{one.cdr.call_id}: {one.talk.used_ms:.0f} ms talked, {one.cdr.billed_ms} ms billed")
    return wrong


def at_once(measured: Sequence[Measured]) -> float:
    """How many conversations were up at a time: the median over the middle half of the run."""
    start_s = min(one.talk.answered_s for one in measured)
    end_s = max(one.talk.ended_s for one in measured)
    moments = [start_s + (end_s - start_s) * part / 200 for part in range(50, 150)]
    up = [sum(one.talk.answered_s <= at < one.talk.ended_s for one in measured) for at in moments]
    return statistics.median(up)


def cpu_s(pid: int) -> float:
    """Seconds of processor a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_minute_of_rush_hour_in_small(patient_lab: Lab, house: House, tmp_path: Path) -> None:
    calls = plan(house, 50, 2)
    measured = place(patient_lab, house, tmp_path, calls, rate=10, limit_s=60)
    assert Counter(one.cdr.disposition for one in measured) == {"answered": 50}
    assert wrong_bills(measured) == []


@pytest.mark.load
def test_thirty_calls_a_second_with_200_talking(patient_lab: Lab, house: House, tmp_path: Path) -> None:
    rate, held_s, talk_s = int(os.environ.get("BENCH_RATE", "30")), int(os.environ.get("BENCH_S", "60")), 7
    calls = plan(house, rate * held_s, talk_s)
    switch = patient_lab.gateway.process
    assert switch is not None
    before = cpu_s(switch.pid), house.gateway.cpu_s
    load_before, watch = os.getloadavg()[0], Watch()
    measured = place(patient_lab, house, tmp_path, calls, rate=rate, limit_s=held_s + 60, failures_allowed=True)
    switch_ms, gateway_ms = (
        (now - then) * 1000 / len(calls)
        for then, now in zip(before, (cpu_s(switch.pid), house.gateway.cpu_s), strict=True)
    )
    taken = watch.taken()
    lines = house.gateway.log_lines("call")
    decisions = sorted(one for line in lines for one in line["decisions_ms"])
    p99_ms = decisions[int(len(decisions) * 0.99)]
    wrong = wrong_bills(measured)
    print(
        f"\n{rate} calls/s for {held_s} s, {at_once(measured):.0f} talking at a time, load {load_before:.1f} before,"
        f" {taken:.1%} of the processors taken away by the host:"
        f" {len(calls) - len(measured)} failed, {len(wrong)} wrong bills;"
        f" {len(decisions)} decisions: median {statistics.median(decisions):.1f} ms, p99 {p99_ms:.1f} ms,"
        f" most {decisions[-1]:.1f} ms;"
        f" processor a call: Asterisk {switch_ms:.1f} ms, gateway {gateway_ms:.1f} ms,"
        f" ratio {gateway_ms / switch_ms:.2f}\n(BENCH_RATE={rate} BENCH_S={held_s} make bench)"
    )
    assert Counter(one.cdr.disposition for one in measured) == {"answered": len(calls)}
    assert wrong == []
    assert p99_ms <= DECISION_LIMIT_MS
    assert gateway_ms / switch_ms <= CPU_RATIO_LIMIT
