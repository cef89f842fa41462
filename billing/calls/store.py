"""The SQL of calls, their events and CDRs."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection

from ani.usage import store as usage_store
from ani.usage.tables import line_usage
from billing.accounts.tables import account
from billing.calls.call import (
    AmbiguousCallError,
    Authorise,
    Call,
    CallEvent,
    CallState,
    Cdr,
    ChargedCall,
    LiveCall,
    NewCall,
    OverdueSession,
)
from billing.calls.tables import call, call_event, cdr
from billing.charging.session import Session, SessionState, session_of
from billing.charging.store import SESSION_COLUMNS
from billing.charging.tables import charging_session
from billing.ledger.store import FUNDS_COLUMNS, funds_of
from billing.operators.tables import service_profile
from runtime.frozen import maker
from runtime.prepared import Prepared
from runtime.prepared_rows import KeyedRead, RowWrite

_CALL_COLUMNS = (
    call.c.id,
    call.c.switch,
    call.c.uniqueid,
    call.c.channel,
    call.c.state,
    call.c.dnis,
    call.c.ani,
    call.c.service_profile_id,
    call.c.account_id,
    call.c.charging_session_id,
    call.c.destination,
    call.c.trunk,
    call.c.arrived_at,
    call.c.answered_at,
    call.c.ended_at,
    service_profile.c.operator_id,
    service_profile.c.month_cap_s,
)
_CALL_OF = maker(Call)
_WITH_PROFILE = call.outerjoin(service_profile)
_CALL = sa.select(*_CALL_COLUMNS).select_from(_WITH_PROFILE)
_CALL_BY_ID = _CALL.where(call.c.id == sa.bindparam("call_id"))
_FIND_CALL = Prepared(_CALL_BY_ID)
_LOCK_CALL = Prepared(_CALL_BY_ID.with_for_update(key_share=True, of=call))
_CALL_OF_ARRIVAL = Prepared(
    sa.select(call.c.id).where(
        call.c.switch == sa.bindparam("on_switch"),
        call.c.uniqueid == sa.bindparam("with_uniqueid"),
        call.c.arrived_at == sa.bindparam("at"),
    )
)
# Ids are hexadecimal digits, so "g" comes after every one that begins with the prefix.
_CALLS_BY_PREFIX = Prepared(
    _CALL.where(call.c.id >= sa.bindparam("prefix"), call.c.id < sa.bindparam("end")).order_by(call.c.id).limit(2)
)
# One statement for a call, its session and its line; only the session is locked, for the rest never changes.
_LOCK_CHARGED = KeyedRead(
    sa.select(call.c.id, call.c.ani, service_profile.c.month_cap_s, *SESSION_COLUMNS)
    .select_from(_WITH_PROFILE.join(charging_session, charging_session.c.id == call.c.charging_session_id))
    .order_by(charging_session.c.id)
    .with_for_update(key_share=True, of=charging_session),
    call.c.id,
)
# On SQLite who writes is alone: what the extension locks later is read along.
_READ_CHARGED = KeyedRead(
    sa.select(
        call.c.id,
        call.c.ani,
        service_profile.c.month_cap_s,
        *SESSION_COLUMNS,
        *FUNDS_COLUMNS,
        *usage_store.HELD_COLUMNS,
    ).select_from(
        _WITH_PROFILE.join(charging_session, charging_session.c.id == call.c.charging_session_id)
        .join(account, account.c.id == charging_session.c.account_id)
        .outerjoin(line_usage, usage_store.of_line_and_month(call.c.ani, charging_session.c.started_at))
    ),
    call.c.id,
)
_FUNDS_AT = 3 + len(SESSION_COLUMNS)
_HELD_AT = _FUNDS_AT + len(FUNDS_COLUMNS)
_LIVE = (
    sa.select(*_CALL_COLUMNS, *SESSION_COLUMNS)
    .select_from(_WITH_PROFILE.outerjoin(charging_session, charging_session.c.id == call.c.charging_session_id))
    .where(call.c.state != CallState.ENDED.value)
    .order_by(call.c.arrived_at)
)
_LIVE_CALLS = Prepared(_LIVE)
_LIVE_CALLS_OF_SWITCH = Prepared(_LIVE.where(call.c.switch == sa.bindparam("on_switch")))
_LIVE_CALL_OF_SWITCH = Prepared(
    _LIVE.where(
        call.c.switch == sa.bindparam("on_switch"),
        sa.or_(call.c.id == sa.bindparam("call_id"), call.c.uniqueid == sa.bindparam("with_uniqueid")),
    ).limit(1)
)
_ANY_ON_LEG = Prepared(
    sa.select(call.c.id)
    .where(call.c.switch == sa.bindparam("on_switch"), call.c.uniqueid == sa.bindparam("with_uniqueid"))
    .limit(1)
)
_OVERDUE = Prepared(
    sa.select(
        charging_session.c.id,
        call.c.id,
        call.c.switch,
        call.c.uniqueid,
        call.c.channel,
        charging_session.c.account_id,
        charging_session.c.granted_ms,
        charging_session.c.valid_until_at,
    )
    .join_from(charging_session, call, call.c.charging_session_id == charging_session.c.id)
    .where(
        charging_session.c.state == SessionState.OPEN.value,
        charging_session.c.valid_until_at < sa.bindparam("before_at"),
    )
    .order_by(charging_session.c.valid_until_at)
)
# PostgreSQL's construct compiles to what SQLite reads as well.
_ADD_CALL = Prepared(
    postgresql.insert(call).on_conflict_do_nothing(),
    (
        "id",
        "switch",
        "uniqueid",
        "channel",
        "state",
        "dnis",
        "ani",
        "service_profile_id",
        "account_id",
        "arrived_at",
    ),
)
_CONNECT = Prepared(
    sa.update(call)
    .where(
        call.c.id == sa.bindparam("call_id"),
        call.c.state != CallState.ENDED.value,
        call.c.charging_session_id.is_(None),
        call.c.ani == sa.bindparam("from_ani"),
    )
    .values(
        state=CallState.CONNECTING.value,
        charging_session_id=sa.bindparam("session_id"),
        account_id=sa.bindparam("payer_id"),
        destination=sa.bindparam("to_destination"),
        trunk=sa.bindparam("by_trunk"),
    )
)
_ANSWER = Prepared(
    sa.update(call)
    .where(call.c.id == sa.bindparam("call_id"), call.c.state == CallState.CONNECTING.value)
    .values(state=CallState.TALKING.value, answered_at=sa.bindparam("at"))
)
_END = Prepared(
    sa.update(call)
    .where(call.c.id == sa.bindparam("call_id"))
    .values(
        state=CallState.ENDED.value,
        answered_at=sa.bindparam("answer_at"),
        ended_at=sa.bindparam("end_at"),
        trunk=sa.bindparam("by_trunk"),
    )
)
LIMIT = "limit"
"""The step of the event that names the limit which bounds a call, and of one that names a limit met in mid-call."""
MET_AT_MS = "granted_ms"
"""What the call was granted when it met that."""
_ADD_EVENTS = RowWrite(call_event, sets=("call_id", "at", "step", "outcome", "detail"))
_EVENTS = Prepared(
    sa.select(call_event.c.at, call_event.c.step, call_event.c.outcome, call_event.c.detail)
    .where(call_event.c.call_id == sa.bindparam("call_id"))
    .order_by(call_event.c.at, call_event.c.id)
)
_CDR = sa.select(*cdr.c)
_FIND_CDR = Prepared(_CDR.where(cdr.c.call_id == sa.bindparam("call_id")))
_ADD_CDR = Prepared(sa.insert(cdr), tuple(column.name for column in cdr.c))
_CDR_FIELDS = tuple(column.name for column in cdr.c)


def add_call(conn: Connection, new: NewCall) -> bool:
    """Keep a call that arrived; false when this arrival is kept already."""
    return (
        _ADD_CALL.run(
            conn,
            id=new.call_id,
            switch=new.switch,
            uniqueid=new.uniqueid,
            channel=new.channel,
            state=CallState.DIALOGUE.value,
            dnis=new.dnis,
            ani=new.ani,
            service_profile_id=new.service_profile_id,
            account_id=new.account_id,
            arrived_at=new.arrived_at,
        )
        == 1
    )


def call_of_arrival(conn: Connection, switch: str, uniqueid: str, arrived_at: datetime) -> str | None:
    """The id of the call that arrived there and then."""
    row = _CALL_OF_ARRIVAL.first(conn, on_switch=switch, with_uniqueid=uniqueid, at=arrived_at)
    return None if row is None else str(row[0])


def call_by_id(conn: Connection, call_id: str) -> Call | None:
    """A call, not locked."""
    row = _FIND_CALL.first(conn, call_id=call_id)
    return None if row is None else _CALL_OF(row)


def lock_charged(conn: Connection, call_ids: Iterable[str]) -> dict[str, ChargedCall]:
    """Those of these calls that have a charging session, which is locked until the end of the transaction."""
    keys = {(one,) for one in call_ids}
    if conn.dialect.name != "sqlite":
        return {row[0]: ChargedCall(row[1], row[2], session_of(row[3:])) for row in _LOCK_CHARGED.all(conn, keys)}
    return {
        row[0]: ChargedCall(
            row[1], row[2], session_of(row[3:_FUNDS_AT]), funds_of(row[_FUNDS_AT:_HELD_AT]), row[_HELD_AT:]
        )
        for row in _READ_CHARGED.all(conn, keys)
    }


def lock_call(conn: Connection, call_id: str) -> Call | None:
    """A call as it is once nobody else changes it, locked until the end of the transaction."""
    row = _LOCK_CALL.first(conn, call_id=call_id)
    return None if row is None else _CALL_OF(row)


def find_call(conn: Connection, id_or_prefix: str) -> Call | None:
    """The one call whose id begins with these digits; raises AmbiguousCallError when there are several."""
    prefix = id_or_prefix.lower()
    rows = _CALLS_BY_PREFIX.all(conn, prefix=prefix, end=prefix + "g") if prefix else []
    if len(rows) > 1:
        raise AmbiguousCallError(f"several calls begin with {prefix}")
    return Call(*rows[0]) if rows else None


def live_calls(conn: Connection, switch: str | None = None) -> list[LiveCall]:
    """Calls that are not settled, of one switch or of all, by arrival."""
    rows = _LIVE_CALLS.all(conn) if switch is None else _LIVE_CALLS_OF_SWITCH.all(conn, on_switch=switch)
    return [_live_call(row) for row in rows]


def is_known(conn: Connection, switch: str, uniqueid: str) -> bool:
    """Whether a call on this caller's leg was ever kept, also one that is over."""
    return _ANY_ON_LEG.first(conn, on_switch=switch, with_uniqueid=uniqueid) is not None


