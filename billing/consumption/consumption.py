"""What other services ask for: sessions that use time, bytes or units, and events charged at once (CHG-1).

What they count in is the measure of the rate: seconds, bytes, units or transactions; inside, time is milliseconds.
"""

import dataclasses
import enum
import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.charging.session import Session
from billing.pricing.terms import Measure
from billing.rating import Grant, Rate

STANDARD_TARIFF = "standard"
LONGEST_SESSION_MS = 86_400_000
LARGEST_USE = 10**15
"""The most bytes or units of one session or event."""


class ConsumptionRefusal(enum.StrEnum):
    """Why another service may not charge an account, beside what is refused to calls too."""

    UNKNOWN_ACCOUNT = "account-unknown"
    UNKNOWN_TARIFF = "tariff-unknown"
    UNKNOWN_EVENT = "event-unknown"
    UNKNOWN_SESSION = "session-unknown"
    SESSION_EXPIRED = "session-expired"
    """Ended by what it last reported, because nothing was heard of it."""
    OTHER_CURRENCY = "currency-differs"
    OVER_REFUNDED = "more-than-was-charged"
    NOT_BY_USE = "measure-not-for-sessions"


@dataclass(frozen=True, slots=True)
class Unit:
    """What a rate counts in: its name, and how many of our base units one is."""

    name: str
    scale: int


_UNITS = {
    Measure.TIME: Unit("second", 1000),
    Measure.BYTES: Unit("byte", 1),
    Measure.UNITS: Unit("unit", 1),
    Measure.TRANSACTION: Unit("transaction", 1),
}


@dataclass(frozen=True, slots=True)
class Sold:
    """What is charged for: to which account of an operator, by which tariff, for what service, and which code of it.

    The code is a number for services priced by number, else what the service sells; the longest prefix counts.
    """

    operator_id: int
    account_number: str
    tariff: str | None
    """None: the account's own, else that of its plan, else the standard one."""
    service: str
    code: str
    access_number: str | None = None
    """The number it came in on, where there is one: surcharges may depend on it."""

    @property
    def access_digits(self) -> str:
        """The digits of the access number, empty where there is none."""
        return (self.access_number or "").removeprefix("+")


@dataclass(frozen=True, slots=True)
class Open:
    """Open a session; amounts are in the unit of the rate, `cap` None for no bound but the largest."""

    session_id: str
    sold: Sold
    wanted: int
    minimum: int = 0
    cap: int | None = None

    @property
    def fingerprint(self) -> str:
        """What tells it from any other request."""
        return _fingerprint(self.sold, wanted=self.wanted, minimum=self.minimum, cap=self.cap)


@dataclass(frozen=True, slots=True)
class ExtendSession:
    """Let a session use `wanted` in all; `used` so far at this moment, both in the unit of its rate."""

    operator_id: int
    session_id: str
    request_number: int
    used: int
    wanted: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Reservation:
    """What a session may use in all, in whole units, and what is held for it; `final` when there is no more to come.

    It must say something before `valid_until_at`, which is `valid_for` after it last did. `is_superseded`: a later
    request was answered before this one came.
    """

    session_id: str
    unit: str
    granted: int
    held_micros: int
    currency: str
    final: bool
    valid_until_at: datetime
    valid_for: timedelta
    is_replay: bool
    is_superseded: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """Something charged at once: so many units of what is sold."""

    event_id: str
    sold: Sold
    units: int

    @property
    def fingerprint(self) -> str:
        """What tells it from any other request."""
        return _fingerprint(self.sold, units=self.units)


@dataclass(frozen=True, slots=True)
class Debit:
    """An event as it was charged."""

    event_id: str
    account_id: int
    service: str
    tariff_version_id: int
    rate_prefix: str
    units: int
    charged_micros: int
    currency: str
    at: datetime
    transfer_id: int | None
    asked: str | None = None
    """The fingerprint of its request; none of those of before it was kept."""


@dataclass(frozen=True, slots=True)
class Debited:
    """The answer to an event: what it cost, and the balance right after it."""

    debit: Debit
    balance_micros: int
    is_replay: bool


@dataclass(frozen=True, slots=True)
class Refund:
    """Money of an event that was given back."""

    refund_id: str
    event_id: str
    amount_micros: int
    at: datetime
    transfer_id: int


@dataclass(frozen=True, slots=True)
class Refunded:
    """The answer to a refund: what was given back, and the balance right after it."""

    refund: Refund
    balance_micros: int
    currency: str
    is_replay: bool


def unit_of(rate: Rate) -> Unit:
    """What this rate counts in."""
    return _UNITS[Measure.TIME if rate.terms is None else rate.terms.measure]


def cap_of(rate: Rate, cap: int | None) -> int:
    """The most a session may use, in base units."""
    unit = unit_of(rate)
    most = LONGEST_SESSION_MS if unit.name == "second" else LARGEST_USE
    return most if cap is None else min(most, cap * unit.scale)


def whole_units(grant: Grant, unit: Unit) -> int:
    """The grant in whole units: of a second that was begun the customer hears nothing, but it is his."""
    return grant.granted_ms // unit.scale


def reservation_of(
    session: Session, rate: Rate, grant: Grant, *, is_replay: bool = False, is_superseded: bool = False
) -> Reservation:
    """A session as the service that opened it hears of it."""
    unit = unit_of(rate)
    return Reservation(
        session.session_id,
        unit.name,
        whole_units(grant, unit),
        grant.held_micros,
        rate.currency,
        grant.final,
        session.ended_at or session.valid_until_at,
        session.valid_for if session.is_open else timedelta(0),
        is_replay,
        is_superseded,
    )


def id_of(operator_id: int, kind: str, key: str) -> str:
    """The id of what an operator asks for under a key of his own; the same key is the same thing."""
    return hashlib.blake2s(f"{operator_id}\0{kind}\0{key}".encode(), digest_size=16).hexdigest()


def _fingerprint(sold: Sold, **amounts: int | None) -> str:
    """What is not given does not count, so that a field that comes later changes none that is kept."""
    given = dataclasses.asdict(sold) | amounts
    text = json.dumps({name: value for name, value in given.items() if value is not None}, sort_keys=True)
    return hashlib.blake2s(text.encode(), digest_size=16).hexdigest()


def still_refundable(charged_micros: int, refunds: tuple[Refund, ...]) -> int:
    """What may yet be given back of an event."""
    return charged_micros - sum(refund.amount_micros for refund in refunds)
