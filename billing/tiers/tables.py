"""The rules by which an operator puts the customers of lines into credit tiers."""

import sqlalchemy as sa

from runtime.database import Micros, metadata

credit_rule = sa.Table(
    "credit_rule",
    metadata,
    sa.Column("operator_id", sa.ForeignKey("operator.id"), primary_key=True),
    sa.Column("tier", sa.String(20), primary_key=True),
    sa.Column("rank", sa.Integer, nullable=False),
    sa.Column("minimum_score", sa.Integer, nullable=False),
    sa.Column("spend_cap_micros", Micros, nullable=False),
)
