"""Wordings of terms, and the agreements to them; neither is ever changed."""

import sqlalchemy as sa

from runtime.database import Instant, metadata
from runtime.personal import BILL, OnErase, Personal, personal

service_terms = sa.Table(
    "service_terms",
    metadata,
    sa.Column("service_profile_id", sa.ForeignKey("service_profile.id"), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("text", sa.String(4000), nullable=False),
    sa.Column("text_sha256", sa.String(64), nullable=False),
    sa.Column("prompt", sa.String(40), nullable=False),
    sa.Column("made_by", sa.String(80), nullable=False),
    sa.Column("made_at", Instant, nullable=False),
)

terms_agreement = sa.Table(
    "terms_agreement",
    metadata,
    sa.Column("call_id", sa.ForeignKey("call.id"), primary_key=True),
    sa.Column("service_profile_id", sa.ForeignKey("service_profile.id"), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("text_sha256", sa.String(64), nullable=False),
    sa.Column("agreed_at", Instant, nullable=False),
    info=personal(Personal(OnErase.KEEP, through="call_id", why_kept=BILL)),
)
