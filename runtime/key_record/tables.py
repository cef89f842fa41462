"""The keys that something in the database stands under, each by its fingerprint, which says nothing about it."""

import sqlalchemy as sa

from runtime.database import Instant, metadata

secret_key = sa.Table(
    "secret_key",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("fingerprint", sa.String(32), nullable=False),
    sa.Column("used_since_at", Instant, nullable=False),
)
