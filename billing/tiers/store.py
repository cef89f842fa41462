"""Rules of tiers, and what they look at, in SQL."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ani.negative.block import NegativeReason
from ani.negative.tables import negative_entry
from billing.accounts.tables import account, account_line
from billing.ledger.tables import ledger_account, transfer
from billing.operators.tables import service_profile
from billing.tiers.tables import credit_rule
from billing.tiers.tier import CHARGEBACK_DAYS, NOTHING, PAYMENT_DAYS, History, TierRule
from runtime.database import Instant
from runtime.prepared import Prepared

_RULES = Prepared(sa.select(*credit_rule.c).where(credit_rule.c.operator_id == sa.bindparam("operator")))
_PAYMENTS = (
    sa.select(sa.func.count())
    .select_from(transfer)
    .join(ledger_account, ledger_account.c.id == transfer.c.chain_id)
    .join(account_line, account_line.c.account_id == ledger_account.c.account_id)
    .join(account, account.c.id == account_line.c.account_id)
    .where(
        account.c.operator_id == sa.bindparam("operator"),
        account_line.c.ani == sa.bindparam("line"),
        account_line.c.removed_at.is_(None),
        transfer.c.kind == "credit",
        transfer.c.at > sa.bindparam("paid_since_at", type_=Instant),
    )
)
_CHARGEBACKS = (
    sa.select(sa.func.count())
    .select_from(negative_entry)
    .where(
        negative_entry.c.ani == sa.bindparam("line"),
        negative_entry.c.reason == NegativeReason.CHARGEBACK.value,
        negative_entry.c.blocked_at > sa.bindparam("back_since_at", type_=Instant),
    )
)
_HISTORY = Prepared(sa.select(_PAYMENTS.scalar_subquery(), _CHARGEBACKS.scalar_subquery()))


def rules_of(conn: Connection, operator_id: int) -> list[TierRule]:
    """Every rule of an operator, the lowest tier first."""
    return sorted((TierRule(*row) for row in _RULES.all(conn, operator=operator_id)), key=lambda rule: rule.rank)


def put_rule(conn: Connection, rule: TierRule) -> None:
    """Make the rule of a tier, or change it."""
    key = (credit_rule.c.operator_id == rule.operator_id, credit_rule.c.tier == rule.tier)
    values = {
        "rank": rule.rank,
        "minimum_score": rule.minimum_score,
        "spend_cap_micros": rule.spend_cap_micros,
    }
    if conn.execute(sa.update(credit_rule).where(*key).values(**values)).rowcount == 0:
        conn.execute(sa.insert(credit_rule).values(operator_id=rule.operator_id, tier=rule.tier, **values))


def history_of(conn: Connection, operator_id: int, ani: str, now: datetime) -> History:
    """Payments into accounts on the line, and chargebacks of the line."""
    return _history(conn, operator_id, ani, now - PAYMENT_DAYS, now - CHARGEBACK_DAYS)


def history_since(conn: Connection, operator_id: int, ani: str, at: datetime) -> History:
    """The same since a moment."""
    return _history(conn, operator_id, ani, at, at)


def _history(conn: Connection, operator_id: int, ani: str, paid_since_at: datetime, back_since_at: datetime) -> History:
    row = _HISTORY.first(conn, operator=operator_id, line=ani, paid_since_at=paid_since_at, back_since_at=back_since_at)
    return History(*row) if row else NOTHING


def set_credit_check(conn: Connection, profile_id: int, *, is_on: bool) -> None:
    """Whether callers of a service are bound by their tier."""
    conn.execute(sa.update(service_profile).where(service_profile.c.id == profile_id).values(credit_check=is_on))
