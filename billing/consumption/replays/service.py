"""What a request is answered that was answered before, and whether it is the same: the whole of it counts."""

from sqlalchemy.engine import Connection

from billing.charging import service as charging
from billing.charging import store as charging_store
from billing.charging.session import Request, Session, Terminated
from billing.consumption import store
from billing.consumption.consumption import (
    Debit,
    Debited,
    Event,
    Open,
    Reservation,
    Sold,
    cap_of,
    reservation_of,
    unit_of,
)
from billing.fraud import judgement_store
from billing.ledger import store as ledger_store
from billing.ledger.transfer import ChangedReplayError
from billing.rating import Rate


def opened_before(conn: Connection, before: Session, wanted: Open) -> Reservation:
    """What the same request was answered; raises ChangedReplayError for another one."""
    rate = charging.rate_of(conn, before)
    request = charging_store.find_request(conn, wanted.session_id, 0)
    asked, _ = charging_store.how_asked(conn, wanted.session_id)
    if request is None or not (
        _is_alike(conn, before, request, rate, wanted) if asked is None else asked == wanted.fingerprint
    ):
        raise ChangedReplayError(f"charging session {wanted.session_id} was opened for something else")
    return reservation_of(before, rate, request.grant, is_replay=True)


def debited_before(conn: Connection, before: Debit, event: Event) -> Debited:
    """What the same event was answered; raises ChangedReplayError for another one."""
    if before.asked is None:
        is_same = event.units == before.units and _is_of_rate(
            conn, event.sold, before.account_id, before.service, before.rate_prefix
        )
    else:
        is_same = before.asked == event.fingerprint
    if not is_same:
        raise ChangedReplayError(f"event {event.event_id} was another one")
    posted = ledger_store.posted_under(conn, f"debit:event:{event.event_id}") if before.charged_micros else None
    present = store.balance_micros(conn, before.account_id) if posted is None else 0
    return Debited(before, present if posted is None else posted.balance_after_micros, is_replay=True)


def is_same_end(
    conn: Connection, ended: Terminated, rate: Rate, session_id: str, used_ms: int, *, is_answered: bool
) -> bool:
    """Whether a session ended as is said again; that it was connected matters only where that costs something."""
    _, was_answered = charging_store.how_asked(conn, session_id)
    costs = rate.terms is not None and rate.terms.fee_at_zero
    return ended.used_ms == used_ms and (not costs or was_answered in (None, is_answered))


def _is_alike(conn: Connection, before: Session, request: Request, rate: Rate, wanted: Open) -> bool:
    """Whether a session whose request was not kept may have been opened by this one."""
    cap_ms = cap_of(rate, wanted.cap)
    return (
        _is_of_rate(conn, wanted.sold, before.account_id, before.service, before.rate_prefix)
        and request.wanted_ms == wanted.wanted * unit_of(rate).scale
        and (before.cap_ms == cap_ms or judgement_store.session_before(conn, before.session_id).was_cut)
    )


def _is_of_rate(conn: Connection, sold: Sold, account_id: int, service: str, prefix: str) -> bool:
    """Whether this could be sold to this account by a rate of this prefix."""
    if (sold.service, store.account_id(conn, sold.operator_id, sold.account_number)) != (service, account_id):
        return False
    return sold.code.removeprefix("+").startswith(prefix)
