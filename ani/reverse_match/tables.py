"""Listings: whose line a number is, with the dates it was."""

import sqlalchemy as sa

from runtime.database import Instant, RowId, metadata

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
)
sa.Index(
    "ix_listing_ani_current",
    listing.c.ani,
    unique=True,
    sqlite_where=listing.c.valid_until_at.is_(None),
    postgresql_where=listing.c.valid_until_at.is_(None),
)
