"""Counts of blocks and of the calls they refused, in SQL."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ani.negative.tables import negative_entry
from billing.blocks.block_report import Period
from billing.calls.tables import cdr


def lines_blocked(conn: Connection, now: datetime) -> dict[str, int]:
    """Lines with a block in force, by reason."""
    in_force = sa.and_(
        negative_entry.c.lifted_at.is_(None),
        sa.or_(negative_entry.c.expires_at.is_(None), negative_entry.c.expires_at > now),
    )
    lines = sa.func.count(sa.distinct(negative_entry.c.ani))
    query = sa.select(negative_entry.c.reason, lines).where(in_force).group_by(negative_entry.c.reason)
    return {row[0]: row[1] for row in conn.execute(query)}


def made(conn: Connection, period: Period) -> dict[str, int]:
    """Blocks made in the period, by reason."""
    return _counted(conn, negative_entry.c.blocked_at, period)


def lifted(conn: Connection, period: Period) -> dict[str, int]:
    """Blocks lifted in the period, by reason."""
    return _counted(conn, negative_entry.c.lifted_at, period)


def calls(conn: Connection, period: Period, reasons: tuple[str, ...]) -> dict[str, tuple[int, int]]:
    """Calls that ended with such a disposition in the period, and the lines they came from, by disposition."""
    query = (
        sa.select(cdr.c.disposition, sa.func.count(), sa.func.count(sa.distinct(cdr.c.ani)))
        .where(cdr.c.disposition.in_(reasons), *_within(cdr.c.ended_at, period))
        .group_by(cdr.c.disposition)
    )
    return {disposition: (number, lines) for disposition, number, lines in conn.execute(query).all()}


def _counted(conn: Connection, moment: sa.ColumnElement[datetime], period: Period) -> dict[str, int]:
    query = (
        sa.select(negative_entry.c.reason, sa.func.count())
        .where(moment.is_not(None), *_within(moment, period))
        .group_by(negative_entry.c.reason)
    )
    return {row[0]: row[1] for row in conn.execute(query)}


def _within(moment: sa.ColumnElement[datetime], period: Period) -> list[sa.ColumnElement[bool]]:
    bounds = []
    if period.from_at is not None:
        bounds.append(moment >= period.from_at)
    if period.before_at is not None:
        bounds.append(moment < period.before_at)
    return bounds
