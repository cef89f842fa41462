"""Bills and cuts, measured by an instrument that is not ours: SIPp's own trace at the called party.

Two clocks stamp each end of a call: SIPp's when it sends its 200 and when it gets or sends the BYE, Asterisk's when it
handles these. On an idle machine the two durations differ by less than 1 ms, on this one, shared, by up to some tens;
so durations are drawn at random from all but the 50 ms on both sides of a whole second. Where the caller ends the call
the duration cannot be drawn, and such a call is held against both seconds when it lies that close.
"""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from billing.ledger import service as ledger_service
from dialplan.lab.lab import Lab
from runtime.settings import Settings
from tests.live.crowd import PlannedCall
from tests.live.house import House
from tests.live.measured import Measured, customers, measuring_house, off_the_second, place

pytestmark = pytest.mark.live

MARGIN_MS = 50
ONE_PER_MINUTE = 1_000_000
CUT_LIMIT_MS = 1_000


@pytest.fixture(scope="module")
def patient_lab() -> Iterator[Lab]:
    """A lab in which a caller may think as long as the shipped settings let him."""
    with Lab(Settings(), f"test-{os.getpid()}-patient") as running:
        yield running


@pytest.fixture
def house(patient_lab: Lab, sqlite_url: str, tmp_path: Path) -> Iterator[House]:
    with measuring_house(patient_lab, sqlite_url, tmp_path) as opened:
        yield opened


@pytest.fixture
def extending_house(patient_lab: Lab, sqlite_url: str, tmp_path: Path) -> Iterator[House]:
    """A house that grants so little at once that every call is extended."""
    short = {"CHARGING__GRANT_S": "5", "CHARGING__EXTEND_BEFORE_S": "2", "CALL__WARN_AT_S": "[]"}
    with measuring_house(patient_lab, sqlite_url, tmp_path, **short) as opened:
        yield opened


def whole_seconds_ms(used_ms: float) -> int:
    """The rounding rule of the town's tariff: begun seconds."""
    return -(-int(used_ms * 1000) // 1_000_000) * 1000


def is_billed_as_measured(one: Measured) -> bool:
    """The same second by both clocks; where the instrument is too near a whole second, one of its two neighbours."""
    fair = {whole_seconds_ms(one.talk.used_ms + slack) for slack in (-MARGIN_MS, 0, MARGIN_MS)}
    if one.call.talk_ms:
        fair = {whole_seconds_ms(one.talk.used_ms)}
    return one.cdr.billed_ms in fair and one.cdr.charged_micros == -(-one.cdr.billed_ms * ONE_PER_MINUTE // 60_000)


def test_billed_as_sipp_measured(
    patient_lab: Lab, house: House, tmp_path: Path, times: Callable[[int, int], int]
) -> None:
    """Whatever the caller does before the dial, and whoever ends it: what is billed is from the 200 to the BYE."""
    chance = random.Random(20_261_121)
    count = times(12, 200)
    payers = customers(house, [20 * ONE_PER_MINUTE] * count)
    calls = []
    for number, payer in enumerate(payers):
        by_callee = number % 3 != 2
        talk_ms = off_the_second(chance, 0, 10, MARGIN_MS) if by_callee else 0
        stay_ms = 0 if by_callee else chance.randrange(2_000, 12_000)
        think_ms = chance.randrange(0, 19_000)
        calls.append(PlannedCall(number + 1, payer.telephone, payer.pin, think_ms, talk_ms=talk_ms, stay_ms=stay_ms))
    measured = place(patient_lab, house, tmp_path, calls, rate=4, limit_s=60 + count)
    gaps_ms = sorted(one.talk.used_ms - one.cdr.used_ms for one in measured)
    wrong = [one for one in measured if not is_billed_as_measured(one)]
    near = [one for one in measured if abs(one.talk.used_ms % 1000 - 500) > 500 - MARGIN_MS]
    print(
        f"\nbilled = measured: {count - len(wrong)} of {count}; SIPp minus switch {gaps_ms[0]:.1f} to"
        f" {gaps_ms[-1]:.1f} ms, median {gaps_ms[count // 2]:.2f}; {len(near)} within {MARGIN_MS} ms of a whole second"
    )
    assert not wrong
    for payer, one in zip(payers, measured, strict=True):
        assert house.wait_free(payer.account) == 20 * ONE_PER_MINUTE - one.cdr.charged_micros
    assert ledger_service.audit(house.town.engine) == []


def test_cut_at_zero_as_sipp_measured(
    patient_lab: Lab, extending_house: House, tmp_path: Path, times: Callable[[int, int], int]
) -> None:
    """Money for so many seconds buys them, the end comes within a second after them, and nothing is left or owed.

    The last deadline is one that the gateway set in mid-call; `test_no_leg_is_cut_before_its_paid_time` of the switch
    is about the first.
    """
    house, chance = extending_house, random.Random(50)
    count = times(6, 50)
    paid_ms = [chance.randrange(5_200, 14_000) for _ in range(count)]
    payers = customers(house, [-(-one * ONE_PER_MINUTE // 60_000) for one in paid_ms])
    calls = [PlannedCall(number + 1, payer.telephone, payer.pin) for number, payer in enumerate(payers)]
    measured = place(patient_lab, house, tmp_path, calls, rate=4, limit_s=60 + count)
    late_ms = [one.talk.used_ms - paid for one, paid in zip(measured, paid_ms, strict=True)]
    by_switch_ms = [one.cdr.used_ms - paid for one, paid in zip(measured, paid_ms, strict=True)]
    balances = [house.wait_free(payer.account) for payer in payers]
    print(
        f"\ncut at zero: {count} calls ended {min(late_ms):.0f} to {max(late_ms):.0f} ms after the last paid moment;"
        f" balances {set(balances)}"
    )
    assert balances == [0] * count
    assert {one.cdr.disposition for one in measured} == {"balance-used-up"}
    assert [one.cdr.balance_after_micros for one in measured] == [0] * count
    assert ledger_service.audit(house.town.engine) == []
    assert min(len(house.explain(one.cdr.call_id).requests) for one in measured) >= 2
    print(f"by the switch's stamps {min(by_switch_ms)} to {max(by_switch_ms)} ms after it")
    assert max(late_ms) <= CUT_LIMIT_MS
    # two clocks stamp the two ends for SIPp; by the switch's own stamps nobody gets a millisecond less than he paid
    assert min(late_ms) >= -MARGIN_MS
    assert min(by_switch_ms) >= 0
