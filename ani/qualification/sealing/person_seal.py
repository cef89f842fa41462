"""Name and date of birth of a person, sealed: they are shown to him again, and are what others prove to be him with."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from ani.qualification.qualification import IdentityRecord
from runtime.keyed import Sealed
from runtime.keys import Pepper
from runtime.sealing import Place, SealedValueError, open_sealed, seal

TABLE, COLUMN = "identity_record", "person_sealed"
BOUND = Sealed(beside="ssn_last_four_hash", bound_to=("ani",))
UNSAID = date(1, 1, 1)
"""Stands in the column of the date of birth where it is sealed."""
_BETWEEN = "\x1f"


def sealed_record(record: IdentityRecord, pepper: Pepper) -> IdentityRecord:
    """The record as it is written: name and date of birth in the seal only."""
    person = _BETWEEN.join((record.birth_on.isoformat(), record.first_name, record.last_name))
    closed = seal(pepper, _place(record), person)
    return replace(record, birth_on=UNSAID, first_name="", last_name="", person_sealed=closed)


def opened_record(record: IdentityRecord, pepper: Pepper) -> IdentityRecord:
    """The record as it is read; one of before there were seals stays as it is. Raises SealedValueError."""
    if record.person_sealed is None:
        return record
    birth_on, first_name, last_name = _opened(open_sealed(pepper, _place(record), record.person_sealed))
    return replace(record, birth_on=birth_on, first_name=first_name, last_name=last_name, person_sealed=None)


def opened_row(row: Mapping[str, object], pepper: Pepper) -> dict[str, object]:
    """The same for a row of the table as it is shown to the person himself."""
    shown, closed = dict(row), row[COLUMN]
    if isinstance(closed, str):
        birth_on, first_name, last_name = _opened(open_sealed(pepper, BOUND.place(TABLE, COLUMN, row), closed))
        shown |= {"birth_on": birth_on, "first_name": first_name, "last_name": last_name}
    return shown


def _opened(person: str) -> tuple[date, str, str]:
    try:
        birth_on, first_name, last_name = person.split(_BETWEEN)
        return date.fromisoformat(birth_on), first_name, last_name
    except ValueError:
        raise SealedValueError(f"{TABLE}.{COLUMN}: no person in it") from None


def _place(record: IdentityRecord) -> Place:
    return Place(TABLE, COLUMN, (record.ssn_last_four_hash, record.ani))
