"""Which keys were taken away again, by whom, and why.

Revision: 0021
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op

from migrations import append_only

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; nobody changes it."""
    op.create_table(
        "secret_key_retired",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key_id", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(length=32), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("retired_by", sa.String(length=80), nullable=False),
        sa.Column("reason", sa.String(length=400), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_secret_key_retired")),
    )
    append_only.protect_more("secret_key_retired")


def downgrade() -> None:
    """Take it away."""
    append_only.release_more("secret_key_retired")
    op.drop_table("secret_key_retired")
