"""Fraud limits: how often, how much, how soon after a recharge, and where to an account may call (CHG-11).

A limit that is not set does not bind. What is set for an account counts before what is set for the service. Amounts are
micro-units of the account's currency, an hour and a day are the last sixty minutes and the last twenty-four hours.
"""

import enum
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta

from billing.operators.operator import Reach
from billing.rating import Context, Rate, hold_micros

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LONGEST_CALL = timedelta(days=1)
"""No call may be longer (see the session cap of a service profile): how far back one that ends now can have begun."""
LARGEST_COUNT = 1_000_000
LARGEST_SPEND_MICROS = 10**15


class FraudRefusal(enum.StrEnum):
    """Why an account may not make this call now, though it could pay for it."""

    SUSPENDED = "account-suspended"
    ABROAD = "destination-abroad"
    RISKY = "destination-risky"
    CONCURRENT_CALLS = "too-many-calls-at-once"
    CALLS_PER_HOUR = "too-many-calls-in-an-hour"
    COOLING_DOWN = "recharge-cooling-down"
    VELOCITY = "destination-too-often"
    SPEND_PER_CALL = "call-spend-limit"
    SPEND_PER_HOUR = "hour-spend-limit"
    SPEND_PER_DAY = "day-spend-limit"


class SuspensionReason(enum.StrEnum):
    """Why an account was suspended."""

    LIMITS_PASSED = "limits-passed"
    FRAUD_SUSPECTED = "fraud-suspected"
    CHARGEBACK = "chargeback"
    STOLEN = "stolen"
    COMPLAINT = "complaint"
    REQUESTED = "requested"


class SuspensionAction(enum.StrEnum):
    """What was done."""

    SUSPENDED = "suspended"
    LIFTED = "lifted"


class BadLimitError(ValueError):
    """A limit cannot be what was given; the message names it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What binds an account or a service; none is no limit.

    `cooldown_s`: no call so long after a recharge. `suspend_after`: so many refusals by limits within an hour suspend
    the account. `reach`: how far it may call.
    """

    calls_per_hour: int | None = None
    concurrent_calls: int | None = None
    spend_per_call_micros: int | None = None
    spend_per_hour_micros: int | None = None
    spend_per_day_micros: int | None = None
    cooldown_s: int | None = None
    suspend_after: int | None = None
    reach: Reach | None = None

    def over(self, other: "Limits") -> "Limits":
        """These, and where they say nothing the others."""
        mine = {field.name: value for field in fields(self) if (value := getattr(self, field.name)) is not None}
        return replace(other, **mine) if mine else other

    @property
    def counts_calls(self) -> bool:
        """Whether what the account did lately matters."""
        counted = (self.calls_per_hour, self.spend_per_hour_micros, self.spend_per_day_micros)
        return any(limit is not None for limit in counted)

    @property
    def look_back(self) -> timedelta:
        """How long ago a call may have begun that still counts."""
        if self.spend_per_day_micros is not None:
            return DAY + LONGEST_CALL
        return HOUR if self.spend_per_hour_micros is None else HOUR + LONGEST_CALL


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a call goes, and what is known of the place; `risk_prefix` is the listed prefix it falls under."""

    country: str | None
    home_country: str
    risk_prefix: str | None = None
    is_risky: bool = False
    calls_per_hour: int | None = None


@dataclass(frozen=True, slots=True)
class Activity:
    """What an account did lately; of calls that are up, all they may come to is spent."""

    open_calls: int = 0
    calls_in_hour: int = 0
    spent_in_hour_micros: int = 0
    spent_in_day_micros: int = 0
    recharged_at: datetime | None = None
    calls_to_prefix: int = 0


def place_refusal(reach: Reach, destination: Destination) -> FraudRefusal | None:
    """Whether an account that may call so far may call there; a place nobody can name is abroad."""
    if destination.is_risky and reach is not Reach.EVERYWHERE:
        return FraudRefusal.RISKY
    if destination.country != destination.home_country and reach is Reach.HOME:
        return FraudRefusal.ABROAD
    return None


def activity_refusal(
    limits: Limits, destination: Destination, activity: Activity, now: datetime
) -> FraudRefusal | None:
    """Whether one call more passes a limit."""
    if limits.concurrent_calls is not None and activity.open_calls >= limits.concurrent_calls:
        return FraudRefusal.CONCURRENT_CALLS
    if limits.calls_per_hour is not None and activity.calls_in_hour >= limits.calls_per_hour:
        return FraudRefusal.CALLS_PER_HOUR
    recharged_at, cooldown = activity.recharged_at, timedelta(seconds=limits.cooldown_s or 0)
    if recharged_at is not None and now < recharged_at + cooldown:
        return FraudRefusal.COOLING_DOWN
    if destination.calls_per_hour is not None and activity.calls_to_prefix >= destination.calls_per_hour:
        return FraudRefusal.VELOCITY
    return None


def spend_left(limits: Limits, activity: Activity) -> tuple[int, FraudRefusal] | None:
    """What this call may cost at most and which limit says so; none when none does."""
    bounds = []
    if limits.spend_per_call_micros is not None:
        bounds.append((limits.spend_per_call_micros, FraudRefusal.SPEND_PER_CALL))
    if limits.spend_per_hour_micros is not None:
        left_micros = limits.spend_per_hour_micros - activity.spent_in_hour_micros
        bounds.append((max(0, left_micros), FraudRefusal.SPEND_PER_HOUR))
    if limits.spend_per_day_micros is not None:
        left_micros = limits.spend_per_day_micros - activity.spent_in_day_micros
        bounds.append((max(0, left_micros), FraudRefusal.SPEND_PER_DAY))
    return min(bounds, key=lambda bound: bound[0], default=None)


def longest_within(rate: Rate, left_micros: int, cap_ms: int, context: Context) -> int:
    """The longest call that cannot cost more than this, `cap_ms` at most; 0 when even the shortest can.

    In whole increments: unlike the last grant of an account, a spending limit is never used up pro rata.
    """
    if hold_micros(rate, cap_ms, context) <= left_micros:
        return cap_ms
    fits_ms, too_long_ms = 0, cap_ms
    while too_long_ms - fits_ms > 1:
        middle_ms = (fits_ms + too_long_ms) // 2
        if hold_micros(rate, middle_ms, context) <= left_micros:
            fits_ms = middle_ms
        else:
            too_long_ms = middle_ms
    return fits_ms


def check_limits(limits: Limits) -> None:
    """Raise BadLimitError unless every limit can be one."""
    for field in fields(limits):
        value = getattr(limits, field.name)
        if value is None or field.name == "reach":
            continue
        most = LARGEST_SPEND_MICROS if field.name.endswith("_micros") else LARGEST_COUNT
        least = 1 if field.name == "suspend_after" else 0
        if not least <= value <= most:
            raise BadLimitError(f"{field.name.removesuffix('_micros').replace('_', ' ')}: {least} to {most}")
