"""Since when an access code picks its account.

Revision: 0019
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make room for it; of a code that stands already nobody knows when it was set."""
    op.add_column("account_line", sa.Column("code_set_at", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Take it away."""
    op.drop_column("account_line", "code_set_at")
