"""Ranges of PINs, allocations by outside systems, and prepaid cards.

Revision: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

from migrations import append_only

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
APPEND_ONLY = ("pin_allocation", "card_event")
ADDED = (
    ("account", "expires_at"),
    ("account", "tariff_id"),
    ("service_profile", "pin_range"),
    ("service_profile", "bind_line"),
    ("api_key", "scopes"),
)


def upgrade() -> None:
    """Make the tables, let a PIN be there before its account, and guard what is history."""
    op.add_column("api_key", sa.Column("scopes", sa.String(length=80), server_default="charging", nullable=False))
    op.add_column(
        "service_profile", sa.Column("bind_line", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.add_column("service_profile", sa.Column("pin_range", sa.String(length=40), server_default="", nullable=False))
    op.add_column("account", sa.Column("tariff_id", ROW_ID, nullable=True))
    op.add_column("account", sa.Column("expires_at", sa.BigInteger(), nullable=True))
    _pin_range()
    with op.batch_alter_table("pin") as pin:
        pin.alter_column("account_id", existing_type=ROW_ID, nullable=True)
        pin.add_column(sa.Column("range_id", ROW_ID, nullable=True))
        pin.add_column(sa.Column("first_used_at", sa.BigInteger(), nullable=True))
        pin.add_column(sa.Column("last_used_at", sa.BigInteger(), nullable=True))
        pin.add_column(sa.Column("uses", sa.Integer(), server_default="0", nullable=False))
        pin.create_foreign_key(op.f("fk_pin_range_id"), "pin_range", ["range_id"], ["id"])
        pin.create_index(op.f("ix_pin_range_id"), ["range_id"], unique=False)
    _pin_allocation()
    _cards()
    append_only.protect_more(*APPEND_ONLY)


def downgrade() -> None:
    """Take all of it away; PINs of cards that nobody has used are lost with their cards."""
    append_only.release_more(*APPEND_ONLY)
    for table in ("card_event", "card", "card_batch", "pin_allocation"):
        op.drop_table(table)
    op.execute("DELETE FROM pin WHERE account_id IS NULL")
    with op.batch_alter_table("pin") as pin:
        pin.drop_index(op.f("ix_pin_range_id"))
        pin.drop_constraint(op.f("fk_pin_range_id"), type_="foreignkey")
        for column in ("range_id", "first_used_at", "last_used_at", "uses"):
            pin.drop_column(column)
        pin.alter_column("account_id", existing_type=ROW_ID, nullable=False)
    op.drop_table("pin_range")
    for table, column in ADDED:
        op.drop_column(table, column)


def _pin_range() -> None:
    op.create_table(
        "pin_range",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("operator_id", ROW_ID, nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("site", sa.String(length=40), server_default="", nullable=False),
        sa.Column("campaign", sa.String(length=40), server_default="", nullable=False),
        sa.Column("prefix", sa.String(length=6), server_default="", nullable=False),
        sa.Column("period", sa.String(length=10), nullable=False),
        sa.Column("period_days", sa.Integer(), nullable=True),
        sa.Column("most", sa.Integer(), nullable=False),
        sa.Column("issued", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.CheckConstraint("issued <= most", name=op.f("ck_pin_range_not_overfull")),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=op.f("fk_pin_range_operator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pin_range")),
        sa.UniqueConstraint("operator_id", "name", name=op.f("uq_pin_range_operator_id_name")),
    )


def _pin_allocation() -> None:
    op.create_table(
        "pin_allocation",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("operator_id", ROW_ID, nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("account_id", ROW_ID, nullable=False),
        sa.Column("pin_hash", sa.String(length=64), nullable=False),
        sa.Column("draw", sa.Integer(), nullable=True),
        sa.Column("made_by", sa.String(length=80), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_pin_allocation_account_id")),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=op.f("fk_pin_allocation_operator_id")),
        sa.ForeignKeyConstraint(["pin_hash"], ["pin.pin_hash"], name=op.f("fk_pin_allocation_pin_hash")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pin_allocation")),
        sa.UniqueConstraint("operator_id", "key", name=op.f("uq_pin_allocation_operator_id_key")),
    )


def _cards() -> None:
    op.create_table(
        "card_batch",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("operator_id", ROW_ID, nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("class_name", sa.String(length=40), nullable=False),
        sa.Column("face_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("tariff_id", ROW_ID, nullable=True),
        sa.Column("range_id", ROW_ID, nullable=True),
        sa.Column("cards", sa.Integer(), nullable=False),
        sa.Column("valid_until_at", sa.BigInteger(), nullable=True),
        sa.Column("valid_days", sa.Integer(), nullable=True),
        sa.Column("is_virtual", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("export_id", sa.String(length=32), nullable=True),
        sa.Column("exported_at", sa.BigInteger(), nullable=True),
        sa.Column("exported_by", sa.String(length=80), nullable=True),
        sa.Column("exported_to", sa.String(length=200), nullable=True),
        sa.CheckConstraint("face_micros > 0", name=op.f("ck_card_batch_face_positive")),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=op.f("fk_card_batch_operator_id")),
        sa.ForeignKeyConstraint(["range_id"], ["pin_range.id"], name=op.f("fk_card_batch_range_id")),
        sa.ForeignKeyConstraint(["tariff_id"], ["tariff.id"], name=op.f("fk_card_batch_tariff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_card_batch")),
        sa.UniqueConstraint("name", name=op.f("uq_card_batch_name")),
    )
    op.create_table(
        "card",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("batch_id", ROW_ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("pin_hash", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["card_batch.id"], name=op.f("fk_card_batch_id")),
        sa.ForeignKeyConstraint(["pin_hash"], ["pin.pin_hash"], name=op.f("fk_card_pin_hash")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_card")),
        sa.UniqueConstraint("batch_id", "number", name=op.f("uq_card_batch_id_number")),
        sa.UniqueConstraint("pin_hash", name=op.f("uq_card_pin_hash")),
    )
    op.create_table(
        "card_event",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("card_id", ROW_ID, nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("made_by", sa.String(length=80), nullable=False),
        sa.Column("note", sa.String(length=400), nullable=False),
        sa.ForeignKeyConstraint(["card_id"], ["card.id"], name=op.f("fk_card_event_card_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_card_event")),
    )
    op.create_index(op.f("ix_card_event_card_id"), "card_event", ["card_id"], unique=False)
