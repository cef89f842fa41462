"""What a service profile demands beside the default: one row for each piece of evidence it treats otherwise."""

import sqlalchemy as sa

from runtime.database import Instant, metadata

trust_rule = sa.Table(
    "trust_rule",
    metadata,
    sa.Column("service_profile_id", sa.ForeignKey("service_profile.id"), primary_key=True),
    sa.Column("evidence", sa.String(20), primary_key=True),
    sa.Column("demand", sa.String(20), nullable=False),
    sa.Column("set_at", Instant, nullable=False),
    sa.Column("set_by", sa.String(80), nullable=False),
)
