"""The SQL of usage thresholds. Most services have none: then one statement is all a call costs."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ani.negative.block import NegativeReason
from ani.negative.tables import negative_entry
from billing.accounts.tables import account, account_line
from billing.calls.tables import call, cdr
from billing.charging.tables import charging_session
from billing.operators.tables import operator
from billing.thresholds.tables import line_tier, usage_threshold
from billing.thresholds.threshold import EVERY_TIER, CreditTier, LineCaps, Talked, Thresholds
from runtime.database import Instant, RowId
from runtime.looks import Look
from runtime.prepared import Prepared

_LIMITS = (
    usage_threshold.c.tier,
    usage_threshold.c.session_s,
    usage_threshold.c.day_s,
    usage_threshold.c.month_s,
    usage_threshold.c.line_s,
)
_OF_PROFILE = Prepared(sa.select(*_LIMITS).where(usage_threshold.c.service_profile_id == sa.bindparam("profile_id")))
HAS_ANY = Look(
    sa.select(usage_threshold.c.tier)
    .where(usage_threshold.c.service_profile_id == sa.bindparam("profile_id"))
    .limit(sa.literal_column("1")),
    lambda row: row is not None,
)
"""Whether the profile `profile_id` has any threshold."""
_TIERS: sa.Select[Any] = (
    sa.select(
        line_tier.c.tier,
        line_tier.c.source,
        line_tier.c.note,
        line_tier.c.set_at,
        line_tier.c.set_by,
        line_tier.c.score,
        line_tier.c.scored_at,
        sa.func.coalesce(operator.c.code, ""),
    )
    .select_from(line_tier.outerjoin(operator, operator.c.id == line_tier.c.operator_id))
    .order_by(line_tier.c.id.desc())
)
_TIER = Prepared(
    _TIERS.where(
        line_tier.c.ani == sa.bindparam("line"), line_tier.c.operator_id == sa.bindparam("operator_id", type_=RowId)
    ).limit(1)
)
_LIFTED = Prepared(
    sa.select(sa.func.max(negative_entry.c.lifted_at)).where(
        negative_entry.c.ani == sa.bindparam("line"), negative_entry.c.reason == NegativeReason.OVER_THRESHOLD.value
    )
)


def _since(name: str) -> sa.ColumnElement[int]:
    counted = sa.case((cdr.c.ended_at >= sa.bindparam(name, type_=Instant), cdr.c.used_ms), else_=0)
    return sa.func.coalesce(sa.func.sum(counted), 0)


_SUMS: tuple[sa.ColumnElement[Any], ...] = (_since("day_at"), _since("month_at"), _since("line_at"))
_TALKED = Prepared(sa.select(*_SUMS).where(cdr.c.ani == sa.bindparam("line"), cdr.c.account_id.is_not(None)))
_UP = Prepared(
    sa.select(sa.func.coalesce(sa.func.sum(charging_session.c.cap_ms), 0))
    .select_from(call.join(charging_session, charging_session.c.id == call.c.charging_session_id))
    .where(call.c.state != sa.literal_column("'ended'"), call.c.ani == sa.bindparam("line"))
)
_QUEUE_UP = Prepared(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:subject, 0))"))
_SET = sa.text(
    "INSERT INTO usage_threshold (service_profile_id, tier, session_s, day_s, month_s, line_s, set_at, set_by)"
    " VALUES (:profile_id, :tier, :session_s, :day_s, :month_s, :line_s, :at, :by)"
    " ON CONFLICT (service_profile_id, tier) DO UPDATE SET session_s = excluded.session_s, day_s = excluded.day_s,"
    " month_s = excluded.month_s, line_s = excluded.line_s, set_at = excluded.set_at, set_by = excluded.set_by"
).bindparams(sa.bindparam("at", type_=Instant))


def caps(conn: Connection, operator_id: int, profile_id: int, ani: str) -> LineCaps:
    """What binds a line in a service of an operator."""
    found = thresholds(conn, profile_id)
    if not found:
        return LineCaps(Thresholds())
    tier = current_tier(conn, operator_id, ani)
    own = found.get(tier.tier, Thresholds()) if tier else Thresholds()
    return LineCaps(own.over(found.get(EVERY_TIER, Thresholds())), tier)


def thresholds(conn: Connection, profile_id: int) -> dict[str, Thresholds]:
    """The thresholds of a service by tier."""
    return {row[0]: Thresholds(*row[1:]) for row in _OF_PROFILE.all(conn, profile_id=profile_id)}


def current_tier(conn: Connection, operator_id: int, ani: str) -> CreditTier | None:
    """The credit tier of a line with an operator now."""
    row = _TIER.first(conn, line=ani, operator_id=operator_id)
    return None if row is None else CreditTier(*row)


def tiers(conn: Connection, ani: str) -> list[CreditTier]:
    """Every tier a line has or had with any operator, the newest first."""
    return [CreditTier(*row) for row in conn.execute(_TIERS.where(line_tier.c.ani == ani))]


def queue_up(conn: Connection, ani: str) -> None:
    """Calls of one line are judged one after the other until this transaction ends."""
    if conn.dialect.name == "postgresql":
        _QUEUE_UP.first(conn, subject=f"usage-threshold-{ani}")


def talked(conn: Connection, ani: str, day_at: datetime, month_at: datetime) -> Talked:
    """What the line talked since these moments, and in all since a block for it was lifted; with what is up."""
    (lifted_at,) = _LIFTED.first(conn, line=ani) or (None,)
    line_at = lifted_at or datetime.fromtimestamp(0, day_at.tzinfo)
    day_ms, month_ms, line_ms = _TALKED.all(conn, line=ani, day_at=day_at, month_at=month_at, line_at=line_at)[0]
    up_ms = int((_UP.first(conn, line=ani) or (0,))[0])
    return Talked(int(day_ms) + up_ms, int(month_ms) + up_ms, int(line_ms) + up_ms)


def set_thresholds(conn: Connection, profile_id: int, tier: str, wanted: Thresholds, by: str, at: datetime) -> None:
    """Set all thresholds of a tier in a service."""
    conn.execute(_SET, {"profile_id": profile_id, "tier": tier, "at": at, "by": by, **asdict(wanted)})


def add_tier(conn: Connection, operator_id: int, ani: str, tier: CreditTier) -> None:
    """Give a line a tier with an operator; those before it are kept."""
    kept = {name: value for name, value in asdict(tier).items() if name != "operator"}
    conn.execute(sa.insert(line_tier), {"ani": ani, "operator_id": operator_id, **kept})


def operators_of_line(conn: Connection, ani: str) -> list[int]:
    """Whose accounts the line opens now."""
    found = (
        sa.select(account.c.operator_id)
        .join(account_line, account_line.c.account_id == account.c.id)
        .where(account_line.c.ani == ani, account_line.c.removed_at.is_(None))
    )
    return sorted(set(conn.scalars(found)))
