"""Who looked at whose personal data, and why.

Revision: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

from migrations import append_only

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, and guard it: it is history."""
    op.create_table(
        "personal_access",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subject_hash", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=10), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("made_by", sa.String(length=80), nullable=False),
        sa.Column("reason", sa.String(length=400), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_personal_access")),
    )
    op.create_index("ix_personal_access_subject_hash_at", "personal_access", ["subject_hash", "at"], unique=False)
    append_only.protect_more("personal_access")


def downgrade() -> None:
    """Drop it; who looked is lost."""
    append_only.release_more("personal_access")
    op.drop_index("ix_personal_access_subject_hash_at", table_name="personal_access")
    op.drop_table("personal_access")
