"""Listings: whose line a number is, with the dates it was."""

import sqlalchemy as sa

from runtime.database import Instant, RowId, metadata
from runtime.personal import OnErase, Personal, personal

listing = sa.Table(
    "listing",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("ani", sa.String(16), nullable=False),
    sa.Column("first_name", sa.String(80), nullable=False, server_default=""),
    sa.Column("last_name", sa.String(80), nullable=False, server_default=""),
    sa.Column("address", sa.String(200), nullable=False, server_default=""),
    sa.Column("postal_code", sa.String(16), nullable=False, server_default=""),
    sa.Column("country", sa.String(2), nullable=False),
    sa.Column("source", sa.String(40), nullable=False),
    sa.Column("valid_from_at", Instant, nullable=False),
    sa.Column("valid_until_at", Instant),
    sa.Column("line_type", sa.String(12), nullable=False, server_default=""),
    sa.Column("validated_at", Instant),
    sa.Column("changed_hands_at", Instant),
    sa.Column("import_id", sa.BigInteger),
    info=personal(Personal(OnErase.REMOVE, line="ani")),
)
sa.Index(
    "ix_listing_ani_current",
    listing.c.ani,
    unique=True,
    sqlite_where=listing.c.valid_until_at.is_(None),
    postgresql_where=listing.c.valid_until_at.is_(None),
)
sa.Index(
    "ix_listing_ani_past",
    listing.c.ani,
    sqlite_where=listing.c.valid_until_at.is_not(None),
    postgresql_where=listing.c.valid_until_at.is_not(None),
)

listing_import = sa.Table(
    "listing_import",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("file_name", sa.String(200), nullable=False),
    sa.Column("source", sa.String(40), nullable=False),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("finished_at", Instant),
    sa.Column("rows_read", sa.BigInteger, nullable=False),
    sa.Column("rows_loaded", sa.BigInteger, nullable=False),
    sa.Column("rows_unchanged", sa.BigInteger, nullable=False),
    sa.Column("rows_rejected", sa.BigInteger, nullable=False),
    sa.Column("reject_bytes", sa.BigInteger, nullable=False),
)
