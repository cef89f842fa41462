"""The use-cases of a call, each one short transaction: arrive, authorise, extend, settle.

A call costs three transactions and one for each extension. Who sees its end first settles it; all get the same CDR.
"""

from asyncio import Future
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy.engine import Connection, Engine

from ani.usage.usage import month_of
from billing.calls import passing_store, store
from billing.calls.call import (
    Authorise,
    Authorised,
    Call,
    CallEvent,
    CallStateError,
    Cdr,
    ChargedCall,
    Disposition,
    ExtendCall,
    Extended,
    NewCall,
    Settle,
    UnknownCallError,
)
from billing.calls.explanation import Explanation
from billing.charging import service as charging
from billing.charging import store as charging_store
from billing.charging.session import ChargeRefusal, Granted, Initiate, Line, Session, Terminated, Update
from billing.charging.updating.service import NOTHING_LOCKED, KnownRates, Locked, update_many
from billing.conditions import service as conditions
from billing.conditions import store as condition_store
from billing.conditions.condition import ConditionRefusal
from billing.fraud import service as fraud
from billing.fraud.rules.fraud import FraudRefusal
from billing.ledger import store as ledger_store
from billing.rating import NO_CONTEXT, Rate
from billing.thresholds import service as thresholds
from billing.thresholds.threshold import NO_CAPS, ThresholdRefusal
from runtime.clock import Clock
from runtime.database import reading, transaction
from runtime.frozen import maker
from runtime.group_commit import GroupCommit

SERVICE = "call"
_NO_CAP_MS = 2**53
Refusal = ChargeRefusal | FraudRefusal | ConditionRefusal | ThresholdRefusal
_ASK_OF, _UPDATE_OF, _EXTENDED_OF, _LINE_OF = maker(ExtendCall), maker(Update), maker(Extended), maker(Line)


class _CallEndedError(Exception):
    """The call ended while it was being authorised: what was held for it is undone with the transaction."""


def open_call(conn: Connection, new: NewCall) -> str:
    """Keep a call that arrived and give its id; the same switch, uniqueid and moment again is the same call (CHG-6)."""
    if store.add_call(conn, new):
        store.add_events(conn, new.call_id, new.events)
        return new.call_id
    return store.call_of_arrival(conn, new.switch, new.uniqueid, new.arrived_at) or new.call_id


def authorise(engine: Engine, clock: Clock, wanted: Authorise) -> Authorised | Refusal:
    """Hold the price of the first grant and its talk time on the line, and connect the call, all or nothing.

    Judged first by the limits against fraud, which may refuse it or shorten it (CHG-11). The same session again is
    answered as before. A call that ended meanwhile is refused and nothing is held. Raises
    CallStateError for a second session on a call, ChangedReplayError for a session that was asked for otherwise.
    """
    try:
        with transaction(engine) as conn:
            return _authorise(conn, clock.now(), wanted)
    except _CallEndedError:
        return ChargeRefusal.CALL_ENDED


def extend(
    engine: Engine,
    clock: Clock,
    call_id: str,
    request_number: int,
    wanted_ms: int,
    rate: Rate | None = None,
    used_ms: int | None = None,
) -> Extended | ChargeRefusal:
    """Hold more money and talk time, for `wanted_ms` in all; the grant never shrinks, final when it cannot grow.

    The line's month is that of the authorisation. Those who ask at one time share a transaction. Raises
    UnknownCallError, and ChangedReplayError for a number used otherwise.
    """
    return _EXTENSIONS.ask(engine, _ASK_OF((call_id, request_number, wanted_ms, clock.now(), rate, used_ms, None)))


def submit_extension(engine: Engine, wanted: ExtendCall, pool: Executor) -> Future[Extended | ChargeRefusal]:
    """The same from an event loop, which does not wait; what is to be written is written on the pool."""
    return _EXTENSIONS.submit(engine, wanted, pool)


def settle(engine: Engine, clock: Clock, told: Settle, rate: Rate | None = None) -> Cdr:
    """End a call, once: charge what was used of what was granted, free the rest, write the CDR.

    `rate` is the session's where it is known. Later reports of the same call change nothing and get the same CDR.
    Raises UnknownCallError.
    """
    now = clock.now()
    with transaction(engine) as conn:
        return settle_within(conn, now, told, rate)


