"""What a session was priced by when it started; bundles that are offered, renewed and closed.

Revision: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, and the offers."""
    op.add_column("charging_session", sa.Column("context", sa.Text(), server_default="", nullable=False))
    op.add_column("bundle", sa.Column("period", sa.String(length=8), server_default="", nullable=False))
    op.add_column("bundle", sa.Column("renews", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("bundle", sa.Column("next_id", sa.BigInteger(), nullable=True))
    op.add_column("bundle", sa.Column("granted_by", sa.String(length=80), server_default="", nullable=False))
    op.add_column("bundle", sa.Column("closed_at", sa.BigInteger(), nullable=True))
    op.add_column("bundle", sa.Column("closed_by", sa.String(length=80), nullable=True))
    op.add_column("bundle", sa.Column("close_note", sa.String(length=400), nullable=True))
    op.create_table(
        "bundle_offer",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("operator_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("measure", sa.String(length=12), nullable=False),
        sa.Column("rule", sa.String(length=10), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("services", sa.String(length=200), nullable=False),
        sa.Column("prefixes", sa.String(length=400), nullable=False),
        sa.Column("price_micros", sa.BigInteger(), nullable=False),
        sa.Column("covers_fees", sa.Boolean(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("rolls_over", sa.BigInteger(), nullable=False),
        sa.Column("period", sa.String(length=8), nullable=False),
        sa.Column("renews", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_by", sa.String(length=80), nullable=True),
        sa.Column("close_note", sa.String(length=400), nullable=True),
        sa.CheckConstraint(
            "units > 0 AND rolls_over >= 0 AND price_micros >= 0", name=op.f("ck_bundle_offer_not_negative")
        ),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=op.f("fk_bundle_offer_operator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bundle_offer")),
        sa.UniqueConstraint("operator_id", "name", name=op.f("uq_bundle_offer_operator_id_name")),
    )


def downgrade() -> None:
    """Take all of it away."""
    op.drop_table("bundle_offer")
    for column in ("close_note", "closed_by", "closed_at", "granted_by", "next_id", "renews", "period"):
        op.drop_column("bundle", column)
    op.drop_column("charging_session", "context")
