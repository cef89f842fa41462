"""How a session of another service gets more: those who ask at one time share a transaction."""

from collections.abc import Sequence

from sqlalchemy.engine import Connection, Engine

from billing.charging import store as charging_store
from billing.charging.session import (
    CALL,
    ChargeRefusal,
    Session,
    SupersededRequestError,
    UnknownSessionError,
    Update,
)
from billing.charging.updating.service import KnownRates, Updated, update_many
from billing.consumption import store
from billing.consumption.consumption import ConsumptionRefusal, ExtendSession, Reservation, reservation_of, unit_of
from billing.ledger.transfer import ChangedReplayError
from billing.rating import Rate
from runtime.group_commit import GroupCommit

Answer = Reservation | ConsumptionRefusal | ChargeRefusal


def extend_together(engine: Engine, wanted: ExtendSession) -> Answer:
    """What this one is answered; raises ChangedReplayError for a request number that was used otherwise."""
    return _EXTENSIONS.ask(engine, wanted)


def _extend_many(conn: Connection, asked: Sequence[ExtendSession]) -> list[Answer | Exception]:
    found = charging_store.lock_sessions(conn, {ask.session_id for ask in asked})
    owners = store.operators_of(conn, {one.account_id for one in found.values()})
    known = KnownRates(conn)
    rates = [_own_rate(found.get(ask.session_id), owners, ask, known) for ask in asked]
    updates = [_as_update(ask, rate) for ask, rate in zip(asked, rates, strict=True) if rate is not None]
    updated = iter(update_many(conn, found, updates, known))
    return [ConsumptionRefusal.UNKNOWN_SESSION if rate is None else _answer(next(updated), rate) for rate in rates]


def _own_rate(session: Session | None, owners: dict[int, int], ask: ExtendSession, known: KnownRates) -> Rate | None:
    """The rate of a session of the operator who asks; calls have their own way."""
    if session is None or session.service == CALL or owners.get(session.account_id) != ask.operator_id:
        return None
    return known.of(session)


def _as_update(ask: ExtendSession, rate: Rate) -> Update:
    scale = unit_of(rate).scale
    return Update(ask.session_id, ask.request_number, ask.wanted * scale, rate, ask.at, used_ms=ask.used * scale)


def _answer(updated: Updated, rate: Rate) -> Answer | UnknownSessionError | ChangedReplayError:
    answer, session = updated.answer, updated.session
    if session is None or isinstance(answer, ChargeRefusal):
        return ChargeRefusal.SESSION_ENDED
    if isinstance(answer, SupersededRequestError):
        return reservation_of(session, rate, session.grant, is_superseded=True)
    if isinstance(answer, Exception):
        return answer
    return reservation_of(session, rate, answer.grant, is_replay=answer.is_replay)


_EXTENSIONS: GroupCommit[ExtendSession, Answer] = GroupCommit(_extend_many)
