"""Talk time of lines in the database; each change is one conditional statement, so that calls side by side add up."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ani.usage import usage
from ani.usage.tables import line_usage
from runtime.looks import Look, Row
from runtime.prepared import Prepared
from runtime.prepared_rows import KeyedRead, RowWrite


class UsageNotHeldError(Exception):
    """Time is released that was never held: the call's own record is wrong."""


HELD_COLUMNS = (line_usage.c.used_ms, line_usage.c.held_ms)
_FIND_STATEMENT = sa.select(*HELD_COLUMNS).where(
    line_usage.c.ani == sa.bindparam("line"), line_usage.c.month == sa.bindparam("in_month")
)
_FIND = Prepared(_FIND_STATEMENT)
_HOLD = Prepared(
    sa.text(
        "INSERT INTO line_usage (ani, month, used_ms, held_ms) VALUES (:ani, :month, 0, :delta_ms)"
        " ON CONFLICT (ani, month) DO UPDATE SET held_ms = line_usage.held_ms + excluded.held_ms"
        " WHERE line_usage.used_ms + line_usage.held_ms + excluded.held_ms <= :cap_ms"
    )
)
_LOCK_LINES = KeyedRead(
    sa.select(line_usage.c.ani, line_usage.c.month, line_usage.c.used_ms, line_usage.c.held_ms)
    .order_by(line_usage.c.ani, line_usage.c.month)
    .with_for_update(key_share=True),
    line_usage.c.ani,
    line_usage.c.month,
)
_ADD_LINES = RowWrite(line_usage, sets=("ani", "month", "used_ms", "held_ms"), once=True)
_HOLD_MANY = RowWrite(line_usage, keys=("ani", "month"), adds=("held_ms",))
_RELEASE = Prepared(
    sa.text(
        "UPDATE line_usage SET held_ms = held_ms - :held_ms, used_ms = used_ms + :used_ms"
        " WHERE ani = :ani AND month = :month AND held_ms >= :held_ms"
    )
)


def of_line_and_month(ani: sa.ColumnElement[str], moment: sa.ColumnElement[datetime]) -> sa.ColumnElement[bool]:
    """The row of a line in the month of a moment, as `usage.month_of` tells it; for SQLite only."""
    seconds = sa.type_coerce(moment, sa.BigInteger).op("/")(sa.literal_column("1000000"))
    month = sa.func.strftime(sa.literal_column("'%Y-%m'"), seconds, sa.literal_column("'unixepoch'"))
    return sa.and_(line_usage.c.ani == ani, line_usage.c.month == month)


def left_ms(conn: Connection, ani: str, month: str, cap_ms: int) -> int:
    """Milliseconds the line may still hold in the month."""
    return usage.left_ms(cap_ms, *USED_AND_HELD.read(_FIND.first(conn, line=ani, in_month=month)))


def hold(conn: Connection, ani: str, month: str, delta_ms: int, cap_ms: int) -> bool:
    """Hold `delta_ms` more for a call that is up; false, and nothing held, when used and held would pass `cap_ms`."""
    if delta_ms < 0:
        raise ValueError(f"a hold of {delta_ms} ms")
    if delta_ms > cap_ms:
        return False
    return _HOLD.run(conn, ani=ani, month=month, delta_ms=delta_ms, cap_ms=cap_ms) == 1


def lock_lines(conn: Connection, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], tuple[int, int]]:
    """Milliseconds used and held of each line and month, locked until the end of the transaction; unheard ones too."""
    wanted = set(keys)
    found = _locked(conn, wanted)
    missing = sorted(wanted - found.keys())
    if missing:
        _ADD_LINES.run(conn, [(*key, 0, 0) for key in missing])
        found = _locked(conn, wanted)
    return found


def hold_many(conn: Connection, more_ms: Mapping[tuple[str, str], int]) -> None:
    """Hold so much more for each line and month; all are locked, and have it left."""
    _HOLD_MANY.run(conn, [(*key, ms) for key, ms in more_ms.items()])


def release(conn: Connection, ani: str, month: str, held_ms: int, used_ms: int) -> None:
    """End a call's hold: all it held is free again, what it used is used. Raises UsageNotHeldError."""
    if held_ms < 0 or used_ms < 0:
        raise ValueError(f"a release of {held_ms} ms held, {used_ms} ms used")
    if held_ms == used_ms == 0:
        return
    if _RELEASE.run(conn, ani=ani, month=month, held_ms=held_ms, used_ms=used_ms) != 1:
        raise UsageNotHeldError(f"{held_ms} ms were not held in {month}")


def _locked(conn: Connection, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], tuple[int, int]]:
    return {(row[0], row[1]): (row[2], row[3]) for row in _LOCK_LINES.all(conn, keys)}


def _used_and_held(row: Row | None) -> tuple[int, int]:
    return (0, 0) if row is None else (row[0], row[1])


USED_AND_HELD = Look(_FIND_STATEMENT, _used_and_held)
"""Milliseconds that a `line` has used, and those held for its calls, `in_month`."""
