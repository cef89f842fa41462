"""A person's rows in every table that says it keeps some (`runtime.personal`), in SQL."""

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from billing.accounts.tables import account_line
from billing.calls.tables import call
from billing.people.person import Erased, Kept, Subject, Value
from migrations.tables import metadata
from runtime import personal
from runtime.keys import Pepper
from runtime.personal import OnErase, Personal


def kept(conn: Connection, subject: Subject, pepper: Pepper) -> list[Kept]:
    """Everything kept of a person, table by table; hashes are left out, what is sealed is opened."""
    return [
        Kept(
            table.name,
            said.on_erase,
            said.why_kept,
            tuple(
                _row(said, row, pepper) for row in conn.execute(sa.select(table).where(_whose(table, said, subject)))
            ),
        )
        for table, said in _tables()
    ]


def erase(conn: Connection, subject: Subject) -> list[Erased]:
    """Remove or blank a person's rows, what points to others first; what has to stay is counted."""
    done = []
    for table, said in reversed(list(_tables())):
        whose = _whose(table, said, subject)
        if said.on_erase is OnErase.REMOVE:
            rows = conn.execute(sa.delete(table).where(whose)).rowcount
        elif said.on_erase is OnErase.BLANK:
            rows = conn.execute(sa.update(table).where(whose).values(dict.fromkeys(said.blank, ""))).rowcount
        else:
            rows = conn.scalar(sa.select(sa.func.count()).select_from(table).where(whose)) or 0
        done.append(Erased(table.name, said.on_erase, rows, said.why_kept))
    return done


def opens(conn: Connection, line: str) -> Sequence[int]:
    """The accounts that a line opens now."""
    wanted = sa.select(account_line.c.account_id).where(account_line.c.ani == line, account_line.c.removed_at.is_(None))
    return conn.scalars(wanted).all()


def _tables() -> Iterator[tuple[sa.Table, Personal]]:
    for table in metadata.sorted_tables:
        said = table.info.get(personal.KEY)
        if isinstance(said, Personal):
            yield table, said


def _row(said: Personal, row: sa.Row[Any], pepper: Pepper) -> dict[str, Value]:
    values: dict[str, Any] = {str(name): value for name, value in row._mapping.items()}
    opened: dict[str, Any] = values if said.opened is None else said.opened(values, pepper)
    return {name: value for name, value in opened.items() if name not in said.hidden}


def _whose(table: sa.Table, said: Personal, subject: Subject) -> sa.ColumnElement[bool]:
    if said.through:
        calls = sa.select(call.c.id).where(_whose(call, call.info[personal.KEY], subject))
        return table.c[said.through].in_(calls)
    clauses: list[sa.ColumnElement[bool]] = []
    if said.line and subject.line:
        clauses.append(table.c[said.line] == subject.line)
    if said.account and subject.account_id is not None:
        clauses.append(table.c[said.account] == subject.account_id)
    return sa.or_(sa.false(), *clauses)
