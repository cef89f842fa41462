"""Checking a caller's age, and loading the identity records to check against (AGE-1, AGE-3, AGE-5)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TypeGuard

from sqlalchemy.engine import Connection, Engine

from ani.importing import Once, Source, load_file, parse_line, parse_text
from ani.lockout import store as lockout
from ani.lockout.lockout import UNKNOWN_WAY, Limits, Tell, Way, Wrong, tell_nobody
from ani.qualification import store
from ani.qualification.belonging import eldest, is_of_line
from ani.qualification.keyed_name import can_be_spelt, is_name_keyed
from ani.qualification.proof import LICENCE_STATE_KEYS, Method, is_keyed_well, keypad, parse_birth_date
from ani.qualification.qualification import (
    AgeProof,
    AgeQuestion,
    AgeRefusal,
    Checked,
    IdentityRecord,
    Loaded,
    StoredRecord,
    is_birth_date,
    is_last_four,
    is_of_age,
)
from ani.qualification.sealing.person_seal import opened_record, sealed_record
from ani.reverse_match import store as listing_store
from ani.vendor.service import Asked, VendorDesk
from ani.vendor.vendor import Claim, PersonMatch, Purpose
from runtime.clock import Clock
from runtime.csv_import import BadRowError, Column, ImportResult
from runtime.database import reading, transaction
from runtime.keys import Pepper

HASH_KIND, WHOLE_KIND, LICENCE_KIND, PERSON_KIND = "ssn4", "ssn9", "licence", "person"
BY_SSN = frozenset({Method.SSN_LAST_FOUR, Method.SSN})
ASKED = frozenset({Method.SSN_LAST_FOUR, Method.SSN, Method.BIRTH_DATE})
"""What a vendor is asked by; licences and names are compared with the persons that were loaded."""
COLUMNS = (
    Column("ani"),
    Column("last_name", required=False),
    Column("birth_on"),
    Column("ssn_last_four", required=False, secret=True),
    Column("first_name", required=False),
    Column("ssn", required=False, secret=True),
    Column("licence_state", required=False, secret=True),
    Column("licence", required=False, secret=True),
)


def check_person(
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
    method: Method = Method.SSN_LAST_FOUR,
    desk: VendorDesk | None = None,
    call_id: str | None = None,
    way: Way = UNKNOWN_WAY,
    barred: frozenset[str] = frozenset(),
    tell: Tell = tell_nobody,
    born: str | None = None,
) -> Checked:
    """Compare what was keyed with the persons of the line, then with what the vendor knows; keep the proof.

    A proof is kept for `evidence_days`, for the line and for the account when one is known; what the vendor told, too.
    Whatever fails (nobody known, wrong digits, too young, not of that form) takes the same way and as long, gets the
    same answer and counts as a wrong entry; of who is known to be too young the vendor is asked too, for nothing. It is
    counted before the vendor is asked, so that calls side by side get no extra tries, and taken back when it was right
    after all. While locked, nothing is compared or counted.
    A vendor that tells no dates of birth can prove an age only by one that is claimed with the number: then, unless a
    known person proves it, the answer is AgeQuestion.BIRTH_DATE, right or wrong, and the same is asked anew with what
    was keyed for it (`born`, eight digits; anything else is wrong). Where it tells them but has none of who matches,
    nothing is proven, and nothing counted.
    Persons and a vendor whose source is `barred` are as if they were not there, and so are persons of a former holder.
    """
    wrong = Wrong(ani, account_id, method.value, way, clock.now())
    with transaction(engine) as conn:
        if lockout.is_locked(conn, ani=ani, account_id=account_id, limits=limits, now=wrong.at, way=way, tell=tell):
            return Checked(AgeRefusal.LOCKED)
        lockout.count_wrong(conn, wrong)
        persons = [stored for stored in _persons(conn, pepper, ani) if stored.record.source not in barred]
        is_well = is_keyed_well(method, digits)
        compared = frozenset(one.record.source for one in persons if is_well and can_be_keyed(one.record, method))
        stored = eldest(matching(persons, method, digits, pepper)) if is_well else None
        if stored is not None and is_of_age(stored.record.birth_on, minimum_age, wrong.at):
            return Checked(_keep(conn, wrong, stored, stored.record.source, minimum_age, evidence_days), compared)
        if born is None and method in BY_SSN and _is_asked(desk, method, digits, barred) and not desk.tells_birth_dates:
            lockout.take_back(conn, wrong)
            return Checked(AgeQuestion.BIRTH_DATE, compared)
    asked = _ask_vendor(desk, ani, call_id, method, digits, barred, born)
    if asked is not None and asked.is_sent:
        compared |= {asked.vendor}
    birth_on = asked.answer.birth_on if asked is not None and asked.answer and asked.answer.is_match else None
    if asked is not None and asked.answer and asked.answer.is_match and birth_on is None:
        with transaction(engine) as conn:
            lockout.take_back(conn, wrong)
    if stored is not None or asked is None or birth_on is None or not is_birth_date(birth_on, wrong.at):
        return Checked(AgeRefusal.NOT_PROVEN, compared)
    with transaction(engine) as conn:
        told = _remember(conn, pepper, ani, method, digits, birth_on, asked.vendor, wrong.at)
        if not is_of_age(birth_on, minimum_age, wrong.at):
            return Checked(AgeRefusal.NOT_PROVEN, compared)
        return Checked(_keep(conn, wrong, told, asked.vendor, minimum_age, evidence_days), compared)


def barred_sources(
    engine: Engine, pepper: Pepper, desk: VendorDesk | None, *, ani: str, method: Method, compared: frozenset[str]
) -> tuple[frozenset[str], bool]:
    """The sources another proof may not come from (AGE-2), and whether there is any other to compare it with.

    They are those the social security number was `compared` with, and every source that knows one on the line, so that
    keying nothing opens none of them. Where it was compared with nothing at all, the vendor is one of them too.
    """
    with reading(engine) as conn:
        persons = [stored.record for stored in _persons(conn, pepper, ani)]
    vendor = {desk.vendor_name} if desk is not None and desk.serves(Purpose.PERSON) and method in ASKED else set()
    barred = compared | {person.source for person in persons if person.has_ssn} | (set() if compared else vendor)
    others = {person.source for person in persons if can_be_keyed(person, method)} | vendor
    return barred, bool(others - barred)


def _persons(conn: Connection, pepper: Pepper, ani: str) -> list[StoredRecord]:
    """The persons of the line as it is listed now: those of a former holder prove nothing on it."""
    last = listing_store.last_listing(conn, ani)
    every = [_opened(stored, pepper) for stored in store.persons_on(conn, ani)]
    return [stored for stored in every if is_of_line(stored, last)]


def count_hang_up(
    engine: Engine,
    clock: Clock,
    limits: Limits,
    *,
    ani: str,
    account_id: int | None,
    kind: str,
    way: Way = UNKNOWN_WAY,
) -> None:
    """Count a caller who left while he was asked as one who keyed wrong digits; while locked, nothing is counted."""
    now = clock.now()
    with transaction(engine) as conn:
        if not lockout.is_locked(conn, ani=ani, account_id=account_id, limits=limits, now=now, way=way):
            lockout.count_wrong(conn, Wrong(ani, account_id, kind, way, now))


def matching(persons: Sequence[StoredRecord], method: Method, digits: str, pepper: Pepper) -> list[StoredRecord]:
    """Those of these persons who may be the one keyed; each is compared, whichever is."""
    return [stored for stored in persons if is_keyed(stored.record, method, digits, pepper)]


def can_be_keyed(record: IdentityRecord, method: Method) -> bool:
    """Whether enough is known of this person to compare."""
    if method in BY_SSN:
        return record.has_ssn
    if method is Method.LICENCE:
        return record.licence_hash is not None
    return method is Method.BIRTH_DATE or can_be_spelt(record.first_name, record.last_name)


def is_keyed(record: IdentityRecord, method: Method, digits: str, pepper: Pepper) -> bool:
    """Whether the digits are this person's. Of nine, the last four do where no more is known of him."""
    ani = record.ani
    if method is Method.BIRTH_DATE:
        return parse_birth_date(digits) == record.birth_on
    if method is Method.NAME:
        return is_name_keyed(record.first_name, record.last_name, digits)
    if method is Method.LICENCE:
        return pepper.is_digest(record.licence_hash, LICENCE_KIND, ani, digits)
    if method is Method.SSN and record.ssn_hash is not None:
        return pepper.is_digest(record.ssn_hash, WHOLE_KIND, ani, digits)
    last_four = record.ssn_last_four_hash
    is_first = pepper.is_digest(last_four, HASH_KIND, ani, digits[-4:])
    return pepper.is_digest(last_four, HASH_KIND, ani, digits[-4:], record.source) or is_first


