"""Conditions of lines, bypass codes, toll restrictions, and the mode of a service.

Revision: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "line_condition",
        sa.Column("id", ROW_ID, autoincrement=True, nullable=False),
        sa.Column("account_line_id", ROW_ID, nullable=False),
        sa.Column("allowed", sa.String(length=1000), server_default="", nullable=False),
        sa.Column("denied", sa.String(length=1000), server_default="", nullable=False),
        sa.Column("long_distance_only", sa.Boolean(), nullable=False),
        sa.Column("hours", sa.String(length=200), server_default="", nullable=False),
        sa.Column("zone", sa.String(length=40), nullable=False),
        sa.Column("spend_limit_micros", sa.BigInteger(), nullable=True),
        sa.Column("spend_period", sa.String(length=10), nullable=False),
        sa.Column("note", sa.String(length=400), server_default="", nullable=False),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
        sa.Column("set_by", sa.String(length=80), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_by", sa.String(length=80), nullable=True),
        sa.Column("end_note", sa.String(length=400), nullable=True),
        sa.ForeignKeyConstraint(["account_line_id"], ["account_line.id"], name="fk_line_condition_account_line_id"),
        sa.PrimaryKeyConstraint("id", name="pk_line_condition"),
    )
    op.create_index(
        "ix_line_condition_current",
        "line_condition",
        ["account_line_id"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "bypass_code",
        sa.Column("account_line_id", ROW_ID, nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
        sa.Column("set_by", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(["account_line_id"], ["account_line.id"], name="fk_bypass_code_account_line_id"),
        sa.PrimaryKeyConstraint("account_line_id", name="pk_bypass_code"),
    )
    op.create_table(
        "toll_block",
        sa.Column("id", ROW_ID, autoincrement=True, nullable=False),
        sa.Column("ani", sa.String(length=16), nullable=False),
        sa.Column("note", sa.String(length=400), server_default="", nullable=False),
        sa.Column("blocked_at", sa.BigInteger(), nullable=False),
        sa.Column("blocked_by", sa.String(length=80), nullable=False),
        sa.Column("lifted_at", sa.BigInteger(), nullable=True),
        sa.Column("lifted_by", sa.String(length=80), nullable=True),
        sa.Column("lift_note", sa.String(length=400), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_toll_block"),
    )
    op.create_index(
        "ix_toll_block_current",
        "toll_block",
        ["ani"],
        unique=True,
        sqlite_where=sa.text("lifted_at IS NULL"),
        postgresql_where=sa.text("lifted_at IS NULL"),
    )
    op.create_table(
        "service_mode",
        sa.Column("service_profile_id", ROW_ID, nullable=False),
        sa.Column("mode", sa.String(length=10), nullable=False),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
        sa.Column("set_by", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["service_profile_id"], ["service_profile.id"], name="fk_service_mode_service_profile_id"
        ),
        sa.PrimaryKeyConstraint("service_profile_id", name="pk_service_mode"),
    )
    op.create_table(
        "condition_ceiling",
        sa.Column("call_id", sa.String(length=32), nullable=False),
        sa.Column("ceiling_micros", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["call_id"], ["call.id"], name="fk_condition_ceiling_call_id"),
        sa.PrimaryKeyConstraint("call_id", name="pk_condition_ceiling"),
    )


def downgrade() -> None:
    """Take them away."""
    for table in ("condition_ceiling", "service_mode", "toll_block", "bypass_code", "line_condition"):
        op.drop_table(table)
