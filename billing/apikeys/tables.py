"""API keys; one is revoked with a note, never removed."""

import sqlalchemy as sa

from runtime.database import Instant, metadata
from runtime.keyed import Keyed, keyed

api_key = sa.Table(
    "api_key",
    metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("operator_id", sa.ForeignKey("operator.id"), nullable=False),
    sa.Column("name", sa.String(80), nullable=False),
    sa.Column("secret_hash", sa.String(64), nullable=False, info=keyed(Keyed.PLAIN)),
    sa.Column("scopes", sa.String(80), nullable=False, server_default="charging"),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("created_by", sa.String(80), nullable=False),
    sa.Column("revoked_at", Instant),
    sa.Column("revoked_by", sa.String(80)),
    sa.Column("revoke_note", sa.String(400)),
)
