"""Hashes and the keys they stand under, in SQL: every column that says it is `keyed`, and those that refer to one."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from billing.rotation.rotation import Batch, Standing
from migrations.tables import metadata
from runtime import keyed
from runtime.keyed import Keyed

Renew = Callable[[str], str]
"""A hash under the newest key, made of the hash as it stands."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A column of keyed hashes, the key of its table, and the columns that refer to it and go along."""

    column: sa.Column[str]
    row_id: sa.Column[int]
    followers: tuple[sa.Column[str], ...]

    @property
    def name(self) -> str:
        """As people read it."""
        return f"{self.column.table.name}.{self.column.name}"


def holders() -> list[Holder]:
    """Every column that a rotation renews, by name."""
    found = []
    for table in metadata.sorted_tables:
        for column in table.c:
            if column.info.get(keyed.KEY) is Keyed.RENEWED:
                (row_id,) = table.primary_key.columns
                found.append(Holder(column, row_id, tuple(_followers(column))))
    return sorted(found, key=lambda holder: holder.name)


def standing(conn: Connection, holder: Holder, keys: int) -> Standing:
    """How many hashes stand under which key; reads the whole column."""
    column = holder.column
    marks = [~column.contains(":"), *(column.like(f"{number}:%") for number in range(2, keys + 1))]
    sums = [sa.func.coalesce(sa.func.sum(sa.case((mark, 1), else_=0)), 0) for mark in marks]
    total, *counts = conn.execute(sa.select(sa.func.count(column), *sums)).one()
    by_key = {number: int(count) for number, count in enumerate(counts, 1) if count}
    unknown = int(total) - sum(by_key.values())
    return Standing(holder.name, by_key | ({0: unknown} if unknown else {}))


def has_older(conn: Connection, holder: Holder, key_id: int) -> bool:
    """Whether anything stands under an older key."""
    if key_id == 1:
        return False
    return conn.execute(sa.select(sa.literal(1)).where(_is_older(holder.column, key_id)).limit(1)).first() is not None


def next_older(conn: Connection, holder: Holder, key_id: int, after_id: int) -> int | None:
    """The next row that stands under an older key."""
    query = sa.select(sa.func.min(holder.row_id)).where(holder.row_id > after_id, _is_older(holder.column, key_id))
    found: int | None = conn.execute(query).scalar()
    return found


def renew(conn: Connection, holder: Holder, renewed: Renew, *, key_id: int, after_id: int, limit: int) -> Batch:
    """Renew the next rows that stand under an older key, and the rows that refer to them, at once.

    Waits for no row: what somebody else has locked is left for another pass, so nobody ever waits for a rotation that
    waits for him. Raises IntegrityError when the database has the same secret under the newest key already.
    """
    _enter(conn, holder)
    rows = conn.execute(
        sa.select(holder.row_id, holder.column)
        .where(holder.row_id > after_id, _is_older(holder.column, key_id))
        .order_by(holder.row_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    if not rows:
        return Batch(0, 0, None)
    free = _without_locked_followers(conn, holder, [(int(row[0]), str(row[1])) for row in rows])
    moved = [(row_id, old, renewed(old)) for row_id, old in free]
    if moved:
        _write(conn, holder, moved)
    return Batch(len(moved), len(rows) - len(moved), int(rows[-1][0]))


def _followers(column: sa.Column[Any]) -> Iterator[sa.Column[Any]]:
    for table in metadata.sorted_tables:
        for one in table.c:
            if any(reference.column is column for reference in one.foreign_keys):
                yield one


def _is_older(column: sa.Column[str], key_id: int) -> sa.ColumnElement[bool]:
    return sa.and_(column.is_not(None), ~column.like(f"{key_id}:%"))


def _enter(conn: Connection, holder: Holder) -> None:
    """Whatever may have to be waited for, is waited for before any row is locked."""
    if conn.dialect.name == "sqlite":
        conn.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        return
    tables = ", ".join(f'"{column.table.name}"' for column in (holder.column, *holder.followers))
    conn.exec_driver_sql(f"LOCK TABLE {tables} IN ROW EXCLUSIVE MODE")


def _without_locked_followers(
    conn: Connection, holder: Holder, rows: Sequence[tuple[int, str]]
) -> list[tuple[int, str]]:
    hashes = [old for _, old in rows]
    for follower in holder.followers:
        referring = sa.select(follower).where(follower.in_(hashes))
        there = set(conn.execute(referring).scalars())
        free = set(conn.execute(referring.with_for_update(skip_locked=True)).scalars())
        hashes = [old for old in hashes if old not in there - free]
    kept = set(hashes)
    return [row for row in rows if row[1] in kept]


def _write(conn: Connection, holder: Holder, moved: Sequence[tuple[int, str, str]]) -> None:
    if conn.dialect.name == "sqlite" or not holder.followers:
        for column in (holder.column, *holder.followers):
            statement = (
                sa.update(column.table).where(column == sa.bindparam("old")).values({column: sa.bindparam("new")})
            )
            if column is holder.column:
                statement = statement.where(holder.row_id == sa.bindparam("row"))
                conn.execute(statement, [{"row": row, "old": old, "new": new} for row, old, new in moved])
            else:
                conn.execute(statement, [{"old": old, "new": new} for _, old, new in moved])
        return
    # one statement, at whose end the foreign keys are looked at
    pairs = sa.values(sa.column("old", sa.String), sa.column("new", sa.String), name="moved").data(
        [(old, new) for _, old, new in moved]
    )
    renewal = pairs.cte("renewal")
    parts = [
        sa.update(column.table)
        .where(column == renewal.c.old)
        .values({column: renewal.c.new})
        .returning(sa.literal(1))
        .cte(f"in_{column.table.name}")
        for column in (holder.column, *holder.followers)
    ]
    conn.execute(sa.select(sa.literal(1)).add_cte(*parts))
