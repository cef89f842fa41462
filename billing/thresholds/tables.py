"""Thresholds of a service for each credit tier, and the tier of each line: every change is a row of its own."""

import sqlalchemy as sa

from runtime.database import Instant, RowId, metadata
from runtime.personal import OnErase, Personal, personal

usage_threshold = sa.Table(
    "usage_threshold",
    metadata,
    sa.Column("service_profile_id", sa.ForeignKey("service_profile.id"), primary_key=True),
    sa.Column("tier", sa.String(20), primary_key=True),
    sa.Column("session_s", sa.Integer),
    sa.Column("day_s", sa.Integer),
    sa.Column("month_s", sa.Integer),
    sa.Column("line_s", sa.Integer),
    sa.Column("set_at", Instant, nullable=False),
    sa.Column("set_by", sa.String(80), nullable=False),
)

line_tier = sa.Table(
    "line_tier",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("ani", sa.String(16), nullable=False, index=True),
    sa.Column("tier", sa.String(20), nullable=False),
    sa.Column("source", sa.String(40), nullable=False),
    sa.Column("note", sa.String(400), nullable=False, server_default=""),
    sa.Column("set_at", Instant, nullable=False),
    sa.Column("set_by", sa.String(80), nullable=False),
    sa.Column("operator_id", RowId),
    sa.Column("score", sa.Integer),
    sa.Column("scored_at", Instant),
    info=personal(Personal(OnErase.REMOVE, line="ani")),
)
