"""Blocking and unblocking lines (ANI-5); files of them are loaded and written by `ani.negative.loading`."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.engine import Connection, Engine

from ani.negative import store
from ani.negative.block import LONGEST_NOTE, Block, NegativeReason, NewBlock
from runtime.clock import Clock
from runtime.database import reading, transaction
from runtime.faults import StaffError


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
    wanted = replace(wanted, note=_line_of(wanted.note))
    return write_new(conn, (wanted,), by, now) == 1


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
    note = _line_of(note)
    if not note:
        raise BlockError("a block is lifted with a note")
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


def _line_of(note: str) -> str:
    """The note on one line, as files and terminals can take it."""
    line = " ".join(note.split())
    if not line.isprintable():
        raise BlockError("the note has a control character")
    if len(line) > LONGEST_NOTE:
        raise BlockError(f"the note has {len(line)} characters; at most {LONGEST_NOTE}")
    return line


def write_new(conn: Connection, batch: Sequence[NewBlock], by: str, now: datetime) -> int:
    """Write blocks made now in the caller's transaction; gives how many of them were not in force already."""
    if not batch:
        return 0
    store.lock(conn)
    found = store.blocks_in_force(conn, {new.ani for new in batch}, now)
    known = {(block.ani, block.reason, block.expires_at, ends) for block in found for ends in {False, block.ends_calls}}
    wanted = {(new.ani, new.reason, new.expires_at, new.ends_calls): new for new in reversed(batch)}
    missing = [new for key, new in wanted.items() if key not in known]
    if missing:
        store.insert_blocks(conn, reversed(missing), by, now)
    return len(missing)