def _is_asked(desk: VendorDesk | None, method: Method, digits: str, barred: frozenset[str]) -> TypeGuard[VendorDesk]:
    """Whether the vendor is one to ask for this."""
    if desk is None or not desk.serves(Purpose.PERSON) or desk.vendor_name in barred:
        return False
    return method in ASKED and is_keyed_well(method, digits)


def _ask_vendor(
    desk: VendorDesk | None,
    ani: str,
    call_id: str | None,
    method: Method,
    digits: str,
    barred: frozenset[str],
    born: str | None,
) -> Asked[PersonMatch] | None:
    if not _is_asked(desk, method, digits, barred):
        return None
    if method is Method.BIRTH_DATE:
        claim = Claim(ani, birth_on=parse_birth_date(digits))
    else:
        claim = Claim(ani, national_id=digits, birth_on=None if born is None else parse_birth_date(born))
        if born is not None and claim.birth_on is None:
            return None
    return desk.ask(Purpose.PERSON, ani, call_id, lambda vendor, left_s: vendor.match_person(claim, left_s))


def _remember(
    conn: Connection, pepper: Pepper, ani: str, method: Method, digits: str, birth_on: date, source: str, at: datetime
) -> StoredRecord:
    """Keep the person a vendor told of for later calls; by his date of birth where the digits are no number of his."""
    if method in BY_SSN:
        whole = pepper.digest(WHOLE_KIND, ani, digits) if method is Method.SSN else None
        record = IdentityRecord(ani, "", birth_on, pepper.digest(HASH_KIND, ani, digits[-4:]), source, ssn_hash=whole)
        loaded = Loaded(record, pepper.digest(HASH_KIND, ani, digits[-4:], source))
    else:
        by_date = pepper.digest(PERSON_KIND, ani, source, birth_on.isoformat())
        loaded = Loaded(IdentityRecord(ani, "", birth_on, by_date, source, has_ssn=False), by_date)
    store.lock(conn)
    record, known = _placed(loaded, _known(conn, pepper, {ani}), pepper)
    key = _key(record, pepper)
    if known is None:
        store.insert_records(conn, [sealed_record(record, pepper)], at)
    elif not is_of_line(known, listing_store.last_listing(conn, ani)):
        # what was known of a former holder is told anew: by the vendor it is of the line as it is now
        store.update_records(conn, [StoredRecord(known.record_id, sealed_record(record, pepper))], at)
    return _known(conn, pepper, {ani})[key]


