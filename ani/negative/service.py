"""Blocking and unblocking lines, one by one or from a file (ANI-5)."""

import csv
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy.engine import Connection, Engine

from ani.importing import BATCH_ROWS, Source, load_file, parse_line, parse_text
from ani.negative import store
from ani.negative.block import Block, NegativeReason, NewBlock, parse_until
from runtime.clock import Clock
from runtime.csv_import import BadRowError, Column, ImportResult
from runtime.database import reading, transaction
from runtime.faults import StaffError

COLUMNS = (Column("ani"), Column("reason"), Column("note", required=False), Column("until", required=False))
EXPORTED = ("ani", "reason", "note", "until", "blocked_at", "blocked_by", "lifted_at", "lifted_by", "lift_note")
LONGEST_NOTE = 400


class BlockError(StaffError):
    """A block cannot be made or lifted as asked; the message says what is wrong."""


def block(engine: Engine, clock: Clock, wanted: NewBlock, by: str) -> bool:
    """Block a line; false when the same block was in force already. Raises BlockError."""
    with transaction(engine) as conn:
        return block_in(conn, clock.now(), wanted, by)


def block_in(conn: Connection, now: datetime, wanted: NewBlock, by: str) -> bool:
    """Block a line in the caller's transaction; false when the same block was in force already. Raises BlockError."""
    if wanted.expires_at is not None and wanted.expires_at <= now:
        raise BlockError(f"the block would end before it begins: {wanted.expires_at:%Y-%m-%d %H:%M} UTC is past")
    _require_note_fits(wanted.note)
    return _write(conn, (wanted,), by, now) == 1


def unblock(
    engine: Engine, clock: Clock, ani: str, by: str, note: str, reason: NegativeReason | None = None
) -> list[Block]:
    """Lift the blocks in force on a line, or only those of one reason; gives what was lifted. Raises BlockError."""
    with transaction(engine) as conn:
        return unblock_in(conn, clock.now(), ani, by, note, reason)


def unblock_in(
    conn: Connection, now: datetime, ani: str, by: str, note: str, reason: NegativeReason | None = None
) -> list[Block]:
    """`unblock` in the caller's transaction."""
    if not note.strip():
        raise BlockError("a block is lifted with a note")
    _require_note_fits(note)
    store.lock(conn)
    lifted = [found for found in store.blocks_in_force(conn, (ani,), now) if reason in {None, found.reason}]
    for found in lifted:
        store.lift(conn, found.entry_id, by, note, now)
    return lifted


def list_blocks(
    engine: Engine,
    clock: Clock,
    *,
    ani: str | None = None,
    reason: NegativeReason | None = None,
    with_past: bool = False,
    limit: int = 1000,
) -> list[Block]:
    """Blocks, newest first: those in force, or with those lifted and run out."""
    with reading(engine) as conn:
        return store.list_blocks(
            conn, ani=ani, reason=reason, in_force_at=None if with_past else clock.now(), limit=limit
        )


def export_blocks(
    engine: Engine,
    clock: Clock,
    path: Path,
    *,
    with_past: bool = False,
    before_shown: Callable[[Iterable[str]], None],
) -> int:
    """Write the blocks in force, or all there ever were, newest first, as CSV that `import_blocks` reads; how many.

    Each batch is a look of its own: what is blocked or lifted meanwhile may be in the file or not. `before_shown` is
    told the lines of each batch before they are written. Raises OSError.
    """
    written, before_id = 0, None
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(EXPORTED)
        while True:
            with reading(engine) as conn:
                in_force_at = None if with_past else clock.now()
                found = store.list_blocks(
                    conn, ani=None, reason=None, in_force_at=in_force_at, limit=BATCH_ROWS, before_id=before_id
                )
            before_shown({block.ani for block in found})
            rows.writerows(_exported(block) for block in found)
            written += len(found)
            if len(found) < BATCH_ROWS:
                return written
            before_id = found[-1].entry_id


def import_blocks(engine: Engine, clock: Clock, source: Source, by: str) -> ImportResult:
    """Load blocks from a CSV file (ani, reason, note, until); those in force already are unchanged."""
    now = clock.now()

    def parse(fields: dict[str, str]) -> NewBlock:
        return _parse_block(fields, source.home_country, now)

    return load_file(engine, source, COLUMNS, parse, lambda conn, batch: _write(conn, batch, by, now))


def _require_note_fits(note: str) -> None:
    if len(note) > LONGEST_NOTE:
        raise BlockError(f"the note has {len(note)} characters; at most {LONGEST_NOTE}")


def _parse_block(fields: dict[str, str], home_country: str, now: datetime) -> NewBlock:
    ani, _ = parse_line(fields["ani"], home_country)
    try:
        reason = NegativeReason(fields["reason"].lower())
    except ValueError:
        raise BadRowError(f"reason: one of {', '.join(NegativeReason)}") from None
    try:
        expires_at = parse_until(fields["until"]) if fields["until"] else None
    except ValueError:
        raise BadRowError("until: not a date (YYYY-MM-DD) or moment with its zone") from None
    if expires_at is not None and expires_at <= now:
        raise BadRowError("until: is past")
    return NewBlock(ani, reason, parse_text(fields, "note", LONGEST_NOTE), expires_at)


def _exported(block: Block) -> tuple[str, ...]:
    moments = (block.expires_at, block.blocked_at, block.lifted_at)
    until, blocked_at, lifted_at = (moment.isoformat() if moment else "" for moment in moments)
    lifted = (lifted_at, block.lifted_by or "", block.lift_note or "")
    return (block.ani, block.reason.value, block.note, until, blocked_at, block.blocked_by, *lifted)


def _write(conn: Connection, batch: Sequence[NewBlock], by: str, now: datetime) -> int:
    store.lock(conn)
    found = store.blocks_in_force(conn, {new.ani for new in batch}, now)
    known = {(block.ani, block.reason, block.expires_at, ends) for block in found for ends in {False, block.ends_calls}}
    wanted = {(new.ani, new.reason, new.expires_at, new.ends_calls): new for new in reversed(batch)}
    missing = [new for key, new in wanted.items() if key not in known]
    if missing:
        store.insert_blocks(conn, reversed(missing), by, now)
    return len(missing)
