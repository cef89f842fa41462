"""What other services do with an account: reserve, reserve more, end, charge at once, give back; each one transaction.

Every request carries an id chosen before it was sent: repeated it gets the same answer, changed it raises
ChangedReplayError. Only accounts of the operator who asks are seen, and never the sessions of calls.
"""

from dataclasses import replace
from datetime import datetime

from sqlalchemy.engine import Connection, Engine

from billing.allowances import service as allowances
from billing.charging import service as charging
from billing.charging import store as charging_store
from billing.charging.reaping import Reaped, is_given_up
from billing.charging.session import (
    CALL,
    REAPED_NUMBER,
    ChargeRefusal,
    CurrencyMismatchError,
    Granted,
    Initiate,
    Session,
    Terminated,
)
from billing.consumption import store
from billing.consumption.consumption import (
    STANDARD_TARIFF,
    ConsumptionRefusal,
    Debit,
    Debited,
    Event,
    ExtendSession,
    Open,
    Refund,
    Refunded,
    Reservation,
    Sold,
    cap_of,
    reservation_of,
    still_refundable,
    unit_of,
)
from billing.consumption.extending.service import extend_together
from billing.consumption.replays.service import debited_before, is_same_end, opened_before
from billing.fraud import service as fraud
from billing.fraud.rules.fraud import FraudRefusal, Kind
from billing.ledger import store as ledger_store
from billing.ledger import transfer
from billing.ledger.transfer import ChangedReplayError, Funds
from billing.plans import store as plan_store
from billing.rating import Rate, price_micros
from billing.tariffs.book.service import RateBook
from billing.tariffs.tariff import RateRefusal
from runtime.clock import Clock
from runtime.database import reading, transaction

Refusal = ConsumptionRefusal | ChargeRefusal | RateRefusal | FraudRefusal


def open_session(engine: Engine, clock: Clock, rates: RateBook, wanted: Open) -> Reservation | Refusal:
    """Open a session and hold the price of what is granted first; limits against fraud may refuse or shorten it.

    Only what is new is priced and judged: a session there is answers as it did, whatever took effect since.
    """
    with reading(engine) as conn:
        before = charging_store.find_session(conn, wanted.session_id)
        if before is not None:
            return opened_before(conn, before, wanted)
    found = _price(engine, clock, rates, wanted.sold)
    if not isinstance(found, tuple):
        return found
    with transaction(engine) as conn:
        return _open(conn, clock.now(), wanted, *found)


def extend_session(
    engine: Engine, clock: Clock, operator_id: int, session_id: str, request_number: int, used: int, wanted: int
) -> Reservation | Refusal:
    """Say what was used so far, and hold more so that `wanted` in all may be used; in the units of the session's rate.

    A request that comes after a later one was answered gets what is granted now. Those who ask at one time share a
    transaction. A session that was ended because nothing was heard of it has expired. Raises ChangedReplayError for a
    request number that was used otherwise.
    """
    asked = ExtendSession(operator_id, session_id, request_number, used, wanted, clock.now())
    answer = extend_together(engine, asked)
    if answer is ChargeRefusal.SESSION_ENDED:
        with reading(engine) as conn:
            if charging_store.is_reaped(conn, session_id):
                return ConsumptionRefusal.SESSION_EXPIRED
    return answer


def show_session(engine: Engine, operator_id: int, session_id: str) -> Reservation | ConsumptionRefusal:
    """A session as it stands."""
    with reading(engine) as conn:
        session = charging_store.find_session(conn, session_id)
        if session is not None and not _is_own(conn, operator_id, session):
            session = None
        if session is None:
            return ConsumptionRefusal.UNKNOWN_SESSION
        return reservation_of(session, charging.rate_of(conn, session), session.grant, is_replay=True)


def end_session(
    engine: Engine,
    clock: Clock,
    operator_id: int,
    session_id: str,
    used: int,
    made_by: str,
    *,
    is_answered: bool = True,
) -> tuple[Terminated, str] | ConsumptionRefusal:
    """Charge what was used of what was granted, free the rest; also gives the name of the unit.

    `is_answered`: it was connected. If it was not, a fee that is due without any use is not charged either. A session
    that was ended because nothing was heard of it has expired, unless it was ended by the same use.
    """
    with transaction(engine) as conn:
        session = _own_session(conn, operator_id, session_id)
        if session is None:
            return ConsumptionRefusal.UNKNOWN_SESSION
        rate = charging.rate_of(conn, session)
        unit = unit_of(rate)
        used_ms = used * unit.scale
        ended = charging.terminate(
            conn, clock.now(), session_id, used_ms, rate, made_by, is_answered=is_answered, locked=session
        )
        if ended.is_replay and not is_same_end(conn, ended, rate, session_id, used_ms, is_answered=is_answered):
            if charging_store.is_reaped(conn, session_id):
                return ConsumptionRefusal.SESSION_EXPIRED
            raise ChangedReplayError(f"charging session {session_id} ended with another use")
        return ended, unit.name


