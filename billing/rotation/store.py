"""Hashes and the keys they stand under, in SQL: every column that says it is `keyed`, those that refer to one, and the
sealed values that are bound to one."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from billing.rotation.rotation import Batch, Standing
from migrations.tables import metadata
from runtime import keyed
from runtime.keyed import Keyed, Sealed
from runtime.sealing import Place

Renew = Callable[[str], str]
"""A hash under the newest key, made of the hash as it stands."""
Reseal = Callable[[Place, Place, str], str]
"""A sealed value under the newest key, for the place it will stand in, made of the one in the place before."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A column of keyed hashes, the key of its table, the columns that refer to it, and sealed ones bound to it."""

    column: sa.Column[str]
    row_id: sa.Column[int]
    followers: tuple[sa.Column[str], ...]
    sealed: tuple[tuple[sa.Column[str], Sealed], ...]

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
                found.append(Holder(column, row_id, tuple(_followers(column)), tuple(_bound_to(column))))
    return sorted(found, key=lambda holder: holder.name)


def standings(conn: Connection, holder: Holder, keys: int) -> list[Standing]:
    """How much stands under which key, in the column and in those bound to it; reads all of them."""
    return [
        _standing(conn, column, keys, is_hash=column is holder.column)
        for column in (holder.column, *(bound for bound, _ in holder.sealed))
    ]


def history(conn: Connection, keys: int) -> list[Standing]:
    """The same for what stays under the key it was written with; reads all of it."""
    kept = [
        column for table in metadata.sorted_tables for column in table.c if column.info.get(keyed.KEY) is Keyed.KEPT
    ]
    return [_standing(conn, column, keys, is_hash=True) for column in kept]


def _standing(conn: Connection, column: sa.Column[str], keys: int, *, is_hash: bool) -> Standing:
    first = ~column.contains(":") if is_hash else column.like("1:%")
    marks = [first, *(column.like(f"{number}:%") for number in range(2, keys + 1))]
    sums = [sa.func.coalesce(sa.func.sum(sa.case((mark, 1), else_=0)), 0) for mark in marks]
    total, *counts = conn.execute(sa.select(sa.func.count(column), *sums)).one()
    by_key = {number: int(count) for number, count in enumerate(counts, 1) if count}
    unknown = int(total) - sum(by_key.values())
    return Standing(f"{column.table.name}.{column.name}", by_key | ({0: unknown} if unknown else {}))


def has_older(conn: Connection, holder: Holder, key_id: int) -> bool:
    """Whether anything stands under an older key."""
    if key_id == 1:
        return False
    return conn.execute(sa.select(sa.literal(1)).where(_is_older(holder, key_id)).limit(1)).first() is not None


def count_older(conn: Connection, holder: Holder, key_id: int) -> int:
    """How many rows have something under an older key."""
    query = sa.select(sa.func.count()).select_from(holder.column.table).where(_is_older(holder, key_id))
    return int(conn.execute(query).scalar_one()) if key_id > 1 else 0


def next_older(conn: Connection, holder: Holder, key_id: int, after_id: int) -> int | None:
    """The next row that stands under an older key."""
    query = sa.select(sa.func.min(holder.row_id)).where(holder.row_id > after_id, _is_older(holder, key_id))
    found: int | None = conn.execute(query).scalar()
    return found


