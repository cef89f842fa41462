"""What a session, an event or an update was asked for, so that another request under its key is told from it.

Nothing for those of before: they are told apart by what else is kept of them.

Revision: 0023
Revises: 0022
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("charging_session", sa.Column("asked", sa.String(length=32), nullable=True))
    op.add_column("charging_session", sa.Column("is_answered", sa.Boolean(), nullable=True))
    op.add_column("charging_event", sa.Column("asked", sa.String(length=32), nullable=True))
    op.add_column("charging_request", sa.Column("used_ms", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Take them away."""
    op.drop_column("charging_request", "used_ms")
    op.drop_column("charging_event", "asked")
    op.drop_column("charging_session", "is_answered")
    op.drop_column("charging_session", "asked")