def settle_within(conn: Connection, now: datetime, told: Settle, rate: Rate | None = None) -> Cdr:
    """The same, within the caller's transaction."""
    call = store.lock_call(conn, told.call_id)
    if call is None:
        raise UnknownCallError(f"no call {told.call_id}")
    before = None if call.is_live else store.find_cdr(conn, told.call_id)
    if before is not None:
        return before
    session = None if call.session_id is None else charging_store.lock_session(conn, call.session_id)
    ended = None if session is None else _terminate(conn, now, call, session, told, rate)
    record = _cdr(call, _named(conn, told, session), session, ended)
    store.end(conn, call.call_id, told.answered_at, told.ended_at, record.trunk)
    store.add_events(conn, call.call_id, told.events)
    store.add_cdr(conn, record)
    return record


def _named(conn: Connection, told: Settle, session: Session | None) -> Settle:
    """A call that reached its cap was ended by the limit that set it, as was kept when it was authorised; and one that
    got no more may have met a limit on its way, which is not that its money was used up."""
    limit = None
    if told.disposition == Disposition.CAP_REACHED:
        limit = store.limit_of(conn, told.call_id)
    elif told.disposition == Disposition.BALANCE_USED_UP and session is not None:
        limit = store.limit_of(conn, told.call_id, session.granted_ms)
    return told if limit is None else replace(told, disposition=limit)


def answered(engine: Engine, call_id: str, at: datetime) -> bool:
    """Note that the called party answered, for those who watch; the charge is made from what `settle` is told."""
    with transaction(engine) as conn:
        return store.answer(conn, call_id, at)


def add_events(engine: Engine, call_id: str, events: Sequence[CallEvent]) -> None:
    """Append what happened in a call."""
    with transaction(engine) as conn:
        store.add_events(conn, call_id, events)


def explain(engine: Engine, call_id: str) -> Explanation:
    """Everything that is kept of a call: what happened, was granted, priced and posted. Raises UnknownCallError."""
    with reading(engine) as conn:
        call = store.call_by_id(conn, call_id)
        if call is None:
            raise UnknownCallError(f"no call {call_id}")
        session = None if call.session_id is None else charging_store.find_session(conn, call.session_id)
        record = store.find_cdr(conn, call_id)
        paid_by = None if record is None else record.transfer_id
        return Explanation(
            call=call,
            events=tuple(store.events(conn, call_id)),
            session=session,
            requests=() if session is None else tuple(charging_store.requests(conn, session.session_id)),
            rate=None if session is None else charging.rate_of(conn, session),
            context=NO_CONTEXT if session is None else charging.context_of(conn, session, call.answered_at),
            ledger_lines=() if paid_by is None else tuple(ledger_store.lines_of_transfer(conn, paid_by)),
            cdr=record,
        )


def pass_on(engine: Engine, call_id: str, destination: str, trunk: str, events: Sequence[CallEvent]) -> bool:
    """Connect a call that no account pays for: nothing is held, nothing will be charged, its CDR tells where it went.

    False when the call is not in dialogue any more.
    """
    with transaction(engine) as conn:
        if not passing_store.pass_on(conn, call_id, destination, trunk):
            return False
        store.add_events(conn, call_id, events)
    return True


def _extend_many(conn: Connection, asked: Sequence[ExtendCall]) -> list[Extended | ChargeRefusal | Exception]:
    calls = store.lock_charged(conn, {ask.call_id for ask in asked})
    known = KnownRates(conn)
    updates = [_update_of(ask, calls[ask.call_id], known) for ask in asked if ask.call_id in calls]
    sessions = {call.session.session_id: call.session for call in calls.values()}
    updated = iter(update_many(conn, sessions, updates, known, _locked(calls.values(), updates)))
    answers: list[Extended | ChargeRefusal | Exception] = []
    for ask in asked:
        if ask.call_id not in calls:
            answers.append(UnknownCallError(f"no authorised call {ask.call_id}"))
            continue
        answer = next(updated).answer
        if isinstance(answer, Granted) and answer.limit is not None:
            _note_met(conn, ask.call_id, ask.at, answer)
        answers.append(_extended(answer))
    return answers