def live_call(conn: Connection, switch: str, call_id: str, uniqueid: str = "") -> LiveCall | None:
    """The call of a switch that is not settled and has this id, or this caller's leg."""
    row = _LIVE_CALL_OF_SWITCH.first(conn, on_switch=switch, call_id=call_id, with_uniqueid=uniqueid)
    return None if row is None else _live_call(row)


def _live_call(row: tuple[Any, ...]) -> LiveCall:
    width = len(_CALL_COLUMNS)
    return LiveCall(Call(*row[:width]), None if row[width] is None else Session(*row[width:]))


def open_sessions_past(conn: Connection, before_at: datetime) -> list[OverdueSession]:
    """Open sessions whose hold was valid until before this moment, the oldest first."""
    return [OverdueSession(*row) for row in _OVERDUE.all(conn, before_at=before_at)]


def connect(conn: Connection, wanted: Authorise) -> bool:
    """Give a call its charging session; false when it is unknown, ended, has one, or is on another line."""
    changed = _CONNECT.run(
        conn,
        call_id=wanted.call_id,
        session_id=wanted.session_id,
        payer_id=wanted.account_id,
        to_destination=wanted.destination,
        by_trunk=wanted.trunk,
        from_ani=wanted.ani,
    )
    return changed == 1


def answer(conn: Connection, call_id: str, at: datetime) -> bool:
    """Note the answer of a call being connected; false when it is noted already or the call is not there."""
    return _ANSWER.run(conn, call_id=call_id, at=at) == 1


