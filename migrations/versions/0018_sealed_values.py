"""Sealed values: persons of a line, and PINs that were drawn for an outside system.

Revision: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make room for them; `tollgate key rotate` seals what stands there in plain."""
    op.add_column("identity_record", sa.Column("person_sealed", sa.Text(), nullable=True))
    op.add_column("pin_allocation", sa.Column("pin_sealed", sa.String(length=200), nullable=True))


def downgrade() -> None:
    """Take it away: persons that are sealed have to be loaded again, and PINs that were drawn are not told again."""
    op.execute(
        "DELETE FROM age_evidence WHERE identity_record_id IN "
        "(SELECT id FROM identity_record WHERE person_sealed IS NOT NULL)"
    )
    op.execute("DELETE FROM identity_record WHERE person_sealed IS NOT NULL")
    op.drop_column("pin_allocation", "pin_sealed")
    op.drop_column("identity_record", "person_sealed")
