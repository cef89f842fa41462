"""Further proofs of who a caller is, and what a service asks for.

Revision: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Widen the persons and the profiles."""
    op.add_column("identity_record", sa.Column("first_name", sa.String(length=80), nullable=False, server_default=""))
    op.add_column("identity_record", sa.Column("ssn_hash", sa.String(length=64), nullable=True))
    op.add_column("identity_record", sa.Column("licence_hash", sa.String(length=64), nullable=True))
    op.add_column("service_profile", sa.Column("ssn_digits", sa.Integer(), nullable=False, server_default="4"))
    op.add_column("service_profile", sa.Column("fallback", sa.String(length=12), nullable=False, server_default="none"))


def downgrade() -> None:
    """Take it away."""
    for column in ("fallback", "ssn_digits"):
        op.drop_column("service_profile", column)
    for column in ("licence_hash", "ssn_hash", "first_name"):
        op.drop_column("identity_record", column)
