"""The SQL a judgement needs: two statements at most, three more where the calls to a prefix are counted.

The first locks the account, as charging does right after it, and reads all that binds it. The second, asked only when a
limit counts something and only for what it counts, reads what the account did: PostgreSQL shows a statement what was
committed before it began, so it must begin after the lock is held. For the same reason it reads the session once more:
it may have been opened while this one waited. The prefix is locked and counted the same way.
"""

from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from billing.accounts.tables import account
from billing.charging.session import CALL, SessionState
from billing.charging.tables import charging_event, charging_session
from billing.fraud.rules.fraud import HOUR, Activity, FraudRefusal, Limits, SuspensionAction
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
from billing.tariffs.tariff import BY_NUMBER
from runtime.database import Instant
from runtime.prepared import Prepared

LONGEST_PREFIX = 15
LIMIT_NAMES = tuple(field.name for field in fields(Limits))
_FUNDS = len(FUNDS_COLUMNS)
_REST = 6
"""What stands between the funds and the limits in a row of `_standing`."""


@dataclass(frozen=True, slots=True)
class Standing:
    """An account as it is locked for a judgement: its funds, its limits, and what is known of the place called."""

    funds: Funds
    home_country: str
    limits: Limits
    risk_prefix: str | None
    is_risky: bool
    prefix_calls_per_hour: int | None
    session_cap_ms: int | None
    was_cut: bool


@dataclass(frozen=True, slots=True)
class Before:
    """A session as it is once the account is locked: its cap, none when there is no such one; whether it was cut."""

    cap_ms: int | None
    was_cut: bool


_of_profile, _of_account = fraud_limit.alias(), fraud_limit.alias()
_digits = sa.bindparam("digits", type_=sa.String)
_prefixes = [
    sa.func.substr(_digits, sa.literal_column("1"), sa.literal_column(str(length)))
    for length in range(1, LONGEST_PREFIX + 1)
]


def _of_session(column: sa.Column[int], session_id: sa.Column[str]) -> sa.ScalarSelect[int]:
    return sa.select(column).where(session_id == sa.bindparam("session_id")).scalar_subquery()


_BEFORE: tuple[sa.ColumnElement[Any], ...] = (
    _of_session(charging_session.c.cap_ms, charging_session.c.id),
    _of_session(spend_ceiling.c.ceiling_micros, spend_ceiling.c.session_id),
)


def _standing(*, of_profile: bool) -> Prepared:
    """The account, locked, with the limits that bind it; those of a service count where it says nothing itself."""
    found: sa.FromClause = account.join(operator, operator.c.id == account.c.operator_id)
    limits: list[sa.ColumnElement[Any]] = [_of_account.c[name] for name in LIMIT_NAMES]
    if of_profile:
        profile_id = sa.bindparam("profile_id", type_=sa.BigInteger)
        found = found.outerjoin(service_profile, service_profile.c.id == profile_id).outerjoin(
            _of_profile, _of_profile.c.service_profile_id == profile_id
        )
        limits = [sa.func.coalesce(mine, _of_profile.c[mine.name]) for mine in limits[:-1]]
        limits.append(sa.func.coalesce(_of_account.c.reach, _of_profile.c.reach, service_profile.c.reach))
    is_listed = sa.and_(destination_risk.c.prefix.in_(_prefixes), destination_risk.c.removed_at.is_(None))
    found = found.outerjoin(_of_account, _of_account.c.account_id == account.c.id).outerjoin(
        destination_risk, is_listed
    )
    columns = (
        operator.c.home_country,
        destination_risk.c.prefix,
        destination_risk.c.is_risky,
        destination_risk.c.calls_per_hour,
        *_BEFORE,
    )
    statement = sa.select(*FUNDS_COLUMNS, *columns, *limits).select_from(found)
    statement = statement.where(account.c.id == sa.bindparam("account_id"))
    # Several listed prefixes may fit: the longest counts.
    statement = statement.order_by(sa.func.coalesce(sa.func.length(destination_risk.c.prefix), 0).desc())
    return Prepared(statement.limit(sa.literal_column("1")).with_for_update(key_share=True, of=account))


_STANDING_WITH_PROFILE, _STANDING_ALONE = _standing(of_profile=True), _standing(of_profile=False)
_SESSION_BEFORE = Prepared(sa.select(*_BEFORE))

