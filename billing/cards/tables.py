"""Batches, cards and their history (PIN-3); a card's PIN and its expiry are the row of table `pin` it points to."""

import sqlalchemy as sa

from runtime.database import Instant, Micros, RowId, metadata

card_batch = sa.Table(
    "card_batch",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("operator_id", RowId, sa.ForeignKey("operator.id"), nullable=False),
    sa.Column("name", sa.String(40), nullable=False, unique=True),
    sa.Column("class_name", sa.String(40), nullable=False),
    sa.Column("face_micros", Micros, nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("tariff_id", RowId, sa.ForeignKey("tariff.id")),
    sa.Column("range_id", RowId, sa.ForeignKey("pin_range.id")),
    sa.Column("cards", sa.Integer, nullable=False),
    sa.Column("valid_until_at", Instant),
    sa.Column("valid_days", sa.Integer),
    # without plastic: its cards are issued one by one, and are active at once
    sa.Column("is_virtual", sa.Boolean, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("created_by", sa.String(80), nullable=False),
    # which run is drawing the PINs: a run that was overtaken finds another one's name here
    sa.Column("export_id", sa.String(32)),
    sa.Column("exported_at", Instant),
    sa.Column("exported_by", sa.String(80)),
    sa.Column("exported_to", sa.String(200)),
    sa.CheckConstraint("face_micros > 0", name="face_positive"),
)

card = sa.Table(
    "card",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("batch_id", RowId, sa.ForeignKey("card_batch.id"), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("pin_hash", sa.String(64), sa.ForeignKey("pin.pin_hash"), nullable=False, unique=True),
    sa.Column("state", sa.String(10), nullable=False),
    sa.UniqueConstraint("batch_id", "number"),
)

card_event = sa.Table(
    "card_event",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("card_id", RowId, sa.ForeignKey("card.id"), nullable=False, index=True),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("made_by", sa.String(80), nullable=False),
    sa.Column("note", sa.String(400), nullable=False),
)
