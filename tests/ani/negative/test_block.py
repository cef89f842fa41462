"""Blocks on lines: in force until they run out or are lifted with a note."""

import csv
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.engine import Engine

from ani.importing import Source
from ani.negative import service, store
from ani.negative.block import NegativeReason, NewBlock, parse_until
from ani.negative.loading.service import import_blocks
from ani.negative.service import BlockError
from runtime.csv_import import ImportResult
from runtime.database import reading, rehearsing
from runtime.keys import Pepper
from tests.clock import SettableClock

LINE = "+16045550123"


def current(engine: Engine, clock: SettableClock, ani: str = LINE) -> NegativeReason | None:
    with reading(engine) as conn:
        found = store.current_block(conn, ani, clock.now())
    return found.reason if found else None


@pytest.mark.parametrize("reason", NegativeReason)
def test_a_line_is_blocked_and_lifted_with_a_note(
    sqlite_engine: Engine, clock: SettableClock, reason: NegativeReason
) -> None:
    assert current(sqlite_engine, clock) is None
    assert service.block(sqlite_engine, clock, NewBlock(LINE, reason, "case 12"), "ana")
    assert current(sqlite_engine, clock) is reason
    clock.advance(60)
    (lifted,) = service.unblock(sqlite_engine, clock, LINE, "eve", "paid")
    assert lifted.reason is reason
    assert current(sqlite_engine, clock) is None
    (entry,) = service.list_blocks(sqlite_engine, clock, ani=LINE, with_past=True)
    assert (entry.blocked_by, entry.note, entry.lifted_by, entry.lift_note) == ("ana", "case 12", "eve", "paid")
    assert entry.lifted_at == clock.now()
    assert service.list_blocks(sqlite_engine, clock) == []


def test_a_block_runs_out_at_its_moment(engine: Engine, clock: SettableClock) -> None:
    until = clock.now() + timedelta(hours=1)
    assert service.block(engine, clock, NewBlock(LINE, NegativeReason.DISPUTE, expires_at=until), "ana")
    clock.set(until - timedelta(microseconds=1))
    assert current(engine, clock) is NegativeReason.DISPUTE
    clock.set(until)
    assert current(engine, clock) is None
    assert service.unblock(engine, clock, LINE, "ana", "late") == []
    assert service.block(engine, clock, NewBlock(LINE, NegativeReason.DISPUTE), "ana")


def test_the_same_block_again_changes_nothing_and_the_oldest_speaks(engine: Engine, clock: SettableClock) -> None:
    assert service.block(engine, clock, NewBlock(LINE, NegativeReason.MINOR), "ana")
    assert not service.block(engine, clock, NewBlock(LINE, NegativeReason.MINOR, "again"), "ana")
    assert service.block(engine, clock, NewBlock(LINE, NegativeReason.CHARGEBACK), "ana")
    assert current(engine, clock) is NegativeReason.MINOR
    assert [found.reason for found in service.unblock(engine, clock, LINE, "ana", "x", NegativeReason.MINOR)] == [
        NegativeReason.MINOR
    ]
    assert current(engine, clock) is NegativeReason.CHARGEBACK


@pytest.mark.parametrize("note", ["", " ", "x" * 401])
def test_a_block_is_not_lifted_without_a_note_that_fits(sqlite_engine: Engine, clock: SettableClock, note: str) -> None:
    service.block(sqlite_engine, clock, NewBlock(LINE, NegativeReason.MINOR), "ana")
    with pytest.raises(BlockError):
        service.unblock(sqlite_engine, clock, LINE, "ana", note)
    assert current(sqlite_engine, clock) is NegativeReason.MINOR


def test_a_block_that_is_past_or_has_a_long_note_is_refused(sqlite_engine: Engine, clock: SettableClock) -> None:
    with pytest.raises(BlockError, match="past"):
        service.block(sqlite_engine, clock, NewBlock(LINE, NegativeReason.MINOR, expires_at=clock.now()), "ana")
    with pytest.raises(BlockError, match="401"):
        service.block(sqlite_engine, clock, NewBlock(LINE, NegativeReason.MINOR, "x" * 401), "ana")


def test_blocks_come_from_a_file_that_can_be_loaded_again(
    engine: Engine, clock: SettableClock, pepper: Pepper, csv_source: Callable[..., Source]
) -> None:
    lines = (
        "ANI,Reason,Note,Until",
        "+1 604 555 0123,minor,,",
        "6045550124,Chargeback,case 7,2026-12-01",
        "6045550124,chargeback,case 7,2026-12-01",
        "6045550125,nonsense,,",
        "6045550126,minor,,2026-01-01",
        "6045550127,minor,,whenever",
        "hello,minor,,",
        "6045550128,inactive,,2026-12-01T10:00+02:00",
    )
    source = csv_source(*lines, batch_rows=100)
    assert import_blocks(rehearsing(engine), clock, pepper, source, "ana") == ImportResult(3, 4, 1)
    assert service.list_blocks(engine, clock) == []
    assert import_blocks(engine, clock, pepper, csv_source(*lines), "ana") == ImportResult(3, 4, 1)
    assert import_blocks(engine, clock, pepper, csv_source(*lines), "ana") == ImportResult(0, 4, 4)
    found = {block.ani: (block.reason.value, block.expires_at) for block in service.list_blocks(engine, clock)}
    assert found == {
        LINE: ("minor", None),
        "+16045550124": ("chargeback", datetime(2026, 12, 1, tzinfo=UTC)),
        "+16045550128": ("inactive", datetime(2026, 12, 1, 8, tzinfo=UTC)),
    }
    with source.rejects.path.open(newline="") as text:
        rejected = [(row["line"], row["reason"].split(":")[0]) for row in csv.DictReader(text)]
    assert rejected == [("5", "reason"), ("6", "until"), ("7", "until"), ("8", "ani")]


def test_the_end_of_a_block_is_a_date_or_a_moment() -> None:
    assert parse_until("2026-12-01") == datetime(2026, 12, 1, tzinfo=UTC)
    assert parse_until("2026-12-01T18:00Z") == datetime(2026, 12, 1, 18, tzinfo=UTC)
    for text in ("2026-12-01T18:00", "tomorrow", "", "2026-13-01"):
        with pytest.raises(ValueError, match=r"time zone|isoformat|month"):
            parse_until(text)
