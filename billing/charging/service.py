"""Charging, inside a transaction the caller opened: hold, hold more, charge and free (CHG-2, CHG-6).

Each function locks what it decides on before it reads it, in the order session, account, line usage, so any number of
them may run at once on one account. Whatever they do is undone when the caller's transaction is.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.engine import Connection

from ani.usage import store as usage_store
from ani.usage.usage import month_of
from billing.allowances import service as allowances
from billing.charging import store
from billing.charging.session import (
    CALL,
    ChargeRefusal,
    CurrencyMismatchError,
    Granted,
    Initiate,
    Line,
    Session,
    Terminated,
    UnknownSessionError,
    as_sharer,
    charged_before,
    final_charge,
    first_grant,
)
from billing.charging.sharing import Part, Sharer, share
from billing.charging.validity import valid_for
from billing.ledger import store as ledger_store
from billing.ledger import transfer
from billing.ledger.transfer import ChangedReplayError, Funds
from billing.pricing.kept import context_text
from billing.pricing.terms import Measure
from billing.rating import VOICE, Context, Grant, Rate, is_by_month
from billing.tariffs import store as tariff_store

_LINE_ATTEMPTS = 3
_MILLISECOND = timedelta(milliseconds=1)
Other = tuple[Session, Rate, Context]
"""A session that shares the account, and by what it is charged."""


def initiate(
    conn: Connection, now: datetime, opened: Initiate, line: Line | None = None, funds: Funds | None = None
) -> Granted | ChargeRefusal:
    """Open a session and hold the price of its first grant; with a `line`, hold its talk time too.

    `funds` are the account's when the caller has locked it in this transaction already.
    The same session id again answers as before; raises ChangedReplayError when it asks for something else,
    UnknownSessionError for an unknown account, CurrencyMismatchError for a rate in another currency.
    """
    if funds is None:
        funds = _locked_funds(conn, opened.account_id)
    before = store.find_session(conn, opened.session_id)
    if before is not None:
        return _replayed(conn, before, opened)
    if not funds.is_open or funds.is_expired(now):
        return ChargeRefusal.ACCOUNT_CLOSED
    if opened.rate.currency != funds.currency:
        raise CurrencyMismatchError(f"rate in {opened.rate.currency}, account in {funds.currency}")

    context = allowances.begin(
        conn, now, opened.account_id, opened.rate, opened.destination, opened.access_number, opened.rings_for
    )
    wanted = max(opened.wanted_ms, opened.minimum_ms, 1)
    mine = Sharer(opened.rate, context, 0, 0, 0, opened.cap_ms, pace_used=int(goes_by_time(opened.rate)))
    part = part_of(funds, mine, wanted, now, _others(conn, opened.account_id, opened.session_id))

    def decide(cap_ms: int) -> Grant | ChargeRefusal:
        return first_grant(opened.rate, part, cap_ms, opened.minimum_ms, context)

    grant, limit = _within_line(conn, line, opened.cap_ms, decide)
    if isinstance(grant, ChargeRefusal):
        return grant
    valid_until_at = now + grant.granted_ms * _MILLISECOND + opened.valid_for
    if opened.begins_now:
        valid_until_at = now + valid_for(grant.granted_ms, 0, by_time=goes_by_time(opened.rate))
    store.add_session(conn, opened, grant, now, valid_until_at, _kept_text(opened.service, opened.rate, context))
    allowances.open_session(conn, opened.session_id, context)
    allowances.hold(conn, opened.session_id, opened.rate, grant.granted_ms, context)
    store.add_request(conn, opened.session_id, 0, "initiate", opened.wanted_ms, grant, now)
    ledger_store.move(conn, opened.account_id, 0, grant.held_micros)
    is_shared = funds.held_micros > 0
    return Granted(grant, is_replay=False, revision=funds.revision + 1, is_shared=is_shared, limit=limit)


def terminate(
    conn: Connection,
    now: datetime,
    session_id: str,
    used_ms: int,
    rate: Rate,
    made_by: str,
    line: Line | None = None,
    *,
    is_answered: bool = True,
    began_at: datetime | None = None,
    locked: Session | None = None,
) -> Terminated:
    """Charge min(reported, granted), free the rest, close the session; a session that is closed answers as before.

    What the first report said stays: another `used_ms` later changes nothing. `line` must be the one of the grants.
    `is_answered`: it was connected, even if for no time at all. `began_at` is when, where it did not begin at once:
    the time of day is counted from there. `locked` is the session when the caller has locked it.
    """
    session = locked or store.lock_session(conn, session_id)
    if session is None:
        raise UnknownSessionError(f"charging session {session_id}")
    require_rate(session, rate)
    funds = _locked_funds(conn, session.account_id)
    if not session.is_open:
        return _terminated_before(conn, session, rate, funds, context_of(conn, session, began_at))
    kept = _kept_by_now(conn, session, rate)
    context = replace(kept.begun(began_at or session.began_at), is_answered=is_answered)
    # What others used of the month may have made it dearer than was held for it: the rest is taken of what is free.
    spare_micros = funds.available_micros if is_by_month(rate) else 0
    charge = final_charge(rate, session.grant, used_ms, context, spare_micros)
    transfer_id = None
    store.close_session(conn, session_id, charge, now, _kept_text(session.service, rate, kept), is_answered=is_answered)
    ledger_store.move(conn, session.account_id, -charge.charged_micros, -session.held_micros)
    counted_ms = min(charge.used_ms, session.granted_ms)
    allowances.settle(
        conn,
        session_id,
        session.account_id,
        rate,
        counted_ms,
        charge.billed_ms,
        charge.charged_micros,
        context,
        month_of(session.started_at),
    )
    if line is not None:
        usage_store.release(conn, line.ani, line.month, session.granted_ms, counted_ms)
    if charge.charged_micros:
        moved = transfer.charge(session_id, funds, charge.charged_micros)
        transfer_id = ledger_store.post(conn, moved, now, made_by).transfer_id
    return Terminated(
        charge.used_ms,
        charge.billed_ms,
        charge.charged_micros,
        funds.balance_micros - charge.charged_micros,
        funds.currency,
        transfer_id,
        is_replay=False,
    )


def context_of(conn: Connection, session: Session, began_at: datetime | None = None) -> Context:
    """What was fixed when a session started, and the included units it has; the same for every price of its grant.

    `began_at`: when it was answered, where that is known; else what it last said tells, if it said anything.
    """
    context = allowances.of_session(conn, session.session_id, session.started_at, session.context)
    return context.begun(began_at or session.began_at)


def rate_of(conn: Connection, session: Session) -> Rate:
    """The rate a session was opened with."""
    return tariff_store.rate_of_session(conn, session.tariff_version_id, session.rate_prefix, session.sold_as)


def _kept_by_now(conn: Connection, session: Session, rate: Rate) -> Context:
    """What was fixed when a session of a locked account started, with the month as it is by now."""
    kept = allowances.of_session(conn, session.session_id, session.started_at, session.context)
    return allowances.as_by_now(conn, session.account_id, month_of(session.started_at), rate, kept)


def _kept_text(service: str, rate: Rate, context: Context) -> str:
    return context_text(context, rate.service if service == CALL and rate.service != VOICE else "")


def goes_by_time(rate: Rate) -> bool:
    """Whether what it charges for is used up by the clock."""
    return rate.terms is None or rate.terms.measure is Measure.TIME


def part_of(funds: Funds, mine: Sharer, wanted: int, now: datetime, others: Iterable[Other]) -> Part:
    """What a session may have now of the funds of its account, beside the others and what they are charged by.

    They are looked at only when somebody else holds something.
    """
    available_micros = funds.available_micros if funds.is_open else 0
    sharers: list[Sharer] = []
    if funds.held_micros > mine.held_micros:
        for other, rate, context in others:
            sharer = as_sharer(other, rate, context, now, by_time=goes_by_time(rate))
            if sharer is not None:
                sharers.append(sharer)
    return share(available_micros, mine, sharers, wanted)


def require_rate(session: Session, rate: Rate) -> None:
    """A session is priced by the rate it was opened with, whatever took effect since; raises ChangedReplayError."""
    if not session.is_priced_by(rate):
        raise ChangedReplayError(f"charging session {session.session_id} was opened with another rate")


def _others(conn: Connection, account_id: int, session_id: str) -> Iterator[Other]:
    for other in store.other_open_sessions(conn, account_id, session_id):
        yield other, rate_of(conn, other), context_of(conn, other)


def _locked_funds(conn: Connection, account_id: int) -> Funds:
    funds = ledger_store.lock_funds(conn, account_id)
    if funds is None:
        raise UnknownSessionError(f"account {account_id}")
    return funds


def _replayed(conn: Connection, before: Session, opened: Initiate) -> Granted:
    request = store.find_request(conn, opened.session_id, 0)
    asked = (
        opened.account_id,
        opened.service,
        opened.rate.tariff_version_id,
        opened.rate.prefix,
        opened.cap_ms,
        opened.wanted_ms,
    )
    if request is None or asked != (
        before.account_id,
        before.service,
        before.tariff_version_id,
        before.rate_prefix,
        before.cap_ms,
        request.wanted_ms,
    ):
        raise ChangedReplayError(f"charging session {opened.session_id} was opened for something else")
    return Granted(request.grant, is_replay=True)


def _terminated_before(conn: Connection, session: Session, rate: Rate, funds: Funds, context: Context) -> Terminated:
    charge = charged_before(rate, session, context)
    posted = None
    if charge.charged_micros:
        posted = ledger_store.posted_under(conn, transfer.charge_key(session.session_id))
    return Terminated(
        charge.used_ms,
        charge.billed_ms,
        charge.charged_micros,
        funds.balance_micros if posted is None else posted.balance_after_micros,
        funds.currency,
        None if posted is None else posted.transfer_id,
        is_replay=True,
    )


def _within_line(
    conn: Connection,
    line: Line | None,
    cap_ms: int,
    decide: Callable[[int], Grant | ChargeRefusal],
) -> tuple[Grant | ChargeRefusal, ChargeRefusal | None]:
    """The grant `decide` gives under the cap, with the line's talk time held for it, and the month where that is all.

    The hold is tried first, since it nearly always succeeds; if it does not, what the line has left is the cap. Another
    call on the line may take that in between (another account, so no lock is shared): hence a few attempts.
    """
    limit_ms = cap_ms
    for _ in range(_LINE_ATTEMPTS):
        answer = decide(limit_ms)
        if isinstance(answer, ChargeRefusal):
            is_line = answer is ChargeRefusal.SESSION_CAP and limit_ms < cap_ms
            return ChargeRefusal.MONTH_CAP if is_line else answer, None
        if line is None or usage_store.hold(conn, line.ani, line.month, answer.granted_ms, line.cap_ms):
            return answer, ChargeRefusal.MONTH_CAP if limit_ms < cap_ms and answer.granted_ms >= limit_ms else None
        limit_ms = min(cap_ms, usage_store.left_ms(conn, line.ani, line.month, line.cap_ms))
    return ChargeRefusal.MONTH_CAP, None
