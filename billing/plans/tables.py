"""Plans and their versions, which account has which plan and since when, their periods, and statements of accounts.

A version is never changed, a stretch ended, never removed. The database refuses to change or remove a statement.
"""

import sqlalchemy as sa

from runtime.database import Instant, Micros, RowId, metadata
from runtime.personal import BILL, OnErase, Personal, personal

_OF_ACCOUNT = Personal(OnErase.KEEP, account="account_id", why_kept=BILL)

calling_plan = sa.Table(
    "calling_plan",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("operator_id", sa.ForeignKey("operator.id"), nullable=False),
    sa.Column("code", sa.String(40), nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("every", sa.String(5), nullable=False),
    sa.Column("time_zone", sa.String(40), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("created_by", sa.String(80), nullable=False),
    sa.Column("ends_at", Instant),
    sa.Column("ended_by", sa.String(80)),
    sa.Column("end_note", sa.String(400)),
    sa.UniqueConstraint("operator_id", "code"),
)

calling_plan_version = sa.Table(
    "calling_plan_version",
    metadata,
    sa.Column("plan_id", sa.ForeignKey("calling_plan.id"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("from_at", Instant, nullable=False),
    sa.Column("name", sa.String(80), nullable=False),
    sa.Column("customer_class", sa.String(40), nullable=False),
    sa.Column("tariff_id", sa.ForeignKey("tariff.id")),
    sa.Column("offer_id", sa.ForeignKey("bundle_offer.id")),
    sa.Column("fee_micros", Micros, nullable=False),
    sa.Column("first_period", sa.String(8), nullable=False),
    sa.Column("shortage", sa.String(8), nullable=False),
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("made_by", sa.String(80), nullable=False),
    sa.CheckConstraint("fee_micros >= 0", name="fee_not_negative"),
)

account_plan = sa.Table(
    "account_plan",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("account_id", sa.ForeignKey("account.id"), nullable=False),
    sa.Column("plan_id", sa.ForeignKey("calling_plan.id"), nullable=False, index=True),
    sa.Column("billing_day", sa.Integer, nullable=False),
    sa.Column("begins_at", Instant, nullable=False),
    sa.Column("ends_at", Instant),
    # when its next period begins; none once it is over and its last period was stated
    sa.Column("due_at", Instant),
    sa.Column("set_at", Instant, nullable=False),
    sa.Column("set_by", sa.String(80), nullable=False),
    sa.Column("note", sa.String(400), nullable=False, server_default=""),
    sa.Column("ended_by", sa.String(80)),
    sa.CheckConstraint("ends_at IS NULL OR ends_at >= begins_at", name="ends_after_it_begins"),
    sa.Index("ix_account_plan_account_id_begins_at", "account_id", "begins_at"),
    info=personal(_OF_ACCOUNT),
)
sa.Index("ix_account_plan_due_at", account_plan.c.due_at)

plan_period = sa.Table(
    "plan_period",
    metadata,
    sa.Column("account_plan_id", sa.ForeignKey("account_plan.id"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("account_id", sa.ForeignKey("account.id"), nullable=False),
    sa.Column("begins_at", Instant, nullable=False),
    sa.Column("ends_at", Instant, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("fee_micros", Micros, nullable=False),
    sa.Column("state", sa.String(8), nullable=False),
    sa.Column("transfer_id", sa.ForeignKey("transfer.id"), unique=True),
    sa.Column("bundle_id", sa.ForeignKey("bundle.id")),
    # which share of the units it brings, of how many: days of a first period, of those of a whole one
    sa.Column("share", sa.Integer, nullable=False),
    sa.Column("share_of", sa.Integer, nullable=False),
    sa.CheckConstraint("ends_at >= begins_at AND fee_micros >= 0", name="sensible"),
    sa.CheckConstraint("transfer_id IS NULL OR state = 'paid'", name="paid_by_a_transfer"),
    info=personal(_OF_ACCOUNT),
)
sa.Index(
    "ix_plan_period_unpaid",
    plan_period.c.account_id,
    sqlite_where=plan_period.c.state == "unpaid",
    postgresql_where=plan_period.c.state == "unpaid",
)

account_statement = sa.Table(
    "account_statement",
    metadata,
    sa.Column("account_id", sa.ForeignKey("account.id"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("begins_at", Instant, nullable=False),
    sa.Column("ends_at", Instant, nullable=False),
    sa.Column("opening_micros", Micros, nullable=False),
    sa.Column("paid_micros", Micros, nullable=False),
    sa.Column("charged_micros", Micros, nullable=False),
    sa.Column("other_micros", Micros, nullable=False),
    sa.Column("closing_micros", Micros, nullable=False),
    sa.Column("after_link", sa.BigInteger, nullable=False),
    sa.Column("last_link", sa.BigInteger, nullable=False),
    sa.Column("link_hash", sa.LargeBinary(32), nullable=False),
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("made_by", sa.String(80), nullable=False),
    sa.CheckConstraint("opening_micros + paid_micros + charged_micros + other_micros = closing_micros", name="adds_up"),
    info=personal(Personal(OnErase.KEEP, account="account_id", hidden=("link_hash",), why_kept=BILL)),
)
