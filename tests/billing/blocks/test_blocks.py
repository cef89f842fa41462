"""What account holders block and lift on their own lines, and what staff are told of it."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from ani.negative import service as negative_service
from ani.negative import store as negative_store
from ani.negative.block import NegativeReason, NewBlock
from billing.blocks import service
from billing.blocks.block_report import Period, ReasonCount
from billing.calls import service as call_service
from billing.calls.call import NewCall, Settle
from billing.cli import blocks as block_commands
from runtime.database import reading, transaction
from runtime.faults import NotFoundError
from runtime.keys import Pepper
from tests.clock import SettableClock
from tests.ivr.town import ANN, BOB, Town, build_town
from tests.terminal import Terminal


@pytest.fixture
def town(engine: Engine, clock: SettableClock, pepper: Pepper, tmp_path: Path) -> Town:
    return build_town(engine, clock, pepper, tmp_path)


def refused(town: Town, ani: str, disposition: str) -> None:
    """A call from this line that ended so."""
    now = town.clock.now()
    call_id = f"{ani[-4:]}{disposition}"[:32]
    with transaction(town.engine) as conn:
        call_service.open_call(conn, NewCall(call_id, "gw1", call_id, "PJSIP/x", "19005550100", ani, now))
    call_service.settle(town.engine, town.clock, Settle(call_id, None, now, disposition, 21, "test"))


def test_a_holder_blocks_and_lifts_only_his_own(town: Town, clock: SettableClock) -> None:
    ann = town.account("ann", 0, line=ANN)
    assert service.block_own_line(town.engine, clock, account_number=ann.number, ani=ANN, by="ann")
    assert not service.block_own_line(town.engine, clock, account_number=ann.number, ani=ANN, by="ann")
    negative_service.block(town.engine, clock, NewBlock(ANN, NegativeReason.CHARGEBACK), "care")
    (lifted,) = service.lift_own_block(
        town.engine, clock, account_number=ann.number, ani=ANN, by="ann", note="home again"
    )
    assert (lifted.reason, lifted.blocked_by) == (NegativeReason.SUBSCRIBER, "ann")
    (left,) = negative_service.list_blocks(town.engine, clock, ani=ANN)
    assert left.reason is NegativeReason.CHARGEBACK
    with pytest.raises(NotFoundError):
        service.block_own_line(town.engine, clock, account_number=ann.number, ani=BOB, by="ann")
    with pytest.raises(NotFoundError):
        service.lift_own_block(town.engine, clock, account_number="none", ani=ANN, by="x", note="x")


def test_what_is_reported(town: Town, clock: SettableClock) -> None:
    begin = clock.now()
    for line in (ANN, BOB):
        negative_service.block(town.engine, clock, NewBlock(line, NegativeReason.MINOR), "care")
    refused(town, ANN, "minor")
    refused(town, BOB, "minor")
    refused(town, BOB, "answered")
    clock.advance(60)
    negative_service.unblock(town.engine, clock, BOB, "care", "of age")
    everything = {row.reason: row for row in service.report(town.engine, clock, Period())}
    assert len(everything) == len(NegativeReason)
    assert everything[NegativeReason.MINOR] == ReasonCount(NegativeReason.MINOR, 1, 2, 1, 2, 2)
    assert everything[NegativeReason.DISPUTE] == ReasonCount(NegativeReason.DISPUTE, 0, 0, 0, 0, 0)
    later = {row.reason: row for row in service.report(town.engine, clock, Period(begin + timedelta(seconds=1)))}
    assert later[NegativeReason.MINOR] == ReasonCount(NegativeReason.MINOR, 1, 0, 1, 0, 0)


def test_blocks_that_end_calls(town: Town, clock: SettableClock) -> None:
    since = clock.now() - timedelta(hours=1)

    def ending() -> list[str]:
        with reading(town.engine) as conn:
            return [block.ani for block in negative_store.ending_blocks(conn, since, clock.now())]

    negative_service.block(town.engine, clock, NewBlock(ANN, NegativeReason.OPERATOR), "care")
    assert ending() == []
    assert negative_service.block(town.engine, clock, NewBlock(ANN, NegativeReason.OPERATOR, ends_calls=True), "care")
    assert not negative_service.block(
        town.engine, clock, NewBlock(ANN, NegativeReason.OPERATOR, ends_calls=True), "care"
    )
    assert ending() == [ANN]
    negative_service.unblock(town.engine, clock, ANN, "care", "mistake")
    assert ending() == []


def test_report_by_command(sqlite_url: str, installation: Callable[[str], None]) -> None:
    installation(sqlite_url)
    terminal = Terminal(block_commands.attach)
    rows = terminal.must("negative", "report", "--from", "2026-01-01", "--json").document["reasons"]
    assert rows[0] == {
        "reason": "blocked-by-subscriber",
        "lines_blocked": 0,
        "made": 0,
        "lifted": 0,
        "calls": 0,
        "lines_that_called": 0,
    }
    assert "wrong-party" in terminal.must("negative", "report").out
