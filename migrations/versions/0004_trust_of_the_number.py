"""What a service profile demands of callers by the trust of their number.

Revision: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "trust_rule",
        sa.Column("service_profile_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("evidence", sa.String(length=20), nullable=False),
        sa.Column("demand", sa.String(length=20), nullable=False),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
        sa.Column("set_by", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["service_profile_id"], ["service_profile.id"], name=op.f("fk_trust_rule_service_profile_id")
        ),
        sa.PrimaryKeyConstraint("service_profile_id", "evidence", name=op.f("pk_trust_rule")),
    )


def downgrade() -> None:
    """Take it away."""
    op.drop_table("trust_rule")
