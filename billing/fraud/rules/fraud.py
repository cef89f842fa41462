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
LARGEST_COUNT = 1_000_000
LARGEST_SPEND_MICROS = 10**15


class Kind(enum.StrEnum):
    """What asks to be paid for: a call through the switch, or a session or an event of another service."""

    CALL = "call"
    SESSION = "session"
    EVENT = "event"


class FraudRefusal(enum.StrEnum):
    """Why an account may not make this call, or use this service, now, though it could pay for it."""

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
    def of_use(self) -> "Limits":
        """What of them binds use that is no call: all but the numbers of calls."""
        if self.calls_per_hour is None and self.concurrent_calls is None:
            return self
        return replace(self, calls_per_hour=None, concurrent_calls=None)

    @property
    def look_back(self) -> timedelta:
        """How long ago a call may have ended that still counts."""
        return HOUR if self.spend_per_day_micros is None else DAY


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
    """What an account did lately; of calls and sessions that are open, all they may come to is spent."""

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
    limits: Limits, destination: Destination | None, activity: Activity, now: datetime
) -> FraudRefusal | None:
    """Whether one call or use more passes a limit."""
    if limits.concurrent_calls is not None and activity.open_calls >= limits.concurrent_calls:
        return FraudRefusal.CONCURRENT_CALLS
    if limits.calls_per_hour is not None and activity.calls_in_hour >= limits.calls_per_hour:
        return FraudRefusal.CALLS_PER_HOUR
    recharged_at, cooldown = activity.recharged_at, timedelta(seconds=limits.cooldown_s or 0)
    if recharged_at is not None and now < recharged_at + cooldown:
        return FraudRefusal.COOLING_DOWN
    most = None if destination is None else destination.calls_per_hour
    return FraudRefusal.VELOCITY if most is not None and activity.calls_to_prefix >= most else None


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


def longest_within(rate: Rate, left_micros: int, cap_ms: int, context: Context) -> tuple[int, int]:
    """The longest call that cannot cost more than this, `cap_ms` at most, and what it may come to.

    0 when even the shortest can. In whole increments: unlike the last grant of an account, a spending limit is never
    used up pro rata.
    """
    whole_micros = hold_micros(rate, cap_ms, context)
    if whole_micros <= left_micros:
        return cap_ms, whole_micros
    fits_ms, too_long_ms = 0, cap_ms
    while too_long_ms - fits_ms > 1:
        middle_ms = (fits_ms + too_long_ms) // 2
        if hold_micros(rate, middle_ms, context) <= left_micros:
            fits_ms = middle_ms
        else:
            too_long_ms = middle_ms
    return fits_ms, hold_micros(rate, fits_ms, context)


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
