"""Usage thresholds of services by credit tier, and the tiers of lines.

Revision: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "usage_threshold",
        sa.Column("service_profile_id", ROW_ID, nullable=False),
        sa.Column("tier", sa.String(length=20), nullable=False),
        sa.Column("session_s", sa.Integer(), nullable=True),
        sa.Column("day_s", sa.Integer(), nullable=True),
        sa.Column("month_s", sa.Integer(), nullable=True),
        sa.Column("line_s", sa.Integer(), nullable=True),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
        sa.Column("set_by", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["service_profile_id"], ["service_profile.id"], name="fk_usage_threshold_service_profile_id"
        ),
        sa.PrimaryKeyConstraint("service_profile_id", "tier", name="pk_usage_threshold"),
    )
    op.create_table(
        "line_tier",
        sa.Column("id", ROW_ID, autoincrement=True, nullable=False),
        sa.Column("ani", sa.String(length=16), nullable=False),
        sa.Column("tier", sa.String(length=20), nullable=False),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("note", sa.String(length=400), server_default="", nullable=False),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
        sa.Column("set_by", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_line_tier"),
    )
    op.create_index("ix_line_tier_ani", "line_tier", ["ani"], unique=False)


def downgrade() -> None:
    """Take them away."""
    op.drop_table("line_tier")
    op.drop_table("usage_threshold")
