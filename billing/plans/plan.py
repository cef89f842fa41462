"""What is sold to a customer (ACC-6): a plan, its terms as they change with time, who has it, and its periods. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from billing.ledger.transfer import LARGEST_TRANSFER_MICROS
from billing.money import Rounding, divide, divide_up
from billing.plans.cycle import Cycle, Every, check_zone, day_of

CENT_MICROS = 10_000
"""A fee for a part of a period is rounded to whole hundredths, a half up."""
_CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_LONGEST_NAME = 80
_LONGEST_CLASS = 40


class PlanError(ValueError):
    """Something typed is not what a plan can have; the message says which."""


class FirstPeriod(StrEnum):
    """What a first period that is shorter than a whole one costs and brings: all of it, or its share by days."""

    WHOLE = "whole"
    PRO_RATA = "pro-rata"


class Shortage(StrEnum):
    """What becomes of a fee that what is available does not pay.

    SUSPEND: no units until it is paid, tried again at each run; a period that ends unpaid lapses, and is not owed. OWE:
    the same, but the fee stays due beyond its period, and those that follow wait for it. Neither takes what is not
    there: a prepaid account never goes below zero.
    """

    SUSPEND = "suspend"
    OWE = "owe"


class PeriodState(StrEnum):
    """What became of the fee of a period."""

    PAID = "paid"
    UNPAID = "unpaid"
    LAPSED = "lapsed"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a plan gives and costs: these change by versions. Names of a tariff and of an offer of bundles, or none."""

    name: str
    customer_class: str = ""
    tariff: str | None = None
    offer: str | None = None
    fee_micros: int = 0
    first_period: FirstPeriod = FirstPeriod.WHOLE
    shortage: Shortage = Shortage.SUSPEND

    def __post_init__(self) -> None:
        if not self.name.strip() or len(self.name) > _LONGEST_NAME or not self.name.isprintable():
            raise PlanError(f"name: 1 to {_LONGEST_NAME} characters")
        if len(self.customer_class) > _LONGEST_CLASS or not self.customer_class.isprintable():
            raise PlanError(f"class: at most {_LONGEST_CLASS} characters")
        if not 0 <= self.fee_micros <= LARGEST_TRANSFER_MICROS:
            raise PlanError("fee: not below zero, and not more than can be moved")


@dataclass(frozen=True, slots=True)
class Version:
    """The terms from a moment on, and who made them."""

    number: int
    from_at: datetime
    terms: Terms
    tariff_id: int | None
    offer_id: int | None
    made_at: datetime
    made_by: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan of an operator: what never changes of it, and its versions by number; no period begins at its end."""

    id: int
    operator_code: str
    code: str
    currency: str
    every: Every
    time_zone: str
    ends_at: datetime | None
    versions: tuple[Version, ...]
    created_by: str = ""
    ended_by: str | None = None
    accounts: int = 0
    """How many accounts have it, or will."""

    def version_at(self, moment: datetime) -> Version | None:
        """The terms that hold then: those from the latest moment; none before the first ones."""
        return version_at(self.versions, moment)

    def is_sold(self, moment: datetime) -> bool:
        """Whether accounts may have it then."""
        return self.version_at(moment) is not None and (self.ends_at is None or moment < self.ends_at)

    def cycle_from(self, moment: datetime, billing_day: int | None) -> Cycle:
        """The periods of an account that has it from a moment on: without a billing day by the day of that moment."""
        day = day_of(self.every, moment, self.time_zone) if billing_day is None else billing_day
        return Cycle(self.every, day, self.time_zone)


@dataclass(frozen=True, slots=True)
class Assigned:
    """That an account has a plan, from one moment until another; `due_at` is when its next period is to begin.

    Stretches that were called off before they began end as they begin.
    """

    id: int
    account_id: int
    plan_id: int
    plan_code: str
    cycle: Cycle
    begins_at: datetime
    ends_at: datetime | None
    due_at: datetime | None
    plan_ends_at: datetime | None
    set_at: datetime
    set_by: str
    note: str = ""

    @property
    def over_at(self) -> datetime | None:
        """From when on no period begins: the end of the stretch, or of the plan."""
        ends = [at for at in (self.ends_at, self.plan_ends_at) if at is not None]
        return min(ends, default=None)

    def is_over(self, moment: datetime) -> bool:
        """Whether it does not hold any more then."""
        return self.over_at is not None and self.over_at <= moment

    def end_of(self, begins_at: datetime) -> datetime:
        """When the period that begins then is over."""
        ends_at = self.cycle.next_after(begins_at)
        return ends_at if self.over_at is None else min(ends_at, self.over_at)


@dataclass(frozen=True, slots=True)
class Period:
    """A period of an account's plan, by which version, what became of its fee, and the bundle it brought."""

    assigned_id: int
    number: int
    account_id: int
    begins_at: datetime
    ends_at: datetime
    version: int
    fee_micros: int
    state: PeriodState
    transfer_id: int | None = None
    bundle_id: int | None = None
    units_of: tuple[int, int] = (1, 1)
    """The share of the offer's units that it brings."""

    @property
    def key(self) -> str:
        """Names the transfer of its fee, before it is made: once for each account and period."""
        return f"{self.assigned_id}:{self.number}"

    def units(self, whole: int) -> int:
        """Its share of so many units, begun units counted whole."""
        return divide_up(whole * self.units_of[0], self.units_of[1])


