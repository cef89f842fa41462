"""Charging sessions and the answer given to each request, so that a replay gets the same answer.

Events are charged at once; neither they nor what was given back of them is ever changed.
"""

import sqlalchemy as sa

from runtime.database import Instant, Micros, metadata

charging_session = sa.Table(
    "charging_session",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("account_id", sa.ForeignKey("account.id"), nullable=False),
    sa.Column("service", sa.String(20), nullable=False),
    sa.Column("state", sa.String(8), nullable=False),
    sa.Column("tariff_version_id", sa.ForeignKey("tariff_version.id"), nullable=False),
    sa.Column("rate_prefix", sa.String(16), nullable=False),
    sa.Column("request_number", sa.Integer, nullable=False),
    sa.Column("granted_ms", sa.BigInteger, nullable=False),
    sa.Column("held_micros", Micros, nullable=False),
    sa.Column("final", sa.Boolean, nullable=False),
    sa.Column("cap_ms", sa.BigInteger, nullable=False),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("valid_until_at", Instant, nullable=False),
    sa.Column("used_ms", sa.BigInteger),
    sa.Column("charged_micros", Micros),
    sa.Column("ended_at", Instant),
    # what the session last said it had used, and when; nothing yet while it is being connected
    sa.Column("reported_ms", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("reported_at", Instant),
    # what was fixed when it started and may change its price, beside that moment; see billing/pricing/kept.py
    sa.Column("context", sa.Text, nullable=False, server_default=""),
    # a fingerprint of the request that opened it, where it came from another service
    sa.Column("asked", sa.String(32)),
    # whether it was connected, as its end said
    sa.Column("is_answered", sa.Boolean),
    sa.CheckConstraint("held_micros >= 0 AND granted_ms >= 0", name="not_negative"),
)
sa.Index(
    "ix_charging_session_account_open",
    charging_session.c.account_id,
    sqlite_where=charging_session.c.state == "open",
    postgresql_where=charging_session.c.state == "open",
)
sa.Index(
    "ix_charging_session_valid_open",
    charging_session.c.valid_until_at,
    sqlite_where=charging_session.c.state == "open",
    postgresql_where=charging_session.c.state == "open",
)

# What an account did lately: what ended since, beside what is open.
sa.Index("ix_charging_session_account_ended", charging_session.c.account_id, charging_session.c.ended_at)

charging_request = sa.Table(
    "charging_request",
    metadata,
    sa.Column("session_id", sa.ForeignKey("charging_session.id"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("wanted_ms", sa.BigInteger, nullable=False),
    sa.Column("granted_ms", sa.BigInteger, nullable=False),
    sa.Column("held_micros", Micros, nullable=False),
    sa.Column("final", sa.Boolean, nullable=False),
    sa.Column("at", Instant, nullable=False),
    # what another service said it had used; nothing of a call, which may repeat a request with what it used since
    sa.Column("used_ms", sa.BigInteger),
)

charging_event = sa.Table(
    "charging_event",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("account_id", sa.ForeignKey("account.id"), nullable=False, index=True),
    sa.Column("service", sa.String(20), nullable=False),
    sa.Column("tariff_version_id", sa.ForeignKey("tariff_version.id"), nullable=False),
    sa.Column("rate_prefix", sa.String(16), nullable=False),
    sa.Column("units", sa.BigInteger, nullable=False),
    sa.Column("charged_micros", Micros, nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("transfer_id", sa.ForeignKey("transfer.id")),
    # a fingerprint of the request
    sa.Column("asked", sa.String(32)),
    sa.Index("ix_charging_event_account_at", "account_id", "at"),
)

charging_refund = sa.Table(
    "charging_refund",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("event_id", sa.ForeignKey("charging_event.id"), nullable=False, index=True),
    sa.Column("amount_micros", Micros, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("transfer_id", sa.ForeignKey("transfer.id"), nullable=False),
    sa.CheckConstraint("amount_micros > 0", name="positive"),
)
