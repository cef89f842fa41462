"""The SQL of fraud limits: what is asked while a call is authorised, and what staff set and read.

A call without limits costs one statement, which locks the account as charging does right after it; counting calls and
spending one more, concurrent calls, a cool-down and a listed prefix one each.
"""

from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from billing.accounts.account import AccountState
from billing.accounts.tables import account
from billing.calls.tables import call
from billing.charging.session import SessionState
from billing.charging.tables import charging_session
from billing.fraud.rules.fraud import HOUR, Activity, FraudRefusal, Limits, SuspensionAction, SuspensionReason
from billing.fraud.tables import (
    destination_attempt,
    destination_risk,
    fraud_limit,
    fraud_refusal,
    spend_ceiling,
    suspension,
)
from billing.ledger.store import FUNDS_COLUMNS
from billing.ledger.tables import ledger_account, transfer
from billing.ledger.transfer import Funds
from billing.operators.operator import Reach
from billing.operators.tables import operator, service_profile
from runtime.database import Instant
from runtime.prepared import Prepared

LONGEST_PREFIX = 15
_LIMITS = tuple(field.name for field in fields(Limits))


@dataclass(frozen=True, slots=True)
class Standing:
    """An account as it is locked for a call: its funds, its limits, and what is known of the place called."""

    funds: Funds
    home_country: str
    limits: Limits
    risk_prefix: str | None
    is_risky: bool
    prefix_calls_per_hour: int | None
    session_cap_ms: int | None
    was_cut: bool


@dataclass(frozen=True, slots=True)
class RiskyDestination:
    """A listed prefix."""

    prefix: str
    is_risky: bool
    calls_per_hour: int | None
    set_at: datetime
    set_by: str
    note: str