def _keep(
    conn: Connection, wrong: Wrong, stored: StoredRecord | None, source: str, minimum_age: int, evidence_days: int
) -> AgeProof:
    expires_at = wrong.at + timedelta(days=evidence_days)
    record_id = stored.record_id if stored else None
    lockout.take_back(conn, wrong)
    store.insert_evidence(
        conn,
        ani=wrong.ani,
        account_id=wrong.account_id,
        record_id=record_id,
        minimum_age=minimum_age,
        method=wrong.kind,
        at=wrong.at,
        expires_at=expires_at,
    )
    return AgeProof(record_id, source, expires_at, wrong.kind)


def import_identities(engine: Engine, clock: Clock, pepper: Pepper, source: Source, supplier: str) -> ImportResult:
    """Load identity records (ani, last_name, birth_on, ssn_last_four); only keyed hashes of the digits are kept,
    and of name and date of birth a seal.

    A person whose social security number is not known is told by his source and name, and needs a last name. A record
    of the same source, line and digits, or source and name, is corrected in place; when that moves the date of birth,
    evidence that rests on it ends. What another source said of these digits stays. `supplier` names who the
    file is from.
    """
    now = clock.now()
    once = Once("ani: the line and digits, or name, are")

    def parse(fields: dict[str, str]) -> Loaded:
        loaded = _parse_record(fields, source.home_country, pepper, supplier, now)
        once.check(hash((loaded.record.ani, loaded.record.ssn_last_four_hash)), loaded)
        return loaded

    return load_file(engine, source, COLUMNS, parse, lambda conn, batch: _write(conn, batch, pepper, now))


