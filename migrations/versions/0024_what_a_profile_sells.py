"""Whose rates of its tariff price the calls of a service: voice, as for all of before, or another group's.

Revision: 0024
Revises: 0023
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("service_profile", sa.Column("sells", sa.String(length=12), nullable=False, server_default="voice"))


def downgrade() -> None:
    """Take it away."""
    op.drop_column("service_profile", "sells")
