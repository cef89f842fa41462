"""Bundles on offer and of accounts, the units each session holds or took of them, and what accounts used in a month."""

import sqlalchemy as sa

from runtime.database import Instant, Micros, RowId, metadata

bundle = sa.Table(
    "bundle",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("account_id", sa.ForeignKey("account.id"), nullable=False, index=True),
    sa.Column("name", sa.String(40), nullable=False, server_default=""),
    sa.Column("measure", sa.String(12), nullable=False),
    sa.Column("rule", sa.String(10), nullable=False),
    sa.Column("priority", sa.Integer, nullable=False, server_default="0"),
    sa.Column("services", sa.String(200), nullable=False, server_default=""),
    sa.Column("prefixes", sa.String(400), nullable=False, server_default=""),
    sa.Column("price_micros", Micros, nullable=False, server_default="0"),
    sa.Column("covers_fees", sa.Boolean, nullable=False),
    sa.Column("units", sa.BigInteger, nullable=False),
    sa.Column("held", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("period_units", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("rolls_over", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("begins_at", Instant, nullable=False),
    sa.Column("expires_at", Instant),
    # how long each period is ("" for one without end), whether another follows it, and which one did
    sa.Column("period", sa.String(8), nullable=False, server_default=""),
    sa.Column("renews", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("next_id", sa.BigInteger),
    sa.Column("granted_by", sa.String(80), nullable=False, server_default=""),
    sa.Column("closed_at", Instant),
    sa.Column("closed_by", sa.String(80)),
    sa.Column("close_note", sa.String(400)),
    sa.CheckConstraint("units >= held AND held >= 0", name="held_is_there"),
)

bundle_offer = sa.Table(
    "bundle_offer",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("operator_id", sa.ForeignKey("operator.id"), nullable=False),
    sa.Column("name", sa.String(40), nullable=False),
    sa.Column("measure", sa.String(12), nullable=False),
    sa.Column("rule", sa.String(10), nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("services", sa.String(200), nullable=False),
    sa.Column("prefixes", sa.String(400), nullable=False),
    sa.Column("price_micros", Micros, nullable=False),
    sa.Column("covers_fees", sa.Boolean, nullable=False),
    sa.Column("units", sa.BigInteger, nullable=False),
    sa.Column("rolls_over", sa.BigInteger, nullable=False),
    sa.Column("period", sa.String(8), nullable=False),
    sa.Column("renews", sa.Boolean, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("created_by", sa.String(80), nullable=False),
    sa.Column("closed_at", Instant),
    sa.Column("closed_by", sa.String(80)),
    sa.Column("close_note", sa.String(400)),
    sa.CheckConstraint("units > 0 AND rolls_over >= 0 AND price_micros >= 0", name="not_negative"),
    sa.UniqueConstraint("operator_id", "name"),
)

bundle_use = sa.Table(
    "bundle_use",
    metadata,
    sa.Column("session_id", sa.String(32), primary_key=True),
    sa.Column("bundle_id", sa.ForeignKey("bundle.id"), primary_key=True),
    sa.Column("held", sa.BigInteger, nullable=False),
    sa.Column("used", sa.BigInteger, nullable=False, server_default="0"),
)

month_use = sa.Table(
    "month_use",
    metadata,
    sa.Column("account_id", sa.ForeignKey("account.id"), primary_key=True),
    sa.Column("month", sa.String(7), primary_key=True),
    sa.Column("service", sa.String(16), primary_key=True),
    sa.Column("used", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("cost_micros", Micros, nullable=False, server_default="0"),
)
