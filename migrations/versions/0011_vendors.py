"""What vendors were asked and what that cost, and what an operator does when they cannot be.

Revision: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, and the operator's policy."""
    op.add_column("operator", sa.Column("unidentified", sa.String(length=8), nullable=False, server_default="drop"))
    op.create_table(
        "vendor_query",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("vendor", sa.String(length=40), nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("ani", sa.String(length=16), nullable=False),
        sa.Column("call_id", sa.String(length=32), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("took_ms", sa.Integer(), nullable=False),
        sa.Column("cost_micros", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vendor_query")),
    )
    op.create_index(op.f("ix_vendor_query_ani"), "vendor_query", ["ani"], unique=False)
    op.create_index(op.f("ix_vendor_query_asked_at"), "vendor_query", ["asked_at"], unique=False)
    op.create_table(
        "vendor_day",
        sa.Column("vendor", sa.String(length=40), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("cost_micros", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("vendor", "day", name=op.f("pk_vendor_day")),
    )


def downgrade() -> None:
    """Take it away."""
    op.drop_table("vendor_day")
    op.drop_table("vendor_query")
    op.drop_column("operator", "unidentified")
