"""A rate, what is known of the session it prices, and the grant that comes of it."""

from dataclasses import dataclass, replace
from datetime import datetime

from billing.pricing.bundles import Bundle
from billing.pricing.terms import Terms
from runtime.frozen import maker

VOICE = "voice"
"""The service whose rates are found by the number called."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What one prefix of one tariff version costs; raises ValueError for a rate that could not be billed.

    Without `terms` it is a price per minute in increments of seconds. With terms, the price is for what they say, and
    minimum and increments are seconds, bytes or units by their measure.
    """

    tariff_version_id: int
    prefix: str
    destination: str
    currency: str
    price_per_minute_micros: int
    connect_fee_micros: int = 0
    minimum_s: int = 0
    initial_s: int = 1
    increment_s: int = 1
    blocked: bool = False
    service: str = VOICE
    terms: Terms | None = None

    def __post_init__(self) -> None:
        if self.initial_s < 1 or self.increment_s < 1 or self.minimum_s < 0:
            raise ValueError("increments are at least one second, a minimum is not negative")
        if (self.price_per_minute_micros < 0 or self.connect_fee_micros < 0) and not (
            self.terms is not None and self.terms.negative
        ):
            raise ValueError("a price is not negative")


@dataclass(frozen=True, slots=True)
class Context:
    """What is fixed when a session starts and may change its price; the same for every request of the session.

    `access_number` in digits. `is_answered`: the session was connected, even if for no time at all. `month_used` is
    what the account used in the month before it under tiers, `month_micros` its cost under a rounding of totals.
    `bundles` in the order they are to be used. `rings_ms`: it begins at `started_at` or up to so much later, under a
    price that may depend on when; 0 once that is known.
    """

    started_at: datetime | None = None
    access_number: str = ""
    is_answered: bool = False
    month_used: int = 0
    month_micros: int = 0
    bundles: tuple[Bundle, ...] = ()
    rings_ms: int = 0

    def begun(self, at: datetime | None) -> "Context":
        """The same once it is known when it began: where that may change the price, and it is known."""
        return self if at is None or not self.rings_ms else replace(self, started_at=at, rings_ms=0)


NO_CONTEXT = Context()


@dataclass(frozen=True, slots=True)
class Grant:
    """Time that may be used and the money held for it; `final` when nothing more can follow it as things stand.

    For another measure `granted_ms` is bytes or units.
    """

    granted_ms: int
    held_micros: int
    final: bool


grant_of = maker(Grant)
"""A grant from the values of its fields, where many are made."""
context_of = maker(Context)
NOTHING = Grant(0, 0, final=True)
