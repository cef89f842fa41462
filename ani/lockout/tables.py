"""Wrong entries: one row each, counted in sliding windows."""

import sqlalchemy as sa

from runtime.database import Instant, RowId, metadata
from runtime.personal import OnErase, Personal, personal

wrong_entry = sa.Table(
    "wrong_entry",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("scope", sa.String(10), nullable=False),
    sa.Column("subject", sa.String(40), nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("at", Instant, nullable=False),
    info=personal(Personal(OnErase.REMOVE, line="subject")),
)
sa.Index("ix_wrong_entry_scope_subject_at", wrong_entry.c.scope, wrong_entry.c.subject, wrong_entry.c.at)
