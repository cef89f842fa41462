"""Terms that callers agree to.

Revision: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

from migrations import append_only

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

APPEND_ONLY = ("service_terms", "terms_agreement")


def upgrade() -> None:
    """Make the tables, guard them, and let a service ask."""
    op.add_column("service_profile", sa.Column("terms_version", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "service_terms",
        sa.Column("service_profile_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("text", sa.String(length=4000), nullable=False),
        sa.Column("text_sha256", sa.String(length=64), nullable=False),
        sa.Column("prompt", sa.String(length=40), nullable=False),
        sa.Column("made_by", sa.String(length=80), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["service_profile_id"], ["service_profile.id"], name=op.f("fk_service_terms_service_profile_id")
        ),
        sa.PrimaryKeyConstraint("service_profile_id", "version", name=op.f("pk_service_terms")),
    )
    op.create_table(
        "terms_agreement",
        sa.Column("call_id", sa.String(length=32), nullable=False),
        sa.Column("service_profile_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("text_sha256", sa.String(length=64), nullable=False),
        sa.Column("agreed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["call_id"], ["call.id"], name=op.f("fk_terms_agreement_call_id")),
        sa.ForeignKeyConstraint(
            ["service_profile_id"], ["service_profile.id"], name=op.f("fk_terms_agreement_service_profile_id")
        ),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_terms_agreement")),
    )
    append_only.protect_more(*APPEND_ONLY)


def downgrade() -> None:
    """Take it away."""
    append_only.release_more(*APPEND_ONLY)
    op.drop_table("terms_agreement")
    op.drop_table("service_terms")
    op.drop_column("service_profile", "terms_version")
