"""Transfers and their postings, double entry; a posting to a customer's ledger account is his balance, in pieces."""

import sqlalchemy as sa

from runtime.database import Instant, Micros, RowId, metadata

ledger_account = sa.Table(
    "ledger_account",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("owner", sa.String(40), nullable=False),
    sa.Column("account_id", sa.ForeignKey("account.id"), unique=True),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.UniqueConstraint("kind", "owner", "currency"),
)

transfer = sa.Table(
    "transfer",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("key", sa.String(80), nullable=False, unique=True),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("made_by", sa.String(80), nullable=False),
    sa.Column("note", sa.String(400), nullable=False, server_default=""),
)

posting = sa.Table(
    "posting",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("transfer_id", sa.ForeignKey("transfer.id"), nullable=False, index=True),
    sa.Column("ledger_account_id", sa.ForeignKey("ledger_account.id"), nullable=False, index=True),
    sa.Column("amount_micros", Micros, nullable=False),
    sa.Column("balance_after_micros", Micros),
)
