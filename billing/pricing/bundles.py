"""Included units: used before money, in the order of priority and expiry; what they cover, and what is left of them.

Units are base units of the measure they are for (milliseconds, bytes, units), or whole calls.
"""

import enum
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from billing.pricing.terms import Measure

CALLS = "calls"
"""The measure of a bundle whose units are whole sessions, however long."""


class CoverRule(enum.StrEnum):
    """What a bundle covers of a session that it cannot pay whole.

    PRO_RATA: as much as there is, to the base unit. BLOCKS: whole increments only. WHOLE: all of it or nothing.
    """

    PRO_RATA = "pro-rata"
    BLOCKS = "blocks"
    WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class Bundle:
    """Included units of an account as they stand; raises ValueError for a negative number of them.

    It serves the `services` and destination `prefixes` it names (none named: all). Covered use costs `price_micros` for
    as many units as the rate's price is for (0: nothing more). `covers_fees`: where it covers all of a session, no fees
    are charged either. Lower `priority` is used first, then what expires sooner. `rolls_over` is how much of what is
    left may be carried into the next period.
    """

    id: int
    units: int
    measure: str = Measure.TIME.value
    rule: CoverRule = CoverRule.PRO_RATA
    priority: int = 0
    expires_at: datetime | None = None
    services: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    price_micros: int = 0
    covers_fees: bool = False
    rolls_over: int = 0
    name: str = ""

    def __post_init__(self) -> None:
        if self.units < 0 or self.price_micros < 0 or self.rolls_over < 0:
            raise ValueError("included units and their price are not negative")

    def serves(self, service: str, destination: str, measure: str, at: datetime) -> bool:
        """Whether it may pay for a session of this kind that starts at `at`."""
        return (
            self.units > 0
            and self.measure in {measure, CALLS}
            and (self.expires_at is None or at < self.expires_at)
            and (not self.services or service in self.services)
            and (not self.prefixes or destination.startswith(self.prefixes))
        )


@dataclass(frozen=True, slots=True)
class Draw:
    """Units taken from a bundle."""

    bundle_id: int
    units: int


def in_order(
    bundles: Iterable[Bundle], service: str, destination: str, measure: str, at: datetime
) -> tuple[Bundle, ...]:
    """Those that may pay for a session, first the ones to be used first; `destination` in digits, or a code."""
    fit = [one for one in bundles if one.serves(service, destination, measure, at)]
    fit.sort(key=lambda one: (one.priority, one.expires_at is None, one.expires_at or at, one.id))
    return tuple(fit)


def renewed(bundle: Bundle, granted: int, expires_at: datetime | None) -> Bundle:
    """The bundle in its next period: what is granted anew, and what may be carried over of what is left."""
    return replace(bundle, units=granted + min(bundle.units, bundle.rolls_over), expires_at=expires_at)
