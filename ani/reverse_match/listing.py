"""Whose line a number is: name and postal address, with the dates they held (ANI-1, ANI-3, ANI-10)."""

from dataclasses import dataclass
from datetime import datetime


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


@dataclass(frozen=True, slots=True)
class Listing:
    """An identity and the time it held: `valid_until_at` is none for the one that holds now."""

    identity: Identity
    valid_from_at: datetime
    valid_until_at: datetime | None


def is_same_customer(one: Identity, other: Identity) -> bool:
    """True when the names agree as far as both are known, and at least one of them is known to both.

    Case does not count. A record with the last name alone is the customer whose first name another record has, and
    the other way round (ANI-3).
    """
    pairs = ((one.first_name, other.first_name), (one.last_name, other.last_name))
    known = [(a.casefold(), b.casefold()) for a, b in pairs if a and b]
    return bool(known) and all(a == b for a, b in known)


def absorb(current: Identity, newer: Identity) -> Identity:
    """What is known once `newer` came: of the same customer, gaps are filled from `current`; else `newer` alone.

    When that adds nothing, it is `current` itself: a source that knows less does not supersede one that knows more.
    """
    if not is_same_customer(current, newer):
        return newer
    merged = Identity(
        newer.ani,
        newer.first_name or current.first_name,
        newer.last_name or current.last_name,
        newer.address or current.address,
        # A postal code belongs to its address: it is not put beside another one.
        newer.postal_code or ("" if newer.address and newer.address != current.address else current.postal_code),
        newer.country,
        newer.source,
    )
    return current if _content(merged) == _content(current) else merged


def _content(identity: Identity) -> tuple[str, ...]:
    return (identity.first_name, identity.last_name, identity.address, identity.postal_code, identity.country)
