"""What an account did lately is found by when it ended.

Revision: 0005
Revises: 0004
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what limits against fraud look up; the older index stays for gateways of the release before."""
    op.create_index("ix_charging_session_account_ended", "charging_session", ["account_id", "ended_at"])
    op.create_index("ix_charging_event_account_at", "charging_event", ["account_id", "at"])


def downgrade() -> None:
    """Take both away."""
    op.drop_index("ix_charging_event_account_at", "charging_event")
    op.drop_index("ix_charging_session_account_ended", "charging_session")