def renew(
    conn: Connection, holder: Holder, renewed: Renew, resealed: Reseal, *, key_id: int, after_id: int, limit: int
) -> Batch:
    """Renew the next rows that stand under an older key, and the rows that refer to them, at once.

    Fewer than `limit` are the last there are now. Waits for no row: what somebody else has locked is left for another
    pass, so nobody ever waits for a rotation that waits for him. Raises IntegrityError when the database has the same
    secret under the newest key already.
    """
    _enter(conn, holder)
    rows = conn.execute(
        sa.select(holder.row_id, holder.column, *_beside(holder))
        .where(holder.row_id > after_id, _is_older(holder, key_id))
        .order_by(holder.row_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    if not rows:
        return Batch(0, 0, None)
    free = _without_locked_followers(conn, holder, [str(row[1]) for row in rows])
    moved = [_Moved(int(row[0]), row[1], renewed(row[1]), dict(row._mapping)) for row in rows if row[1] in free]
    if moved and holder.sealed:
        _write_sealed(conn, holder, moved, resealed)
    elif moved:
        _write(conn, holder, moved)
    return Batch(len(moved), len(rows) - len(moved), int(rows[-1][0]) if len(rows) == limit else None)


@dataclass(frozen=True, slots=True)
class _Moved:
    """A row, its hash as it stands and as it will, and what else its sealed values need."""

    row: int
    old: str
    new: str
    fields: dict[str, Any]


def _followers(column: sa.Column[Any]) -> Iterator[sa.Column[Any]]:
    for table in metadata.sorted_tables:
        for one in table.c:
            if any(reference.column is column for reference in one.foreign_keys):
                yield one


def _bound_to(column: sa.Column[Any]) -> Iterator[tuple[sa.Column[str], Sealed]]:
    for one in column.table.c:
        said = one.info.get(keyed.SEALED)
        if isinstance(said, Sealed) and said.beside == column.name:
            yield one, said


def _beside(holder: Holder) -> list[sa.Column[Any]]:
    """What has to be known of a row to seal its values anew."""
    table = holder.column.table
    names = {name: table.c[name] for column, said in holder.sealed for name in (column.name, *said.bound_to)}
    return [column for name, column in names.items() if column not in {holder.column, holder.row_id}]


def _is_older(holder: Holder, key_id: int) -> sa.ColumnElement[bool]:
    columns = (holder.column, *(column for column, _ in holder.sealed))
    return sa.or_(*(sa.and_(column.is_not(None), ~column.like(f"{key_id}:%")) for column in columns))


def _enter(conn: Connection, holder: Holder) -> None:
    """Whatever may have to be waited for, is waited for before any row is locked."""
    if conn.dialect.name == "sqlite":
        conn.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        return
    tables = ", ".join(f'"{column.table.name}"' for column in (holder.column, *holder.followers))
    conn.exec_driver_sql(f"LOCK TABLE {tables} IN ROW EXCLUSIVE MODE")


def _without_locked_followers(conn: Connection, holder: Holder, hashes: Sequence[str]) -> set[str]:
    kept = set(hashes)
    for follower in holder.followers:
        referring = sa.select(follower).where(follower.in_(kept))
        there = set(conn.execute(referring).scalars())
        free = set(conn.execute(referring.with_for_update(skip_locked=True)).scalars())
        kept -= there - free
    return kept


def _write_sealed(conn: Connection, holder: Holder, moved: Sequence[_Moved], resealed: Reseal) -> None:
    """Hash and what is bound to it, in one row at once; nothing refers to such a hash."""
    table = holder.column.table
    rows = []
    for one in moved:
        values = {"row_": one.row, f"new_{holder.column.name}": one.new}
        for column, said in holder.sealed:
            stored = one.fields[column.name]
            before = said.place(table.name, column.name, one.fields | {holder.column.name: one.old})
            after = said.place(table.name, column.name, one.fields | {holder.column.name: one.new})
            values[f"new_{column.name}"] = None if stored is None else resealed(before, after, stored)
        rows.append(values)
    columns = (holder.column, *(column for column, _ in holder.sealed))
    changed: dict[Any, Any] = {column: sa.bindparam(f"new_{column.name}") for column in columns}
    conn.execute(sa.update(table).where(holder.row_id == sa.bindparam("row_")).values(changed), rows)


def _write(conn: Connection, holder: Holder, moved: Sequence[_Moved]) -> None:
    if conn.dialect.name == "sqlite" or not holder.followers:
        for column in (holder.column, *holder.followers):
            statement = (
                sa.update(column.table).where(column == sa.bindparam("old")).values({column: sa.bindparam("new")})
            )
            if column is holder.column:
                statement = statement.where(holder.row_id == sa.bindparam("row"))
                conn.execute(statement, [{"row": one.row, "old": one.old, "new": one.new} for one in moved])
            else:
                conn.execute(statement, [{"old": one.old, "new": one.new} for one in moved])
        return
    # one statement, at whose end the foreign keys are looked at
    pairs = sa.values(sa.column("old", sa.String), sa.column("new", sa.String), name="moved").data(
        [(one.old, one.new) for one in moved]
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
