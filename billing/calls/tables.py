"""Calls as they are now, what happened in each, and the CDR that is left (CALL-16). A CDR is never changed."""

import sqlalchemy as sa

from runtime.database import Instant, Micros, RowId, metadata
from runtime.personal import BILL, OnErase, Personal, personal

call = sa.Table(
    "call",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("switch", sa.String(40), nullable=False),
    sa.Column("uniqueid", sa.String(64), nullable=False),
    sa.Column("channel", sa.String(120), nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("dnis", sa.String(32), nullable=False),
    sa.Column("ani", sa.String(16), nullable=False),
    sa.Column("service_profile_id", sa.ForeignKey("service_profile.id")),
    sa.Column("account_id", sa.ForeignKey("account.id")),
    sa.Column("charging_session_id", sa.ForeignKey("charging_session.id")),
    sa.Column("destination", sa.String(16), nullable=False, server_default=""),
    sa.Column("trunk", sa.String(40), nullable=False, server_default=""),
    sa.Column("arrived_at", Instant, nullable=False),
    sa.Column("answered_at", Instant),
    sa.Column("ended_at", Instant),
    sa.UniqueConstraint("switch", "uniqueid", "arrived_at"),
    info=personal(Personal(OnErase.KEEP, line="ani", account="account_id", why_kept=BILL)),
)
sa.Index(
    "ix_call_live", call.c.arrived_at, sqlite_where=call.c.state != "ended", postgresql_where=call.c.state != "ended"
)

call_event = sa.Table(
    "call_event",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("call_id", sa.ForeignKey("call.id"), nullable=False, index=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("step", sa.String(40), nullable=False),
    sa.Column("outcome", sa.String(60), nullable=False),
    sa.Column("detail", sa.JSON, nullable=False),
    info=personal(Personal(OnErase.KEEP, through="call_id", why_kept=BILL)),
)

cdr = sa.Table(
    "cdr",
    metadata,
    sa.Column("call_id", sa.ForeignKey("call.id"), primary_key=True),
    sa.Column("switch", sa.String(40), nullable=False),
    sa.Column("uniqueid", sa.String(64), nullable=False),
    sa.Column("operator_id", sa.ForeignKey("operator.id")),
    sa.Column("service_profile_id", sa.ForeignKey("service_profile.id")),
    sa.Column("account_id", sa.ForeignKey("account.id"), index=True),
    sa.Column("dnis", sa.String(32), nullable=False),
    sa.Column("ani", sa.String(16), nullable=False, index=True),
    sa.Column("destination", sa.String(16), nullable=False),
    sa.Column("trunk", sa.String(40), nullable=False),
    sa.Column("disposition", sa.String(40), nullable=False),
    sa.Column("hangup_cause", sa.Integer, nullable=False),
    sa.Column("tariff_version_id", sa.ForeignKey("tariff_version.id")),
    sa.Column("rate_prefix", sa.String(16)),
    sa.Column("arrived_at", Instant, nullable=False),
    sa.Column("answered_at", Instant),
    sa.Column("ended_at", Instant, nullable=False),
    sa.Column("used_ms", sa.BigInteger, nullable=False),
    sa.Column("billed_ms", sa.BigInteger, nullable=False),
    sa.Column("charged_micros", Micros, nullable=False),
    sa.Column("currency", sa.String(3)),
    sa.Column("balance_after_micros", Micros),
    sa.Column("transfer_id", sa.ForeignKey("transfer.id")),
    sa.Column("settled_from", sa.String(20), nullable=False),
    info=personal(Personal(OnErase.KEEP, line="ani", account="account_id", why_kept=BILL)),
)
