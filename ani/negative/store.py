"""The negative database in SQL."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ani.negative.block import Block, NegativeReason, NewBlock, ToldBlock
from ani.negative.tables import negative_entry
from runtime.database import Instant
from runtime.looks import Look, Row
from runtime.prepared import Prepared

_NOW = sa.bindparam("now", type_=Instant)
_IN_FORCE = sa.and_(
    negative_entry.c.lifted_at.is_(None),
    sa.or_(negative_entry.c.expires_at.is_(None), negative_entry.c.expires_at > _NOW),
)
_FIELDS = (
    negative_entry.c.id,
    negative_entry.c.ani,
    negative_entry.c.reason,
    negative_entry.c.blocked_by,
    negative_entry.c.note,
    negative_entry.c.blocked_at,
    negative_entry.c.expires_at,
    negative_entry.c.lifted_at,
    negative_entry.c.lifted_by,
    negative_entry.c.lift_note,
    negative_entry.c.ends_calls,
)
_CURRENT_STATEMENT = (
    sa.select(*_FIELDS)
    .where(negative_entry.c.ani == sa.bindparam("line"), _IN_FORCE)
    .order_by(negative_entry.c.id)
    .limit(sa.literal_column("1"))
)
_CURRENT = Prepared(_CURRENT_STATEMENT)
_IN_FORCE_ON = (
    sa.select(*_FIELDS)
    .where(negative_entry.c.ani.in_(sa.bindparam("lines", expanding=True)), _IN_FORCE)
    .order_by(negative_entry.c.id)
)
_EVER_ON = (
    sa.select(*_FIELDS)
    .where(negative_entry.c.ani.in_(sa.bindparam("lines", expanding=True)))
    .order_by(negative_entry.c.id)
)
_MADE_BY = (
    sa.select(*_FIELDS).where(negative_entry.c.blocked_by.like(sa.bindparam("who"))).order_by(negative_entry.c.id)
)
_LIFTED_BY = (
    sa.select(*_FIELDS).where(negative_entry.c.lifted_by.like(sa.bindparam("who"))).order_by(negative_entry.c.id)
)
_ENDING = Prepared(
    sa.select(*_FIELDS)
    .where(negative_entry.c.ends_calls, negative_entry.c.blocked_at > sa.bindparam("since_at"), _IN_FORCE)
    .order_by(negative_entry.c.id)
)
_INSERT = sa.insert(negative_entry)
_LIFT = (
    sa.update(negative_entry)
    .where(negative_entry.c.id == sa.bindparam("entry_id"), negative_entry.c.lifted_at.is_(None))
    .values(lifted_at=_NOW, lifted_by=sa.bindparam("by"), lift_note=sa.bindparam("why"))
)
_LOCK = sa.text("LOCK TABLE negative_entry IN SHARE ROW EXCLUSIVE MODE")
_AT_ONCE = 1000


def lock(conn: Connection) -> None:
    """Let no other writer of the negative database in until this transaction ends; readers are not kept waiting."""
    if conn.dialect.name == "postgresql":
        conn.execute(_LOCK)


def current_block(conn: Connection, ani: str, now: datetime) -> Block | None:
    """The oldest block in force on the line."""
    return CURRENT.read(_CURRENT.first(conn, line=ani, now=now))


def ending_blocks(conn: Connection, since_at: datetime, now: datetime) -> list[Block]:
    """The blocks in force that end calls and were made after that moment, oldest first."""
    return [_block(row) for row in _ENDING.all(conn, since_at=since_at, now=now)]


def blocks_in_force(conn: Connection, lines: Collection[str], now: datetime) -> list[Block]:
    """Every block in force on these lines, oldest first within a thousand lines."""
    return _of_lines(conn, _IN_FORCE_ON, lines, now=now)


def list_blocks(
    conn: Connection,
    *,
    ani: str | None,
    reason: NegativeReason | None,
    in_force_at: datetime | None,
    limit: int,
) -> list[Block]:
    """Entries, newest first; `in_force_at` none gives those that were lifted or have run out as well."""
    query = sa.select(*_FIELDS).order_by(negative_entry.c.id.desc()).limit(limit)
    arguments: dict[str, Any] = {}
    if ani is not None:
        query = query.where(negative_entry.c.ani == ani)
    if reason is not None:
        query = query.where(negative_entry.c.reason == reason.value)
    if in_force_at is not None:
        query = query.where(_IN_FORCE)
        arguments["now"] = in_force_at
    return [_block(tuple(row)) for row in conn.execute(query, arguments)]


def blocks_after(conn: Connection, after_id: int, in_force_at: datetime | None, limit: int) -> list[Block]:
    """Entries after that one, oldest first; `in_force_at` as of `list_blocks`."""
    query = sa.select(*_FIELDS).where(negative_entry.c.id > after_id).order_by(negative_entry.c.id).limit(limit)
    if in_force_at is None:
        return [_block(tuple(row)) for row in conn.execute(query)]
    return [_block(tuple(row)) for row in conn.execute(query.where(_IN_FORCE), {"now": in_force_at})]


def blocks_on(conn: Connection, lines: Collection[str]) -> list[Block]:
    """Every entry on these lines, lifted or run out too."""
    return _of_lines(conn, _EVER_ON, lines)


def blocks_made_by(conn: Connection, who: str) -> list[Block]:
    """The entries whose maker is like this (`%`: anything), on any line. No index tells them: the table is read."""
    return [_block(tuple(row)) for row in conn.execute(_MADE_BY, {"who": who})]


def blocks_lifted_by(conn: Connection, who: str) -> list[Block]:
    """The entries that were lifted by one who is like this, likewise."""
    return [_block(tuple(row)) for row in conn.execute(_LIFTED_BY, {"who": who})]


def insert_blocks(conn: Connection, wanted: Iterable[NewBlock], by: str, at: datetime) -> None:
    """Add entries."""
    conn.execute(
        _INSERT,
        [
            {
                "ani": new.ani,
                "reason": new.reason.value,
                "blocked_by": by,
                "note": new.note,
                "blocked_at": at,
                "expires_at": new.expires_at,
                "ends_calls": new.ends_calls,
            }
            for new in wanted
        ],
    )


def insert_told(conn: Connection, told: Iterable[ToldBlock]) -> None:
    """Add entries as another record tells them."""
    rows = [
        {
            "ani": one.block.ani,
            "reason": one.block.reason.value,
            "blocked_by": one.blocked_by,
            "note": one.block.note,
            "blocked_at": one.blocked_at,
            "expires_at": one.block.expires_at,
            "ends_calls": one.block.ends_calls,
            "lifted_at": one.lift.at if one.lift else None,
            "lifted_by": one.lift.by if one.lift else None,
            "lift_note": one.lift.note if one.lift else None,
        }
        for one in told
    ]
    if rows:
        conn.execute(_INSERT, rows)


def lift(conn: Connection, entry_id: int, by: str, note: str, at: datetime) -> None:
    """Lift an entry that is not lifted yet."""
    conn.execute(_LIFT, {"entry_id": entry_id, "by": by, "why": note, "now": at})


def _of_lines(conn: Connection, query: sa.Select[Any], lines: Collection[str], **more: Any) -> list[Block]:
    wanted = list(lines)
    return [
        _block(tuple(row))
        for start in range(0, len(wanted), _AT_ONCE)
        for row in conn.execute(query, {"lines": wanted[start : start + _AT_ONCE], **more})
    ]


def _block(row: tuple[Any, ...]) -> Block:
    entry_id, ani, reason, *rest = row
    return Block(entry_id, ani, NegativeReason(reason), *rest)


def _current(row: Row | None) -> Block | None:
    return _block(row) if row else None


CURRENT = Look(_CURRENT_STATEMENT, _current)
"""The oldest block in force on a `line` at `now`."""
