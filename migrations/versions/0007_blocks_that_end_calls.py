"""Blocks that end calls which are up.

Revision: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Say of each block whether it does."""
    op.add_column("negative_entry", sa.Column("ends_calls", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_index(
        "ix_negative_entry_ends_calls",
        "negative_entry",
        ["blocked_at"],
        sqlite_where=sa.text("ends_calls"),
        postgresql_where=sa.text("ends_calls"),
    )


def downgrade() -> None:
    """Forget it."""
    op.drop_index("ix_negative_entry_ends_calls", "negative_entry")
    op.drop_column("negative_entry", "ends_calls")
