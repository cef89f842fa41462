"""What an operator offers as a bundle, what an account was given, and how quantities are written: "300 minutes"."""

import re
from dataclasses import dataclass
from datetime import datetime

from billing.pricing.bundles import CALLS, Bundle
from billing.pricing.terms import Measure

LARGEST_QUANTITY = 10**15
"""Base units."""
NO_END = "no end"
_QUANTITY = re.compile(r"(?P<count>[0-9]{1,12}) *(?P<unit>[A-Za-z]+)")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_TIME, _BYTES, _UNITS = Measure.TIME.value, Measure.BYTES.value, Measure.UNITS.value
_SIZES: dict[str, tuple[str, int]] = {
    "minutes": (_TIME, 60_000),
    "seconds": (_TIME, 1_000),
    "hours": (_TIME, 3_600_000),
    "GB": (_BYTES, 10**9),
    "MB": (_BYTES, 10**6),
    "KB": (_BYTES, 10**3),
    "GiB": (_BYTES, 2**30),
    "MiB": (_BYTES, 2**20),
    "KiB": (_BYTES, 2**10),
    "bytes": (_BYTES, 1),
    "units": (_UNITS, 1),
    "messages": (_UNITS, 1),
    "events": (_UNITS, 1),
    "pages": (_UNITS, 1),
    "tokens": (_UNITS, 1),
    "transactions": (Measure.TRANSACTION.value, 1),
    "calls": (CALLS, 1),
}
_SHOWN = {
    _TIME: (("minutes", 60_000), ("seconds", 1_000)),
    _BYTES: (("GB", 10**9), ("MB", 10**6), ("KB", 10**3), ("bytes", 1)),
    _UNITS: (("units", 1),),
    Measure.TRANSACTION.value: (("transactions", 1),),
    CALLS: (("calls", 1),),
}


class OfferError(ValueError):
    """Something typed is not what an offer can have; the message says which."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A bundle that is offered: its units are those of each period.

    A `period` of "30d" or "1m"; "" is for a bundle without end. One that `renews` is followed by its next period.
    """

    operator_code: str
    name: str
    bundle: Bundle
    period: str = ""
    renews: bool = False
    closed_at: datetime | None = None

    def __post_init__(self) -> None:
        if _NAME.fullmatch(self.name) is None:
            raise OfferError("a name is a small letter, then small letters, digits and dashes, 40 at most")
        if not 0 < self.bundle.units <= LARGEST_QUANTITY or self.bundle.rolls_over > LARGEST_QUANTITY:
            raise OfferError("a bundle has units, and not more than can be counted")
        if self.renews and not self.period:
            raise OfferError("what renews has a period")
        if self.bundle.rolls_over and not self.renews:
            raise OfferError("only what renews rolls over")


@dataclass(frozen=True, slots=True)
class Given:
    """A bundle of an account: `bundle.units` are free, `held` in use; `next_id` is its next period once that began."""

    account_number: str
    bundle: Bundle
    held: int
    period: str
    period_units: int
    renews: bool
    begins_at: datetime
    next_id: int | None
    granted_by: str
    closed_at: datetime | None

    def state(self, now: datetime) -> str:
        """What it is to somebody who looks at it now."""
        expires_at = self.bundle.expires_at
        if self.closed_at is not None:
            return "closed"
        if expires_at is None or now < expires_at:
            return "open"
        return "renewed" if self.next_id is not None else "to renew" if self.renews else "expired"


@dataclass(frozen=True, slots=True)
class Use:
    """What a session or an event holds or took of a bundle."""

    session_id: str
    held: int
    used: int


def read_quantity(text: str) -> tuple[str, int]:
    """The measure and the base units of "300 minutes"; raises OfferError."""
    found = _QUANTITY.fullmatch(text.strip())
    size = None if found is None else _SIZES.get(found["unit"], _SIZES.get(found["unit"] + "s"))
    if found is None or size is None:
        raise OfferError(f"write a number and one of {', '.join(_SIZES)}")
    units = int(found["count"]) * size[1]
    if units > LARGEST_QUANTITY:
        raise OfferError("more than can be counted")
    return size[0], units


def show_quantity(measure: str, units: int) -> str:
    """So many base units as they are written: in the largest size that comes out even."""
    for name, size in _SHOWN[measure]:
        if units % size == 0:
            return f"{units // size} {name}"
    return f"{units // 1000}.{units % 1000:03d} seconds"
