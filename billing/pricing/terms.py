"""What a rate may say beyond price, fee, minimum and increments; all of it optional, all of it pure.

Quantities are base units of the rate's measure: milliseconds, bytes, or units. Money is integer micro-units, shares are
permyriads (1/100 of a percent). Terms are shared by the many prefixes that have the same ones.
"""

import enum
from dataclasses import dataclass

from billing.money import Rounding
from billing.pricing.windows import Calendar

WHOLE = 10_000
"""All of it, in permyriads."""


class Measure(enum.StrEnum):
    """What is counted."""

    TIME = "time"
    BYTES = "bytes"
    UNITS = "units"
    TRANSACTION = "transaction"


class IncrementRule(enum.StrEnum):
    """Where increments are counted from.

    AFTER_INITIAL: the initial block, then begun increments after it. FROM_ZERO: begun multiples of the increment, at
    least the initial block. BEGUN: as AFTER_INITIAL, and the moment an increment is full the next one has begun.
    """

    AFTER_INITIAL = "after-initial"
    FROM_ZERO = "from-zero"
    BEGUN = "begun"


class BandRule(enum.StrEnum):
    """Whose price holds when a call runs through several windows."""

    SPLIT = "split"
    START = "start"
    INCREMENT = "increment"


class MaximumRule(enum.StrEnum):
    """What the maximum charge does: the rest is free of charge, or the call ends."""

    CAPS = "caps"
    ENDS = "ends"


class VolumeRule(enum.StrEnum):
    """GRADUATED: each unit at the price of its place in the month; TOP: all at the price of the tier reached."""

    GRADUATED = "graduated"
    TOP = "top"


class Scope(enum.StrEnum):
    """What is rounded: each part of a price, the price of the record, or the sum of the month's records."""

    PART = "part"
    RECORD = "record"
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Precision:
    """How amounts are rounded: to a multiple of so many micro-units."""

    mode: Rounding = Rounding.UP
    multiple_micros: int = 1
    scope: Scope = Scope.RECORD

    def __post_init__(self) -> None:
        if self.multiple_micros < 1:
            raise ValueError("amounts are rounded to a multiple of at least one micro-unit")


@dataclass(frozen=True, slots=True)
class Adjust:
    """A price in place of the one that would hold, or a share of that one."""

    price_micros: int | None = None
    share: int = WHOLE


UNCHANGED = Adjust()


@dataclass(frozen=True, slots=True)
class Step:
    """From this much of the session on: another price, and perhaps a fee for getting there."""

    begins: int
    adjust: Adjust
    fee_micros: int = 0


@dataclass(frozen=True, slots=True)
class Tier:
    """From this much of the month's use on: another price."""

    begins: int
    adjust: Adjust


@dataclass(frozen=True, slots=True)
class TimedFee:
    """A fee charged once more than `after` was used."""

    after: int
    fee_micros: int


@dataclass(frozen=True, slots=True)
class Surcharge:
    """What is added when the session came in on an access number that begins so ("" is every one)."""

    access_prefix: str
    price_micros: int = 0
    fee_micros: int = 0
    share: int = 0


@dataclass(frozen=True, slots=True)
class Band:
    """What holds inside the windows of the calendar that carry this number."""

    name: str
    adjust: Adjust


@dataclass(frozen=True, slots=True)
class Terms:
    """Everything a rate may say beyond its price; raises ValueError for what could not be billed.

    `per` is how many base units the rate's price is for. `free` is not billed at all, whatever follows; a session not
    longer than `grace` costs nothing. `whole` rounds what is billed up once more. Every price may be replaced by, in
    this order: the tier of the month, the step of the session, the band of the calendar. `takes_rest`: money too little
    for one more increment buys a part of it (else it stays). `text` is the notation the terms were read from.
    """

    measure: Measure = Measure.TIME
    per: int = 60_000
    increment_rule: IncrementRule = IncrementRule.AFTER_INITIAL
    sub_second: Rounding | None = None
    free: int = 0
    grace: int = 0
    whole: int = 1
    fee_at_zero: bool = False
    timed_fees: tuple[TimedFee, ...] = ()
    disconnect_fee_micros: int = 0
    steps: tuple[Step, ...] = ()
    calendar: Calendar | None = None
    bands: tuple[Band, ...] = ()
    band_rule: BandRule = BandRule.SPLIT
    tiers: tuple[Tier, ...] = ()
    volume_rule: VolumeRule = VolumeRule.GRADUATED
    surcharges: tuple[Surcharge, ...] = ()
    markup: int = 0
    minimum_charge_micros: int = 0
    maximum_charge_micros: int | None = None
    maximum_rule: MaximumRule = MaximumRule.CAPS
    precision: Precision = Precision()
    takes_rest: bool = True
    negative: bool = False
    text: str = ""

    def __post_init__(self) -> None:
        if min(self.per, self.whole) < 1 or min(self.free, self.grace) < 0:
            raise ValueError("a price is for something, and free use is not negative")
        if self.markup < -WHOLE:
            raise ValueError("a discount is not more than all of it")
        if self.minimum_charge_micros < 0 or (self.maximum_charge_micros or 0) < 0:
            raise ValueError("least and most charge are not negative")
        for edges in ([step.begins for step in self.steps], [tier.begins for tier in self.tiers]):
            if edges != sorted(set(edges)) or (edges and edges[0] < 0):
                raise ValueError("steps and tiers begin one after the other")
        if self.calendar is not None and any(not 0 <= one.band < len(self.bands) for one in self.calendar.windows):
            raise ValueError("a window has a band without a price")
        if not self.negative and min(self._amounts(), default=0) < 0:
            raise ValueError("a price is not negative unless asked for")
        if min((one.share for one in self._adjusts()), default=0) < 0:
            raise ValueError("a share is not negative")

    @property
    def scale(self) -> int:
        """Base units in one second, byte or unit, in which increments and the minimum are told."""
        return 1000 if self.measure is Measure.TIME else 1

    def _adjusts(self) -> list[Adjust]:
        steps = [one.adjust for one in self.steps]
        return steps + [one.adjust for one in self.tiers] + [one.adjust for one in self.bands]

    def _amounts(self) -> list[int]:
        return [
            self.disconnect_fee_micros,
            *(one.fee_micros for one in self.timed_fees),
            *(one.fee_micros for one in self.steps),
            *(one.price_micros for one in self._adjusts() if one.price_micros is not None),
            *(amount for one in self.surcharges for amount in (one.price_micros, one.fee_micros, one.share)),
        ]
