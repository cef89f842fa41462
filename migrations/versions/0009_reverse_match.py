"""Listings with the type of their line, when they were last validated, and how far each import is.

Revision: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Widen the listings, and make the table of imports."""
    op.add_column("listing", sa.Column("line_type", sa.String(length=12), nullable=False, server_default=""))
    op.add_column("listing", sa.Column("validated_at", sa.BigInteger(), nullable=True))
    op.add_column("listing", sa.Column("changed_hands_at", sa.BigInteger(), nullable=True))
    op.add_column("listing", sa.Column("import_id", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_listing_ani_past",
        "listing",
        ["ani"],
        unique=False,
        sqlite_where=sa.text("valid_until_at IS NOT NULL"),
        postgresql_where=sa.text("valid_until_at IS NOT NULL"),
    )
    op.create_table(
        "listing_import",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("file_name", sa.String(length=200), nullable=False),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("rows_read", sa.BigInteger(), nullable=False),
        sa.Column("rows_loaded", sa.BigInteger(), nullable=False),
        sa.Column("rows_unchanged", sa.BigInteger(), nullable=False),
        sa.Column("rows_rejected", sa.BigInteger(), nullable=False),
        sa.Column("reject_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_listing_import")),
    )


def downgrade() -> None:
    """Take it away; dropping columns keeps the rows."""
    op.drop_table("listing_import")
    op.drop_index("ix_listing_ani_past", table_name="listing")
    for column in ("import_id", "changed_hands_at", "validated_at", "line_type"):
        op.drop_column("listing", column)
