"""`kill -9` at any moment: what was answered is there, what was not is whole or nothing, and each session ends once."""

import dataclasses
import random
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.engine import Engine

from dialplan.lab.polling import wait_for
from tests.clock import SettableClock
from tests.proof.paper_switch import PaperSwitch
from tests.proof.processes import forked, must_end_well
from tests.proof.shift import CALL, Shift, next_shift
from tests.proof.witness import Witness, end_calls

SWITCH = "gw1"
NAME = "killed-process"
BEGIN = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SOON, TOO_LATE, LONG_AFTER = timedelta(seconds=5), timedelta(minutes=5), timedelta(hours=2)
LIVES_APART = 100_000
PLACES = ("writes", "before", "after")

Times = Callable[[int, int], int]


def test_killed_at_random_moments(
    url: str, witness_engine: Engine, tmp_path: Path, times: Callable[[int, int], int]
) -> None:
    """Some kills hit the process while it recovers from the one before; after some the clients are gone for good, after
    some those that talk come back too late."""
    kills, dice = times(3, 200), random.Random(9)
    witness = Witness.called(witness_engine, BEGIN)
    own = f"{url}&application_name={NAME}" if url.startswith("postgresql") else url
    shift = Shift(own, tmp_path, SWITCH, 0, BEGIN, witness.operator_id, witness.account_id, witness.account_number)
    recovered = 0
    for kill in range(kills):
        run_and_kill(shift, dice)
        witness.wait_backends_gone(NAME)
        is_recovered = witness.has_recovered(shift)
        recovered += is_recovered
        unfinished = witness.read(shift)
        is_long = dice.random() < 0.2 or kill == kills - 1
        now = shift.now + (LONG_AFTER if is_long else TOO_LATE if kill % 4 == 0 else SOON)
        switch = PaperSwitch(tmp_path, SettableClock(shift.now))
        witness.read_switch(switch)
        witness.read_settled()
        witness.must_match()
        if is_recovered:
            witness.must_have_recovered(shift.now)
        end_calls(switch, dice, now, all_of_them=is_long)
        witness.read_switch(switch)
        if is_long:
            unfinished = {}
            witness.dropped |= {
                key for key in witness.book.open_sessions() if witness.book.sessions[key].service != CALL
            }
        shift = next_shift(shift, now=now, unfinished=tuple(unfinished.items()), first_life=(kill + 1) * LIVES_APART)
    close(witness, next_shift(shift, lives=0, calls=0))
    late = sum(number for said, number in witness.book.refused.items() if said.endswith("session-expired"))
    print(
        f"\n{kills} kills, {kills - recovered} of them during recovery: {len(witness.book.sessions)} sessions,"
        f" {len(witness.talked_ms)} calls, {len(witness.book.moved)} transfers; {witness.cut} requests cut short,"
        f" {witness.cut_and_done} of them done; {witness.expired} sessions given up, {late} words came too late"
    )
    assert recovered
    assert witness.cut
    assert kills < 100 or (witness.expired and late)


def run_and_kill(shift: Shift, dice: random.Random) -> None:
    """Let it work for a moment, or only begin to; or let it die at a place that is hard to hit by chance."""
    dies_by_itself = dice.random() < 0.4
    if dies_by_itself:
        shift = dataclasses.replace(shift, dies_at=(dice.choice(PLACES), dice.randint(1, 60)))
    process = forked(shift)
    try:
        if dies_by_itself:
            process.join(120.0)
            assert not process.is_alive(), "it did not come to where it was to die"
        elif dice.random() < 0.3:
            time.sleep(dice.uniform(0.0, 0.1))
        else:
            wanted = dice.randint(1, 150)
            wait_for(lambda: lines(shift) >= wanted or not process.is_alive(), "the process has done something", 60.0)
            time.sleep(dice.uniform(0.0, 0.03))
    finally:
        process.kill()  # whatever went wrong, it does not work on beside the tests that follow
        process.join(30.0)
    assert process.exitcode == -signal.SIGKILL, "it ended by itself"
    process.close()


def lines(shift: Shift) -> int:
    """How much there is in its diary."""
    return shift.diary.read_bytes().count(b"\n") if shift.diary.exists() else 0


def close(witness: Witness, shift: Shift) -> None:
    """A last process finds nothing but what is to be settled."""
    must_end_well([forked(shift)])
    witness.read(shift)
    witness.read_settled()
    witness.must_have_recovered(shift.now)
    witness.must_be_over()