@dataclass(frozen=True, slots=True)
class Suspension:
    """A suspension, or the end of one."""

    action: str
    reason: str
    at: datetime
    made_by: str
    note: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A call that was refused by a limit."""

    call_id: str
    refusal: str
    destination: str
    at: datetime


_of_profile, _of_account, _candidate = fraud_limit.alias(), fraud_limit.alias(), destination_risk.alias()
_digits = sa.bindparam("digits", type_=sa.String)
_longest_prefix = (
    sa.select(_candidate.c.prefix)
    .where(
        _candidate.c.removed_at.is_(None),
        _candidate.c.prefix.in_(
            [
                sa.func.substr(_digits, sa.literal_column("1"), sa.literal_column(str(length)))
                for length in range(1, LONGEST_PREFIX + 1)
            ]
        ),
    )
    .order_by(sa.func.length(_candidate.c.prefix).desc())
    .limit(1)
    .scalar_subquery()
)
_cap_of_session = (
    sa.select(charging_session.c.cap_ms).where(charging_session.c.id == sa.bindparam("session_id")).scalar_subquery()
)
_ceiling_of_session = (
    sa.select(spend_ceiling.c.ceiling_micros)
    .where(spend_ceiling.c.session_id == sa.bindparam("session_id"))
    .scalar_subquery()
)
_STANDING = Prepared(
    sa.select(
        *FUNDS_COLUMNS,
        operator.c.home_country,
        service_profile.c.reach,
        destination_risk.c.prefix,
        destination_risk.c.is_risky,
        destination_risk.c.calls_per_hour,
        _cap_of_session,
        _ceiling_of_session,
        call.c.id,
        *(_of_profile.c[name] for name in _LIMITS),
        *(_of_account.c[name] for name in _LIMITS),
    )
    .select_from(
        account.join(operator, operator.c.id == account.c.operator_id)
        .outerjoin(call, call.c.id == sa.bindparam("call_id"))
        .outerjoin(service_profile, service_profile.c.id == call.c.service_profile_id)
        .outerjoin(_of_profile, _of_profile.c.service_profile_id == call.c.service_profile_id)
        .outerjoin(_of_account, _of_account.c.account_id == account.c.id)
        .outerjoin(
            destination_risk,
            sa.and_(destination_risk.c.prefix == _longest_prefix, destination_risk.c.removed_at.is_(None)),
        )
    )
    .where(account.c.id == sa.bindparam("account_id"))
    .with_for_update(key_share=True, of=account)
)
_FUNDS = len(FUNDS_COLUMNS)
_LIMITS_FROM = 8
# Written out, not bound: the indexes of open sessions and of credits are found only so.
_is_open = charging_session.c.state == sa.literal_column(f"'{SessionState.OPEN.value}'")
_OPEN_CALLS = Prepared(
    sa.select(sa.func.count()).where(charging_session.c.account_id == sa.bindparam("account_id"), _is_open)
)
_spend = sa.case(
    (_is_open, sa.func.coalesce(spend_ceiling.c.ceiling_micros, charging_session.c.held_micros)),
    else_=sa.func.coalesce(charging_session.c.charged_micros, 0),
)
_hour_ago, _day_ago = sa.bindparam("hour_ago", type_=Instant), sa.bindparam("day_ago", type_=Instant)


def _spent_since(moment: sa.BindParameter[datetime]) -> sa.ColumnElement[int]:
    counts = sa.or_(charging_session.c.ended_at.is_(None), charging_session.c.ended_at > moment)
    return sa.cast(sa.func.coalesce(sa.func.sum(sa.case((counts, _spend), else_=0)), 0), sa.BigInteger)


_LATELY = Prepared(
    sa.select(
        sa.func.coalesce(sa.func.sum(sa.case((charging_session.c.started_at > _hour_ago, 1), else_=0)), 0),
        _spent_since(_hour_ago),
        _spent_since(_day_ago),
    )
    .outerjoin_from(charging_session, spend_ceiling, spend_ceiling.c.session_id == charging_session.c.id)
    .where(
        charging_session.c.account_id == sa.bindparam("account_id"),
        charging_session.c.started_at > sa.bindparam("since"),
    )
)
_RECHARGED_AT = Prepared(
    sa.select(sa.func.max(transfer.c.at, type_=Instant))
    .join_from(transfer, ledger_account, ledger_account.c.id == transfer.c.chain_id)
    .where(
        ledger_account.c.account_id == sa.bindparam("account_id"),
        transfer.c.kind == sa.literal_column("'credit'"),
        transfer.c.at > sa.bindparam("since", type_=Instant),
    )
)
_LOCK_PREFIX = Prepared(
    sa.select(destination_risk.c.prefix)
    .where(destination_risk.c.prefix == sa.bindparam("prefix"), destination_risk.c.removed_at.is_(None))
    .with_for_update(key_share=True)
)
_CALLS_TO_PREFIX = Prepared(
    sa.select(sa.func.count()).where(
        destination_attempt.c.prefix == sa.bindparam("prefix"), destination_attempt.c.at > sa.bindparam("since")
    )
)
_ADD_ATTEMPT = Prepared(sa.insert(destination_attempt), ("prefix", "account_id", "at"))
_ADD_CEILING = Prepared(sa.insert(spend_ceiling), ("session_id", "ceiling_micros"))
_ADD_REFUSAL = Prepared(sa.insert(fraud_refusal), ("account_id", "call_id", "refusal", "destination", "at"))
_REFUSALS_SINCE = Prepared(
    sa.select(sa.func.count()).where(
        fraud_refusal.c.account_id == sa.bindparam("account_id"),
        fraud_refusal.c.at > sa.bindparam("since"),
        fraud_refusal.c.refusal != FraudRefusal.SUSPENDED.value,
    )
)


def lock_standing(
    conn: Connection, *, account_id: int, call_id: str, session_id: str, destination: str
) -> Standing | None:
    """All a judgement begins with, by one statement that locks the account; none for an unknown account or call."""
    row = _STANDING.first(
        conn, account_id=account_id, call_id=call_id, session_id=session_id, digits=destination.lstrip("+")
    )
    if row is None:
        return None
    funds, rest, width = Funds(*row[:_FUNDS]), row[_FUNDS:], len(_LIMITS)
    home_country, reach, prefix, is_risky, calls_per_hour, cap_ms, ceiling_micros, known_call = rest[:_LIMITS_FROM]
    if known_call is None:
        return None
    of_profile = rest[_LIMITS_FROM : _LIMITS_FROM + width]
    of_account = rest[_LIMITS_FROM + width :]
    own = _limits((*of_profile[:-1], of_profile[-1] or reach or Reach.HOME.value))
    return Standing(
        funds,
        home_country,
        _limits(of_account).over(own),
        prefix,
        bool(is_risky),
        calls_per_hour,
        cap_ms,
        ceiling_micros is not None,
    )


def activity(conn: Connection, account_id: int, limits: Limits, prefix: str | None, now: datetime) -> Activity:
    """What the limits ask about, and no more; `prefix` is counted, and locked, when it is given."""
    open_calls = calls = in_hour = in_day = to_prefix = 0
    recharged_at = None
    if limits.concurrent_calls is not None:
        open_calls = _count(_OPEN_CALLS.first(conn, account_id=account_id))
    if limits.counts_calls:
        lately = _LATELY.first(
            conn, account_id=account_id, since=now - limits.look_back, hour_ago=now - HOUR, day_ago=now - 24 * HOUR
        )
        calls, in_hour, in_day = (int(value) for value in lately or (0, 0, 0))
    if limits.cooldown_s:
        since = now - timedelta(seconds=limits.cooldown_s)
        row = _RECHARGED_AT.first(conn, account_id=account_id, since=since)
        recharged_at = None if row is None else row[0]
    if prefix is not None:
        _LOCK_PREFIX.first(conn, prefix=prefix)
        to_prefix = _count(_CALLS_TO_PREFIX.first(conn, prefix=prefix, since=now - HOUR))
    return Activity(open_calls, calls, in_hour, in_day, recharged_at, to_prefix)


def add_attempt(conn: Connection, prefix: str, account_id: int, at: datetime) -> None:
    """Count a call to a listed prefix."""
    _ADD_ATTEMPT.run(conn, prefix=prefix, account_id=account_id, at=at)


def add_ceiling(conn: Connection, session_id: str, ceiling_micros: int) -> None:
    """Keep what a session may come to."""
    _ADD_CEILING.run(conn, session_id=session_id, ceiling_micros=ceiling_micros)


def add_refusal(
    conn: Connection, account_id: int, call_id: str, refusal: FraudRefusal, destination: str, at: datetime
) -> None:
    """Keep that a call was refused, and why."""
    _ADD_REFUSAL.run(
        conn, account_id=account_id, call_id=call_id, refusal=refusal.value, destination=destination, at=at
    )


def refusals_since(conn: Connection, account_id: int, since: datetime) -> int:
    """How many calls of an account were refused by limits."""
    return _count(_REFUSALS_SINCE.first(conn, account_id=account_id, since=since))


def set_state(conn: Connection, account_id: int, state: AccountState) -> None:
    """Change the state of a locked account."""
    conn.execute(sa.update(account).where(account.c.id == account_id).values(state=state.value))


def add_suspension(
    conn: Connection,
    account_id: int,
    action: SuspensionAction,
    reason: SuspensionReason,
    at: datetime,
    *,
    made_by: str,
    note: str,
) -> None:
    """Keep that an account was suspended, or that this ended."""
    values = {"action": action.value, "reason": reason.value, "at": at, "made_by": made_by, "note": note}
    conn.execute(sa.insert(suspension), {"account_id": account_id, **values})


def suspensions(conn: Connection, account_id: int, limit: int = 20) -> list[Suspension]:
    """What was done to an account, the newest first."""
    chosen = sa.select(
        suspension.c.action, suspension.c.reason, suspension.c.at, suspension.c.made_by, suspension.c.note
    )
    rows = conn.execute(
        chosen.where(suspension.c.account_id == account_id).order_by(suspension.c.id.desc()).limit(limit)
    )
    return [Suspension(*row) for row in rows]


def refusals(conn: Connection, account_id: int, limit: int = 20) -> list[Refused]:
    """The calls of an account that limits refused, the newest first."""
    chosen = sa.select(
        fraud_refusal.c.call_id, fraud_refusal.c.refusal, fraud_refusal.c.destination, fraud_refusal.c.at
    )
    rows = conn.execute(
        chosen.where(fraud_refusal.c.account_id == account_id).order_by(fraud_refusal.c.id.desc()).limit(limit)
    )
    return [Refused(*row) for row in rows]


def limits_of(conn: Connection, *, account_id: int | None = None, profile_id: int | None = None) -> Limits:
    """What is set for an account or for a service profile."""
    row = conn.execute(sa.select(*(fraud_limit.c[name] for name in _LIMITS)).where(_of(account_id, profile_id))).first()
    return Limits() if row is None else _limits(tuple(row))


def put_limits(
    conn: Connection,
    limits: Limits,
    at: datetime,
    *,
    set_by: str,
    note: str,
    account_id: int | None = None,
    profile_id: int | None = None,
) -> None:
    """Set the limits of an account or of a service profile, in place of those there were."""
    conn.execute(sa.delete(fraud_limit).where(_of(account_id, profile_id)))
    values = {"account_id": account_id, "service_profile_id": profile_id, "set_at": at, "set_by": set_by, "note": note}
    conn.execute(sa.insert(fraud_limit), {**asdict(limits), **values})


def put_destination(conn: Connection, listed: RiskyDestination) -> None:
    """List a prefix, in place of what was listed under it."""
    remove_destination(conn, listed.prefix, listed.set_at, by=listed.set_by, note="listed anew")
    conn.execute(sa.insert(destination_risk), asdict(listed))


def remove_destination(conn: Connection, prefix: str, at: datetime, *, by: str, note: str) -> bool:
    """Take a prefix off the list; false when it was not on it."""
    statement = sa.update(destination_risk).where(
        destination_risk.c.prefix == prefix, destination_risk.c.removed_at.is_(None)
    )
    return conn.execute(statement.values(removed_at=at, removed_by=by, remove_note=note)).rowcount == 1


def destinations(conn: Connection) -> list[RiskyDestination]:
    """Every listed prefix, in order."""
    chosen = sa.select(*(destination_risk.c[field.name] for field in fields(RiskyDestination)))
    rows = conn.execute(chosen.where(destination_risk.c.removed_at.is_(None)).order_by(destination_risk.c.prefix))
    return [RiskyDestination(*row) for row in rows]


def forget_attempts(conn: Connection, before_at: datetime) -> int:
    """Forget the calls to listed prefixes that no limit asks about any more; how many there were."""
    return int(conn.execute(sa.delete(destination_attempt).where(destination_attempt.c.at < before_at)).rowcount)


def _of(account_id: int | None, profile_id: int | None) -> sa.ColumnElement[bool]:
    if account_id is not None:
        return fraud_limit.c.account_id == account_id
    return fraud_limit.c.service_profile_id == profile_id


def _limits(row: tuple[Any, ...]) -> Limits:
    found = Limits(*row)
    return found if found.reach is None else replace(found, reach=Reach(found.reach))


def _count(row: tuple[int, ...] | None) -> int:
    return 0 if row is None else int(row[0])
