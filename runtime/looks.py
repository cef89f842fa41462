"""Several look-ups of one row each, asked by one statement: what a call's arrival needs to know costs one, not ten."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from runtime.prepared import Prepared

T = TypeVar("T")
Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Look(Generic[T]):
    """A SELECT that finds one row or none, and what either means."""

    statement: sa.Select[Any]
    read: Callable[[Row | None], T]


class Looks:
    """Looks at one moment, and at the end all rows of another SELECT, which may be many.

    Parameters of one name are one parameter. A look that finds several rows must say which by a limit.
    """

    __slots__ = ("_many_from", "_parts", "_prepared", "_read_many")

    def __init__(self, looks: Sequence[Look[Any]], statement: sa.Select[Any], read: Callable[[list[Row]], Any]) -> None:
        found: sa.FromClause = sa.select(sa.literal_column("1").label("one")).subquery("anyway")
        columns: list[sa.ColumnElement[Any]] = []
        self._parts: list[tuple[int, int, Callable[[Row | None], Any]]] = []
        for at, one in enumerate([*(look.statement for look in looks), statement]):
            labelled = [column.label(f"c{number}") for number, column in enumerate(one.selected_columns)]
            part = one.with_only_columns(*labelled, sa.literal_column("1").label("found")).subquery(f"part_{at}")
            found = found.outerjoin(part, sa.true())
            if at < len(looks):
                self._parts.append((len(columns), len(columns) + len(labelled), looks[at].read))
            else:
                self._many_from = len(columns)
            columns += [part.c.found, *(part.c[label.name] for label in labelled)]
        self._prepared = Prepared(sa.select(*columns).select_from(found))
        self._read_many = read

    def all(self, conn: Connection, **values: object) -> tuple[Any, ...]:
        """What each look means, in order, and then what the rows do."""
        rows = self._prepared.all(conn, **values)
        first, many = rows[0], self._many_from
        read = [part(first[at + 1 : end + 1] if first[at] else None) for at, end, part in self._parts]
        return (*read, self._read_many([row[many + 1 :] for row in rows if row[many]]))
