"""What staff do about plans: make and change them, give them to accounts. Each one transaction.

Raises NotFoundError for what is not there and StaffError for what cannot be.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import IntegrityError

from billing.accounts import store as account_store
from billing.accounts.account import Account, AccountState
from billing.accounts.own_tariff.service import tariff_id_of
from billing.bundles import store as bundle_store
from billing.plans import period_store, store
from billing.plans.cycle import CycleError
from billing.plans.plan import Assigned, Period, Plan, PlanError, Terms, Version, check_plan
from billing.tariffs import service as tariff_service
from runtime.clock import Clock
from runtime.database import reading, transaction
from runtime.faults import BadInputError, NotFoundError, StaffError

PERIODS_SHOWN = 100
ENDED = "the plan was changed"


def create(engine: Engine, clock: Clock, plan: Plan, terms: Terms, *, by: str, from_at: datetime | None = None) -> Plan:
    """Sell a plan from a moment on, else from now; without an operator code it is the only operator's."""
    now = clock.now()
    try:
        check_plan(plan.code, plan.time_zone)
    except (PlanError, CycleError) as error:
        raise BadInputError(str(error)) from None
    begins_at = from_at or now
    if plan.ends_at is not None and plan.ends_at <= begins_at:
        raise StaffError("a plan ends after it begins")
    try:
        with transaction(engine) as conn:
            owner = tariff_service.find_owner(conn, plan.operator_code or None)
            made = replace(plan, operator_code=owner.code, currency=owner.currency)
            plan_id = store.add_plan(conn, owner.id, made, now, by)
            store.add_version(conn, plan_id, _version(conn, owner.id, made.currency, 1, terms, begins_at, now, by))
            return _found(store.plan_coded(conn, owner.id, plan.code), plan.code)
    except IntegrityError:
        raise StaffError(f"there is a plan {plan.code} already") from None


def change(
    engine: Engine,
    clock: Clock,
    operator_code: str | None,
    code: str,
    changed: Callable[[Terms], Terms],
    *,
    by: str,
    from_at: datetime | None = None,
) -> Plan:
    """Change the terms from a moment on, else from now: the rate at once, fee and units with the next period.

    What it was before stays known. A change from a moment before the latest one's takes its place from then on only
    until that.
    """
    now = clock.now()
    with transaction(engine) as conn:
        owner = tariff_service.find_owner(conn, operator_code)
        found = _found(store.plan_coded(conn, owner.id, code, lock=True), code)
        begins_at = from_at or now
        if begins_at < now:
            raise StaffError("terms are not changed for what is past")
        before = found.version_at(begins_at) or found.versions[0]
        try:
            terms = changed(before.terms)
        except PlanError as error:
            raise BadInputError(str(error)) from None
        if terms == before.terms:
            raise StaffError(f"plan {code} is so already")
        number = len(found.versions) + 1
        made = _version(conn, owner.id, found.currency, number, terms, begins_at, now, by, before)
        store.add_version(conn, found.id, made)
        return _found(store.plan_coded(conn, owner.id, code), code)


def remove(
    engine: Engine,
    clock: Clock,
    operator_code: str | None,
    code: str,
    *,
    by: str,
    note: str,
    at: datetime | None = None,
) -> Plan:
    """End a plan then, else now: nobody is given it, no period of it begins, and it prices nothing any more.

    At once only when no account has it, or will: those are given another first.
    """
    now = clock.now()
    ends_at = at or now
    if ends_at < now:
        raise StaffError("a plan does not end in the past")
    with transaction(engine) as conn:
        owner = tariff_service.find_owner(conn, operator_code)
        found = _found(store.plan_coded(conn, owner.id, code, lock=True), code)
        if found.ends_at is not None and found.ends_at <= now:
            raise StaffError(f"plan {code} has ended already")
        accounts = store.having(conn, found.id, ends_at)
        if at is None and accounts:
            raise StaffError(
                f"{accounts} accounts have plan {code}: give them another (`tollgate account set --plan`) or say --at"
            )
        store.end_plan(conn, found.id, ends_at, by, note)
        return _found(store.plan_coded(conn, owner.id, code), code)


def plans(engine: Engine, operator_code: str | None = None, customer_class: str | None = None) -> list[Plan]:
    """Every plan, of an operator or of a class if one is named."""
    with reading(engine) as conn:
        return store.plans(conn, operator_code, customer_class)


def show(engine: Engine, clock: Clock, operator_code: str | None, code: str) -> Plan:
    """A plan, with how many accounts have it."""
    with reading(engine) as conn:
        owner = tariff_service.find_owner(conn, operator_code)
        found = _found(store.plan_coded(conn, owner.id, code), code)
        return replace(found, accounts=store.having(conn, found.id, clock.now()))


@dataclass(frozen=True, slots=True)
class Wish:
    """Which plan an account is to have (none: no plan), when, and on which day it is billed.

    `at_once`: now, else with the next period of the plan it has; without one it is now anyhow. Without a billing day it
    keeps the one it has, where periods are of the same length, else it is that of the day the plan begins.
    """

    code: str | None
    at_once: bool = False
    billing_day: int | None = None


