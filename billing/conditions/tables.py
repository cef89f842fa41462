"""Conditions of lines, bypass codes, toll restrictions, and the mode of a service. Ended and lifted, never removed."""

import sqlalchemy as sa

from runtime.database import Instant, Micros, RowId, metadata
from runtime.keyed import keyed
from runtime.personal import OnErase, Personal, personal

line_condition = sa.Table(
    "line_condition",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("account_line_id", sa.ForeignKey("account_line.id"), nullable=False),
    sa.Column("allowed", sa.String(1000), nullable=False, server_default=""),
    sa.Column("denied", sa.String(1000), nullable=False, server_default=""),
    sa.Column("long_distance_only", sa.Boolean, nullable=False),
    sa.Column("hours", sa.String(200), nullable=False, server_default=""),
    sa.Column("zone", sa.String(40), nullable=False),
    sa.Column("spend_limit_micros", Micros),
    sa.Column("spend_period", sa.String(10), nullable=False),
    sa.Column("note", sa.String(400), nullable=False, server_default=""),
    sa.Column("set_at", Instant, nullable=False),
    sa.Column("set_by", sa.String(80), nullable=False),
    sa.Column("ended_at", Instant),
    sa.Column("ended_by", sa.String(80)),
    sa.Column("end_note", sa.String(400)),
)
sa.Index(
    "ix_line_condition_current",
    line_condition.c.account_line_id,
    unique=True,
    sqlite_where=line_condition.c.ended_at.is_(None),
    postgresql_where=line_condition.c.ended_at.is_(None),
)

bypass_code = sa.Table(
    "bypass_code",
    metadata,
    sa.Column("account_line_id", sa.ForeignKey("account_line.id"), primary_key=True),
    sa.Column("code_hash", sa.String(64), nullable=False, info=keyed()),
    sa.Column("set_at", Instant, nullable=False),
    sa.Column("set_by", sa.String(80), nullable=False),
)

toll_block = sa.Table(
    "toll_block",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("ani", sa.String(16), nullable=False),
    sa.Column("note", sa.String(400), nullable=False, server_default=""),
    sa.Column("blocked_at", Instant, nullable=False),
    sa.Column("blocked_by", sa.String(80), nullable=False),
    sa.Column("lifted_at", Instant),
    sa.Column("lifted_by", sa.String(80)),
    sa.Column("lift_note", sa.String(400)),
    info=personal(Personal(OnErase.KEEP, line="ani", why_kept="a restriction protects the subscriber of the line")),
)
sa.Index(
    "ix_toll_block_current",
    toll_block.c.ani,
    unique=True,
    sqlite_where=toll_block.c.lifted_at.is_(None),
    postgresql_where=toll_block.c.lifted_at.is_(None),
)

service_mode = sa.Table(
    "service_mode",
    metadata,
    sa.Column("service_profile_id", sa.ForeignKey("service_profile.id"), primary_key=True),
    sa.Column("mode", sa.String(10), nullable=False),
    sa.Column("set_at", Instant, nullable=False),
    sa.Column("set_by", sa.String(80), nullable=False),
)

condition_ceiling = sa.Table(
    "condition_ceiling",
    metadata,
    sa.Column("call_id", sa.ForeignKey("call.id"), primary_key=True),
    sa.Column("ceiling_micros", Micros, nullable=False),
)
