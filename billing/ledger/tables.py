"""Transfers and their postings, double entry; a posting to a customer's ledger account is his balance, in pieces.

The database refuses to change or remove a row of any table here. `chain_id` is the ledger account in whose chain a
transfer is link number `chain_number`; `chain_hash` is SHA-256 of the link before and of the transfer (see
`billing.ledger.transfer.link_hash`). A seal covers all transfers from `first_transfer_id` to `last_transfer_id`.
"""

import sqlalchemy as sa

from runtime.database import Instant, Micros, RowId, metadata
from runtime.keyed import Keyed, keyed

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
    sa.Column("chain_id", sa.ForeignKey("ledger_account.id"), nullable=False),
    sa.Column("chain_number", sa.BigInteger, nullable=False),
    sa.Column("chain_hash", sa.LargeBinary(32), nullable=False),
    sa.UniqueConstraint("chain_id", "chain_number"),
)
sa.Index(
    "ix_transfer_chain_id_credit_at",
    transfer.c.chain_id,
    transfer.c.at,
    sqlite_where=transfer.c.kind == "credit",
    postgresql_where=transfer.c.kind == "credit",
)

posting = sa.Table(
    "posting",
    metadata,
    sa.Column("transfer_id", sa.ForeignKey("transfer.id"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("ledger_account_id", sa.ForeignKey("ledger_account.id"), nullable=False),
    sa.Column("amount_micros", Micros, nullable=False),
    sa.Column("balance_after_micros", Micros),
    sa.Index("ix_posting_ledger_account_id", "ledger_account_id", "transfer_id"),
)

ledger_seal = sa.Table(
    "ledger_seal",
    metadata,
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("first_transfer_id", sa.BigInteger, nullable=False),
    sa.Column("last_transfer_id", sa.BigInteger, nullable=False),
    sa.Column("transfers", sa.BigInteger, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("made_by", sa.String(80), nullable=False),
    sa.Column("hash", sa.LargeBinary(32), nullable=False),
    sa.Column("signature", sa.String(64), nullable=False, info=keyed(Keyed.KEPT)),
)
