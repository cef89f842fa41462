"""Statements for many rows at once, so that a group of requests costs few of them.

PostgreSQL gets one statement over arrays where there are several rows. SQLite, where a statement costs no round trip,
writes by one for each row, and reads by one that lists the keys. Which columns there are, and their conversions, are
taken from the tables.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect

from runtime.prepared import Convert, Prepared, driver_of, translated, wire_of

Row = Sequence[object]
_MANY = 100
_FEW = 4
"""SQLite reads so few rows one by one."""
_MOST_LISTED = 256


class KeyedRead:
    """The rows of a SELECT whose `keys` are among those given; on PostgreSQL in the order of the SELECT."""

    __slots__ = ("_by_size", "_columns", "_keys", "_listed", "_single", "_statement")

    def __init__(self, statement: sa.Select[Any], *keys: sa.Column[Any]) -> None:
        self._statement = statement
        self._columns = keys
        self._keys = tuple(f"key_{at}" for at in range(len(keys)))
        equal = (column == sa.bindparam(name) for column, name in zip(keys, self._keys, strict=True))
        self._single = Prepared(statement.where(*equal))
        self._listed: Prepared | None = None
        self._by_size: dict[int, tuple[Prepared, tuple[str, ...]]] = {}

    def all(self, conn: Connection, keys: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Every row; each key is given once, as its columns' values."""
        found = sorted(keys)
        if conn.dialect.name != "postgresql":
            return self._few(conn, found) if len(found) < _FEW else self._many(conn, found)
        if len(found) < 2:
            return self._few(conn, found)
        if self._listed is None:
            # Not before: the type of a foreign key is known when the table it points to is.
            self._listed = Prepared(self._statement.where(sa.text(_among(self._columns, self._keys, conn.dialect))))
        columns = zip(*found, strict=True)
        return self._listed.all(conn, **{name: array(one) for name, one in zip(self._keys, columns, strict=True)})

    def _few(self, conn: Connection, keys: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        return self._single.all_of_each(conn, self._keys, keys)

    def _many(self, conn: Connection, keys: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Read by lists of first columns, one for all keys whose other columns are the same.

        The lists have few lengths, so that few statements are kept: the last key fills them up.
        """
        firsts: dict[tuple[Any, ...], list[Any]] = {}
        for first, *rest in keys:
            firsts.setdefault(tuple(rest), []).append(first)
        rows: list[tuple[Any, ...]] = []
        for others, some in firsts.items():
            for begin in range(0, len(some), _MOST_LISTED):
                part = some[begin : begin + _MOST_LISTED]
                size = 1 << (len(part) - 1).bit_length()
                part += part[-1:] * (size - len(part))
                prepared, names = self._by_size.get(size) or self._of_size(size)
                rows += prepared.all_of_each(conn, names, ((*part, *others),))
        return rows

    def _of_size(self, size: int) -> tuple[Prepared, tuple[str, ...]]:
        names = tuple(f"listed_{at}" for at in range(size))
        first, *others = self._columns
        equal = (column == sa.bindparam(name) for column, name in zip(others, self._keys[1:], strict=True))
        # In no order: nothing is locked row by row, and SQLite would walk through an index for the order's sake.
        listed = self._statement.order_by(None).where(first.in_([sa.bindparam(name) for name in names]), *equal)
        made = self._by_size[size] = Prepared(listed), names + self._keys[1:]
        return made


def _among(keys: Sequence[sa.Column[Any]], names: Sequence[str], dialect: Dialect) -> str:
    arrays = ", ".join(
        f"CAST(:{name} AS {column.type.compile(dialect)}[])" for column, name in zip(keys, names, strict=True)
    )
    columns = ", ".join(f"{column.table.name}.{column.name}" for column in keys)
    # Not "= ANY", which compares each row of a small table with each key.
    return f"({columns}) IN (SELECT * FROM unnest({arrays}))"  # noqa: S608 - names of ours


def array(values: Sequence[object]) -> str:
    """Numbers, texts, truth values and NULLs as PostgreSQL writes an array; the driver takes three times as long."""
    kinds = set(map(type, values))
    if kinds == {int}:
        return f"{{{str(list(values))[1:-1]}}}"
    if kinds == {str}:
        text = '","'.join(values)  # type: ignore[arg-type]  # all are
        if "\\" not in text and text.count('"') == 2 * len(values) - 2:
            return f'{{"{text}"}}'
    return f"{{{','.join(map(_item, values))}}}"


def _item(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return str(value)


def sent_together(conn: Connection) -> AbstractContextManager[None]:
    """On PostgreSQL the statements of the block go out at once and are answered at its end; nothing is read in it.

    What the database refuses is raised at the end as the sqlalchemy.exc error.
    """
    return _together(conn) if conn.dialect.name == "postgresql" else _AS_IT_COMES


_AS_IT_COMES = nullcontext()


@contextmanager
def _together(conn: Connection) -> Iterator[None]:
    wire = wire_of(conn)
    wire.begin_together()
    is_whole = False
    try:
        yield
        is_whole = True
    finally:
        waiting = wire.end_together()
    if is_whole:
        try:
            wire.send(waiting)
        except conn.dialect.loaded_dbapi.Error as error:
            raise translated(conn, "several statements", error) from error


class RowWrite:
    """INSERT of rows, or UPDATE of the rows with these `keys`: `sets` are replaced, to `adds` is added.

    Without keys it is an INSERT of `sets`; with `once`, rows that are there already are left. A row of parameters has
    the columns in the order keys, sets, adds. No two rows of an UPDATE may have the same key; with `while_null` it
    leaves rows alone in which that column is not NULL.
    """

    __slots__ = ("_adds", "_by_dialect", "_columns", "_keys", "_once", "_sets", "_table", "_while_null")

    def __init__(
        self,
        table: sa.Table,
        *,
        keys: Sequence[str] = (),
        sets: Sequence[str] = (),
        adds: Sequence[str] = (),
        once: bool = False,
        while_null: str = "",
    ) -> None:
        self._table = table
        self._while_null = f" AND {table.name}.{table.c[while_null].name} IS NULL" if while_null else ""
        self._keys, self._sets, self._adds, self._once = tuple(keys), tuple(sets), tuple(adds), once
        self._columns = [table.c[name] for name in (*keys, *sets, *adds)]
        self._by_dialect: dict[str, tuple[str, str, list[tuple[int, Convert]]]] = {}

    def run(self, conn: Connection, rows: Sequence[Row]) -> None:
        """Write the rows; raises the sqlalchemy.exc error when the database refuses one, and then nothing is kept."""
        if not rows:
            return
        text, text_of_one, converts = self._prepared(conn.dialect)
        if converts:
            rows = _all_converted(rows, converts)
        try:
            if conn.dialect.name != "postgresql":
                driver_of(conn).executemany(text_of_one, rows)
            elif len(rows) == 1:
                wire_of(conn).write(text_of_one, rows[0])
            else:
                wire_of(conn).write(text, [array(values) for values in zip(*rows, strict=True)])
        except conn.dialect.loaded_dbapi.Error as error:
            raise translated(conn, text, error) from error

    def copy(self, conn: Connection, rows: Sequence[Row]) -> None:
        """The same for an INSERT of very many rows: by COPY where there is one, a third of the server's time."""
        if conn.dialect.name != "postgresql" or len(rows) < _MANY:
            self.run(conn, rows)
            return
        _, _, converts = self._prepared(conn.dialect)
        text = f"COPY {self._table.name} ({', '.join(self._sets)}) FROM STDIN"
        try:
            with driver_of(conn).cursor() as cursor, cursor.copy(text) as copy:
                for row in _all_converted(rows, converts):
                    copy.write_row(row)
        except conn.dialect.loaded_dbapi.Error as error:
            raise translated(conn, text, error) from error

    def _prepared(self, dialect: Dialect) -> tuple[str, str, list[tuple[int, Convert]]]:
        found = self._by_dialect.get(dialect.name)
        if found is None:
            converts: list[tuple[int, Convert]] = []
            for at, column in enumerate(self._columns):
                convert = _convert(column, dialect)
                # Both drivers take a truth value as it is.
                if convert is not None and not isinstance(column.type, sa.Boolean):
                    converts.append((at, convert))
            if dialect.name == "postgresql":
                found = (self._over_arrays(dialect), self._of_one("$"), converts)
            else:
                found = ("", self._of_one("?"), converts)
            self._by_dialect[dialect.name] = found
        return found

    # Only names of tables and columns, which no request can choose, are put into the texts.

    def _of_one(self, mark: str) -> str:
        name = self._table.name
        numbers = {column.name: f"{mark}{at}" for at, column in enumerate(self._columns, 1)}
        if not self._keys:
            marks = ", ".join(numbers.values())
            return f"INSERT INTO {name} ({', '.join(self._sets)}) VALUES ({marks}){self._conflict()}"  # noqa: S608 - names of ours
        changes = [f"{name} = {numbers[name]}" for name in self._sets]
        changes += [f"{name} = {name} + {numbers[name]}" for name in self._adds]
        where = " AND ".join(f"{key} = {numbers[key]}" for key in self._keys)
        return f"UPDATE {name} SET {', '.join(changes)} WHERE {where}{self._while_null}"  # noqa: S608 - names of ours

    def _over_arrays(self, dialect: Dialect) -> str:
        name = self._table.name
        arrays = ", ".join(
            f"CAST(${at} AS {column.type.compile(dialect)}[])" for at, column in enumerate(self._columns, 1)
        )
        given = f"unnest({arrays}) AS given ({', '.join(column.name for column in self._columns)})"
        if not self._keys:
            columns = ", ".join(self._sets)
            return f"INSERT INTO {name} ({columns}) SELECT {columns} FROM {given}{self._conflict()}"  # noqa: S608 - names of ours
        changes = [f"{name} = given.{name}" for name in self._sets]
        changes += [f"{column} = {name}.{column} + given.{column}" for column in self._adds]
        where = " AND ".join(f"{name}.{key} = given.{key}" for key in self._keys)
        return f"UPDATE {name} SET {', '.join(changes)} FROM {given} WHERE {where}{self._while_null}"  # noqa: S608 - names of ours

    def _conflict(self) -> str:
        return " ON CONFLICT DO NOTHING" if self._once else ""


def _convert(column: sa.Column[Any], dialect: Dialect) -> Convert | None:
    if isinstance(column.type, sa.JSON):
        # As text, which a list of them for PostgreSQL is made of; its driver wraps what it is to write as JSON.
        return json.dumps
    return column.type.dialect_impl(dialect).bind_processor(dialect)


def _all_converted(rows: Sequence[Row], converts: list[tuple[int, Convert]]) -> list[list[object]]:
    if len(rows) >= _MANY:
        # In so many rows the same few moments come again and again.
        converts = [(at, lru_cache(_MANY, typed=True)(convert)) for at, convert in converts]
    return [_converted(row, converts) for row in rows]


def _converted(row: Row, converts: list[tuple[int, Convert]]) -> list[object]:
    values = list(row)
    for at, convert in converts:
        value = values[at]
        if value is not None:
            values[at] = convert(value)
    return values
