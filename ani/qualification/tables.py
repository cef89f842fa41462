"""Identity records (keyed hashes and a seal) and the evidence that a caller on a line proved his age."""

import sqlalchemy as sa

from ani.qualification.sealing import person_seal
from runtime.database import Instant, RowId, metadata
from runtime.keyed import keyed, sealed
from runtime.personal import OnErase, Personal, personal

identity_record = sa.Table(
    "identity_record",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("ani", sa.String(16), nullable=False, index=True),
    sa.Column("last_name", sa.String(80), nullable=False, server_default=""),
    sa.Column("birth_on", sa.Date, nullable=False),
    # of who has no such number known (has_ssn), a hash of his source and name
    sa.Column("ssn_last_four_hash", sa.String(64), nullable=False, info=keyed()),
    sa.Column("source", sa.String(40), nullable=False),
    sa.Column("recorded_at", Instant, nullable=False),
    sa.Column("first_name", sa.String(80), nullable=False, server_default=""),
    sa.Column("ssn_hash", sa.String(64), info=keyed()),
    sa.Column("licence_hash", sa.String(64), info=keyed()),
    # name and date of birth; where it is there, their own columns say nothing
    sa.Column("person_sealed", sa.Text, info=sealed(person_seal.BOUND)),
    sa.Column("has_ssn", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.UniqueConstraint("ani", "ssn_last_four_hash"),
    info=personal(
        Personal(
            OnErase.REMOVE,
            line="ani",
            hidden=("ssn_last_four_hash", "ssn_hash", "licence_hash", "person_sealed"),
            opened=person_seal.opened_row,
        )
    ),
)

age_evidence = sa.Table(
    "age_evidence",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("ani", sa.String(16), nullable=False, index=True),
    sa.Column("account_id", sa.BigInteger, index=True),
    sa.Column("identity_record_id", sa.ForeignKey("identity_record.id")),
    sa.Column("minimum_age", sa.Integer, nullable=False),
    sa.Column("method", sa.String(20), nullable=False),
    sa.Column("proven_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    info=personal(Personal(OnErase.REMOVE, line="ani", account="account_id")),
)
