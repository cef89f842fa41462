"""Who looked at whose data, when and why; the subject as a keyed hash, so that the record outlives an erasure and names
nobody. Never changed or removed."""

import sqlalchemy as sa

from runtime.database import Instant, RowId, metadata
from runtime.keyed import Keyed, keyed

personal_access = sa.Table(
    "personal_access",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("subject_hash", sa.String(64), nullable=False, info=keyed(Keyed.KEPT)),
    sa.Column("action", sa.String(10), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("made_by", sa.String(80), nullable=False),
    sa.Column("reason", sa.String(400), nullable=False),
    sa.Index("ix_personal_access_subject_hash_at", "subject_hash", "at"),
)
