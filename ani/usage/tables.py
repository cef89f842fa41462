"""Milliseconds of talk a line has used in a month, and those held by calls that are up."""

import sqlalchemy as sa

from runtime.database import metadata
from runtime.personal import OnErase, Personal, personal

line_usage = sa.Table(
    "line_usage",
    metadata,
    sa.Column("ani", sa.String(16), primary_key=True),
    sa.Column("month", sa.String(7), primary_key=True),
    sa.Column("used_ms", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("held_ms", sa.BigInteger, nullable=False, server_default="0"),
    sa.CheckConstraint("used_ms >= 0 AND held_ms >= 0", name="not_negative"),
    info=personal(Personal(OnErase.KEEP, line="ani", why_kept="the month's cap: what was used of it stays used")),
)
