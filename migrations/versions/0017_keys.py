"""The keys that secrets stand under, and an allocation whose hashes may come under a newer one.

Revision: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op

from migrations import append_only

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

FIXED = ("id", "operator_id", "key", "account_id", "draw", "made_by", "at")


def upgrade() -> None:
    """Make the table; of an allocation everything but its hashes stays guarded."""
    op.create_table(
        "secret_key",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("fingerprint", sa.String(length=32), nullable=False),
        sa.Column("used_since_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_secret_key")),
    )
    append_only.release_more("pin_allocation")
    append_only.protect_but("pin_allocation", FIXED)
    op.create_index(op.f("ix_pin_allocation_pin_hash"), "pin_allocation", ["pin_hash"], unique=False)


def downgrade() -> None:
    """Take it away; what stands under a later key than the first cannot be checked by the revision before."""
    op.drop_index(op.f("ix_pin_allocation_pin_hash"), table_name="pin_allocation")
    append_only.release_more("pin_allocation")
    append_only.protect_more("pin_allocation")
    op.drop_table("secret_key")
