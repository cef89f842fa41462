"""What is fixed when a session starts, and the included units it holds and takes; inside the caller's transaction.

Whoever writes has the account locked, so no unit is held twice and no session is priced by what another one holds.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.engine import Connection

from ani.usage.usage import month_of
from billing.allowances import store
from billing.allowances.store import Owned
from billing.pricing.kept import bundles_of_text, context_of_text
from billing.pricing.terms import Measure, Scope
from billing.rating import (
    Context,
    Rate,
    billed_ms,
    draws,
    draws_to_hold,
    in_order,
    is_by_month,
    refreshed,
    unrounded_micros,
)

_AT_ONCE = timedelta(0)
_MILLISECOND = timedelta(milliseconds=1)


def at_start(
    conn: Connection,
    now: datetime,
    account_id: int,
    rate: Rate,
    destination: str = "",
    access_number: str = "",
    rings_for: timedelta = _AT_ONCE,
) -> Context:
    """The context of a session that starts now, or within `rings_for`: what may change its price, and its bundles.

    Numbers in digits, with or without a plus; the destination is a code for services that are not priced by number.
    Changes nothing: a bundle whose next period has to begin is counted as if it had.
    """
    owned = store.owned(conn, account_id, now)
    return _context(conn, now, owned, account_id, rate, destination, access_number, rings_for)


def without_bundles(
    conn: Connection,
    now: datetime,
    account_id: int,
    rate: Rate,
    access_number: str = "",
    rings_for: timedelta = _AT_ONCE,
) -> Context:
    """The same for one who has no bundles: what a session may cost at most when others use them up."""
    return _fixed(conn, now, account_id, rate, access_number, rings_for)


def begin(
    conn: Connection,
    now: datetime,
    account_id: int,
    rate: Rate,
    destination: str = "",
    access_number: str = "",
    rings_for: timedelta = _AT_ONCE,
) -> Context:
    """As `at_start`, for a session that is about to hold units: first begins what periods have to begin."""
    owned = store.owned(conn, account_id, now)
    due = [one for one in owned if one.is_over(now)]
    for one in due:
        store.renew(conn, one.bundle.id, now)
    if due:
        owned = store.owned(conn, account_id, now)
    return _context(conn, now, owned, account_id, rate, destination, access_number, rings_for)


def of_session(conn: Connection, session_id: str, started_at: datetime, kept: str) -> Context:
    """The context of a session, whose bundles have the units that it holds, or took if it is over."""
    if not bundles_of_text(kept):
        return context_of_text(kept, started_at, {})
    standings = store.of_session(conn, session_id, started_at)
    return context_of_text(kept, started_at, {place: one.bundle for place, one in standings.items()})


def for_more(
    conn: Connection,
    now: datetime,
    account_id: int,
    session_id: str,
    started_at: datetime,
    kept: str,
    rate: Rate,
    granted: int,
) -> Context:
    """The same for a session that asks for more than it was granted: with the units that are free for it now.

    The month is the one as it is by now, too: what is held follows what others used of it.
    """
    if not bundles_of_text(kept):
        return as_by_now(conn, account_id, month_of(started_at), rate, context_of_text(kept, started_at, {}))
    standings = store.of_session(conn, session_id, now)
    context = context_of_text(kept, started_at, {place: one.bundle for place, one in standings.items()})
    context = as_by_now(conn, account_id, month_of(started_at), rate, context)
    return refreshed(rate, granted, context, {place: one.free for place, one in standings.items()})


def as_by_now(conn: Connection, account_id: int, month: str, rate: Rate, context: Context) -> Context:
    """The context of a session that asks for more or ends: with the month as it is by now, where that has a say.

    The account is locked, so sessions side by side come to what they would one after the other.
    """
    if not is_by_month(rate):
        return context
    used = store.month_used(conn, account_id, month, rate.service)
    return replace(context, month_used=used.used, month_micros=used.cost_micros)


def open_session(conn: Connection, session_id: str, context: Context) -> None:
    """Note the bundles of a new session."""
    if context.bundles:
        store.open_use(conn, session_id, context.bundles)


def hold(conn: Connection, session_id: str, rate: Rate, granted: int, context: Context) -> None:
    """Hold the units that any use up to the grant may take."""
    if context.bundles:
        store.hold(conn, session_id, draws_to_hold(rate, granted, context))


def settle(
    conn: Connection,
    session_id: str,
    account_id: int,
    rate: Rate,
    used: int,
    billed: int,
    charged_micros: int,
    context: Context,
    month: str,
) -> None:
    """Take what this use under the grant takes, free the rest, and count what is billed to the account's month.

    Once for each session.
    """
    if context.bundles:
        store.take(conn, session_id, draws(rate, used, context))
    if billed <= 0:
        return
    cost_micros = charged_micros
    if rate.terms is not None and rate.terms.precision.scope is Scope.TOTAL:
        cost_micros = unrounded_micros(rate, used, context)
    store.add_month_use(conn, account_id, month, rate.service, billed, cost_micros)


def use_at_once(
    conn: Connection,
    now: datetime,
    event_id: str,
    account_id: int,
    rate: Rate,
    used: int,
    charged_micros: int,
    context: Context,
) -> None:
    """What `open_session`, `hold` and `settle` do, for something that is charged in one go."""
    billed = billed_ms(rate, used, context)
    open_session(conn, event_id, context)
    hold(conn, event_id, rate, used, context)
    settle(conn, event_id, account_id, rate, used, billed, charged_micros, context, month_of(now))


def _context(
    conn: Connection,
    now: datetime,
    owned: Iterable[Owned],
    account_id: int,
    rate: Rate,
    destination: str,
    access_number: str,
    rings_for: timedelta,
) -> Context:
    measure = Measure.TIME if rate.terms is None else rate.terms.measure
    found = [one.at(now).bundle for one in owned]
    bundles = in_order(found, rate.service, destination.removeprefix("+"), measure.value, now) if found else ()
    return replace(_fixed(conn, now, account_id, rate, access_number, rings_for), bundles=bundles)


def _fixed(
    conn: Connection, now: datetime, account_id: int, rate: Rate, access_number: str, rings_for: timedelta
) -> Context:
    """What the rate's own terms ask for, and nothing else: so that little is kept with most sessions."""
    context, terms = Context(now), rate.terms
    if terms is None:
        return context
    if terms.calendar is not None:
        context = replace(context, rings_ms=rings_for // _MILLISECOND)
    if terms.surcharges:
        context = replace(context, access_number=access_number.removeprefix("+"))
    if is_by_month(rate):
        month = store.month_used(conn, account_id, month_of(now), rate.service)
        context = replace(context, month_used=month.used, month_micros=month.cost_micros)
    return context
