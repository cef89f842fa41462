"""Blocks go from one installation to another and stay what they were."""

import csv
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from ani.access import service as access_service
from ani.access import store as access_store
from ani.access.access import Action
from ani.importing import Source
from ani.negative import service, store
from ani.negative.block import NegativeReason, NewBlock
from ani.negative.loading.service import EXPORTED, export_blocks, import_blocks
from ani.negative.tables import negative_entry
from runtime.csv_import import ImportResult, RejectFile
from runtime.database import reading, transaction
from runtime.keys import Pepper
from tests.clock import SettableClock

LINE, OTHER, THIRD = "+16045550123", "+16045550124", "+16045550125"


def seed(engine: Engine, clock: SettableClock) -> None:
    """Blocks in every state: lifted, made again, run out, two of one reason of which one ends calls."""
    block = service.block
    soon = clock.now() + timedelta(minutes=1)
    block(engine, clock, NewBlock(LINE, NegativeReason.CHARGEBACK, 'said "no", twice'), "ana")
    block(engine, clock, NewBlock(OTHER, NegativeReason.DISPUTE, expires_at=soon), "ana")
    clock.advance(30.5)
    service.unblock(engine, clock, LINE, "eve", "paid\non 3 May")
    block(engine, clock, NewBlock(THIRD, NegativeReason.OPERATOR), "bob")
    clock.advance(60)
    block(engine, clock, NewBlock(LINE, NegativeReason.CHARGEBACK, "again"), "eve")
    block(engine, clock, NewBlock(THIRD, NegativeReason.OPERATOR, "at once", ends_calls=True), "bob")
    clock.advance(60)


def export(engine: Engine, clock: SettableClock, path: Path) -> str:
    """All blocks there ever were, as a file."""
    export_blocks(engine, clock, path, with_past=True, before_shown=lambda _: None)
    return path.read_text()


def forget(engine: Engine) -> None:
    """The database as another installation has it."""
    with transaction(engine) as conn:
        conn.execute(sa.delete(negative_entry))


def in_force(engine: Engine, clock: SettableClock) -> list[tuple[str, str, bool]]:
    return [(one.ani, one.note, one.ends_calls) for one in service.list_blocks(engine, clock)]


def test_all_blocks_go_through_a_file_unchanged(
    engine: Engine, clock: SettableClock, pepper: Pepper, tmp_path: Path
) -> None:
    seed(engine, clock)
    told = export(engine, clock, tmp_path / "all.csv")
    before = in_force(engine, clock)
    assert before == [(THIRD, "at once", True), (LINE, "again", False), (THIRD, "", False)]
    forget(engine)
    clock.advance(60)
    source = Source(tmp_path / "all.csv", RejectFile(tmp_path / "bad.csv"), batch_rows=2)
    assert import_blocks(engine, clock, pepper, source, "zoe") == ImportResult(5, 0, 0)
    assert export(engine, clock, tmp_path / "again.csv") == told
    assert in_force(engine, clock) == before
    assert import_blocks(engine, clock, pepper, source, "zoe") == ImportResult(0, 0, 5)
    assert export(engine, clock, tmp_path / "again.csv") == told
    with reading(engine) as conn:
        names = access_service.every_name(pepper, LINE, None)
        looked = {(one.by, one.action, one.reason) for one in access_store.accesses(conn, names, 9)}
    assert looked == {("zoe", Action.IMPORT, "negative import all.csv")}


def test_what_was_lifted_is_not_put_back_in_force(
    engine: Engine, clock: SettableClock, pepper: Pepper, tmp_path: Path
) -> None:
    service.block(engine, clock, NewBlock(LINE, NegativeReason.MINOR), "ana")
    older = export(engine, clock, tmp_path / "older.csv")
    clock.advance(60)
    service.unblock(engine, clock, LINE, "eve", "of age")
    newer = export(engine, clock, tmp_path / "newer.csv")
    assert import_blocks(engine, clock, pepper, _file(tmp_path / "older.csv"), "zoe") == ImportResult(0, 0, 1)
    assert export(engine, clock, tmp_path / "now.csv") == newer
    forget(engine)
    import_blocks(engine, clock, pepper, _file(tmp_path / "older.csv"), "zoe")
    assert export(engine, clock, tmp_path / "now.csv") == older
    assert import_blocks(engine, clock, pepper, _file(tmp_path / "newer.csv"), "zoe") == ImportResult(1, 0, 0)
    assert export(engine, clock, tmp_path / "now.csv") == newer


def test_a_row_may_say_that_calls_are_ended_too(
    engine: Engine, clock: SettableClock, pepper: Pepper, csv_source: Callable[..., Source]
) -> None:
    source = csv_source("ani,reason,ends_calls", f"{LINE},minor,yes", f"{OTHER},minor,No")
    assert import_blocks(engine, clock, pepper, source, "ana") == ImportResult(2, 0, 0)
    with reading(engine) as conn:
        ending = store.ending_blocks(conn, clock.now() - timedelta(hours=25), clock.now())
    assert [one.ani for one in ending] == [LINE]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"lifted_at": "2026-01-01"}, "blocked_at"),
        ({"blocked_by": "ana"}, "blocked_at"),
        ({"until": "2020-01-01"}, "until"),
        ({"ends_calls": "perhaps"}, "ends_calls"),
        ({"blocked_at": "2999-01-01"}, "blocked_at"),
        ({"blocked_at": "yesterday"}, "blocked_at"),
        ({"blocked_at": "2020-01-02", "until": "2020-01-01"}, "until"),
        ({"blocked_at": "2020-01-01", "lift_note": "paid"}, "lifted_at"),
        ({"blocked_at": "2020-01-01", "lifted_at": "2020-01-02"}, "lift_note"),
        ({"blocked_at": "2020-01-02", "lifted_at": "2020-01-01", "lift_note": "paid"}, "lifted_at"),
        ({"blocked_at": "2020-01-02", "lifted_at": "2999-01-01", "lift_note": "paid"}, "lifted_at"),
        ({"blocked_at": "2020-01-02", "blocked_by": "x" * 81}, "blocked_by"),
    ],
)
def test_a_row_that_cannot_be_is_rejected(
    sqlite_engine: Engine,
    clock: SettableClock,
    pepper: Pepper,
    csv_source: Callable[..., Source],
    row: dict[str, str],
    why: str,
) -> None:
    wanted = {"ani": LINE, "reason": "minor"} | row
    source = csv_source(",".join(EXPORTED), ",".join(wanted.get(name, "") for name in EXPORTED))
    assert import_blocks(sqlite_engine, clock, pepper, source, "ana") == ImportResult(0, 1, 0)
    with source.rejects.path.open(newline="") as text:
        assert [found["reason"].split(":")[0] for found in csv.DictReader(text)][:1] == [why]
    assert service.list_blocks(sqlite_engine, clock, with_past=True) == []


def _file(path: Path) -> Source:
    return Source(path, RejectFile(path.with_suffix(".bad")))
