"""Operators, service profiles and toll numbers (CALL-2)."""

import sqlalchemy as sa

from runtime.database import RowId, metadata

operator = sa.Table(
    "operator",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("code", sa.String(20), nullable=False, unique=True),
    sa.Column("name", sa.String(80), nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("home_country", sa.String(2), nullable=False),
    sa.Column("unidentified", sa.String(8), nullable=False, server_default="drop"),
)

service_profile = sa.Table(
    "service_profile",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("operator_id", sa.ForeignKey("operator.id"), nullable=False),
    sa.Column("name", sa.String(40), nullable=False),
    sa.Column("tariff_id", sa.ForeignKey("tariff.id"), nullable=False),
    sa.Column("language", sa.String(8), nullable=False, server_default="en"),
    sa.Column("preamble_prompt", sa.String(40), nullable=False, server_default="welcome"),
    sa.Column("minimum_age", sa.Integer, nullable=False, server_default="18"),
    sa.Column("age_check", sa.Boolean, nullable=False),
    sa.Column("evidence_days", sa.Integer, nullable=False, server_default="365"),
    sa.Column("issue_pin", sa.Boolean, nullable=False),
    sa.Column("session_cap_s", sa.Integer, nullable=False, server_default="1860"),
    sa.Column("month_cap_s", sa.Integer, nullable=False, server_default="5580"),
    sa.Column("reach", sa.String(10), nullable=False, server_default="home"),
    sa.Column("bind_line", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("pin_range", sa.String(40), nullable=False, server_default=""),
    sa.Column("ssn_digits", sa.Integer, nullable=False, server_default="4"),
    sa.Column("fallback", sa.String(12), nullable=False, server_default="none"),
    sa.Column("terms_version", sa.Integer, nullable=False, server_default="0"),
    sa.Column("credit_check", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("sells", sa.String(12), nullable=False, server_default="voice"),
    sa.UniqueConstraint("operator_id", "name"),
)

access_number = sa.Table(
    "access_number",
    metadata,
    sa.Column("dnis", sa.String(16), primary_key=True),
    sa.Column("service_profile_id", sa.ForeignKey("service_profile.id"), nullable=False),
)
