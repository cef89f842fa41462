"""Is a person old enough, and what is answered when he is not or it cannot be told (AGE-1, AGE-3)."""

import re
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

LAST_PLACE = timedelta(hours=12)
OLDEST_YEARS = 125
_LAST_FOUR = re.compile(r"[0-9]{4}")


class AgeRefusal(StrEnum):
    """Why the age is not taken as proven; unknown line, wrong digits and too young are one answer (AGE-3)."""

    NOT_PROVEN = "age-not-proven"
    LOCKED = "locked-out"


class AgeQuestion(StrEnum):
    """What is to be asked before anything is decided or counted."""

    BIRTH_DATE = "birth-date"
    """It goes to the vendor together with the number."""


@dataclass(frozen=True, slots=True)
class AgeProof:
    """The age is proven: by which identity record, of which source, and until when that stands."""

    record_id: int | None
    source: str
    expires_at: datetime
    method: str = "ssn-last-four"


@dataclass(frozen=True, slots=True)
class Checked:
    """The answer to what was keyed, and the sources it was compared with, by name."""

    answer: AgeProof | AgeRefusal | AgeQuestion
    compared: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class IdentityRecord:
    """A person of a line; of the digits only the keyed hash, of name and date of birth perhaps only the seal.

    Without a social security number (`has_ssn`) the hash is one of his source and name, which no digits have;
    of a second source with the same digits it is one of these and the source.
    """

    ani: str
    last_name: str
    birth_on: date
    ssn_last_four_hash: str
    source: str
    first_name: str = ""
    ssn_hash: str | None = None
    licence_hash: str | None = None
    person_sealed: str | None = field(default=None, repr=False)
    has_ssn: bool = True


@dataclass(frozen=True, slots=True)
class Loaded:
    """A record as it comes, and the hash it is kept under where another source has a person with these digits."""

    record: IdentityRecord
    own_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Evidence:
    """An earlier proof that still stands; its source is that of the person's record, or `vendor` without one."""

    method: str
    proven_at: datetime
    expires_at: datetime
    is_of_line: bool
    source: str


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """An identity record and its row; it was loaded or corrected last at `recorded_at`."""

    record_id: int
    record: IdentityRecord
    recorded_at: datetime | None = None


def age_on(birth_on: date, today: date) -> int:
    """Whole years on `today`; who was born on 29 February is a year older on 1 March of a common year."""
    return today.year - birth_on.year - ((today.month, today.day) < (birth_on.month, birth_on.day))


def is_of_age(birth_on: date, minimum_age: int, now: datetime) -> bool:
    """True when the person is of age by the calendar of every place on earth (UTC-12 is the last to reach a day)."""
    return age_on(birth_on, (now - LAST_PLACE).date()) >= minimum_age


def is_last_four(digits: str) -> bool:
    """True for four ASCII digits."""
    return _LAST_FOUR.fullmatch(digits) is not None


def is_birth_date(birth_on: date, now: datetime) -> bool:
    """True for a date on which somebody alive may have been born."""
    return birth_on <= now.date() and age_on(birth_on, now.date()) <= OLDEST_YEARS
