"""Statements for the path of a call: written in SQLAlchemy Core, compiled once, run on the driver itself.

Executing a Core statement costs some 85 µs of processor time on SQLite even when its compilation is cached; 4 µs of it
are the driver's own, and a call needs about thirty statements. Here the text, the order of the parameters and the
conversions are worked out once for each kind of database. The transaction stays SQLAlchemy's, and so do the errors.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect

Statement = sa.Select[Any] | sa.Insert | sa.Update | sa.Delete | sa.TextClause | sa.TextualSelect
Convert = Callable[[Any], Any]


class Prepared:
    """One statement with named parameters; any number of threads may run it, on any number of engines.

    `columns` names the columns an INSERT fills. Engine events, echo and execution options do not see these statements.
    A parameter that is missing raises KeyError; what the database refuses raises the sqlalchemy.exc error as usual.
    """

    __slots__ = ("_by_dialect", "_columns", "_statement")

    def __init__(self, statement: Statement, columns: Sequence[str] | None = None) -> None:
        self._statement = statement
        self._columns = columns
        self._by_dialect: dict[str, _Compiled] = {}

    def first(self, conn: Connection, **values: object) -> tuple[Any, ...] | None:
        """The first row, or none."""
        rows = self.all(conn, **values)
        return rows[0] if rows else None

    def all(self, conn: Connection, **values: object) -> list[tuple[Any, ...]]:
        """Every row."""
        compiled = self._compiled(conn)
        try:
            rows = driver_of(conn).execute(compiled.text, compiled.parameters(values)).fetchall()
        except conn.dialect.loaded_dbapi.Error as error:
            raise translated(conn, compiled.text, error) from error
        return compiled.converted(rows)

    def all_of_each(self, conn: Connection, given: Iterable[dict[str, object]]) -> list[tuple[Any, ...]]:
        """Every row, run once for each of these parameters."""
        compiled = self._compiled(conn)
        rows: list[tuple[Any, ...]] = []
        try:
            run = driver_of(conn).execute
            for values in given:
                rows += run(compiled.text, compiled.parameters(values)).fetchall()
        except conn.dialect.loaded_dbapi.Error as error:
            raise translated(conn, compiled.text, error) from error
        return compiled.converted(rows)

    def run(self, conn: Connection, **values: object) -> int:
        """Run it and give the number of rows it changed."""
        compiled = self._compiled(conn)
        try:
            return int(driver_of(conn).execute(compiled.text, compiled.parameters(values)).rowcount)
        except conn.dialect.loaded_dbapi.Error as error:
            raise translated(conn, compiled.text, error) from error

    def run_each(self, conn: Connection, rows: Iterable[dict[str, object]]) -> None:
        """Run it once for each row of parameters."""
        compiled = self._compiled(conn)
        parameters = [compiled.parameters(row) for row in rows]
        if not parameters:
            return
        try:
            driver_of(conn).cursor().executemany(compiled.text, parameters)
        except conn.dialect.loaded_dbapi.Error as error:
            raise translated(conn, compiled.text, error) from error

    def _compiled(self, conn: Connection) -> "_Compiled":
        found = self._by_dialect.get(conn.dialect.name)
        if found is None:
            found = _Compiled(self._statement, self._columns, conn.dialect)
            self._by_dialect[conn.dialect.name] = found
        return found


class _Compiled:
    """The text, the parameters and the conversions of one statement for one kind of database."""

    __slots__ = ("_columns", "_converts", "_fixed", "_names", "_positional", "text")

    def __init__(self, statement: Statement, columns: Sequence[str] | None, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=list(columns) if columns is not None else None)
        if not isinstance(compiled, sa.sql.compiler.SQLCompiler):
            raise TypeError("only statements that are compiled to SQL can be prepared")
        self.text = compiled.string
        self._positional = bool(compiled.positional)
        self._names = tuple(compiled.positiontup or ()) if self._positional else tuple(compiled.binds)
        binds = compiled.binds
        self._fixed = {name: binds[name].value for name in self._names if not binds[name].required}
        binders = [(name, binds[name].type.dialect_impl(dialect).bind_processor(dialect)) for name in self._names]
        self._converts: list[tuple[int, Convert]] = [
            (at, convert) for at, (_, convert) in enumerate(binders) if convert is not None
        ]
        types = [] if isinstance(statement, sa.TextClause) else [column.type for column in statement.exported_columns]
        results = [kind.dialect_impl(dialect).result_processor(dialect, None) for kind in types]
        self._columns: list[tuple[int, Convert]] = [
            (at, convert) for at, convert in enumerate(results) if convert is not None
        ]

    def parameters(self, values: dict[str, object]) -> Sequence[object] | dict[str, object]:
        """The values as the driver takes them."""
        if self._fixed:
            values = {**self._fixed, **values}
        bound = [values[name] for name in self._names]
        for at, convert in self._converts:
            bound[at] = convert(bound[at])
        return bound if self._positional else dict(zip(self._names, bound, strict=True))

    def converted(self, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """The rows as the columns' types promise them."""
        if not self._columns:
            return rows
        changed = []
        for row in rows:
            values = list(row)
            for at, convert in self._columns:
                values[at] = convert(values[at])
            changed.append(tuple(values))
        return changed


def driver_of(conn: Connection) -> Any:
    """The driver's connection, inside a transaction that SQLAlchemy knows of."""
    if not conn.in_transaction():
        conn.begin()
    return conn.connection.driver_connection


def translated(conn: Connection, text: str, error: Exception) -> BaseException:
    """The driver's error as SQLAlchemy would have raised it, without the parameters; a dead connection is given up."""
    dialect = conn.dialect
    is_dead = isinstance(error, dialect.loaded_dbapi.Error) and dialect.is_disconnect(
        error, conn.connection.dbapi_connection, None
    )
    if is_dead:
        conn.invalidate(error)
    return sa.exc.DBAPIError.instance(
        text,
        None,
        error,
        dialect.loaded_dbapi.Error,
        hide_parameters=True,
        connection_invalidated=is_dead,
        dialect=dialect,
    )
