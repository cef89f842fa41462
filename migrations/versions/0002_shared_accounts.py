"""What sessions that share an account need to know of each other.

Revision: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Count what changes an account's money for others, and keep what a session reported."""
    op.add_column("account", sa.Column("revision", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("charging_session", sa.Column("reported_ms", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("charging_session", sa.Column("reported_at", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Forget both."""
    op.drop_column("charging_session", "reported_at")
    op.drop_column("charging_session", "reported_ms")
    op.drop_column("account", "revision")
