"""Whether a person that was loaded for a line is one of the line as it is listed now (AGE-1). Pure."""

from collections.abc import Sequence
from datetime import datetime

from ani.qualification.qualification import IdentityRecord, StoredRecord
from ani.reverse_match.listing import Listing
from ani.reverse_match.names import NameMatch, compare, is_same_family


def is_of_line(stored: StoredRecord, last: Listing | None) -> bool:
    """Whether this person may prove an age on the line, by the listing that holds or the last that ended.

    His name has to be that of the listing, or at least his family's; what the one or the other does not know is no
    contradiction. A record from before the line changed hands may be the former holder's: it counts only with the whole
    name of the new one, and once the line was given up neither it nor his who gave it up.
    A line that was never listed has nothing to compare with, and takes every record.
    """
    if last is None:
        return True
    record, listed = stored.record, last.identity
    match = compare(record.first_name, record.last_name, listed.first_name, listed.last_name)
    is_family = match.is_same or is_same_family(record.last_name, listed.last_name)
    if last.valid_until_at is not None:
        return not (is_family or _is_before(stored, last.valid_until_at))
    if last.changed_hands_at is not None and _is_before(stored, last.changed_hands_at):
        return match.is_same and bool(record.first_name and record.last_name)
    return is_family or match is NameMatch.UNKNOWN


def eldest(keyed: Sequence[StoredRecord]) -> StoredRecord | None:
    """Of the persons whose digits these are, the eldest; where sources differ on one person's birth, by the latest."""
    sure = [one for one in keyed if not any(_is_younger_self(other.record, one.record) for other in keyed)]
    return min(sure, key=lambda one: one.record.birth_on, default=None)


def _is_younger_self(other: IdentityRecord, one: IdentityRecord) -> bool:
    names = (other.first_name, other.last_name, one.first_name, one.last_name)
    return other.birth_on > one.birth_on and compare(*names).is_same


def _is_before(stored: StoredRecord, at: datetime) -> bool:
    return stored.recorded_at is not None and stored.recorded_at < at
