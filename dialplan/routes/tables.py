"""Routes: the trunk that carries a prefix, in the order they are tried."""

import sqlalchemy as sa

from runtime.database import RowId, metadata

route = sa.Table(
    "route",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("prefix", sa.String(16), nullable=False),
    sa.Column("trunk", sa.String(40), nullable=False),
    sa.Column("rank", sa.Integer, nullable=False, server_default="1"),
    sa.UniqueConstraint("prefix", "trunk"),
)
