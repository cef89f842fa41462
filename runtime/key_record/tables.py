"""The keys that something in the database stands under, each by its fingerprint, which says nothing about it."""

import sqlalchemy as sa

from runtime.database import Instant, RowId, metadata

secret_key = sa.Table(
    "secret_key",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("fingerprint", sa.String(32), nullable=False),
    sa.Column("used_since_at", Instant, nullable=False),
)

secret_key_retired = sa.Table(
    "secret_key_retired",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("key_id", sa.Integer, nullable=False),
    sa.Column("fingerprint", sa.String(32), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("retired_by", sa.String(80), nullable=False),
    sa.Column("reason", sa.String(400), nullable=False),
)
