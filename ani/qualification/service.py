"""Checking a caller's age, and loading the identity records to check against (AGE-1, AGE-3, AGE-5)."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlalchemy.engine import Connection, Engine

from ani.importing import Once, Source, load_file, parse_line, parse_text
from ani.lockout import store as lockout
from ani.lockout.lockout import Limits
from ani.qualification import store
from ani.qualification.qualification import (
    AgeProof,
    AgeRefusal,
    IdentityRecord,
    StoredRecord,
    is_birth_date,
    is_last_four,
    is_of_age,
)
from runtime.clock import Clock
from runtime.csv_import import BadRowError, Column, ImportResult
from runtime.database import transaction
from runtime.keys import Pepper

HASH_KIND = "ssn4"
METHOD = "ssn-last-four"
COLUMNS = (
    Column("ani"),
    Column("last_name", required=False),
    Column("birth_on"),
    Column("ssn_last_four", secret=True),
)


def check_ssn_last_four(
    engine: Engine,
    clock: Clock,
    pepper: Pepper,
    limits: Limits,
    *,
    ani: str,
    account_id: int | None,
    digits: str,
    minimum_age: int,
    evidence_days: int,
) -> AgeProof | AgeRefusal:
    """Compare what was keyed with the identity records of the line, in one transaction.

    A proof is kept for `evidence_days`, for the line and for the account when one is known. Whatever fails (no record,
    wrong digits, too young, not four digits) gets the same answer and counts as a wrong entry of both; while locked,
    nothing is compared or counted.
    """
    keyed_hash = pepper.digest(HASH_KIND, ani, digits)
    with transaction(engine) as conn:
        now = clock.now()
        if lockout.is_locked(conn, ani=ani, account_id=account_id, limits=limits, now=now):
            return AgeRefusal.LOCKED
        stored = store.matching_record(conn, ani, keyed_hash) if is_last_four(digits) else None
        if stored is None or not is_of_age(stored.record.birth_on, minimum_age, now):
            lockout.record_wrong(conn, ani=ani, account_id=account_id, kind=METHOD, at=now)
            return AgeRefusal.NOT_PROVEN
        expires_at = now + timedelta(days=evidence_days)
        store.insert_evidence(
            conn,
            ani=ani,
            account_id=account_id,
            record_id=stored.record_id,
            minimum_age=minimum_age,
            method=METHOD,
            at=now,
            expires_at=expires_at,
        )
        return AgeProof(stored.record_id, stored.record.source, expires_at)


def import_identities(engine: Engine, clock: Clock, pepper: Pepper, source: Source, supplier: str) -> ImportResult:
    """Load identity records (ani, last_name, birth_on, ssn_last_four); only keyed hashes of the digits are kept.

    A record of the same line and digits is corrected in place; when that moves the date of birth, evidence that rests
    on it ends. `supplier` names who the file is from.
    """
    now = clock.now()
    once = Once("ani: the line and digits are")

    def parse(fields: dict[str, str]) -> IdentityRecord:
        record = _parse_record(fields, source.home_country, pepper, supplier, now)
        once.check(int(record.ssn_last_four_hash[:15], 16), record)
        return record

    return load_file(engine, source, COLUMNS, parse, lambda conn, batch: _write(conn, batch, now))


def _parse_record(
    fields: dict[str, str], home_country: str, pepper: Pepper, supplier: str, now: datetime
) -> IdentityRecord:
    ani, _ = parse_line(fields["ani"], home_country)
    try:
        birth_on = date.fromisoformat(fields["birth_on"])
    except ValueError:
        raise BadRowError("birth_on: not a date (YYYY-MM-DD)") from None
    if not is_birth_date(birth_on, now):
        raise BadRowError("birth_on: nobody alive was born then")
    digits = fields["ssn_last_four"]
    if not is_last_four(digits):
        raise BadRowError("ssn_last_four: not four digits")
    last_name = parse_text(fields, "last_name", 80)
    return IdentityRecord(ani, last_name, birth_on, pepper.digest(HASH_KIND, ani, digits), supplier)


def _write(conn: Connection, batch: Sequence[IdentityRecord], now: datetime) -> int:
    store.lock(conn)
    known = store.records_on(conn, {record.ani for record in batch})
    added: dict[tuple[str, str], IdentityRecord] = {}
    corrected: dict[int, StoredRecord] = {}
    moved: set[int] = set()
    for record in batch:
        key = (record.ani, record.ssn_last_four_hash)
        stored = known.get(key)
        if stored is None:
            added[key] = record
        elif stored.record != record:
            corrected[stored.record_id] = StoredRecord(stored.record_id, record)
            if stored.record.birth_on != record.birth_on:
                moved.add(stored.record_id)
    if added:
        store.insert_records(conn, added.values(), now)
    if corrected:
        store.update_records(conn, corrected.values(), now)
    if moved:
        store.end_evidence(conn, moved, now)
    return len(added) + len(corrected)
