"""The negative database: an entry is lifted with a note, never removed."""

import sqlalchemy as sa

from runtime.database import Instant, RowId, metadata
from runtime.personal import OnErase, Personal, personal

negative_entry = sa.Table(
    "negative_entry",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("ani", sa.String(16), nullable=False, index=True),
    sa.Column("reason", sa.String(40), nullable=False),
    sa.Column("blocked_by", sa.String(80), nullable=False),
    sa.Column("note", sa.String(400), nullable=False, server_default=""),
    sa.Column("blocked_at", Instant, nullable=False),
    sa.Column("expires_at", Instant),
    sa.Column("lifted_at", Instant),
    sa.Column("lifted_by", sa.String(80)),
    sa.Column("lift_note", sa.String(400)),
    sa.Column("ends_calls", sa.Boolean, nullable=False, server_default=sa.false()),
    info=personal(Personal(OnErase.KEEP, line="ani", why_kept="a block protects the operator")),
)
sa.Index(
    "ix_negative_entry_ends_calls",
    negative_entry.c.blocked_at,
    sqlite_where=negative_entry.c.ends_calls,
    postgresql_where=negative_entry.c.ends_calls,
)
