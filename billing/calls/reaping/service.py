"""Settle calls whose hold ran out and whose end nobody told, by what is provable (CHG-10).

A gateway that hears the switch settles its calls from the switch's own record, within seconds of their end. What is
left is a switch that never comes back, or one no gateway speaks to.
"""

from datetime import datetime, timedelta

from sqlalchemy.engine import Connection, Engine

from billing.calls import service, store
from billing.calls.call import Disposition, OverdueSession, Settle
from billing.charging import store as charging_store
from billing.charging.reaping import Reaped, is_overdue, last_heard
from runtime.clock import Clock
from runtime.database import reading, transaction

REAPED = "reaper"
NETWORK_OUT_OF_ORDER = 38


def reap(engine: Engine, clock: Clock, after: timedelta, but_switch: str | None = None) -> list[Reaped]:
    """Settle every call whose hold ended so long ago; each in a transaction of its own.

    `but_switch` is one that can be asked itself. A call that is settled or extended meanwhile is left alone. Who tells
    of the end later gets the CDR that was written here.
    """
    with reading(engine) as conn:
        overdue = store.open_sessions_past(conn, clock.now() - after)
    done = []
    for one in overdue:
        if one.switch == but_switch:
            continue
        with transaction(engine) as conn:
            reaped = _reap(conn, clock.now(), one, after)
        if reaped is not None:
            done.append(reaped)
    return done


def _reap(conn: Connection, now: datetime, overdue: OverdueSession, after: timedelta) -> Reaped | None:
    call = store.lock_call(conn, overdue.call_id)
    session = charging_store.lock_session(conn, overdue.session_id)
    if call is None or not call.is_live or session is None or not is_overdue(session, now, after):
        return None
    heard = last_heard(session)
    answered_at, ended_at = (None, session.valid_until_at) if heard is None else heard
    disposition = Disposition.SWITCH_LOST if heard is None else Disposition.ANSWERED
    told = Settle(call.call_id, answered_at, ended_at, disposition, NETWORK_OUT_OF_ORDER, REAPED)
    record = service.settle_within(conn, now, told)
    return Reaped(
        session.session_id,
        session.account_id,
        session.service,
        session.valid_until_at,
        record.used_ms,
        record.charged_micros,
        session.held_micros - record.charged_micros,
        record.currency or "",
        call.call_id,
        call.switch,
    )