def end(conn: Connection, call_id: str, answered_at: datetime | None, ended_at: datetime, trunk: str) -> None:
    """Note the end of a locked call."""
    _END.run(conn, call_id=call_id, answer_at=answered_at, end_at=ended_at, by_trunk=trunk)


def add_events(conn: Connection, call_id: str, events: Iterable[CallEvent]) -> None:
    """Append what happened."""
    _ADD_EVENTS.run(conn, [(call_id, event.at, event.step, event.outcome, dict(event.detail)) for event in events])


def events(conn: Connection, call_id: str) -> list[CallEvent]:
    """What happened in a call, in order."""
    return [CallEvent(*row) for row in _EVENTS.all(conn, call_id=call_id)]


def limit_of(conn: Connection, call_id: str, granted_ms: int | None = None) -> str | None:
    """The limit that bounds how long a call may be, or, of one that was granted so much, the one met in mid-call.

    None for a call that was authorised before that was kept, and for one that met none.
    """
    kept = (event for event in events(conn, call_id) if event.step == LIMIT)
    return next((event.outcome for event in kept if event.detail.get(MET_AT_MS) == granted_ms), None)


def add_cdr(conn: Connection, record: Cdr) -> None:
    """Write the CDR of a call; raises IntegrityError when it has one."""
    _ADD_CDR.run(conn, **{name: getattr(record, name) for name in _CDR_FIELDS})


def find_cdr(conn: Connection, call_id: str) -> Cdr | None:
    """The CDR of a call."""
    row = _FIND_CDR.first(conn, call_id=call_id)
    return None if row is None else Cdr(*row)


def list_cdrs(
    conn: Connection,
    *,
    limit: int = 100,
    ended_from_at: datetime | None = None,
    ended_before_at: datetime | None = None,
    account_id: int | None = None,
    ani: str | None = None,
) -> list[Cdr]:
    """CDRs, the newest first."""
    statement = _CDR.order_by(cdr.c.ended_at.desc(), cdr.c.call_id.desc()).limit(limit)
    if ended_from_at is not None:
        statement = statement.where(cdr.c.ended_at >= ended_from_at)
    if ended_before_at is not None:
        statement = statement.where(cdr.c.ended_at < ended_before_at)
    if account_id is not None:
        statement = statement.where(cdr.c.account_id == account_id)
    if ani is not None:
        statement = statement.where(cdr.c.ani == ani)
    return [Cdr(*row) for row in conn.execute(statement)]
