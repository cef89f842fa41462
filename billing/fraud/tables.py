"""Limits, risky destinations, and what came of them: refusals and suspensions, appended and never edited;
what is listed is taken off with a note, never removed.

`fraud_limit` is of a service profile or of an account. `spend_ceiling` is what an open session may come to at most
where a spending limit binds it. `destination_attempt` counts calls to listed prefixes, of all accounts.
"""

import sqlalchemy as sa

from billing.charging.tables import charging_session
from runtime.database import Instant, Micros, RowId, metadata
from runtime.personal import OnErase, Personal, personal

fraud_limit = sa.Table(
    "fraud_limit",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("service_profile_id", sa.ForeignKey("service_profile.id"), unique=True),
    sa.Column("account_id", sa.ForeignKey("account.id"), unique=True),
    sa.Column("calls_per_hour", sa.Integer),
    sa.Column("concurrent_calls", sa.Integer),
    sa.Column("spend_per_call_micros", Micros),
    sa.Column("spend_per_hour_micros", Micros),
    sa.Column("spend_per_day_micros", Micros),
    sa.Column("cooldown_s", sa.Integer),
    sa.Column("suspend_after", sa.Integer),
    sa.Column("reach", sa.String(10)),
    sa.Column("set_at", Instant, nullable=False),
    sa.Column("set_by", sa.String(80), nullable=False),
    sa.Column("note", sa.String(400), nullable=False, server_default=""),
    sa.CheckConstraint("(service_profile_id IS NULL) <> (account_id IS NULL)", name="of_one"),
)

destination_risk = sa.Table(
    "destination_risk",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("prefix", sa.String(16), nullable=False),
    sa.Column("is_risky", sa.Boolean, nullable=False),
    sa.Column("calls_per_hour", sa.Integer),
    sa.Column("set_at", Instant, nullable=False),
    sa.Column("set_by", sa.String(80), nullable=False),
    sa.Column("note", sa.String(400), nullable=False, server_default=""),
    sa.Column("removed_at", Instant),
    sa.Column("removed_by", sa.String(80)),
    sa.Column("remove_note", sa.String(400)),
)
sa.Index(
    "ix_destination_risk_prefix_current",
    destination_risk.c.prefix,
    unique=True,
    sqlite_where=destination_risk.c.removed_at.is_(None),
    postgresql_where=destination_risk.c.removed_at.is_(None),
)

destination_attempt = sa.Table(
    "destination_attempt",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("prefix", sa.String(16), nullable=False),
    sa.Column("account_id", sa.ForeignKey("account.id"), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Index("ix_destination_attempt_prefix_at", "prefix", "at"),
)

spend_ceiling = sa.Table(
    "spend_ceiling",
    metadata,
    sa.Column("session_id", sa.ForeignKey("charging_session.id"), primary_key=True),
    sa.Column("ceiling_micros", Micros, nullable=False),
)

suspension = sa.Table(
    "suspension",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("account_id", sa.ForeignKey("account.id"), nullable=False, index=True),
    sa.Column("action", sa.String(10), nullable=False),
    sa.Column("reason", sa.String(20), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("made_by", sa.String(80), nullable=False),
    sa.Column("note", sa.String(400), nullable=False, server_default=""),
)

fraud_refusal = sa.Table(
    "fraud_refusal",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("account_id", sa.ForeignKey("account.id"), nullable=False),
    sa.Column("call_id", sa.String(32), nullable=False),
    sa.Column("refusal", sa.String(40), nullable=False),
    sa.Column("destination", sa.String(16), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Index("ix_fraud_refusal_account_id_at", "account_id", "at"),
    info=personal(Personal(OnErase.KEEP, account="account_id", why_kept="a record of fraud protects the operator")),
)

sa.Index("ix_charging_session_account_started", charging_session.c.account_id, charging_session.c.started_at)
