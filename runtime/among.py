"""A prepared statement for many lines at once: one bound value, however many, and nothing of them in its text."""

import json
from collections.abc import Callable, Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from runtime.prepared import Prepared, Statement

_AMONG = {
    "sqlite": "IN (SELECT value FROM json_each(:lines))",
    "postgresql": "= ANY(string_to_array(:lines, ','))",
}


class Among:
    """A statement whose WHERE has `column` be one of these lines; telephone numbers only, for a comma parts them."""

    __slots__ = ("_by_dialect",)

    def __init__(self, statement: Callable[[sa.TextClause], Statement], column: str) -> None:
        self._by_dialect = {name: Prepared(statement(sa.text(f"{column} {among}"))) for name, among in _AMONG.items()}

    def all(self, conn: Connection, lines: Collection[str]) -> list[tuple[Any, ...]]:
        """Every row of any of these lines."""
        return self._by_dialect[conn.dialect.name].all(conn, lines=_joined(conn, lines))

    def run(self, conn: Connection, lines: Collection[str], **values: object) -> int:
        """Run it for these lines and give the number of rows it changed."""
        return self._by_dialect[conn.dialect.name].run(conn, lines=_joined(conn, lines), **values)


def _joined(conn: Connection, lines: Collection[str]) -> str:
    return json.dumps(list(lines)) if conn.dialect.name == "sqlite" else ",".join(lines)
