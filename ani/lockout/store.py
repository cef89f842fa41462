"""Wrong entries in the database."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ani.lockout.lockout import ACCOUNT_WINDOW, LINE_WINDOW, OVERALL_WINDOW, Counts, Limits, Scope, is_over
from ani.lockout.tables import wrong_entry
from runtime.database import Instant
from runtime.prepared import Prepared

_EVERYBODY = "*"


def _count(scope: Scope, subject: str, since: str) -> sa.ScalarSelect[int]:
    return (
        sa.select(sa.func.count())
        .where(
            wrong_entry.c.scope == scope.value,
            wrong_entry.c.subject == sa.bindparam(subject, type_=sa.String),
            wrong_entry.c.at > sa.bindparam(since, type_=Instant),
        )
        .scalar_subquery()
    )


_INSERT = Prepared(sa.insert(wrong_entry), ("scope", "subject", "kind", "at"))
_WINDOWS: tuple[sa.ScalarSelect[Any], ...] = (
    _count(Scope.LINE, "line", "line_since_at"),
    _count(Scope.ACCOUNT, "account", "account_since_at"),
    _count(Scope.OVERALL, "overall", "overall_since_at"),
)
_COUNT = Prepared(sa.select(*_WINDOWS))
_QUEUE_UP = Prepared(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:subject, 0))"))


def record_wrong(conn: Connection, *, ani: str | None, account_id: int | None, kind: str, at: datetime) -> None:
    """Count a wrong entry against the line and the account, where known, and overall; never what was keyed."""
    subjects = [(Scope.OVERALL, _EVERYBODY)]
    if ani:
        subjects.append((Scope.LINE, ani))
    if account_id is not None:
        subjects.append((Scope.ACCOUNT, str(account_id)))
    _INSERT.run_each(
        conn, [{"scope": scope.value, "subject": subject, "kind": kind, "at": at} for scope, subject in subjects]
    )


def is_locked(conn: Connection, *, ani: str | None, account_id: int | None, limits: Limits, now: datetime) -> bool:
    """True when the line, the account or everybody has made too many wrong entries in the window before `now`.

    To be asked in the writing transaction that then compares and records: tries on the same line or account wait for
    each other here, so that calls side by side get no extra tries. The overall limit may be passed by the tries under
    way at that moment on other lines.
    """
    if conn.dialect.name == "postgresql":
        if ani:
            _QUEUE_UP.first(conn, subject=f"wrong-entry-line-{ani}")
        if account_id is not None:
            _QUEUE_UP.first(conn, subject=f"wrong-entry-account-{account_id}")
    found = _COUNT.first(
        conn,
        line=ani or "",
        line_since_at=now - LINE_WINDOW,
        account="" if account_id is None else str(account_id),
        account_since_at=now - ACCOUNT_WINDOW,
        overall=_EVERYBODY,
        overall_since_at=now - OVERALL_WINDOW,
    )
    return is_over(Counts(*found or (0, 0, 0)), limits)
