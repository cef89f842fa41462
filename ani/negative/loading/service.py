"""Blocks from a CSV file and to one, so that an installation can hand all of its negative database to another (ANI-5).

A row says at least the line and the reason: then it is a block made now, by whoever loads it. One that says
`blocked_at` is told by another record, and is taken over as it stands there: who made it when, until when, whether it
ends calls, and who lifted it when and why. Who took it over is kept with the line (`tollgate person accesses`).
"""

import csv
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy.engine import Connection, Engine

from ani.access import service as access_service
from ani.access.access import Action
from ani.importing import BATCH_ROWS, Source, load_file, parse_line, parse_text
from ani.negative import store
from ani.negative.block import LONGEST_NAME, LONGEST_NOTE, Block, Lift, NegativeReason, NewBlock, ToldBlock, parse_until
from ani.negative.service import write_new
from runtime.clock import Clock
from runtime.csv_import import BadRowError, Column, ImportResult
from runtime.database import reading
from runtime.keys import Pepper

EXPORTED = (
    "ani",
    "reason",
    "note",
    "until",
    "ends_calls",
    "blocked_at",
    "blocked_by",
    "lifted_at",
    "lifted_by",
    "lift_note",
)
COLUMNS = tuple(Column(name, required=name in {"ani", "reason"}) for name in EXPORTED)
_ENDS_CALLS = {"yes": True, "no": False, "": False}

Fields = dict[str, str]
Identity = tuple[object, ...]


def export_blocks(
    engine: Engine,
    clock: Clock,
    path: Path,
    *,
    with_past: bool = False,
    before_shown: Callable[[Iterable[str]], None],
) -> int:
    """Write the blocks in force, or all there ever were, oldest first, as CSV that `import_blocks` reads; how many.

    Each batch is a look of its own: what is blocked or lifted meanwhile may be in the file or not. `before_shown` is
    told the lines of each batch before they are written. Raises OSError.
    """
    written, after_id = 0, 0
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(EXPORTED)
        while True:
            with reading(engine) as conn:
                found = store.blocks_after(conn, after_id, None if with_past else clock.now(), BATCH_ROWS)
            before_shown({block.ani for block in found})
            rows.writerows(_exported(block) for block in found)
            written += len(found)
            if len(found) < BATCH_ROWS:
                return written
            after_id = found[-1].entry_id


def import_blocks(engine: Engine, clock: Clock, pepper: Pepper, source: Source, by: str) -> ImportResult:
    """Load blocks from a CSV file (`EXPORTED`; ani and reason are needed); what is there already is unchanged.

    A block that is there as the file tells it, but not lifted yet, is lifted as the file says; one that was lifted here
    stays so, whatever the file says.
    """
    now = clock.now()

    def parse(fields: Fields) -> NewBlock | ToldBlock:
        return _parse(fields, source.home_country, now, by)

    def write(conn: Connection, batch: Sequence[NewBlock | ToldBlock]) -> int:
        made = write_new(conn, [one for one in batch if isinstance(one, NewBlock)], by, now)
        lines = _take_over(conn, [one for one in batch if isinstance(one, ToldBlock)])
        if lines:
            names = sorted({name for line in lines for name in access_service.names(pepper, line, None)})
            why = f"negative import {source.path.name}"
            access_service.record(conn, clock, names, by=by, action=Action.IMPORT, reason=why)
        return made + len(lines)

    return load_file(engine, source, COLUMNS, parse, write)


def _take_over(conn: Connection, batch: Sequence[ToldBlock]) -> list[str]:
    """Write what other records tell, and give the line of each that changed something here."""
    if not batch:
        return []
    store.lock(conn)
    wanted: dict[Identity, ToldBlock] = {}
    for one in batch:
        key = _identity(one.block, one.blocked_by, one.blocked_at)
        if key not in wanted or wanted[key].lift is None:
            wanted[key] = one
    there = {
        _identity(found, found.blocked_by, found.blocked_at): found
        for found in store.blocks_on(conn, {one.block.ani for one in batch})
    }
    missing = [one for key, one in wanted.items() if key not in there]
    store.insert_told(conn, missing)
    lifted = []
    for key, one in wanted.items():
        if one.lift is not None and key in there and there[key].lifted_at is None:
            store.lift(conn, there[key].entry_id, one.lift.by, one.lift.note, one.lift.at)
            lifted.append(one)
    return [one.block.ani for one in (*missing, *lifted)]


def _identity(block: NewBlock | Block, by: str, at: datetime) -> Identity:
    """What a block is known again by, lifted or not."""
    return (block.ani, block.reason, block.expires_at, block.ends_calls, by, at)


def _parse(fields: Fields, home_country: str, now: datetime, by: str) -> NewBlock | ToldBlock:
    block = _parse_block(fields, home_country)
    blocked_at = _moment(fields, "blocked_at")
    if blocked_at is not None:
        return _parse_told(block, blocked_at, fields, now, by)
    for name in ("blocked_by", "lifted_at", "lifted_by", "lift_note"):
        if fields[name]:
            raise BadRowError(f"blocked_at: empty, though {name} is not")
    if block.expires_at is not None and block.expires_at <= now:
        raise BadRowError("until: is past")
    return block


def _parse_block(fields: Fields, home_country: str) -> NewBlock:
    ani, _ = parse_line(fields["ani"], home_country)
    try:
        reason = NegativeReason(fields["reason"].lower())
    except ValueError:
        raise BadRowError(f"reason: one of {', '.join(NegativeReason)}") from None
    ends_calls = _ENDS_CALLS.get(fields["ends_calls"].lower())
    if ends_calls is None:
        raise BadRowError("ends_calls: yes, no, or empty")
    return NewBlock(ani, reason, parse_text(fields, "note", LONGEST_NOTE), _moment(fields, "until"), ends_calls)


def _parse_told(block: NewBlock, blocked_at: datetime, fields: Fields, now: datetime, by: str) -> ToldBlock:
    lifted_at = _moment(fields, "lifted_at")
    if blocked_at > now:
        raise BadRowError("blocked_at: is to come")
    if block.expires_at is not None and block.expires_at <= blocked_at:
        raise BadRowError("until: is before blocked_at")
    blocked_by = parse_text(fields, "blocked_by", LONGEST_NAME) or by
    if lifted_at is None:
        if fields["lifted_by"] or fields["lift_note"]:
            raise BadRowError("lifted_at: empty, though lifted_by or lift_note is not")
        return ToldBlock(block, blocked_by, blocked_at)
    if not blocked_at <= lifted_at <= now:
        raise BadRowError("lifted_at: is before blocked_at, or to come")
    lifted_by = parse_text(fields, "lifted_by", LONGEST_NAME) or by
    lift = Lift(lifted_at, lifted_by, parse_text(fields, "lift_note", LONGEST_NOTE, needed=True))
    return ToldBlock(block, blocked_by, blocked_at, lift)


def _moment(fields: Fields, name: str) -> datetime | None:
    try:
        return parse_until(fields[name]) if fields[name] else None
    except (ValueError, OverflowError):
        raise BadRowError(f"{name}: not a date (YYYY-MM-DD) or moment with its zone") from None


def _exported(block: Block) -> tuple[str, ...]:
    moments = (block.expires_at, block.blocked_at, block.lifted_at)
    until, blocked_at, lifted_at = (moment.isoformat() if moment else "" for moment in moments)
    made = ("yes" if block.ends_calls else "no", blocked_at, block.blocked_by)
    lifted = (lifted_at, block.lifted_by or "", block.lift_note or "")
    return (block.ani, block.reason.value, block.note, until, *made, *lifted)
