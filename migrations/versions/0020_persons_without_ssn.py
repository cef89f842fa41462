"""Persons of whom no social security number is known.

Revision: 0020
Revises: 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Tell them from the others, who all have one."""
    op.add_column("identity_record", sa.Column("has_ssn", sa.Boolean(), nullable=False, server_default=sa.true()))


def downgrade() -> None:
    """Take them away: the program before this took every person for one with a number."""
    op.execute(
        "DELETE FROM age_evidence WHERE identity_record_id IN (SELECT id FROM identity_record WHERE NOT has_ssn)"
    )
    op.execute("DELETE FROM identity_record WHERE NOT has_ssn")
    op.drop_column("identity_record", "has_ssn")