def _note_met(conn: Connection, call_id: str, at: datetime, answer: Granted) -> None:
    """A limit was met in mid-call: noted once, however often more is asked for in vain."""
    ms, limit = answer.grant.granted_ms, answer.limit
    if limit is not None and store.limit_of(conn, call_id, ms) is None:
        detail = {"cap_s": ms // 1000, store.MET_AT_MS: ms}
        store.add_events(conn, call_id, [CallEvent(at, store.LIMIT, limit.value, detail)])


def _locked(calls: Iterable[ChargedCall], updates: Iterable[Update]) -> Locked:
    """What was locked with the calls."""
    by_session = {call.session.session_id: call for call in calls if call.funds is not None}
    if not by_session:
        return NOTHING_LOCKED
    line_ms = {}
    for one in updates:
        used_ms, held_ms = by_session[one.session_id].line_ms
        if one.line is not None and used_ms is not None and held_ms is not None:
            line_ms[one.line.ani, one.line.month] = (used_ms, held_ms)
    return Locked({one.funds.account_id: one.funds for one in by_session.values() if one.funds is not None}, line_ms)


def _update_of(ask: ExtendCall, call: ChargedCall, known: KnownRates) -> Update:
    session = call.session
    rate = known.of(session) if ask.rate is None else ask.rate
    line = _line(call.ani, call.month_cap_s, session)
    asked = (session.session_id, ask.request_number, ask.wanted_ms, rate, ask.at, line, ask.used_ms, ask.answered_at)
    return _UPDATE_OF(asked)


def _extended(answer: Granted | ChargeRefusal | Exception) -> Extended | ChargeRefusal | Exception:
    return _EXTENDED_OF((answer.grant, answer.is_replay)) if isinstance(answer, Granted) else answer


def _authorise(conn: Connection, now: datetime, wanted: Authorise) -> Authorised | Refusal:
    attempt = _attempt(wanted)
    permit = fraud.judge(conn, now, attempt)
    if isinstance(permit, FraudRefusal):
        return permit
    bounded = _bounded(conn, now, wanted, permit.cap_ms, permit.limit or wanted.limit)
    if not isinstance(bounded, _Bounded):
        return bounded
    opened = Initiate(
        wanted.session_id,
        wanted.account_id,
        SERVICE,
        wanted.rate,
        wanted.wanted_ms,
        bounded.cap_ms,
        wanted.minimum_ms,
        wanted.valid_for,
        destination=wanted.destination,
        access_number=wanted.access_number,
    )
    line = Line(wanted.ani, month_of(now), wanted.month_cap_ms) if wanted.ani else None
    answer = charging.initiate(conn, now, opened, line, permit.funds)
    if isinstance(answer, ChargeRefusal):
        return answer
    if not answer.is_replay:
        if not store.connect(conn, wanted):
            _raise_not_connected(conn, wanted.call_id)
        bound = CallEvent(now, store.LIMIT, bounded.limit.value, {"cap_s": bounded.cap_ms // 1000})
        store.add_events(conn, wanted.call_id, (*wanted.events, bound))
        _note_met(conn, wanted.call_id, now, answer)
        fraud.keep(conn, now, attempt, permit)
        if bounded.ceiling_micros is not None:
            condition_store.add_ceiling(conn, wanted.call_id, bounded.ceiling_micros)
    return Authorised(answer.grant, bounded.cap_ms, answer.is_replay, answer.revision, answer.is_shared)


@dataclass(frozen=True, slots=True)
class _Bounded:
    """How long a call may be at most, whose limit that is, and what it may cost where spending is limited."""

    cap_ms: int
    limit: StrEnum
    ceiling_micros: int | None = None


def _bounded(conn: Connection, now: datetime, wanted: Authorise, cap_ms: int, limit: StrEnum) -> _Bounded | Refusal:
    """The cap under the line's thresholds and its condition as well.

    Of a session there is already, as they were. The account is locked.
    """
    if wanted.spend is None and wanted.caps == NO_CAPS:
        return _Bounded(cap_ms, limit)
    before = charging_store.find_session(conn, wanted.session_id)
    if before is not None:
        return _Bounded(before.cap_ms, limit)
    if wanted.ani:
        asked_ms = cap_ms
        cap_ms, over = thresholds.within_locked(conn, now, wanted.caps, wanted.ani, cap_ms)
        if cap_ms < asked_ms:
            limit = over or ChargeRefusal.SESSION_CAP
        if over is not None and cap_ms < wanted.minimum_ms:
            return over
    if wanted.spend is None:
        return _Bounded(cap_ms, limit)
    longest_ms, ceiling_micros = conditions.longest(
        conn,
        now,
        wanted.spend,
        account_id=wanted.account_id,
        ani=wanted.ani,
        rate=wanted.rate,
        cap_ms=cap_ms,
        access_number=wanted.access_number,
        rings_for=wanted.valid_for,
    )
    if longest_ms < wanted.minimum_ms:
        return ConditionRefusal.SPEND_LIMIT
    return _Bounded(longest_ms, ConditionRefusal.SPEND_LIMIT if longest_ms < cap_ms else limit, ceiling_micros)


def _attempt(wanted: Authorise) -> fraud.Attempt:
    return fraud.Attempt(
        wanted.call_id,
        wanted.session_id,
        wanted.account_id,
        wanted.destination,
        wanted.rate,
        wanted.session_cap_ms,
        wanted.minimum_ms,
        wanted.profile_id,
        access_number=wanted.access_number,
        rings_for=wanted.valid_for,
    )


def _raise_not_connected(conn: Connection, call_id: str) -> None:
    call = store.call_by_id(conn, call_id)
    if call is None:
        raise UnknownCallError(f"no call {call_id}")
    if not call.is_live:
        raise _CallEndedError
    raise CallStateError(f"call {call_id} has a charging session, or is on another line")


def _terminate(
    conn: Connection, now: datetime, call: Call, session: Session, told: Settle, known: Rate | None
) -> Terminated:
    is_its = known is not None and session.is_priced_by(known)
    rate = known if known is not None and is_its else charging.rate_of(conn, session)
    return charging.terminate(
        conn,
        now,
        session.session_id,
        told.used_ms,
        rate,
        f"call {call.call_id}",
        _line(call.ani, call.month_cap_s, session),
        is_answered=told.answered_at is not None,
        began_at=told.answered_at,
        locked=session,
    )


def _line(ani: str, month_cap_s: int | None, session: Session) -> Line | None:
    """The line whose talk time the call holds; a call without a service profile has no month cap."""
    if not ani:
        return None
    cap_ms = month_cap_s * 1000 if month_cap_s is not None else _NO_CAP_MS
    return _LINE_OF((ani, month_of(session.started_at), cap_ms))


def _cdr(call: Call, told: Settle, session: Session | None, ended: Terminated | None) -> Cdr:
    return Cdr(
        call_id=call.call_id,
        switch=call.switch,
        uniqueid=call.uniqueid,
        operator_id=call.operator_id,
        service_profile_id=call.service_profile_id,
        account_id=call.account_id,
        dnis=call.dnis,
        ani=call.ani,
        destination=call.destination,
        trunk=call.trunk if told.trunk is None else told.trunk,
        disposition=told.disposition,
        hangup_cause=told.hangup_cause,
        tariff_version_id=None if session is None else session.tariff_version_id,
        rate_prefix=None if session is None else session.rate_prefix,
        arrived_at=call.arrived_at,
        answered_at=told.answered_at,
        ended_at=told.ended_at,
        used_ms=told.used_ms if ended is None else ended.used_ms,
        billed_ms=0 if ended is None else ended.billed_ms,
        charged_micros=0 if ended is None else ended.charged_micros,
        currency=None if ended is None else ended.currency,
        balance_after_micros=None if ended is None else ended.balance_micros,
        transfer_id=None if ended is None else ended.transfer_id,
        settled_from=told.settled_from,
    )


_EXTENSIONS: GroupCommit[ExtendCall, Extended | ChargeRefusal] = GroupCommit(_extend_many)