def _parse_record(fields: dict[str, str], home_country: str, pepper: Pepper, supplier: str, now: datetime) -> Loaded:
    ani, _ = parse_line(fields["ani"], home_country)
    try:
        birth_on = date.fromisoformat(fields["birth_on"])
    except ValueError:
        raise BadRowError("birth_on: not a date (YYYY-MM-DD)") from None
    if not is_birth_date(birth_on, now):
        raise BadRowError("birth_on: nobody alive was born then")
    whole = fields["ssn"].replace("-", "")
    digits = fields["ssn_last_four"] or whole[-4:]
    if not (digits or fields["ssn"]):
        parse_text(fields, "last_name", 80, needed=True)
    elif not is_last_four(digits):
        raise BadRowError("ssn_last_four: not four digits")
    if whole and not (len(whole) == 9 and whole.isascii() and whole.isdigit() and whole.endswith(digits)):
        raise BadRowError("ssn: not nine digits that end in those four")
    licence = keypad(fields["licence_state"]) + keypad(fields["licence"])
    if fields["licence"] and len(keypad(fields["licence_state"])) != LICENCE_STATE_KEYS:
        raise BadRowError("licence_state: not two letters")
    first_name, last_name = parse_text(fields, "first_name", 80), parse_text(fields, "last_name", 80)
    by_name = (PERSON_KIND, ani, supplier, first_name.casefold(), last_name.casefold())
    told_by = pepper.digest(*((HASH_KIND, ani, digits) if digits else by_name))
    record = IdentityRecord(
        ani,
        last_name,
        birth_on,
        told_by,
        supplier,
        first_name,
        pepper.digest(WHOLE_KIND, ani, whole) if whole else None,
        pepper.digest(LICENCE_KIND, ani, licence) if fields["licence"] else None,
        has_ssn=bool(digits),
    )
    return Loaded(record, pepper.digest(HASH_KIND, ani, digits, supplier) if digits else told_by)


def _key(record: IdentityRecord, pepper: Pepper) -> tuple[str, str]:
    return record.ani, pepper.newest(record.ssn_last_four_hash)


def _placed(
    loaded: Loaded, known: dict[tuple[str, str], StoredRecord], pepper: Pepper
) -> tuple[IdentityRecord, StoredRecord | None]:
    """The record as it is kept, beside what other sources say of these digits, and what its own source said before."""
    first, own = loaded.record, replace(loaded.record, ssn_last_four_hash=loaded.own_hash)
    if (stored := known.get(_key(own, pepper))) is not None:
        return own, stored
    stored = known.get(_key(first, pepper))
    return (first, stored) if stored is None or stored.record.source == first.source else (own, None)


def _compared(record: IdentityRecord, pepper: Pepper) -> IdentityRecord:
    """The record with its hashes under the last key there is, so that two can be compared."""
    whole, licence = record.ssn_hash, record.licence_hash
    return replace(
        record,
        ssn_last_four_hash=pepper.newest(record.ssn_last_four_hash),
        ssn_hash=None if whole is None else pepper.newest(whole),
        licence_hash=None if licence is None else pepper.newest(licence),
    )


def _known(conn: Connection, pepper: Pepper, lines: set[str]) -> dict[tuple[str, str], StoredRecord]:
    found = (_opened(stored, pepper) for stored in store.records_on(conn, lines))
    return {_key(stored.record, pepper): stored for stored in found}


def _opened(stored: StoredRecord, pepper: Pepper) -> StoredRecord:
    return replace(stored, record=opened_record(stored.record, pepper))


def seal_persons(engine: Engine, pepper: Pepper, at_once: int = 500) -> int:
    """Seal the next persons that stand in plain, from before there were seals; gives how many, 0 at the end."""
    with transaction(engine) as conn:
        store.lock(conn)
        found = store.plain_records(conn, at_once)
        if found:
            store.seal_records(conn, [replace(one, record=sealed_record(one.record, pepper)) for one in found])
    return len(found)


def count_plain_persons(engine: Engine) -> int:
    """How many persons stand in plain."""
    with reading(engine) as conn:
        return store.count_plain_records(conn)


def _write(conn: Connection, batch: Sequence[Loaded], pepper: Pepper, now: datetime) -> int:
    store.lock(conn)
    known = _known(conn, pepper, {loaded.record.ani for loaded in batch})
    added: dict[tuple[str, str], IdentityRecord] = {}
    corrected: dict[int, StoredRecord] = {}
    moved: set[int] = set()
    for loaded in batch:
        record, stored = _placed(loaded, known, pepper)
        if stored is None:
            added[_key(record, pepper)] = record
        elif _compared(stored.record, pepper) != _compared(record, pepper):
            # its hash stays as it stands, and the seal is bound to that
            kept = replace(record, ssn_last_four_hash=stored.record.ssn_last_four_hash)
            corrected[stored.record_id] = StoredRecord(stored.record_id, sealed_record(kept, pepper))
            if stored.record.birth_on != record.birth_on:
                moved.add(stored.record_id)
    if added:
        store.insert_records(conn, [sealed_record(record, pepper) for record in added.values()], now)
    if corrected:
        store.update_records(conn, corrected.values(), now)
    if moved:
        store.end_evidence(conn, moved, now)
    return len(added) + len(corrected)
