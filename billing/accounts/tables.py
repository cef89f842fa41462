"""Accounts with their balance and holds, and the lines, access codes and PINs that open them.

The database itself refuses a balance that cannot pay what is held (CHG-2). A line is taken off and a PIN revoked with
a note, never removed.
"""

import sqlalchemy as sa

from runtime.database import Instant, Micros, RowId, metadata
from runtime.keyed import keyed
from runtime.personal import BILL, OnErase, Personal, personal

account = sa.Table(
    "account",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("number", sa.String(32), nullable=False, unique=True),
    sa.Column("operator_id", sa.ForeignKey("operator.id"), nullable=False),
    sa.Column("name", sa.String(80), nullable=False, server_default=""),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("state", sa.String(10), nullable=False, server_default="open"),
    sa.Column("balance_micros", Micros, nullable=False, server_default="0"),
    sa.Column("held_micros", Micros, nullable=False, server_default="0"),
    sa.Column("limit_micros", Micros, nullable=False, server_default="0"),
    # counted up when a session starts or ends or money comes: what others on the account have to know
    sa.Column("revision", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("created_at", Instant, nullable=False),
    # of the card it came from; SQLite could not add a foreign key to a table that others refer to
    sa.Column("tariff_id", RowId),
    sa.Column("expires_at", Instant),
    sa.Column("closed_at", Instant),
    sa.Column("closed_by", sa.String(80)),
    sa.Column("close_note", sa.String(400)),
    # each period of its plan ends with a statement
    sa.Column("is_periodic", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.CheckConstraint("held_micros >= 0", name="held_not_negative"),
    sa.CheckConstraint("limit_micros >= 0", name="limit_not_negative"),
    sa.CheckConstraint("balance_micros - held_micros >= -limit_micros", name="available_not_below_limit"),
    info=personal(Personal(OnErase.BLANK, account="id", blank=("name",))),
)

account_line = sa.Table(
    "account_line",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("account_id", sa.ForeignKey("account.id"), nullable=False),
    sa.Column("ani", sa.String(16), nullable=False, index=True),
    sa.Column("access_code_hash", sa.String(64), info=keyed()),
    sa.Column("added_at", Instant, nullable=False),
    sa.Column("removed_at", Instant),
    sa.Column("removed_by", sa.String(80)),
    sa.Column("remove_note", sa.String(400)),
    sa.Column("code_set_at", Instant),
    info=personal(
        Personal(OnErase.BLANK, line="ani", account="account_id", hidden=("access_code_hash",), blank=("ani",))
    ),
)
sa.Index(
    "ix_account_line_current",
    account_line.c.account_id,
    account_line.c.ani,
    unique=True,
    sqlite_where=account_line.c.removed_at.is_(None),
    postgresql_where=account_line.c.removed_at.is_(None),
)
sa.Index(
    "ix_account_line_current_code",
    account_line.c.ani,
    account_line.c.access_code_hash,
    unique=True,
    sqlite_where=account_line.c.removed_at.is_(None),
    postgresql_where=account_line.c.removed_at.is_(None),
)

pin = sa.Table(
    "pin",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    # a card's PIN opens no account before the card is used for the first time
    sa.Column("account_id", RowId, sa.ForeignKey("account.id"), index=True),
    sa.Column("pin_hash", sa.String(64), nullable=False, unique=True, info=keyed()),
    sa.Column("issued_at", Instant, nullable=False),
    sa.Column("expires_at", Instant),
    sa.Column("revoked_at", Instant),
    sa.Column("revoked_by", sa.String(80)),
    sa.Column("revoke_note", sa.String(400)),
    sa.Column("range_id", RowId, sa.ForeignKey("pin_range.id"), index=True),
    sa.Column("first_used_at", Instant),
    sa.Column("last_used_at", Instant),
    sa.Column("uses", sa.Integer, nullable=False, server_default="0"),
    info=personal(Personal(OnErase.KEEP, account="account_id", hidden=("pin_hash",), why_kept=BILL)),
)