def set_plan(engine: Engine, clock: Clock, number: str, wish: Wish, *, by: str, note: str = "") -> Assigned | None:
    """Give an account a plan, or take it away; gives the stretch that was made, none where a plan was taken away."""
    with transaction(engine) as conn:
        found = _locked(conn, number)
        return give(conn, clock.now(), found, wish, by=by, note=note)


def give(conn: Connection, now: datetime, account: Account, wish: Wish, *, by: str, note: str = "") -> Assigned | None:
    """The same for a locked account, in a transaction under way.

    What was to come after the plan it has is called off. At once, the running period ends, its units with it, and its
    fee is not given back.
    """
    known = store.assignments(conn, account.id)
    current = store.in_force(known, now)
    for later in (one for one in known if one.begins_at > now and one.ends_at != one.begins_at):
        store.end_assigned(conn, later.id, later.begins_at, by)
        store.set_due(conn, later.id, None)
    if wish.code is None and current is None:
        raise StaffError(f"account {account.number} has no plan")
    is_now = wish.at_once or current is None
    begins_at = now if is_now or current is None else current.end_of(now)
    if current is not None:
        if wish.code == current.plan_code and wish.billing_day in {None, current.cycle.billing_day}:
            if current.ends_at is None:
                raise StaffError(f"account {account.number} has plan {wish.code} already")
            store.end_assigned(conn, current.id, None, by)
            return replace(current, ends_at=None)
        store.end_assigned(conn, current.id, begins_at, by)
        if is_now:
            _cut(conn, current, now, by)
    if wish.code is None:
        return None
    operator_id = account_store.operator_id_of(conn, account.id)
    plan = _found(store.plan_coded(conn, operator_id, wish.code, lock=True), wish.code)
    made = _assigned(plan, account, wish, current, begins_at, (now, by, note))
    return replace(made, id=store.add_assigned(conn, made))


@dataclass(frozen=True, slots=True)
class History:
    """Which plans an account had, has and will have, the one that holds now, and its latest periods."""

    stretches: tuple[Assigned, ...]
    current: Assigned | None
    periods: tuple[Period, ...]


def history(engine: Engine, clock: Clock, number: str) -> History:
    """The plans of an account."""
    with reading(engine) as conn:
        found = account_store.account_by_number(conn, number)
        if found is None:
            raise NotFoundError(f"no account {number}")
        known = store.assignments(conn, found.id)
        periods = period_store.periods_of(conn, found.id, PERIODS_SHOWN)
        return History(tuple(known), store.in_force(known, clock.now()), tuple(periods))


def _assigned(
    plan: Plan,
    account: Account,
    wish: Wish,
    current: Assigned | None,
    begins_at: datetime,
    made: tuple[datetime, str, str],
) -> Assigned:
    """The stretch that begins then; raises StaffError where the plan is not for this account, or not sold then."""
    if plan.currency != account.currency:
        raise StaffError(f"plan {plan.code} is in {plan.currency}, the account in {account.currency}")
    if not plan.is_sold(begins_at):
        raise StaffError(f"plan {plan.code} is not sold on {begins_at:%Y-%m-%d %H:%M} UTC")
    day = wish.billing_day
    if day is None and current is not None and current.cycle.every is plan.every:
        day = current.cycle.billing_day
    try:
        cycle = plan.cycle_from(begins_at, day)
    except CycleError as error:
        raise BadInputError(str(error)) from None
    return Assigned(0, account.id, plan.id, plan.code, cycle, begins_at, None, begins_at, plan.ends_at, *made)


def _cut(conn: Connection, current: Assigned, now: datetime, by: str) -> None:
    """End the period that runs, and the units it brought."""
    last = period_store.last_of(conn, current.id)
    if last is None or last.ends_at <= now:
        return
    if last.bundle_id is not None:
        bundle_store.close_bundle(conn, last.bundle_id, now, by, ENDED)
    period_store.put(conn, replace(last, ends_at=now))
    store.set_due(conn, current.id, now)


def _version(
    conn: Connection,
    operator_id: int,
    currency: str,
    number: int,
    terms: Terms,
    from_at: datetime,
    now: datetime,
    by: str,
    before: Version | None = None,
) -> Version:
    """A version whose tariff and offer are there; an offer that was closed since stays with a plan that has it."""
    offer_id = None
    if terms.offer is not None:
        is_kept = before is not None and before.terms.offer == terms.offer
        offer_id = before.offer_id if before is not None and is_kept else store.offer_id(conn, operator_id, terms.offer)
        if offer_id is None:
            raise NotFoundError(f"the operator offers no bundle {terms.offer}")
    tariff_id = tariff_id_of(conn, operator_id, terms.tariff, currency, "plan")
    return Version(number, from_at, terms, tariff_id, offer_id, now, by)


def _locked(conn: Connection, number: str) -> Account:
    found = account_store.account_by_number(conn, number, lock=True)
    if found is None:
        raise NotFoundError(f"no account {number}")
    if found.state is AccountState.CLOSED:
        raise StaffError(f"account {number} is closed")
    return found


def _found(plan: Plan | None, code: str) -> Plan:
    if plan is None:
        raise NotFoundError(f"the operator has no plan {code}")
    return plan
