"""The SQL by which staff set limits, list destinations, suspend accounts and read what was refused."""

from dataclasses import asdict, dataclass, fields
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from billing.accounts.account import AccountState
from billing.accounts.tables import account
from billing.fraud.judgement_store import LIMIT_NAMES, limits_of_row
from billing.fraud.rules.fraud import Limits, SuspensionAction, SuspensionReason
from billing.fraud.tables import destination_attempt, destination_risk, fraud_limit, fraud_refusal, suspension


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
    row = conn.execute(
        sa.select(*(fraud_limit.c[name] for name in LIMIT_NAMES)).where(_of(account_id, profile_id))
    ).first()
    return Limits() if row is None else limits_of_row(tuple(row))


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
