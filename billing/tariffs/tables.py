"""Tariffs, their versions with the moment each takes effect, and the rates of a version by prefix."""

import sqlalchemy as sa

from runtime.database import Instant, Micros, RowId, metadata

tariff = sa.Table(
    "tariff",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("operator_id", sa.ForeignKey("operator.id"), nullable=False),
    sa.Column("name", sa.String(40), nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.UniqueConstraint("operator_id", "name"),
)

tariff_version = sa.Table(
    "tariff_version",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("tariff_id", sa.ForeignKey("tariff.id"), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("effective_at", Instant, nullable=False),
    sa.Column("imported_at", Instant, nullable=False),
    sa.Column("source", sa.String(200), nullable=False, server_default=""),
    sa.UniqueConstraint("tariff_id", "number"),
)

rate = sa.Table(
    "rate",
    metadata,
    sa.Column("tariff_version_id", sa.ForeignKey("tariff_version.id"), primary_key=True),
    sa.Column("prefix", sa.String(16), primary_key=True),
    sa.Column("destination", sa.String(80), nullable=False, server_default=""),
    sa.Column("price_per_minute_micros", Micros, nullable=False),
    sa.Column("connect_fee_micros", Micros, nullable=False, server_default="0"),
    sa.Column("minimum_s", sa.Integer, nullable=False, server_default="0"),
    sa.Column("initial_s", sa.Integer, nullable=False, server_default="1"),
    sa.Column("increment_s", sa.Integer, nullable=False, server_default="1"),
    sa.Column("blocked", sa.Boolean, nullable=False),
    sa.CheckConstraint("price_per_minute_micros >= 0 AND connect_fee_micros >= 0", name="not_negative"),
    sa.CheckConstraint("initial_s >= 1 AND increment_s >= 1 AND minimum_s >= 0", name="increments"),
)
