"""Ranges of PINs, and what outside systems were allocated; of the latter nothing is ever changed but the key that
its hashes stand under (PIN-2, PIN-5)."""

import sqlalchemy as sa

from runtime.database import Instant, RowId, metadata
from runtime.keyed import Sealed, keyed, sealed

PIN_BOUND = Sealed(beside="content_hash", bound_to=("operator_id", "key"))

pin_range = sa.Table(
    "pin_range",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("operator_id", RowId, sa.ForeignKey("operator.id"), nullable=False),
    sa.Column("name", sa.String(40), nullable=False),
    sa.Column("site", sa.String(40), nullable=False, server_default=""),
    sa.Column("campaign", sa.String(40), nullable=False, server_default=""),
    sa.Column("prefix", sa.String(6), nullable=False, server_default=""),
    sa.Column("period", sa.String(10), nullable=False),
    sa.Column("period_days", sa.Integer),
    sa.Column("most", sa.Integer, nullable=False),
    # counted up in the transaction that issues, so that a full range is known without counting its PINs
    sa.Column("issued", sa.Integer, nullable=False, server_default="0"),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("created_by", sa.String(80), nullable=False),
    sa.UniqueConstraint("operator_id", "name"),
    sa.CheckConstraint("issued <= most", name="not_overfull"),
)

pin_allocation = sa.Table(
    "pin_allocation",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("operator_id", RowId, sa.ForeignKey("operator.id"), nullable=False),
    sa.Column("key", sa.String(128), nullable=False),
    # a keyed hash of all that was asked for: the same key with another content is told apart
    sa.Column("content_hash", sa.String(64), nullable=False, info=keyed()),
    sa.Column("account_id", RowId, sa.ForeignKey("account.id"), nullable=False),
    sa.Column("pin_hash", sa.String(64), sa.ForeignKey("pin.pin_hash"), nullable=False, index=True),
    # of before there were seals: which try found a free PIN
    sa.Column("draw", sa.Integer),
    sa.Column("made_by", sa.String(80), nullable=False),
    sa.Column("at", Instant, nullable=False),
    # the PIN that was drawn here, to be told again; none where it was supplied
    sa.Column("pin_sealed", sa.String(200), info=sealed(PIN_BOUND)),
    sa.UniqueConstraint("operator_id", "key"),
)
