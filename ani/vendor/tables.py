"""What was asked of vendors (ANI-10), and what each day of it cost."""

import sqlalchemy as sa

from runtime.database import Instant, Micros, RowId, metadata
from runtime.personal import OnErase, Personal, personal

vendor_query = sa.Table(
    "vendor_query",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("vendor", sa.String(40), nullable=False),
    sa.Column("purpose", sa.String(20), nullable=False),
    sa.Column("ani", sa.String(16), nullable=False, index=True),
    sa.Column("call_id", sa.String(32)),
    sa.Column("outcome", sa.String(20), nullable=False),
    sa.Column("requests", sa.Integer, nullable=False),
    sa.Column("took_ms", sa.Integer, nullable=False),
    sa.Column("cost_micros", Micros, nullable=False),
    sa.Column("asked_at", Instant, nullable=False, index=True),
    info=personal(Personal(OnErase.REMOVE, line="ani")),
)

vendor_day = sa.Table(
    "vendor_day",
    metadata,
    sa.Column("vendor", sa.String(40), primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("requests", sa.Integer, nullable=False),
    sa.Column("cost_micros", Micros, nullable=False),
)
