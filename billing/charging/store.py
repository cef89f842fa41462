"""The SQL of charging sessions."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from billing.charging.session import (
    REAPED_NUMBER,
    FinalCharge,
    Initiate,
    Request,
    Session,
    SessionState,
    session_of,
)
from billing.charging.tables import charging_request, charging_session
from billing.rating import Grant
from runtime.prepared import Prepared
from runtime.prepared_rows import KeyedRead, RowWrite

SESSION_COLUMNS = (
    charging_session.c.id,
    charging_session.c.account_id,
    charging_session.c.service,
    charging_session.c.state,
    charging_session.c.tariff_version_id,
    charging_session.c.rate_prefix,
    charging_session.c.request_number,
    charging_session.c.granted_ms,
    charging_session.c.held_micros,
    charging_session.c.final,
    charging_session.c.cap_ms,
    charging_session.c.started_at,
    charging_session.c.valid_until_at,
    charging_session.c.used_ms,
    charging_session.c.charged_micros,
    charging_session.c.ended_at,
    charging_session.c.reported_ms,
    charging_session.c.reported_at,
    charging_session.c.context,
)
_SESSION = sa.select(*SESSION_COLUMNS).where(charging_session.c.id == sa.bindparam("session_id"))
_FIND_SESSION = Prepared(_SESSION)
_LOCK_SESSION = Prepared(_SESSION.with_for_update(key_share=True))
# In order of their ids, so that no two transactions wait for each other.
_LOCK_SESSIONS = KeyedRead(
    sa.select(*SESSION_COLUMNS).order_by(charging_session.c.id).with_for_update(key_share=True), charging_session.c.id
)
_OPEN_OF_ACCOUNTS = KeyedRead(
    sa.select(*SESSION_COLUMNS).where(charging_session.c.state == sa.literal_column("'open'")),
    charging_session.c.account_id,
)
# Written out, so that both databases see that the index of open sessions serves.
_OTHERS = Prepared(
    sa.select(*SESSION_COLUMNS).where(
        charging_session.c.account_id == sa.bindparam("of_account"),
        charging_session.c.state == sa.literal_column("'open'"),
        charging_session.c.id != sa.bindparam("session_id"),
    )
)
_ADD_SESSION = Prepared(
    sa.insert(charging_session),
    (
        "id",
        "account_id",
        "service",
        "state",
        "tariff_version_id",
        "rate_prefix",
        "request_number",
        "granted_ms",
        "held_micros",
        "final",
        "cap_ms",
        "started_at",
        "valid_until_at",
        "reported_at",
        "context",
        "asked",
    ),
)
_EXTEND_SESSIONS = RowWrite(
    charging_session,
    keys=("id",),
    sets=("request_number", "granted_ms", "held_micros", "final", "valid_until_at", "reported_ms", "reported_at"),
)
_CLOSE_SESSION = Prepared(
    sa.update(charging_session)
    .where(charging_session.c.id == sa.bindparam("session_id"))
    .values(
        state=SessionState.CLOSED.value,
        used_ms=sa.bindparam("total_ms"),
        charged_micros=sa.bindparam("price_micros"),
        ended_at=sa.bindparam("at"),
        is_answered=sa.bindparam("was_answered"),
        context=sa.bindparam("fixed"),
    )
)
_HOW_ASKED = Prepared(
    sa.select(charging_session.c.asked, charging_session.c.is_answered).where(
        charging_session.c.id == sa.bindparam("session_id")
    )
)
_REQUEST = sa.select(*charging_request.c)
_FIND_REQUEST = Prepared(
    _REQUEST.where(
        charging_request.c.session_id == sa.bindparam("session_id"),
        charging_request.c.number == sa.bindparam("request_number"),
    )
)
_REQUESTS = Prepared(
    _REQUEST.where(charging_request.c.session_id == sa.bindparam("session_id")).order_by(charging_request.c.number)
)
_ADD_REQUEST = Prepared(
    sa.insert(charging_request),
    ("session_id", "number", "kind", "wanted_ms", "granted_ms", "held_micros", "final", "at"),
)
_ADD_REQUESTS = RowWrite(
    charging_request,
    sets=("session_id", "number", "kind", "wanted_ms", "granted_ms", "held_micros", "final", "at", "used_ms"),
)


def find_session(conn: Connection, session_id: str) -> Session | None:
    """A session, not locked."""
    row = _FIND_SESSION.first(conn, session_id=session_id)
    return None if row is None else session_of(row)


def lock_session(conn: Connection, session_id: str) -> Session | None:
    """A session as it is once nobody else changes it, locked until the end of the transaction."""
    row = _LOCK_SESSION.first(conn, session_id=session_id)
    return None if row is None else session_of(row)


def lock_sessions(conn: Connection, session_ids: Iterable[str]) -> dict[str, Session]:
    """Those of these sessions that there are, locked as by `lock_session`."""
    rows = _LOCK_SESSIONS.all(conn, {(one,) for one in session_ids})
    return {row[0]: session_of(row) for row in rows}


def add_session(
    conn: Connection, opened: Initiate, grant: Grant, now: datetime, valid_until_at: datetime, context: str = ""
) -> None:
    """Keep a new session; raises IntegrityError when its id is taken."""
    _ADD_SESSION.run(
        conn,
        id=opened.session_id,
        account_id=opened.account_id,
        service=opened.service,
        state=SessionState.OPEN.value,
        tariff_version_id=opened.rate.tariff_version_id,
        rate_prefix=opened.rate.prefix,
        request_number=0,
        granted_ms=grant.granted_ms,
        held_micros=grant.held_micros,
        final=grant.final,
        cap_ms=opened.cap_ms,
        started_at=now,
        valid_until_at=valid_until_at,
        reported_at=now if opened.begins_now else None,
        context=context,
        asked=opened.asked,
    )


def other_open_sessions(conn: Connection, account_id: int, session_id: str) -> list[Session]:
    """The open sessions of a locked account but this one; what they hold does not change while the lock is kept."""
    return [session_of(row) for row in _OTHERS.all(conn, of_account=account_id, session_id=session_id)]


def open_sessions(conn: Connection, account_ids: Iterable[int]) -> list[Session]:
    """The open sessions of locked accounts."""
    return [session_of(row) for row in _OPEN_OF_ACCOUNTS.all(conn, {(one,) for one in account_ids})]


def extend_sessions(conn: Connection, sessions: Iterable[Session]) -> None:
    """Write the larger grants of locked sessions, and what they said they had used."""
    rows = [
        (
            one.session_id,
            one.request_number,
            one.granted_ms,
            one.held_micros,
            one.final,
            one.valid_until_at,
            one.reported_ms,
            one.reported_at,
        )
        for one in sessions
    ]
    _EXTEND_SESSIONS.run(conn, rows)


def close_session(
    conn: Connection, session_id: str, charge: FinalCharge, now: datetime, context: str, *, is_answered: bool = True
) -> None:
    """Write how a locked session ended, and what its price depended on in the end."""
    _CLOSE_SESSION.run(
        conn,
        session_id=session_id,
        total_ms=charge.used_ms,
        price_micros=charge.charged_micros,
        at=now,
        was_answered=is_answered,
        fixed=context,
    )


def how_asked(conn: Connection, session_id: str) -> tuple[str | None, bool | None]:
    """The fingerprint of what a session was opened by, and whether it was connected; none where that is not kept."""
    row = _HOW_ASKED.first(conn, session_id=session_id)
    return (None, None) if row is None else (row[0], None if row[1] is None else bool(row[1]))


def find_request(conn: Connection, session_id: str, number: int) -> Request | None:
    """The request of this number, with its answer."""
    row = _FIND_REQUEST.first(conn, session_id=session_id, request_number=number)
    return None if row is None else Request(*row)


def is_reaped(conn: Connection, session_id: str) -> bool:
    """Whether a session was ended because nothing was heard of it."""
    return find_request(conn, session_id, REAPED_NUMBER) is not None


def requests(conn: Connection, session_id: str) -> list[Request]:
    """Every request of a session, in order."""
    return [Request(*row) for row in _REQUESTS.all(conn, session_id=session_id)]


def add_request(
    conn: Connection, session_id: str, number: int, kind: str, wanted_ms: int, grant: Grant, now: datetime
) -> None:
    """Keep what was asked and answered."""
    _ADD_REQUEST.run(
        conn,
        session_id=session_id,
        number=number,
        kind=kind,
        wanted_ms=wanted_ms,
        granted_ms=grant.granted_ms,
        held_micros=grant.held_micros,
        final=grant.final,
        at=now,
    )


def add_requests(conn: Connection, requests: Sequence[Request]) -> None:
    """Keep what was asked and answered, of many."""
    rows = [
        (
            one.session_id,
            one.number,
            one.kind,
            one.wanted_ms,
            one.granted_ms,
            one.held_micros,
            one.final,
            one.at,
            one.used_ms,
        )
        for one in requests
    ]
    _ADD_REQUESTS.run(conn, rows)