def end_overdue(engine: Engine, clock: Clock) -> list[Reaped]:
    """End the sessions that were silent for too long, by what they last reported.

    So no money stays locked by a service that is gone, and none is charged that nobody counted. Where it is done every
    few seconds no hold becomes older than twice the time its grant was valid for.
    """
    with reading(engine) as conn:
        silent = store.silent_sessions(conn, clock.now(), CALL)
    done = []
    for session_id in silent:
        with transaction(engine) as conn:
            session = charging_store.lock_session(conn, session_id)
            now = clock.now()
            if session is None or not is_given_up(session, now):
                continue
            rate = charging.rate_of(conn, session)
            used_ms = session.reported_ms
            # Who never told of any use was, as far as is known, never connected.
            ended = charging.terminate(
                conn, now, session_id, used_ms, rate, "overdue session", is_answered=used_ms > 0, locked=session
            )
            charging_store.add_request(conn, session_id, REAPED_NUMBER, "overdue", used_ms, session.grant, now)
            done.append(
                Reaped(
                    session_id,
                    session.account_id,
                    session.service,
                    session.valid_until_at,
                    ended.used_ms // unit_of(rate).scale,
                    ended.charged_micros,
                    session.held_micros - ended.charged_micros,
                    ended.currency,
                )
            )
    return done


def debit(engine: Engine, clock: Clock, rates: RateBook, event: Event, made_by: str) -> Debited | Refusal:
    """Charge an event at once, whole or not at all; limits against fraud may refuse it.

    Only what is new is priced and judged: an event that was charged answers as it did, whatever took effect since.
    """
    with reading(engine) as conn:
        before = store.find_event(conn, event.event_id)
        if before is not None:
            return debited_before(conn, before, event)
    found = _price(engine, clock, rates, event.sold)
    if not isinstance(found, tuple):
        return found
    with transaction(engine) as conn:
        return _debit(conn, clock.now(), event, *found, made_by)


def refund(
    engine: Engine,
    clock: Clock,
    operator_id: int,
    event_id: str,
    refund_id: str,
    amount_micros: int | None,
    made_by: str,
) -> Refunded | ConsumptionRefusal:
    """Give back an event's charge, or a part of it; never more than was charged, however often it is asked."""
    with transaction(engine) as conn:
        event = store.find_event(conn, event_id)
        if event is None or not store.is_of(conn, event.account_id, operator_id):
            return ConsumptionRefusal.UNKNOWN_EVENT
        funds = ledger_store.lock_funds(conn, event.account_id)
        if funds is None:
            return ConsumptionRefusal.UNKNOWN_EVENT
        made = store.refunds(conn, event_id)
        before = next((one for one in made if one.refund_id == refund_id), None)
        if before is not None:
            if amount_micros is not None and amount_micros != before.amount_micros:
                raise ChangedReplayError(f"refund {refund_id} was of another amount")
            posted = ledger_store.posted_under(conn, f"refund:event:{refund_id}")
            balance = funds.balance_micros if posted is None else posted.balance_after_micros
            return Refunded(before, balance, event.currency, is_replay=True)
        left = still_refundable(event.charged_micros, made)
        amount = left if amount_micros is None else amount_micros
        if not 0 < amount <= left:
            return ConsumptionRefusal.OVER_REFUNDED
        now = clock.now()
        posted = ledger_store.post(conn, transfer.refund(f"event:{refund_id}", funds, amount), now, made_by)
        ledger_store.move(conn, event.account_id, amount, 0)
        given = Refund(refund_id, event_id, amount, now, posted.transfer_id)
        store.add_refund(conn, given)
        return Refunded(given, posted.balance_after_micros, event.currency, is_replay=False)


def _open(conn: Connection, now: datetime, wanted: Open, account_id: int, rate: Rate) -> Reservation | Refusal:
    unit = unit_of(rate)
    if unit.name == "transaction":
        return ConsumptionRefusal.NOT_BY_USE
    attempt = _attempt(Kind.SESSION, wanted.session_id, account_id, wanted.sold, rate)
    attempt = replace(attempt, cap_ms=cap_of(rate, wanted.cap), minimum_ms=wanted.minimum * unit.scale)
    standing = fraud.stand(conn, attempt)
    # The same request may have been answered while this one waited for the account.
    before = charging_store.find_session(conn, wanted.session_id)
    if before is not None:
        return opened_before(conn, before, wanted)
    permit = fraud.judge(conn, now, attempt, standing)
    if isinstance(permit, FraudRefusal):
        return permit
    opened = Initiate(
        wanted.session_id,
        account_id,
        rate.service,
        rate,
        wanted.wanted * unit.scale,
        permit.cap_ms,
        attempt.minimum_ms,
        begins_now=True,
        destination=wanted.sold.code,
        access_number=wanted.sold.access_digits,
        asked=wanted.fingerprint,
    )
    try:
        answer = charging.initiate(conn, now, opened, funds=permit.funds)
    except CurrencyMismatchError:
        return ConsumptionRefusal.OTHER_CURRENCY
    if isinstance(answer, Granted):
        fraud.keep(conn, now, attempt, permit)
    return _reservation(conn, wanted.session_id, rate, answer)


