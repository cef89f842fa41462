"""Two processes on one database and one account, each with callers of its own, and both with the same clients."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.engine import Engine

from tests.clock import SettableClock
from tests.proof.paper_switch import PaperSwitch
from tests.proof.processes import forked, must_end_well
from tests.proof.shift import Shift, next_shift
from tests.proof.watching import watched
from tests.proof.witness import Witness

BEGIN = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LATER = timedelta(hours=3)


def test_two_gateways_on_one_account(
    url: str, witness_engine: Engine, tmp_path: Path, times: Callable[[int, int], int]
) -> None:
    """Every request of a client comes to both; calls that one leaves are settled by two who find them at one moment."""
    witness = Witness.called(witness_engine, BEGIN)
    with watched(witness_engine, witness.account_id) as seen:
        shifts = [
            Shift(
                url,
                tmp_path / name,
                name,
                0,
                BEGIN,
                witness.operator_id,
                witness.account_id,
                witness.account_number,
                lives=times(5, 400),
                calls=times(3, 200),
                leaves_calls=name == "gw2",
            )
            for name in ("gw1", "gw2")
        ]
        for shift in shifts:
            shift.folder.mkdir()
        must_end_well([forked(shift) for shift in shifts])
        for shift in shifts:
            witness.read(shift)
            witness.read_switch(PaperSwitch(shift.folder, SettableClock(BEGIN)))
        witness.read_settled()
        witness.must_match()
        left = [key for key in witness.book.open_sessions() if key in witness.talked_ms]
        assert left, "calls are left for others"
        settle_twice(witness, shifts[1])
    witness.must_be_over()
    assert min(seen) >= 0
    assert witness.book.replays
    print(
        f"\n{len(witness.book.sessions)} sessions, {len(witness.talked_ms)} calls, {len(left)} of them settled by two"
        f" at once, {len(witness.book.moved)} transfers, {witness.book.replays} replays, looked {len(seen)} times"
    )


def settle_twice(witness: Witness, shift: Shift) -> None:
    """Two processes take up what is left on one switch, when all of it is over."""
    switch = PaperSwitch(shift.folder, SettableClock(shift.now))
    for leg in switch.legs():
        if leg.answered_us is None:
            switch.hang_up(leg.call_id, None)
        elif leg.used_ms is None:
            switch.hang_up(leg.call_id, leg.armed_ms // 2000 * 1000)
    witness.read_switch(switch)
    first = next_shift(shift, now=shift.now + LATER, lives=0, calls=0)
    last = next_shift(first)
    must_end_well([forked(first), forked(last)])
    witness.dropped |= {key for key in witness.book.open_sessions() if key not in witness.talked_ms}
    witness.read_settled()
    witness.must_have_recovered(last.now)
