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
        return compiled.rows(conn, (compiled.parameters(values),))

    def all_of_each(self, conn: Connection, names: Sequence[str], keys: Iterable[tuple[Any, ...]]) -> list[Any]:
        """Every row, run once for each of these keys: the values of the parameters of these names."""
        compiled = self._compiled(conn)
        if compiled.takes_as_given(names):
            return compiled.rows(conn, keys)
        return compiled.rows(conn, [compiled.parameters(dict(zip(names, key, strict=True))) for key in keys])

    def run(self, conn: Connection, **values: object) -> int:
        """Run it and give the number of rows it changed."""
        compiled = self._compiled(conn)
        return compiled.count(conn, (compiled.parameters(values),))

    def run_each(self, conn: Connection, rows: Iterable[dict[str, object]]) -> None:
        """Run it once for each row of parameters."""
        compiled = self._compiled(conn)
        compiled.count(conn, [compiled.parameters(row) for row in rows])

    def _compiled(self, conn: Connection) -> "_Compiled":
        dialect = conn.dialect
        found = self._by_dialect.get(dialect.name)
        if found is None:
            kind = _Wired if dialect.name == "postgresql" else _Compiled
            found = self._by_dialect[dialect.name] = kind(self._statement, self._columns, dialect)
        return found


class _Compiled:
    """The text, the parameters and the conversions of one statement for one kind of database."""

    __slots__ = ("_columns", "_converts", "_fixed", "_names", "text")

    def __init__(self, statement: Statement, columns: Sequence[str] | None, dialect: Dialect) -> None:
        keys = list(columns) if columns is not None else None
        compiled = statement.compile(dialect=self.wording(dialect), column_keys=keys)
        if not isinstance(compiled, sa.sql.compiler.SQLCompiler):
            raise TypeError("only statements that are compiled to SQL can be prepared")
        self.text = compiled.string
        self._names = tuple(compiled.positiontup or ())
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

    def takes_as_given(self, names: Sequence[str]) -> bool:
        """Whether these parameters, in this order, are all, and nothing is to be converted."""
        return not self._converts and not self._fixed and self._names == tuple(names)

    def parameters(self, values: dict[str, object]) -> Sequence[object]:
        """The values as the driver takes them."""
        if self._fixed:
            values = {**self._fixed, **values}
        bound = [values[name] for name in self._names]
        for at, convert in self._converts:
            bound[at] = convert(bound[at])
        return bound

    @staticmethod
    def wording(dialect: Dialect) -> Dialect:
        """The dialect its text is written in, with parameters that are told by their order."""
        return dialect

    def rows(self, conn: Connection, each: Iterable[Sequence[object]]) -> list[tuple[Any, ...]]:
        """Every row of running it with each of these parameters."""
        rows: list[tuple[Any, ...]] = []
        text = self.text
        try:
            run = driver_of(conn).execute
            for parameters in each:
                rows += run(text, parameters)
        except conn.dialect.loaded_dbapi.Error as error:
            raise translated(conn, text, error) from error
        return self.converted(rows)

    def count(self, conn: Connection, each: Iterable[Sequence[object]]) -> int:
        """How many rows it changed, run with each of these parameters."""
        changed = 0
        try:
            run = driver_of(conn).execute
            for parameters in each:
                changed += run(self.text, parameters).rowcount
        except conn.dialect.loaded_dbapi.Error as error:
            raise translated(conn, self.text, error) from error
        return changed

    def converted(self, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """The rows as the columns' types promise them."""
        if not self._columns:
            return rows
        columns = self._columns
        changed = []
        for row in rows:
            values = list(row)
            for at, convert in columns:
                value = values[at]
                if value is not None:
                    values[at] = convert(value)
            changed.append(tuple(values))
        return changed


class _Wired(_Compiled):
    """The same for PostgreSQL."""

    __slots__ = ()

    @staticmethod
    def wording(dialect: Dialect) -> Dialect:
        kind: Any = type(dialect)
        numbered: Dialect = kind(paramstyle="numeric_dollar")
        return numbered

    def rows(self, conn: Connection, each: Iterable[Sequence[object]]) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        try:
            run = wire_of(conn).rows
            for parameters in each:
                rows += run(self.text, parameters)
        except conn.dialect.loaded_dbapi.Error as error:
            raise translated(conn, self.text, error) from error
        return self.converted(rows)

    def count(self, conn: Connection, each: Iterable[Sequence[object]]) -> int:
        changed = 0
        try:
            run = wire_of(conn).count
            for parameters in each:
                changed += run(self.text, parameters)
        except conn.dialect.loaded_dbapi.Error as error:
            raise translated(conn, self.text, error) from error
        return changed


def wire_of(conn: Connection) -> Any:
    """PostgreSQL's statements on this connection: a `runtime.wire.Wire`; its driver need not be there for SQLite."""
    from runtime.wire import wire_of as found

    return found(conn)


def driver_of(conn: Connection) -> Any:
    """The driver's connection, inside a transaction that SQLAlchemy knows of."""
    if not conn.in_transaction():
        conn.begin()
    return conn.connection.dbapi_connection


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