@dataclass(frozen=True, slots=True)
class PlanTariff:
    """The tariff of the plan an account has now."""

    plan_code: str
    tariff_id: int


@dataclass(frozen=True, slots=True)
class Chosen:
    """By which tariff an account is priced, and whose that is: the account's, its plan's, or the service's."""

    tariff_id: int
    by: str


def check_plan(code: str, time_zone: str) -> None:
    """Raise PlanError, or CycleError, unless these can be a plan's."""
    if _CODE.fullmatch(code) is None:
        raise PlanError("code: small letters, digits and dashes, 40 at most")
    check_zone(time_zone)


def version_at(versions: Sequence[Version], moment: datetime) -> Version | None:
    """The version in effect: that from the latest moment, of equal ones the one made last."""
    begun = [one for one in versions if one.from_at <= moment]
    return max(begun, key=lambda one: (one.from_at, one.number), default=None)


def first_period(assigned: Assigned, version: Version) -> Period:
    """The first period of an account's plan, of which a part may be charged."""
    left, whole = assigned.cycle.days_left(assigned.begins_at)
    fee_micros, share = version.terms.fee_micros, (1, 1)
    if version.terms.first_period is FirstPeriod.PRO_RATA and left < whole:
        share = (left, whole)
        fee_micros = min(fee_micros, divide(fee_micros * left, whole * CENT_MICROS, Rounding.HALF_UP) * CENT_MICROS)
    return _period(assigned, 1, assigned.begins_at, version, fee_micros, share)


def next_period(assigned: Assigned, number: int, begins_at: datetime, version: Version) -> Period:
    """A later period, which is whole."""
    return _period(assigned, number, begins_at, version, version.terms.fee_micros, (1, 1))


def choose_tariff(own_id: int | None, plan: PlanTariff | None, service_id: int) -> Chosen:
    """An account's own tariff comes before its plan's, and that before the service's."""
    if own_id is not None:
        return Chosen(own_id, "account")
    return Chosen(service_id, "service") if plan is None else Chosen(plan.tariff_id, f"plan {plan.plan_code}")


def _period(
    assigned: Assigned, number: int, begins_at: datetime, version: Version, fee_micros: int, share: tuple[int, int]
) -> Period:
    return Period(
        assigned.id,
        number,
        assigned.account_id,
        begins_at,
        assigned.end_of(begins_at),
        version.number,
        fee_micros,
        PeriodState.UNPAID,
        units_of=share,
    )
