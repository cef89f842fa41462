"""Tariffs, their versions with the moment each takes effect, and the rates of a version by service and prefix."""

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
    # None until all its rates are there: such a version is being loaded and nobody is priced by it.
    sa.Column("number", sa.Integer),
    sa.Column("effective_at", Instant, nullable=False),
    sa.Column("imported_at", Instant, nullable=False),
    sa.Column("source", sa.String(200), nullable=False, server_default=""),
    sa.Column("rates", sa.Integer, nullable=False, server_default="0"),
    sa.Column("digest", sa.String(64), nullable=False, server_default=""),
    sa.UniqueConstraint("tariff_id", "number"),
)

rate_terms = sa.Table(
    "rate_terms",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False, unique=True),
    sa.Column("text", sa.Text, nullable=False),
)

rate = sa.Table(
    "rate",
    metadata,
    sa.Column("tariff_version_id", sa.ForeignKey("tariff_version.id"), primary_key=True),
    sa.Column("service", sa.String(16), primary_key=True, server_default="voice"),
    sa.Column("prefix", sa.String(16), primary_key=True),
    sa.Column("destination", sa.String(80), nullable=False, server_default=""),
    sa.Column("price_per_minute_micros", Micros, nullable=False),
    sa.Column("connect_fee_micros", Micros, nullable=False, server_default="0"),
    sa.Column("minimum_s", sa.Integer, nullable=False, server_default="0"),
    sa.Column("initial_s", sa.Integer, nullable=False, server_default="1"),
    sa.Column("increment_s", sa.Integer, nullable=False, server_default="1"),
    sa.Column("blocked", sa.Boolean, nullable=False),
    sa.Column("terms_id", sa.ForeignKey("rate_terms.id")),
    sa.CheckConstraint(
        "terms_id IS NOT NULL OR (price_per_minute_micros >= 0 AND connect_fee_micros >= 0)", name="not_negative"
    ),
    sa.CheckConstraint("initial_s >= 1 AND increment_s >= 1 AND minimum_s >= 0", name="increments"),
)
