"""Identity records and evidence of age in SQL."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ani.qualification.qualification import Evidence, IdentityRecord, StoredRecord
from ani.qualification.tables import age_evidence, identity_record
from runtime.among import Among
from runtime.database import Instant
from runtime.prepared import Prepared

MOST_PERSONS = 100
"""So many persons of one line are compared."""
_HAS_EVIDENCE = Prepared(
    sa.select(
        age_evidence.c.method,
        age_evidence.c.proven_at,
        age_evidence.c.expires_at,
        age_evidence.c.ani,
        sa.func.coalesce(identity_record.c.source, "vendor"),
    )
    .select_from(age_evidence.outerjoin(identity_record))
    .where(
        sa.or_(
            age_evidence.c.ani == sa.bindparam("line"),
            age_evidence.c.account_id == sa.bindparam("account", type_=sa.BigInteger),
        ),
        age_evidence.c.minimum_age >= sa.bindparam("wanted_age"),
        age_evidence.c.expires_at > sa.bindparam("now", type_=Instant),
    )
    .limit(1)
)
_HAS_IDENTITY = Prepared(sa.select(identity_record.c.id).where(identity_record.c.ani == sa.bindparam("line")).limit(1))
_FIELDS = (
    identity_record.c.id,
    identity_record.c.ani,
    identity_record.c.last_name,
    identity_record.c.birth_on,
    identity_record.c.ssn_last_four_hash,
    identity_record.c.source,
    identity_record.c.first_name,
    identity_record.c.ssn_hash,
    identity_record.c.licence_hash,
    identity_record.c.person_sealed,
    identity_record.c.has_ssn,
    identity_record.c.recorded_at,
)
_ON_LINE = Prepared(sa.select(*_FIELDS).where(identity_record.c.ani == sa.bindparam("line")).limit(MOST_PERSONS))
_RECORDS_ON = sa.select(*_FIELDS).where(identity_record.c.ani.in_(sa.bindparam("lines", expanding=True)))
_INSERT_EVIDENCE = Prepared(
    sa.insert(age_evidence),
    ("ani", "account_id", "identity_record_id", "minimum_age", "method", "proven_at", "expires_at"),
)
_INSERT_RECORD = sa.insert(identity_record)
_UPDATE_RECORD = (
    sa.update(identity_record)
    .where(identity_record.c.id == sa.bindparam("record_id"))
    .values(
        last_name=sa.bindparam("new_last_name"),
        first_name=sa.bindparam("new_first_name"),
        ssn_hash=sa.bindparam("new_ssn_hash"),
        licence_hash=sa.bindparam("new_licence_hash"),
        person_sealed=sa.bindparam("new_person_sealed"),
        birth_on=sa.bindparam("new_birth_on"),
        source=sa.bindparam("new_source"),
        recorded_at=sa.bindparam("new_recorded_at", type_=Instant),
    )
)
_PLAIN = (
    sa.select(*_FIELDS)
    .where(identity_record.c.person_sealed.is_(None))
    .order_by(identity_record.c.id)
    .with_for_update()
)
_COUNT_PLAIN = sa.select(sa.func.count(identity_record.c.id)).where(identity_record.c.person_sealed.is_(None))
_SEAL_RECORD = (
    sa.update(identity_record)
    .where(identity_record.c.id == sa.bindparam("record_id"))
    .values(
        last_name=sa.bindparam("new_last_name"),
        first_name=sa.bindparam("new_first_name"),
        birth_on=sa.bindparam("new_birth_on"),
        person_sealed=sa.bindparam("new_person_sealed"),
    )
)
_END_EVIDENCE = (
    sa.update(age_evidence)
    .where(
        age_evidence.c.identity_record_id == sa.bindparam("record_id"),
        age_evidence.c.expires_at > sa.bindparam("end_at", type_=Instant),
    )
    .values(expires_at=sa.bindparam("end_at", type_=Instant))
)
_END_ON_LINES = Among(
    lambda among: (
        sa.update(age_evidence)
        .where(among, age_evidence.c.expires_at > sa.bindparam("end_at", type_=Instant))
        .values(expires_at=sa.bindparam("end_at", type_=Instant))
    ),
    "ani",
)
_LOCK = sa.text("LOCK TABLE identity_record IN SHARE ROW EXCLUSIVE MODE")
_AT_ONCE = 1000


def lock(conn: Connection) -> None:
    """Let no other import of identity records in until this transaction ends; age checks are not kept waiting."""
    if conn.dialect.name == "postgresql":
        conn.execute(_LOCK)


def has_evidence(conn: Connection, *, ani: str, account_id: int | None, minimum_age: int, now: datetime) -> bool:
    """True when this age or a higher one was proven on the line or for the account, and the evidence still stands."""
    return evidence_of(conn, ani=ani, account_id=account_id, minimum_age=minimum_age, now=now) is not None


def evidence_of(
    conn: Connection, *, ani: str, account_id: int | None, minimum_age: int, now: datetime
) -> Evidence | None:
    """The proof by which that is so."""
    found = _HAS_EVIDENCE.first(conn, line=ani, account=account_id, wanted_age=minimum_age, now=now)
    return None if found is None else Evidence(found[0], found[1], found[2], bool(ani) and found[3] == ani, found[4])


def has_identity(conn: Connection, ani: str) -> bool:
    """True when there is any identity record of the line to check a caller against."""
    return _HAS_IDENTITY.first(conn, line=ani) is not None


def persons_on(conn: Connection, ani: str) -> list[StoredRecord]:
    """The persons of the line."""
    return [_record(row) for row in _ON_LINE.all(conn, line=ani)]


def records_on(conn: Connection, lines: Collection[str]) -> list[StoredRecord]:
    """The records of these lines."""
    wanted = list(lines)
    return [
        _record(tuple(row))
        for start in range(0, len(wanted), _AT_ONCE)
        for row in conn.execute(_RECORDS_ON, {"lines": wanted[start : start + _AT_ONCE]})
    ]


def insert_evidence(
    conn: Connection,
    *,
    ani: str,
    account_id: int | None,
    record_id: int | None,
    minimum_age: int,
    method: str,
    at: datetime,
    expires_at: datetime,
) -> None:
    """Keep that the age was proven, for the line and for the account when one is known."""
    _INSERT_EVIDENCE.run(
        conn,
        ani=ani,
        account_id=account_id,
        identity_record_id=record_id,
        minimum_age=minimum_age,
        method=method,
        proven_at=at,
        expires_at=expires_at,
    )


def insert_records(conn: Connection, records: Iterable[IdentityRecord], at: datetime) -> None:
    """Add records."""
    conn.execute(
        _INSERT_RECORD,
        [
            {
                "ani": new.ani,
                "last_name": new.last_name,
                "birth_on": new.birth_on,
                "ssn_last_four_hash": new.ssn_last_four_hash,
                "source": new.source,
                "first_name": new.first_name,
                "ssn_hash": new.ssn_hash,
                "licence_hash": new.licence_hash,
                "person_sealed": new.person_sealed,
                "has_ssn": new.has_ssn,
                "recorded_at": at,
            }
            for new in records
        ],
    )


def update_records(conn: Connection, records: Iterable[StoredRecord], at: datetime) -> None:
    """Correct records in place: of a person only what is known now is kept."""
    conn.execute(
        _UPDATE_RECORD,
        [
            {
                "record_id": stored.record_id,
                "new_last_name": stored.record.last_name,
                "new_first_name": stored.record.first_name,
                "new_ssn_hash": stored.record.ssn_hash,
                "new_licence_hash": stored.record.licence_hash,
                "new_person_sealed": stored.record.person_sealed,
                "new_birth_on": stored.record.birth_on,
                "new_source": stored.record.source,
                "new_recorded_at": at,
            }
            for stored in records
        ],
    )


def plain_records(conn: Connection, limit: int) -> list[StoredRecord]:
    """Records whose person is not sealed, locked until the end of the transaction."""
    return [_record(tuple(row)) for row in conn.execute(_PLAIN.limit(limit))]


def count_plain_records(conn: Connection) -> int:
    """How many there are."""
    return int(conn.execute(_COUNT_PLAIN).scalar_one())


def seal_records(conn: Connection, records: Iterable[StoredRecord]) -> None:
    """Keep the seals of records, and nothing in plain beside them."""
    conn.execute(
        _SEAL_RECORD,
        [
            {
                "record_id": stored.record_id,
                "new_last_name": stored.record.last_name,
                "new_first_name": stored.record.first_name,
                "new_birth_on": stored.record.birth_on,
                "new_person_sealed": stored.record.person_sealed,
            }
            for stored in records
        ],
    )


def end_evidence(conn: Connection, record_ids: Iterable[int], at: datetime) -> None:
    """Let evidence that rests on these records end now."""
    conn.execute(_END_EVIDENCE, [{"record_id": record_id, "end_at": at} for record_id in record_ids])


def end_evidence_on(conn: Connection, lines: Collection[str], at: datetime) -> None:
    """Let evidence given on these lines end now, by one statement: they are other customers' or nobody's."""
    if lines:
        _END_ON_LINES.run(conn, lines, end_at=at)


def _record(row: tuple[Any, ...]) -> StoredRecord:
    record_id, *fields, recorded_at = row
    return StoredRecord(record_id, IdentityRecord(*fields), recorded_at)
