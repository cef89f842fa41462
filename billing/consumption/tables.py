"""Events that were charged at once, and what was given back of them; neither is ever changed."""

import sqlalchemy as sa

from runtime.database import Instant, Micros, metadata

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
