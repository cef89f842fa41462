"""Rules by which customers of lines are rated.

Revision: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, and let a service rate its callers."""
    op.add_column("service_profile", sa.Column("credit_check", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "credit_rule",
        sa.Column("operator_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tier", sa.String(length=20), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("minimum_score", sa.Integer(), nullable=False),
        sa.Column("spend_cap_micros", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=op.f("fk_credit_rule_operator_id")),
        sa.PrimaryKeyConstraint("operator_id", "tier", name=op.f("pk_credit_rule")),
    )


def downgrade() -> None:
    """Take it away."""
    op.drop_table("credit_rule")
    op.drop_column("service_profile", "credit_check")