# Written out, not bound: the indexes of open sessions and of credits are found only so.
_is_open = charging_session.c.state == sa.literal_column(f"'{SessionState.OPEN.value}'")
_is_call = charging_session.c.service.in_([sa.literal_column(f"'{name}'") for name in sorted((CALL, *BY_NUMBER))])
_NOTHING, _ONE = sa.literal_column("0", sa.BigInteger), sa.literal_column("1", sa.BigInteger)
_account_id = sa.bindparam("account_id", type_=sa.BigInteger)
_hour_ago = sa.bindparam("hour_ago", type_=Instant)
_ceiling = (
    sa.select(spend_ceiling.c.ceiling_micros)
    .where(spend_ceiling.c.session_id == charging_session.c.id)
    .correlate(charging_session)
    .scalar_subquery()
)
_recharged_at = (
    sa.select(sa.func.max(transfer.c.at, type_=Instant))
    .join_from(transfer, ledger_account, ledger_account.c.id == transfer.c.chain_id)
    .where(
        ledger_account.c.account_id == _account_id,
        transfer.c.kind == sa.literal_column("'credit'"),
        transfer.c.at > sa.bindparam("paid_since", type_=Instant),
    )
    .scalar_subquery()
)


def _sum(what: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
    return sa.cast(sa.func.coalesce(sa.func.sum(what), _NOTHING), sa.BigInteger)


def _one_or_none(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.case((condition, _ONE), else_=_NOTHING)


@cache
def _activity(asked: tuple[bool, ...]) -> Prepared:
    """The statement that reads only what is asked: calls up, calls of an hour, spend of an hour, of a day, money in;
    and the session that asks.

    One row each of what is open, what ended lately, and what was debited lately: each by an index of its own.
    """
    open_calls, calls, hour, day, recharge = asked
    recharged_at = _recharged_at if recharge else sa.null()
    spend, since = hour or day, sa.bindparam("since", type_=Instant)
    if not (open_calls or calls or spend):
        return Prepared(sa.select(_NOTHING, _NOTHING, _NOTHING, _NOTHING, recharged_at, *_BEFORE))
    of_account, ended_at = charging_session.c.account_id == _account_id, charging_session.c.ended_at
    began = sa.and_(_is_call, charging_session.c.started_at > _hour_ago)
    most = _sum(sa.func.coalesce(_ceiling, charging_session.c.held_micros)) if spend else _NOTHING
    counts = (
        _sum(_one_or_none(_is_call)).label("calls") if open_calls else _NOTHING.label("calls"),
        _sum(_one_or_none(began)).label("began") if calls else _NOTHING.label("began"),
        most.label("micros"),
    )
    up = sa.select(*counts).where(of_account, _is_open).subquery("up")
    in_hour: sa.ColumnElement[int] = up.c.micros
    in_day: sa.ColumnElement[int] = up.c.micros
    began_lately: sa.ColumnElement[int] = up.c.began
    found = [up]
    if calls or spend:
        charged = charging_session.c.charged_micros
        over = sa.select(
            _sum(_one_or_none(began)).label("began") if calls else _NOTHING.label("began"),
            _sum(sa.case((ended_at > _hour_ago, charged), else_=_NOTHING)).label("in_hour")
            if hour
            else _NOTHING.label("in_hour"),
            _sum(charged).label("in_day") if day else _NOTHING.label("in_day"),
        )
        ended = over.where(of_account, ended_at > since).subquery("ended")
        began_lately, in_hour, in_day = began_lately + ended.c.began, in_hour + ended.c.in_hour, in_day + ended.c.in_day
        found.append(ended)
    if spend:
        at, debit = charging_event.c.at, charging_event.c.charged_micros
        bought = sa.select(
            _sum(sa.case((at > _hour_ago, debit), else_=_NOTHING)).label("in_hour"), _sum(debit).label("in_day")
        )
        events = bought.where(charging_event.c.account_id == _account_id, at > since).subquery("events")
        in_hour, in_day = in_hour + events.c.in_hour, in_day + events.c.in_day
        found.append(events)
    row = (
        up.c.calls,
        began_lately,
        in_hour if hour else _NOTHING,
        in_day if day else _NOTHING,
        recharged_at,
        *_BEFORE,
    )
    return Prepared(sa.select(*row).select_from(*found))


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
_lifted_since = sa.exists().where(
    suspension.c.account_id == fraud_refusal.c.account_id,
    suspension.c.action == SuspensionAction.LIFTED.value,
    suspension.c.at >= fraud_refusal.c.at,
)
_REFUSALS_SINCE = Prepared(
    sa.select(sa.func.count()).where(
        fraud_refusal.c.account_id == sa.bindparam("account_id"),
        fraud_refusal.c.at > sa.bindparam("since"),
        fraud_refusal.c.refusal != FraudRefusal.SUSPENDED.value,
        ~_lifted_since,
    )
)


def lock_standing(
    conn: Connection, *, account_id: int, profile_id: int | None, session_id: str, digits: str
) -> Standing | None:
    """All a judgement begins with, by one statement that locks the account; none for an unknown account.

    `digits` are those of an international number, or none.
    """
    values = {"account_id": account_id, "session_id": session_id, "digits": digits}
    if profile_id is None:
        row = _STANDING_ALONE.first(conn, **values)
    else:
        row = _STANDING_WITH_PROFILE.first(conn, profile_id=profile_id, **values)
    if row is None:
        return None
    home_country, prefix, is_risky, calls_per_hour, cap_ms, ceiling_micros = row[_FUNDS : _FUNDS + _REST]
    return Standing(
        Funds(*row[:_FUNDS]),
        home_country,
        limits_of_row(row[_FUNDS + _REST :]),
        prefix,
        bool(is_risky),
        calls_per_hour,
        cap_ms,
        ceiling_micros is not None,
    )


def session_before(conn: Connection, session_id: str) -> Before:
    """A session as it is now."""
    cap_ms, ceiling_micros = _SESSION_BEFORE.all(conn, session_id=session_id)[0]
    return Before(cap_ms, ceiling_micros is not None)


def activity(
    conn: Connection, account_id: int, limits: Limits, now: datetime, session_id: str = ""
) -> tuple[Activity, Before | None]:
    """What the limits ask about, and no more; with it the session as it is, none where nothing had to be asked."""
    asked = (
        limits.concurrent_calls is not None,
        limits.calls_per_hour is not None,
        limits.spend_per_hour_micros is not None,
        limits.spend_per_day_micros is not None,
        bool(limits.cooldown_s),
    )
    if not any(asked):
        return _IDLE, None
    (row,) = _activity(asked).all(
        conn,
        account_id=account_id,
        since=now - limits.look_back,
        hour_ago=now - HOUR,
        paid_since=now - timedelta(seconds=limits.cooldown_s or 0),
        session_id=session_id,
    )
    *counts, cap_ms, ceiling_micros = row
    return Activity(*counts), Before(cap_ms, ceiling_micros is not None)


def calls_to_prefix(conn: Connection, prefix: str, since: datetime) -> int:
    """How many calls of all accounts went to a listed prefix; it stays locked until the transaction ends."""
    _LOCK_PREFIX.first(conn, prefix=prefix)
    return _count(_CALLS_TO_PREFIX.first(conn, prefix=prefix, since=since))


def add_attempt(conn: Connection, prefix: str, account_id: int, at: datetime) -> None:
    """Count a call to a listed prefix."""
    _ADD_ATTEMPT.run(conn, prefix=prefix, account_id=account_id, at=at)


def add_ceiling(conn: Connection, session_id: str, ceiling_micros: int) -> None:
    """Keep what a session may come to."""
    _ADD_CEILING.run(conn, session_id=session_id, ceiling_micros=ceiling_micros)


def add_refusal(
    conn: Connection, account_id: int, asked_id: str, refusal: FraudRefusal, destination: str, at: datetime
) -> None:
    """Keep that a call, a session or an event was refused, and why."""
    _ADD_REFUSAL.run(
        conn, account_id=account_id, call_id=asked_id, refusal=refusal.value, destination=destination, at=at
    )


def refusals_since(conn: Connection, account_id: int, since: datetime) -> int:
    """How often an account was refused by limits since then and since its suspension was last lifted.

    Refusals because of a suspension are not counted.
    """
    return _count(_REFUSALS_SINCE.first(conn, account_id=account_id, since=since))


@lru_cache(maxsize=4096)
def limits_of_row(row: tuple[Any, ...]) -> Limits:
    """The limits as they are kept; most accounts have the same few."""
    *counts, reach = row
    return replace(Limits(*counts), reach=None if reach is None else Reach(reach))


def _count(row: tuple[int, ...] | None) -> int:
    return 0 if row is None else int(row[0])


_IDLE = Activity()
