"""The first schema: every table of the prepaid call.

Revision: 0001
Revises: None
"""

import sqlalchemy as sa
from alembic import op

from migrations import append_only

APPEND_ONLY = (
    "transfer",
    "posting",
    "cdr",
    "call_event",
    "charging_request",
    "ledger_account",
    "ledger_seal",
    "suspension",
    "fraud_refusal",
)
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table, and guard those that are history."""
    _first_tables()
    _more_tables()
    append_only.protect(*APPEND_ONLY)


def _first_tables() -> None:
    op.create_table(
        "destination_risk",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("prefix", sa.String(length=16), nullable=False),
        sa.Column("is_risky", sa.Boolean(), nullable=False),
        sa.Column("calls_per_hour", sa.Integer(), nullable=True),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
        sa.Column("set_by", sa.String(length=80), nullable=False),
        sa.Column("note", sa.String(length=400), server_default="", nullable=False),
        sa.Column("removed_at", sa.BigInteger(), nullable=True),
        sa.Column("removed_by", sa.String(length=80), nullable=True),
        sa.Column("remove_note", sa.String(length=400), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_destination_risk")),
    )
    op.create_index(
        "ix_destination_risk_prefix_current",
        "destination_risk",
        ["prefix"],
        unique=True,
        sqlite_where=sa.text("removed_at IS NULL"),
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.create_table(
        "identity_record",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("ani", sa.String(length=16), nullable=False),
        sa.Column("last_name", sa.String(length=80), server_default="", nullable=False),
        sa.Column("birth_on", sa.Date(), nullable=False),
        sa.Column("ssn_last_four_hash", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_record")),
        sa.UniqueConstraint("ani", "ssn_last_four_hash", name=op.f("uq_identity_record_ani_ssn_last_four_hash")),
    )
    op.create_index(op.f("ix_identity_record_ani"), "identity_record", ["ani"], unique=False)
    op.create_table(
        "ledger_seal",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_transfer_id", sa.BigInteger(), nullable=False),
        sa.Column("last_transfer_id", sa.BigInteger(), nullable=False),
        sa.Column("transfers", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("made_by", sa.String(length=80), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("signature", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_ledger_seal")),
    )
    op.create_table(
        "line_usage",
        sa.Column("ani", sa.String(length=16), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("used_ms", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("held_ms", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("used_ms >= 0 AND held_ms >= 0", name=op.f("ck_line_usage_not_negative")),
        sa.PrimaryKeyConstraint("ani", "month", name=op.f("pk_line_usage")),
    )
    op.create_table(
        "listing",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("ani", sa.String(length=16), nullable=False),
        sa.Column("first_name", sa.String(length=80), server_default="", nullable=False),
        sa.Column("last_name", sa.String(length=80), server_default="", nullable=False),
        sa.Column("address", sa.String(length=200), server_default="", nullable=False),
        sa.Column("postal_code", sa.String(length=16), server_default="", nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("valid_from_at", sa.BigInteger(), nullable=False),
        sa.Column("valid_until_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_listing")),
    )
    op.create_index(
        "ix_listing_ani_current",
        "listing",
        ["ani"],
        unique=True,
        sqlite_where=sa.text("valid_until_at IS NULL"),
        postgresql_where=sa.text("valid_until_at IS NULL"),
    )
    op.create_table(
        "negative_entry",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("ani", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("blocked_by", sa.String(length=80), nullable=False),
        sa.Column("note", sa.String(length=400), server_default="", nullable=False),
        sa.Column("blocked_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("lifted_at", sa.BigInteger(), nullable=True),
        sa.Column("lifted_by", sa.String(length=80), nullable=True),
        sa.Column("lift_note", sa.String(length=400), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_negative_entry")),
    )
    op.create_index(op.f("ix_negative_entry_ani"), "negative_entry", ["ani"], unique=False)
    op.create_table(
        "operator",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("home_country", sa.String(length=2), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator")),
        sa.UniqueConstraint("code", name=op.f("uq_operator_code")),
    )
    op.create_table(
        "rate_terms",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rate_terms")),
        sa.UniqueConstraint("digest", name=op.f("uq_rate_terms_digest")),
    )
    op.create_table(
        "route",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("prefix", sa.String(length=16), nullable=False),
        sa.Column("trunk", sa.String(length=40), nullable=False),
        sa.Column("rank", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_route")),
        sa.UniqueConstraint("prefix", "trunk", name=op.f("uq_route_prefix_trunk")),
    )
    op.create_table(
        "wrong_entry",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("scope", sa.String(length=10), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wrong_entry")),
    )
    op.create_index("ix_wrong_entry_scope_subject_at", "wrong_entry", ["scope", "subject", "at"], unique=False)
    op.create_table(
        "account",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("operator_id", ROW_ID, nullable=False),
        sa.Column("name", sa.String(length=80), server_default="", nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("state", sa.String(length=10), server_default="open", nullable=False),
        sa.Column("balance_micros", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("held_micros", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("limit_micros", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_by", sa.String(length=80), nullable=True),
        sa.Column("close_note", sa.String(length=400), nullable=True),
        sa.CheckConstraint(
            "balance_micros - held_micros >= -limit_micros", name=op.f("ck_account_available_not_below_limit")
        ),
        sa.CheckConstraint("held_micros >= 0", name=op.f("ck_account_held_not_negative")),
        sa.CheckConstraint("limit_micros >= 0", name=op.f("ck_account_limit_not_negative")),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=op.f("fk_account_operator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("number", name=op.f("uq_account_number")),
    )
    op.create_table(
        "age_evidence",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("ani", sa.String(length=16), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=True),
        sa.Column("identity_record_id", ROW_ID, nullable=True),
        sa.Column("minimum_age", sa.Integer(), nullable=False),
        sa.Column("method", sa.String(length=20), nullable=False),
        sa.Column("proven_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["identity_record_id"], ["identity_record.id"], name=op.f("fk_age_evidence_identity_record_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_age_evidence")),
    )
    op.create_index(op.f("ix_age_evidence_account_id"), "age_evidence", ["account_id"], unique=False)
    op.create_index(op.f("ix_age_evidence_ani"), "age_evidence", ["ani"], unique=False)
    op.create_table(
        "tariff",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("operator_id", ROW_ID, nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=op.f("fk_tariff_operator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tariff")),
        sa.UniqueConstraint("operator_id", "name", name=op.f("uq_tariff_operator_id_name")),
    )
    op.create_table(
        "account_line",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("account_id", ROW_ID, nullable=False),
        sa.Column("ani", sa.String(length=16), nullable=False),
        sa.Column("access_code_hash", sa.String(length=64), nullable=True),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("removed_at", sa.BigInteger(), nullable=True),
        sa.Column("removed_by", sa.String(length=80), nullable=True),
        sa.Column("remove_note", sa.String(length=400), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_account_line_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_line")),
    )
    op.create_index(op.f("ix_account_line_ani"), "account_line", ["ani"], unique=False)
    op.create_index(
        "ix_account_line_current",
        "account_line",
        ["account_id", "ani"],
        unique=True,
        sqlite_where=sa.text("removed_at IS NULL"),
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.create_index(
        "ix_account_line_current_code",
        "account_line",
        ["ani", "access_code_hash"],
        unique=True,
        sqlite_where=sa.text("removed_at IS NULL"),
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.create_table(
        "bundle",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("account_id", ROW_ID, nullable=False),
        sa.Column("name", sa.String(length=40), server_default="", nullable=False),
        sa.Column("measure", sa.String(length=12), nullable=False),
        sa.Column("rule", sa.String(length=10), nullable=False),
        sa.Column("priority", sa.Integer(), server_default="0", nullable=False),
        sa.Column("services", sa.String(length=200), server_default="", nullable=False),
        sa.Column("prefixes", sa.String(length=400), server_default="", nullable=False),
        sa.Column("price_micros", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("covers_fees", sa.Boolean(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("period_units", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("rolls_over", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("begins_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("units >= held AND held >= 0", name=op.f("ck_bundle_held_is_there")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_bundle_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bundle")),
    )
    op.create_index(op.f("ix_bundle_account_id"), "bundle", ["account_id"], unique=False)
    op.create_table(
        "destination_attempt",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("prefix", sa.String(length=16), nullable=False),
        sa.Column("account_id", ROW_ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_destination_attempt_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_destination_attempt")),
    )
    op.create_index("ix_destination_attempt_prefix_at", "destination_attempt", ["prefix", "at"], unique=False)
    op.create_table(
        "fraud_refusal",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("account_id", ROW_ID, nullable=False),
        sa.Column("call_id", sa.String(length=32), nullable=False),
        sa.Column("refusal", sa.String(length=40), nullable=False),
        sa.Column("destination", sa.String(length=16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_fraud_refusal_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fraud_refusal")),
    )
    op.create_index("ix_fraud_refusal_account_id_at", "fraud_refusal", ["account_id", "at"], unique=False)
    op.create_table(
        "ledger_account",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("owner", sa.String(length=40), nullable=False),
        sa.Column("account_id", ROW_ID, nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_ledger_account_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_account")),
        sa.UniqueConstraint("account_id", name=op.f("uq_ledger_account_account_id")),
        sa.UniqueConstraint("kind", "owner", "currency", name=op.f("uq_ledger_account_kind_owner_currency")),
    )
    op.create_table(
        "month_use",
        sa.Column("account_id", ROW_ID, nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("service", sa.String(length=16), nullable=False),
        sa.Column("used", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("cost_micros", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_month_use_account_id")),
        sa.PrimaryKeyConstraint("account_id", "month", "service", name=op.f("pk_month_use")),
    )
    op.create_table(
        "pin",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("account_id", ROW_ID, nullable=False),
        sa.Column("pin_hash", sa.String(length=64), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_by", sa.String(length=80), nullable=True),
        sa.Column("revoke_note", sa.String(length=400), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_pin_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pin")),
        sa.UniqueConstraint("pin_hash", name=op.f("uq_pin_pin_hash")),
    )
    op.create_index(op.f("ix_pin_account_id"), "pin", ["account_id"], unique=False)
    op.create_table(
        "service_profile",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("operator_id", ROW_ID, nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("tariff_id", ROW_ID, nullable=False),
        sa.Column("language", sa.String(length=8), server_default="en", nullable=False),
        sa.Column("preamble_prompt", sa.String(length=40), server_default="welcome", nullable=False),
        sa.Column("minimum_age", sa.Integer(), server_default="18", nullable=False),
        sa.Column("age_check", sa.Boolean(), nullable=False),
        sa.Column("evidence_days", sa.Integer(), server_default="365", nullable=False),
        sa.Column("issue_pin", sa.Boolean(), nullable=False),
        sa.Column("session_cap_s", sa.Integer(), server_default="1860", nullable=False),
        sa.Column("month_cap_s", sa.Integer(), server_default="5580", nullable=False),
        sa.Column("reach", sa.String(length=10), server_default="home", nullable=False),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=op.f("fk_service_profile_operator_id")),
        sa.ForeignKeyConstraint(["tariff_id"], ["tariff.id"], name=op.f("fk_service_profile_tariff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_profile")),
        sa.UniqueConstraint("operator_id", "name", name=op.f("uq_service_profile_operator_id_name")),
    )
    op.create_table(
        "suspension",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("account_id", ROW_ID, nullable=False),
        sa.Column("action", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("made_by", sa.String(length=80), nullable=False),
        sa.Column("note", sa.String(length=400), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_suspension_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suspension")),
    )
    op.create_index(op.f("ix_suspension_account_id"), "suspension", ["account_id"], unique=False)
    op.create_table(
        "tariff_version",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("tariff_id", ROW_ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("effective_at", sa.BigInteger(), nullable=False),
        sa.Column("imported_at", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(length=200), server_default="", nullable=False),
        sa.Column("rates", sa.Integer(), server_default="0", nullable=False),
        sa.Column("digest", sa.String(length=64), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["tariff_id"], ["tariff.id"], name=op.f("fk_tariff_version_tariff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tariff_version")),
        sa.UniqueConstraint("tariff_id", "number", name=op.f("uq_tariff_version_tariff_id_number")),
    )
    op.create_table(
        "access_number",
        sa.Column("dnis", sa.String(length=16), nullable=False),
        sa.Column("service_profile_id", ROW_ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["service_profile_id"], ["service_profile.id"], name=op.f("fk_access_number_service_profile_id")
        ),
        sa.PrimaryKeyConstraint("dnis", name=op.f("pk_access_number")),
    )
    op.create_table(
        "bundle_use",
        sa.Column("session_id", sa.String(length=32), nullable=False),
        sa.Column("bundle_id", ROW_ID, nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["bundle_id"], ["bundle.id"], name=op.f("fk_bundle_use_bundle_id")),
        sa.PrimaryKeyConstraint("session_id", "bundle_id", name=op.f("pk_bundle_use")),
    )


def _more_tables() -> None:
    op.create_table(
        "charging_session",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("account_id", ROW_ID, nullable=False),
        sa.Column("service", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("tariff_version_id", ROW_ID, nullable=False),
        sa.Column("rate_prefix", sa.String(length=16), nullable=False),
        sa.Column("request_number", sa.Integer(), nullable=False),
        sa.Column("granted_ms", sa.BigInteger(), nullable=False),
        sa.Column("held_micros", sa.BigInteger(), nullable=False),
        sa.Column("final", sa.Boolean(), nullable=False),
        sa.Column("cap_ms", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("valid_until_at", sa.BigInteger(), nullable=False),
        sa.Column("used_ms", sa.BigInteger(), nullable=True),
        sa.Column("charged_micros", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("held_micros >= 0 AND granted_ms >= 0", name=op.f("ck_charging_session_not_negative")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_charging_session_account_id")),
        sa.ForeignKeyConstraint(
            ["tariff_version_id"], ["tariff_version.id"], name=op.f("fk_charging_session_tariff_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charging_session")),
    )
    op.create_index(
        "ix_charging_session_account_open",
        "charging_session",
        ["account_id"],
        unique=False,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_index(
        "ix_charging_session_account_started", "charging_session", ["account_id", "started_at"], unique=False
    )
    op.create_index(
        "ix_charging_session_valid_open",
        "charging_session",
        ["valid_until_at"],
        unique=False,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "fraud_limit",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("service_profile_id", ROW_ID, nullable=True),
        sa.Column("account_id", ROW_ID, nullable=True),
        sa.Column("calls_per_hour", sa.Integer(), nullable=True),
        sa.Column("concurrent_calls", sa.Integer(), nullable=True),
        sa.Column("spend_per_call_micros", sa.BigInteger(), nullable=True),
        sa.Column("spend_per_hour_micros", sa.BigInteger(), nullable=True),
        sa.Column("spend_per_day_micros", sa.BigInteger(), nullable=True),
        sa.Column("cooldown_s", sa.Integer(), nullable=True),
        sa.Column("suspend_after", sa.Integer(), nullable=True),
        sa.Column("reach", sa.String(length=10), nullable=True),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
        sa.Column("set_by", sa.String(length=80), nullable=False),
        sa.Column("note", sa.String(length=400), server_default="", nullable=False),
        sa.CheckConstraint("(service_profile_id IS NULL) <> (account_id IS NULL)", name=op.f("ck_fraud_limit_of_one")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_fraud_limit_account_id")),
        sa.ForeignKeyConstraint(
            ["service_profile_id"], ["service_profile.id"], name=op.f("fk_fraud_limit_service_profile_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fraud_limit")),
        sa.UniqueConstraint("account_id", name=op.f("uq_fraud_limit_account_id")),
        sa.UniqueConstraint("service_profile_id", name=op.f("uq_fraud_limit_service_profile_id")),
    )
    op.create_table(
        "rate",
        sa.Column("tariff_version_id", ROW_ID, nullable=False),
        sa.Column("service", sa.String(length=16), server_default="voice", nullable=False),
        sa.Column("prefix", sa.String(length=16), nullable=False),
        sa.Column("destination", sa.String(length=80), server_default="", nullable=False),
        sa.Column("price_per_minute_micros", sa.BigInteger(), nullable=False),
        sa.Column("connect_fee_micros", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("minimum_s", sa.Integer(), server_default="0", nullable=False),
        sa.Column("initial_s", sa.Integer(), server_default="1", nullable=False),
        sa.Column("increment_s", sa.Integer(), server_default="1", nullable=False),
        sa.Column("blocked", sa.Boolean(), nullable=False),
        sa.Column("terms_id", ROW_ID, nullable=True),
        sa.CheckConstraint("initial_s >= 1 AND increment_s >= 1 AND minimum_s >= 0", name=op.f("ck_rate_increments")),
        sa.CheckConstraint(
            "terms_id IS NOT NULL OR (price_per_minute_micros >= 0 AND connect_fee_micros >= 0)",
            name=op.f("ck_rate_not_negative"),
        ),
        sa.ForeignKeyConstraint(["tariff_version_id"], ["tariff_version.id"], name=op.f("fk_rate_tariff_version_id")),
        sa.ForeignKeyConstraint(["terms_id"], ["rate_terms.id"], name=op.f("fk_rate_terms_id")),
        sa.PrimaryKeyConstraint("tariff_version_id", "service", "prefix", name=op.f("pk_rate")),
    )
    op.create_table(
        "transfer",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("made_by", sa.String(length=80), nullable=False),
        sa.Column("note", sa.String(length=400), server_default="", nullable=False),
        sa.Column("chain_id", ROW_ID, nullable=False),
        sa.Column("chain_number", sa.BigInteger(), nullable=False),
        sa.Column("chain_hash", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(["chain_id"], ["ledger_account.id"], name=op.f("fk_transfer_chain_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfer")),
        sa.UniqueConstraint("chain_id", "chain_number", name=op.f("uq_transfer_chain_id_chain_number")),
        sa.UniqueConstraint("key", name=op.f("uq_transfer_key")),
    )
    op.create_index(
        "ix_transfer_chain_id_credit_at",
        "transfer",
        ["chain_id", "at"],
        unique=False,
        sqlite_where=sa.text("kind = 'credit'"),
        postgresql_where=sa.text("kind = 'credit'"),
    )
    op.create_table(
        "call",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("switch", sa.String(length=40), nullable=False),
        sa.Column("uniqueid", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=120), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("dnis", sa.String(length=32), nullable=False),
        sa.Column("ani", sa.String(length=16), nullable=False),
        sa.Column("service_profile_id", ROW_ID, nullable=True),
        sa.Column("account_id", ROW_ID, nullable=True),
        sa.Column("charging_session_id", sa.String(length=32), nullable=True),
        sa.Column("destination", sa.String(length=16), server_default="", nullable=False),
        sa.Column("trunk", sa.String(length=40), server_default="", nullable=False),
        sa.Column("arrived_at", sa.BigInteger(), nullable=False),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_call_account_id")),
        sa.ForeignKeyConstraint(
            ["charging_session_id"], ["charging_session.id"], name=op.f("fk_call_charging_session_id")
        ),
        sa.ForeignKeyConstraint(
            ["service_profile_id"], ["service_profile.id"], name=op.f("fk_call_service_profile_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call")),
        sa.UniqueConstraint("switch", "uniqueid", "arrived_at", name=op.f("uq_call_switch_uniqueid_arrived_at")),
    )
    op.create_index(
        "ix_call_live",
        "call",
        ["arrived_at"],
        unique=False,
        sqlite_where=sa.text("state != 'ended'"),
        postgresql_where=sa.text("state != 'ended'"),
    )
    op.create_table(
        "charging_request",
        sa.Column("session_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("wanted_ms", sa.BigInteger(), nullable=False),
        sa.Column("granted_ms", sa.BigInteger(), nullable=False),
        sa.Column("held_micros", sa.BigInteger(), nullable=False),
        sa.Column("final", sa.Boolean(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["session_id"], ["charging_session.id"], name=op.f("fk_charging_request_session_id")),
        sa.PrimaryKeyConstraint("session_id", "number", name=op.f("pk_charging_request")),
    )
    op.create_table(
        "posting",
        sa.Column("transfer_id", ROW_ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("ledger_account_id", ROW_ID, nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("balance_after_micros", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["ledger_account_id"], ["ledger_account.id"], name=op.f("fk_posting_ledger_account_id")
        ),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfer.id"], name=op.f("fk_posting_transfer_id")),
        sa.PrimaryKeyConstraint("transfer_id", "position", name=op.f("pk_posting")),
    )
    op.create_index("ix_posting_ledger_account_id", "posting", ["ledger_account_id", "transfer_id"], unique=False)
    op.create_table(
        "spend_ceiling",
        sa.Column("session_id", sa.String(length=32), nullable=False),
        sa.Column("ceiling_micros", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["session_id"], ["charging_session.id"], name=op.f("fk_spend_ceiling_session_id")),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_spend_ceiling")),
    )
    op.create_table(
        "call_event",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("call_id", sa.String(length=32), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.String(length=40), nullable=False),
        sa.Column("outcome", sa.String(length=60), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["call_id"], ["call.id"], name=op.f("fk_call_event_call_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_event")),
    )
    op.create_index(op.f("ix_call_event_call_id"), "call_event", ["call_id"], unique=False)
    op.create_table(
        "cdr",
        sa.Column("call_id", sa.String(length=32), nullable=False),
        sa.Column("switch", sa.String(length=40), nullable=False),
        sa.Column("uniqueid", sa.String(length=64), nullable=False),
        sa.Column("operator_id", ROW_ID, nullable=True),
        sa.Column("service_profile_id", ROW_ID, nullable=True),
        sa.Column("account_id", ROW_ID, nullable=True),
        sa.Column("dnis", sa.String(length=32), nullable=False),
        sa.Column("ani", sa.String(length=16), nullable=False),
        sa.Column("destination", sa.String(length=16), nullable=False),
        sa.Column("trunk", sa.String(length=40), nullable=False),
        sa.Column("disposition", sa.String(length=40), nullable=False),
        sa.Column("hangup_cause", sa.Integer(), nullable=False),
        sa.Column("tariff_version_id", ROW_ID, nullable=True),
        sa.Column("rate_prefix", sa.String(length=16), nullable=True),
        sa.Column("arrived_at", sa.BigInteger(), nullable=False),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.Column("used_ms", sa.BigInteger(), nullable=False),
        sa.Column("billed_ms", sa.BigInteger(), nullable=False),
        sa.Column("charged_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("balance_after_micros", sa.BigInteger(), nullable=True),
        sa.Column("transfer_id", ROW_ID, nullable=True),
        sa.Column("settled_from", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_cdr_account_id")),
        sa.ForeignKeyConstraint(["call_id"], ["call.id"], name=op.f("fk_cdr_call_id")),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=op.f("fk_cdr_operator_id")),
        sa.ForeignKeyConstraint(["service_profile_id"], ["service_profile.id"], name=op.f("fk_cdr_service_profile_id")),
        sa.ForeignKeyConstraint(["tariff_version_id"], ["tariff_version.id"], name=op.f("fk_cdr_tariff_version_id")),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfer.id"], name=op.f("fk_cdr_transfer_id")),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_cdr")),
    )
    op.create_index(op.f("ix_cdr_account_id"), "cdr", ["account_id"], unique=False)
    op.create_index(op.f("ix_cdr_ani"), "cdr", ["ani"], unique=False)


def downgrade() -> None:
    """Take it back: everything is lost."""
    append_only.release(*APPEND_ONLY)
    op.drop_table("cdr")
    op.drop_table("call_event")
    op.drop_table("spend_ceiling")
    op.drop_table("posting")
    op.drop_table("charging_request")
    op.drop_table("call")
    op.drop_table("transfer")
    op.drop_table("rate")
    op.drop_table("fraud_limit")
    op.drop_table("charging_session")
    op.drop_table("bundle_use")
    op.drop_table("access_number")
    op.drop_table("tariff_version")
    op.drop_table("suspension")
    op.drop_table("service_profile")
    op.drop_table("pin")
    op.drop_table("month_use")
    op.drop_table("ledger_account")
    op.drop_table("fraud_refusal")
    op.drop_table("destination_attempt")
    op.drop_table("bundle")
    op.drop_table("account_line")
    op.drop_table("tariff")
    op.drop_table("age_evidence")
    op.drop_table("account")
    op.drop_table("wrong_entry")
    op.drop_table("route")
    op.drop_table("rate_terms")
    op.drop_table("operator")
    op.drop_table("negative_entry")
    op.drop_table("listing")
    op.drop_table("line_usage")
    op.drop_table("ledger_seal")
    op.drop_table("identity_record")
    op.drop_table("destination_risk")