def _debit(
    conn: Connection, now: datetime, event: Event, account_id: int, rate: Rate, made_by: str
) -> Debited | Refusal:
    attempt = _attempt(Kind.EVENT, event.event_id, account_id, event.sold, rate)
    standing = fraud.stand(conn, attempt)
    if standing is None:
        return ConsumptionRefusal.UNKNOWN_ACCOUNT
    funds = standing.funds
    before = store.find_event(conn, event.event_id)
    if before is not None:
        return debited_before(conn, before, event)
    used = event.units * unit_of(rate).scale
    context = allowances.begin(conn, now, account_id, rate, event.sold.code, event.sold.access_digits)
    charged = price_micros(rate, used, context)
    permit = fraud.judge(conn, now, replace(attempt, price_micros=charged), standing)
    if isinstance(permit, FraudRefusal):
        return permit
    refusal = _not_to_be_debited(funds, rate, charged, now)
    if refusal is not None:
        return refusal
    fraud.keep(conn, now, attempt, permit)
    transfer_id = None
    if charged:
        moved = transfer.debit(f"event:{event.event_id}", funds, charged)
        transfer_id = ledger_store.post(conn, moved, now, made_by).transfer_id
        ledger_store.move(conn, account_id, -charged, 0)
    made = Debit(
        event.event_id,
        account_id,
        rate.service,
        rate.tariff_version_id,
        rate.prefix,
        event.units,
        charged,
        funds.currency,
        now,
        transfer_id,
        event.fingerprint,
    )
    store.add_event(conn, made)
    allowances.use_at_once(conn, now, event.event_id, account_id, rate, used, charged, context)
    return Debited(made, funds.balance_micros - charged, is_replay=False)


def _attempt(kind: Kind, asked_id: str, account_id: int, sold: Sold, rate: Rate) -> fraud.Attempt:
    """What limits against fraud judge; the limits are the account's own, no service of the switch is passed."""
    return fraud.Attempt(
        asked_id, asked_id, account_id, sold.code, rate, 0, 0, kind=kind, access_number=sold.access_digits
    )


def _price(engine: Engine, clock: Clock, rates: RateBook, sold: Sold) -> tuple[int, Rate] | Refusal:
    """The account and the rate in effect now."""
    with reading(engine) as conn:
        payer = store.payer(conn, sold.operator_id, sold.account_number)
        if payer is None:
            return ConsumptionRefusal.UNKNOWN_ACCOUNT
        account_id, tariff_id = payer
        if sold.tariff is None and tariff_id is None:
            of_plan = plan_store.tariff_of(conn, account_id, clock.now())
            tariff_id = None if of_plan is None else of_plan.tariff_id
        if sold.tariff is not None or tariff_id is None:
            tariff_id = store.tariff_id(conn, sold.operator_id, sold.tariff or STANDARD_TARIFF)
    if tariff_id is None:
        return ConsumptionRefusal.UNKNOWN_TARIFF
    rate = rates.rate_for(tariff_id, sold.code, clock.now(), sold.service)
    return (account_id, rate) if isinstance(rate, Rate) else rate


def _own_session(conn: Connection, operator_id: int, session_id: str) -> Session | None:
    """A session of the operator, locked; calls have their own way."""
    session = charging_store.lock_session(conn, session_id)
    return session if session is not None and _is_own(conn, operator_id, session) else None


def _is_own(conn: Connection, operator_id: int, session: Session) -> bool:
    return session.service != CALL and store.is_of(conn, session.account_id, operator_id)


def _reservation(
    conn: Connection, session_id: str, rate: Rate, answer: Granted | ChargeRefusal
) -> Reservation | ChargeRefusal:
    if isinstance(answer, ChargeRefusal):
        return answer
    session = charging_store.find_session(conn, session_id)
    if session is None:
        return ChargeRefusal.SESSION_ENDED
    return reservation_of(session, rate, answer.grant, is_replay=answer.is_replay)


def _not_to_be_debited(funds: Funds, rate: Rate, charged_micros: int, now: datetime) -> Refusal | None:
    if not funds.is_open or funds.is_expired(now):
        return ChargeRefusal.ACCOUNT_CLOSED
    if rate.currency != funds.currency:
        return ConsumptionRefusal.OTHER_CURRENCY
    return ChargeRefusal.NO_CREDIT if charged_micros > funds.available_micros else None
