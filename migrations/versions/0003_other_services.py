"""What other services charge, and the keys by which they may.

Revision: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

from migrations import append_only

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

APPEND_ONLY = ("charging_event", "charging_refund")


def upgrade() -> None:
    """Make the tables, and guard what is history."""
    op.create_table(
        "api_key",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("operator_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_by", sa.String(length=80), nullable=True),
        sa.Column("revoke_note", sa.String(length=400), nullable=True),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=op.f("fk_api_key_operator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
    )
    op.create_table(
        "charging_event",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("service", sa.String(length=20), nullable=False),
        sa.Column("tariff_version_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("rate_prefix", sa.String(length=16), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("charged_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("transfer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_charging_event_account_id")),
        sa.ForeignKeyConstraint(
            ["tariff_version_id"], ["tariff_version.id"], name=op.f("fk_charging_event_tariff_version_id")
        ),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfer.id"], name=op.f("fk_charging_event_transfer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charging_event")),
    )
    op.create_index(op.f("ix_charging_event_account_id"), "charging_event", ["account_id"], unique=False)
    op.create_table(
        "charging_refund",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("event_id", sa.String(length=32), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("transfer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.CheckConstraint("amount_micros > 0", name=op.f("ck_charging_refund_positive")),
        sa.ForeignKeyConstraint(["event_id"], ["charging_event.id"], name=op.f("fk_charging_refund_event_id")),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfer.id"], name=op.f("fk_charging_refund_transfer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charging_refund")),
    )
    op.create_index(op.f("ix_charging_refund_event_id"), "charging_refund", ["event_id"], unique=False)
    append_only.protect_more(*APPEND_ONLY)


def downgrade() -> None:
    """Take all of it away."""
    append_only.release_more(*APPEND_ONLY)
    op.drop_table("charging_refund")
    op.drop_table("charging_event")
    op.drop_table("api_key")
