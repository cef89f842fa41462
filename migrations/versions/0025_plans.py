"""Calling plans, the periods of accounts that have one, and statements of accounts that are billed by the period.

Revision: 0025
Revises: 0024
"""

import sqlalchemy as sa
from alembic import op

from migrations import append_only

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None
_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_UNPAID = sa.text("state = 'unpaid'")


def upgrade() -> None:
    """Make the tables, and let accounts be billed by the period."""
    op.add_column("account", sa.Column("is_periodic", sa.Boolean(), nullable=False, server_default=sa.false()))
    _make_plans()
    _make_accounts_plans()
    op.create_table(
        "account_statement",
        sa.Column("account_id", _ROW_ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("begins_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        *(
            sa.Column(f"{name}_micros", sa.BigInteger(), nullable=False)
            for name in ("opening", "paid", "charged", "other", "closing")
        ),
        sa.Column("after_link", sa.BigInteger(), nullable=False),
        sa.Column("last_link", sa.BigInteger(), nullable=False),
        sa.Column("link_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("made_by", sa.String(length=80), nullable=False),
        sa.CheckConstraint(
            "opening_micros + paid_micros + charged_micros + other_micros = closing_micros",
            name=op.f("ck_account_statement_adds_up"),
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_account_statement_account_id")),
        sa.PrimaryKeyConstraint("account_id", "number", name=op.f("pk_account_statement")),
    )
    append_only.protect_more("account_statement")


def downgrade() -> None:
    """Take them away."""
    append_only.release_more("account_statement")
    for table in ("account_statement", "plan_period", "account_plan", "calling_plan_version", "calling_plan"):
        op.drop_table(table)
    op.drop_column("account", "is_periodic")


def _make_plans() -> None:
    op.create_table(
        "calling_plan",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("operator_id", _ROW_ID, nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("every", sa.String(length=5), nullable=False),
        sa.Column("time_zone", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_by", sa.String(length=80), nullable=True),
        sa.Column("end_note", sa.String(length=400), nullable=True),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=op.f("fk_calling_plan_operator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calling_plan")),
        sa.UniqueConstraint("operator_id", "code", name=op.f("uq_calling_plan_operator_id_code")),
    )
    op.create_table(
        "calling_plan_version",
        sa.Column("plan_id", _ROW_ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("from_at", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("customer_class", sa.String(length=40), nullable=False),
        sa.Column("tariff_id", _ROW_ID, nullable=True),
        sa.Column("offer_id", _ROW_ID, nullable=True),
        sa.Column("fee_micros", sa.BigInteger(), nullable=False),
        sa.Column("first_period", sa.String(length=8), nullable=False),
        sa.Column("shortage", sa.String(length=8), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("made_by", sa.String(length=80), nullable=False),
        sa.CheckConstraint("fee_micros >= 0", name=op.f("ck_calling_plan_version_fee_not_negative")),
        sa.ForeignKeyConstraint(["offer_id"], ["bundle_offer.id"], name=op.f("fk_calling_plan_version_offer_id")),
        sa.ForeignKeyConstraint(["plan_id"], ["calling_plan.id"], name=op.f("fk_calling_plan_version_plan_id")),
        sa.ForeignKeyConstraint(["tariff_id"], ["tariff.id"], name=op.f("fk_calling_plan_version_tariff_id")),
        sa.PrimaryKeyConstraint("plan_id", "number", name=op.f("pk_calling_plan_version")),
    )


def _make_accounts_plans() -> None:
    op.create_table(
        "account_plan",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("account_id", _ROW_ID, nullable=False),
        sa.Column("plan_id", _ROW_ID, nullable=False),
        sa.Column("billing_day", sa.Integer(), nullable=False),
        sa.Column("begins_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
        sa.Column("set_by", sa.String(length=80), nullable=False),
        sa.Column("note", sa.String(length=400), nullable=False, server_default=""),
        sa.Column("ended_by", sa.String(length=80), nullable=True),
        sa.CheckConstraint(
            "ends_at IS NULL OR ends_at >= begins_at", name=op.f("ck_account_plan_ends_after_it_begins")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_account_plan_account_id")),
        sa.ForeignKeyConstraint(["plan_id"], ["calling_plan.id"], name=op.f("fk_account_plan_plan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_plan")),
    )
    op.create_index("ix_account_plan_account_id_begins_at", "account_plan", ["account_id", "begins_at"])
    op.create_index(op.f("ix_account_plan_plan_id"), "account_plan", ["plan_id"])
    op.create_index("ix_account_plan_due_at", "account_plan", ["due_at"])
    op.create_table(
        "plan_period",
        sa.Column("account_plan_id", _ROW_ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("account_id", _ROW_ID, nullable=False),
        sa.Column("begins_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("fee_micros", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("transfer_id", _ROW_ID, nullable=True),
        sa.Column("bundle_id", _ROW_ID, nullable=True),
        sa.Column("share", sa.Integer(), nullable=False),
        sa.Column("share_of", sa.Integer(), nullable=False),
        sa.CheckConstraint("ends_at >= begins_at AND fee_micros >= 0", name=op.f("ck_plan_period_sensible")),
        sa.CheckConstraint("transfer_id IS NULL OR state = 'paid'", name=op.f("ck_plan_period_paid_by_a_transfer")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_plan_period_account_id")),
        sa.ForeignKeyConstraint(["account_plan_id"], ["account_plan.id"], name=op.f("fk_plan_period_account_plan_id")),
        sa.ForeignKeyConstraint(["bundle_id"], ["bundle.id"], name=op.f("fk_plan_period_bundle_id")),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfer.id"], name=op.f("fk_plan_period_transfer_id")),
        sa.PrimaryKeyConstraint("account_plan_id", "number", name=op.f("pk_plan_period")),
        sa.UniqueConstraint("transfer_id", name=op.f("uq_plan_period_transfer_id")),
    )
    op.create_index(
        "ix_plan_period_unpaid", "plan_period", ["account_id"], sqlite_where=_UNPAID, postgresql_where=_UNPAID
    )
