"""Wrong entries in the database."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ani.lockout.lockout import (
    ACCESS_WINDOW,
    ACCOUNT_WINDOW,
    LINE_WINDOW,
    OVERALL_WINDOW,
    UNKNOWN_WAY,
    Bound,
    Counts,
    Limits,
    Lock,
    Scope,
    Tell,
    Way,
    Wrong,
    bounds_reached,
    tell_nobody,
)
from ani.lockout.tables import wrong_entry
from runtime.database import Instant
from runtime.looks import Look, Row
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
    _count(Scope.ACCESS, "access", "access_since_at"),
    _count(Scope.UNVOUCHED, "unvouched", "overall_since_at"),
    _count(Scope.CLAIMED, "claimed", "line_since_at"),
)
_COUNT = Prepared(sa.select(*_WINDOWS))
_NONE = Counts(0, 0, 0)
_OF_BOUND = sa.or_(
    sa.and_(
        wrong_entry.c.scope == sa.bindparam("of_scope", type_=sa.String),
        wrong_entry.c.subject == sa.bindparam("subject", type_=sa.String),
    ),
    sa.and_(
        wrong_entry.c.scope == Scope.CLAIMED.value,
        wrong_entry.c.subject == sa.bindparam("claimed", type_=sa.String),
    ),
)
_ENTRIES = (
    sa.select(
        wrong_entry.c.at,
        sa.func.lag(wrong_entry.c.at, sa.cast(sa.bindparam("entries_before"), sa.Integer))
        .over(order_by=wrong_entry.c.at)
        .label("first_at"),
    )
    .where(_OF_BOUND, wrong_entry.c.at > sa.bindparam("looked_at", type_=Instant))
    .subquery("entry")
)
"""Each entry, and the one that as many before it as the limit bears began with."""
_LOCKING = Prepared(
    sa.select(sa.func.min(_ENTRIES.c.at), sa.func.max(_ENTRIES.c.at)).where(
        _ENTRIES.c.at > sa.bindparam("since_at", type_=Instant),
        sa.type_coerce(_ENTRIES.c.at, sa.BigInteger) - sa.type_coerce(_ENTRIES.c.first_at, sa.BigInteger)
        < sa.bindparam("window_us", type_=sa.BigInteger),
    )
)
_COUNTED = Prepared(
    sa.select(sa.func.count()).where(_OF_BOUND, wrong_entry.c.at > sa.bindparam("since_at", type_=Instant))
)
_TAKE_BACK = Prepared(
    sa.delete(wrong_entry).where(
        wrong_entry.c.scope == sa.bindparam("of_scope"),
        wrong_entry.c.subject == sa.bindparam("of_subject"),
        wrong_entry.c.kind == sa.bindparam("of_kind"),
        wrong_entry.c.at == sa.bindparam("at_moment", type_=Instant),
    )
)
_QUEUE_UP = Prepared(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:subject, 0))"))


def record_wrong(
    conn: Connection, *, ani: str | None, account_id: int | None, kind: str, at: datetime, way: Way = UNKNOWN_WAY
) -> None:
    """Count a wrong entry against the line, the account and the way, where known, and overall; never what was keyed."""
    count_wrong(conn, Wrong(ani or "", account_id, kind, way, at))


def count_wrong(conn: Connection, wrong: Wrong) -> None:
    """Count a wrong entry against all that is known of it."""
    _INSERT.run_each(
        conn,
        [
            {"scope": scope.value, "subject": subject, "kind": wrong.kind, "at": wrong.at}
            for scope, subject in _subjects(wrong)
        ],
    )


def take_back(conn: Connection, wrong: Wrong) -> None:
    """Count it no longer: it was right."""
    for scope, subject in _subjects(wrong):
        _TAKE_BACK.run(conn, of_scope=scope.value, of_subject=subject, of_kind=wrong.kind, at_moment=wrong.at)


def _subjects(wrong: Wrong) -> list[tuple[Scope, str]]:
    found = [(Scope.OVERALL, _EVERYBODY)]
    if wrong.ani:
        found.append((Scope.LINE if wrong.way.is_vouched else Scope.CLAIMED, wrong.ani))
    if wrong.account_id is not None:
        found.append((Scope.ACCOUNT, str(wrong.account_id)))
    if wrong.way.access_number:
        found.append((Scope.ACCESS, wrong.way.access_number))
    if not wrong.way.is_vouched:
        found.append((Scope.UNVOUCHED, _EVERYBODY))
    return found


def is_locked(
    conn: Connection,
    *,
    ani: str | None,
    account_id: int | None,
    limits: Limits,
    now: datetime,
    way: Way = UNKNOWN_WAY,
    tell: Tell = tell_nobody,
) -> bool:
    """True when the line, the account, the access number or everybody has made too many wrong entries before `now`.

    `tell` then hears which of them, the one that is locked longest, by how many entries and since when. Entries of
    callers who merely claimed the line lock those who merely claim it, nobody whom the network vouches for.

    To be asked in the writing transaction that then compares and records: tries on the same line or account wait for
    each other here, so that calls side by side get no extra tries. The overall limit may be passed by the tries under
    way at that moment on other lines.
    """
    if conn.dialect.name == "postgresql":
        if ani:
            _QUEUE_UP.first(conn, subject=f"wrong-entry-line-{ani}")
        if account_id is not None:
            _QUEUE_UP.first(conn, subject=f"wrong-entry-account-{account_id}")
    account = "" if account_id is None else str(account_id)
    found = _COUNT.first(conn, line=ani or "", account=account, **_asked(now, way, ani or ""))
    lock = lock_of(conn, _counts(found), Wrong(ani or "", account_id, "", way, now), limits)
    if lock is not None:
        tell(lock)
    return lock is not None


def lock_of(conn: Connection, counts: Counts, entry: Wrong, limits: Limits) -> Lock | None:
    """The lock that stands against an entry that would be wrong, the longest of several; `counts` are what `WRONG` or
    its like found for it.
    """
    locks = (_lock(conn, bound, entry) for bound in bounds_reached(counts, limits))
    return max((lock for lock in locks if lock is not None), key=lambda lock: lock.until_at, default=None)


def _lock(conn: Connection, bound: Bound, entry: Wrong) -> Lock | None:
    subjects = {
        Scope.LINE: entry.ani,
        Scope.ACCOUNT: str(entry.account_id),
        Scope.ACCESS: entry.way.access_number,
    }
    claimed = entry.ani if bound.scope is Scope.LINE and not entry.way.is_vouched else ""
    of_bound = {"of_scope": bound.scope.value, "subject": subjects.get(bound.scope, _EVERYBODY), "claimed": claimed}
    since_at, last_at = _LOCKING.first(
        conn,
        **of_bound,
        entries_before=bound.limit - 1,
        looked_at=entry.at - 2 * bound.window,
        since_at=entry.at - bound.window,
        window_us=bound.window // timedelta(microseconds=1),
    ) or (None, None)
    if since_at is None or last_at is None:
        return None
    ((count,),) = _COUNTED.all(conn, **of_bound, since_at=since_at - bound.window)
    return Lock(bound, count, since_at, last_at + bound.window)


def to_look(now: datetime, way: Way, ani: str) -> dict[str, object]:
    """What `WRONG` asks beside the `line`, to see whether it is locked now for who comes this way; see `lock_of`.

    For who only looks: nobody waits here for tries under way, and whoever then tries waits and is asked again.
    """
    return {"account": "", **_asked(now, way, ani)}


def _asked(now: datetime, way: Way, ani: str) -> dict[str, object]:
    return {
        "line_since_at": now - 2 * LINE_WINDOW,
        "account_since_at": now - 2 * ACCOUNT_WINDOW,
        "overall": _EVERYBODY,
        "overall_since_at": now - 2 * OVERALL_WINDOW,
        "access": way.access_number,
        "unvouched": "" if way.is_vouched else _EVERYBODY,
        "claimed": "" if way.is_vouched else ani,
        "access_since_at": now - 2 * ACCESS_WINDOW,
    }


def _counts(row: Row | None) -> Counts:
    return _NONE if row is None else Counts(*row)


WRONG = Look(sa.select(*_WINDOWS), _counts)
"""Wrong entries within twice each window."""
