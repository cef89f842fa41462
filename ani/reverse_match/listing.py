"""Whose line a number is: name and postal address, with the dates they held (ANI-1, ANI-3, ANI-10)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ani.reverse_match.names import NameMatch, compare, fuller, fuller_name, is_same_text


@dataclass(frozen=True, slots=True)
class Identity:
    """Name and address of a line as a source gives them; what it does not know is ""."""

    ani: str
    first_name: str
    last_name: str
    address: str
    postal_code: str
    country: str
    source: str
    line_type: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """An identity and the time it held: `valid_until_at` is none for the one that holds now.

    A source last said so at `validated_at`; if in a file, in that of `import_id`. Where another customer had the line
    before, `changed_hands_at` says since when it is this one's.
    """

    identity: Identity
    valid_from_at: datetime
    valid_until_at: datetime | None
    validated_at: datetime | None = None
    changed_hands_at: datetime | None = None
    import_id: int | None = None

    @property
    def seen_at(self) -> datetime:
        """When a source last said so."""
        return self.validated_at or self.valid_from_at

    @property
    def told(self) -> dict[str, object]:
        """What a call's record says of it: source and age, and nothing of the person."""
        return {
            "listing_source": self.identity.source,
            "listing_since": self.valid_from_at.isoformat(timespec="seconds"),
            "listing_seen": self.seen_at.isoformat(timespec="seconds"),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """What a source says of a line: who has it, since when and until when, where it says so."""

    identity: Identity
    effective_at: datetime | None = None
    ends_at: datetime | None = None


class NoNews(StrEnum):
    """Why a report changes nothing of a listing."""

    SAME = "same"
    OLDER = "older"


class Standing(StrEnum):
    """What a listing is worth today."""

    HELD = "held"
    OLD = "old"
    INSUFFICIENT = "insufficient"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Standard:
    """What has to be known of a line, and for how long a source is believed."""

    needs_first_name: bool = False
    needs_address: bool = False
    valid_for: timedelta = timedelta(days=60)

    def is_met(self, identity: Identity) -> bool:
        """Whether enough is known: the last name at least, or the first where nothing else is asked."""
        if self.needs_address and not identity.address:
            return False
        return bool(identity.first_name and identity.last_name) or not self.needs_first_name

    def standing(self, held: Listing | None, now: datetime) -> Standing:
        """What the listing that holds is worth: enough and lately seen, enough but long not seen (ANI-4), or not."""
        if held is None:
            return Standing.MISSING
        if not self.is_met(held.identity):
            return Standing.INSUFFICIENT
        return Standing.OLD if now - held.seen_at > self.valid_for else Standing.HELD


def match_of(one: Identity, other: Identity) -> NameMatch:
    """How the names of two identities agree."""
    return compare(one.first_name, one.last_name, other.first_name, other.last_name)


def contradicts(one: Identity, other: Identity) -> bool:
    """True when both cannot hold at once: other people, or the same at two addresses."""
    if not is_same_customer(one, other):
        return True
    return bool(one.address and other.address) and not is_same_text(one.address, other.address)


def succeed(
    held: Listing | None,
    report: Report,
    now: datetime,
    import_id: int | None = None,
    former: Listing | None = None,
) -> Listing | NoNews:
    """The listing that holds once the report is in, or why the one held stands; where none does, `former` ended last.

    A report that is effective before the one held began and says something else is older news. The same customer with
    more known of him, or at another address, begins a new listing too, so that the history tells what held when.
    """
    at = report.effective_at or now
    if held is None:
        return _begun(former, report, at, now, import_id)
    merged = absorb(held.identity, report.identity)
    if merged is held.identity:
        return NoNews.SAME
    if at < held.valid_from_at and contradicts(held.identity, report.identity):
        return NoNews.OLDER
    since_at = max(at, held.valid_from_at)
    is_same = is_same_customer(held.identity, report.identity)
    return Listing(merged, since_at, None, now, held.changed_hands_at if is_same else since_at, import_id)


def _begun(
    former: Listing | None, report: Report, at: datetime, now: datetime, import_id: int | None
) -> Listing | NoNews:
    """The listing of a line that is nobody's; who had it last and gave it up since did not get it by older news."""
    if former is None or former.valid_until_at is None:
        return Listing(report.identity, at, None, now, None, import_id)
    is_same = is_same_customer(former.identity, report.identity)
    if at < (former.valid_until_at if is_same else former.valid_from_at):
        return NoNews.OLDER
    since_at = max(at, former.valid_until_at)
    return Listing(report.identity, since_at, None, now, former.changed_hands_at if is_same else since_at, import_id)


def changes_hands(earlier: Listing | None, new: Listing) -> bool:
    """Whether the line was another customer's by the listing before this one."""
    if earlier is None or new.changed_hands_at is None:
        return False
    return not is_same_customer(earlier.identity, new.identity)


def is_same_customer(one: Identity, other: Identity) -> bool:
    """True when the names agree as far as both are known, and at least one of them is known to both.

    A record with the last name alone is the customer whose first name another record has, and the other way round
    (ANI-3); `ani.reverse_match.names` says what else does not count.
    """
    return match_of(one, other).is_same


def absorb(current: Identity, newer: Identity) -> Identity:
    """What is known once `newer` came: of the same customer, gaps are filled from `current`; else `newer` alone.

    When that adds nothing, it is `current` itself: a source that knows less does not supersede one that knows more.
    """
    if _content(newer) == _content(current):
        return current
    match = match_of(current, newer)
    if not match.is_same:
        return newer
    if match is NameMatch.TRANSPOSED:
        first_name, last_name = fuller_name(
            (current.first_name, current.last_name), (newer.first_name, newer.last_name)
        )
    else:
        first_name = fuller(current.first_name, newer.first_name)
        last_name = fuller(current.last_name, newer.last_name)
    has_moved = bool(newer.address) and not is_same_text(newer.address, current.address)
    merged = Identity(
        newer.ani,
        first_name,
        last_name,
        newer.address if has_moved else current.address,
        # A postal code belongs to its address: it is not put beside another one.
        newer.postal_code or ("" if has_moved else current.postal_code),
        newer.country,
        newer.source,
        newer.line_type or current.line_type,
    )
    return current if _content(merged) == _content(current) else merged


def _content(one: Identity) -> tuple[str, ...]:
    return (one.first_name, one.last_name, one.address, one.postal_code, one.country, one.line_type)
