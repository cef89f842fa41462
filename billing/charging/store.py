"""The SQL of charging sessions."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from billing.charging.session import FinalCharge, Initiate, Request, Session, SessionState
from billing.charging.tables import charging_request, charging_session
from billing.rating import Grant
from runtime.prepared import Prepared

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
    ),
)
_EXTEND_SESSION = Prepared(
    sa.update(charging_session)
    .where(charging_session.c.id == sa.bindparam("session_id"))
    .values(
        request_number=sa.bindparam("to_number"),
        granted_ms=sa.bindparam("to_ms"),
        held_micros=sa.bindparam("to_micros"),
        final=sa.bindparam("is_final"),
        valid_until_at=sa.bindparam("until_at"),
        reported_ms=sa.bindparam("told_ms"),
        reported_at=sa.bindparam("told_at"),
    )
)
_CLOSE_SESSION = Prepared(
    sa.update(charging_session)
    .where(charging_session.c.id == sa.bindparam("session_id"))
    .values(
        state=SessionState.CLOSED.value,
        used_ms=sa.bindparam("total_ms"),
        charged_micros=sa.bindparam("price_micros"),
        ended_at=sa.bindparam("at"),
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


def find_session(conn: Connection, session_id: str) -> Session | None:
    """A session, not locked."""
    row = _FIND_SESSION.first(conn, session_id=session_id)
    return None if row is None else Session(*row)


def lock_session(conn: Connection, session_id: str) -> Session | None:
    """A session as it is once nobody else changes it, locked until the end of the transaction."""
    row = _LOCK_SESSION.first(conn, session_id=session_id)
    return None if row is None else Session(*row)


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
    )


def other_open_sessions(conn: Connection, account_id: int, session_id: str) -> list[Session]:
    """The open sessions of a locked account but this one; what they hold does not change while the lock is kept."""
    return [Session(*row) for row in _OTHERS.all(conn, of_account=account_id, session_id=session_id)]


def extend_session(
    conn: Connection,
    session_id: str,
    number: int,
    grant: Grant,
    valid_until_at: datetime,
    reported: tuple[int, datetime | None],
) -> None:
    """Write the larger grant of a locked session, and what it said it had used."""
    _EXTEND_SESSION.run(
        conn,
        session_id=session_id,
        told_ms=reported[0],
        told_at=reported[1],
        to_number=number,
        to_ms=grant.granted_ms,
        to_micros=grant.held_micros,
        is_final=grant.final,
        until_at=valid_until_at,
    )


def close_session(conn: Connection, session_id: str, charge: FinalCharge, now: datetime) -> None:
    """Write how a locked session ended."""
    _CLOSE_SESSION.run(conn, session_id=session_id, total_ms=charge.used_ms, price_micros=charge.charged_micros, at=now)


def find_request(conn: Connection, session_id: str, number: int) -> Request | None:
    """The request of this number, with its answer."""
    row = _FIND_REQUEST.first(conn, session_id=session_id, request_number=number)
    return None if row is None else Request(*row)


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
