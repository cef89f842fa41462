"""Fraud limits: judge a call or a use inside the transaction that pays for it, and what staff do (CHG-11).

The judgement locks the account before it counts, and a listed prefix before it counts that, so that calls placed side
by side are judged one after the other: none slips past. A spending limit cuts the call to the time it buys, and of
calls that are up it counts all they may come to: what is spent never passes the limit.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache

from sqlalchemy.engine import Connection, Engine

from ani import numbers
from billing.accounts import store as account_store
from billing.accounts.account import Account, AccountState
from billing.allowances import service as allowances
from billing.fraud import judgement_store, store
from billing.fraud.judgement_store import LONGEST_PREFIX, Before, Standing
from billing.fraud.rules import fraud
from billing.fraud.rules.fraud import (
    HOUR,
    Activity,
    BadLimitError,
    Destination,
    FraudRefusal,
    Kind,
    Limits,
    SuspensionAction,
    SuspensionReason,
)
from billing.fraud.store import Refused, RiskyDestination, Suspension
from billing.ledger.transfer import Funds
from billing.operators import store as operator_store
from billing.operators.operator import Reach
from billing.rating import Context, Rate
from billing.tariffs.tariff import BY_NUMBER
from runtime.clock import Clock
from runtime.database import reading, transaction
from runtime.faults import NotFoundError, StaffError

THE_GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A call, a session or an event that asks to be paid for; `asked_id` is its id.

    `destination` is the number or the code of what is sold, `profile_id` the service a call reached. Of an event
    `price_micros` is known, and it is taken whole. It begins now, or within `rings_for`.
    """

    asked_id: str
    session_id: str
    account_id: int
    destination: str
    rate: Rate
    cap_ms: int
    minimum_ms: int
    profile_id: int | None = None
    kind: Kind = Kind.CALL
    price_micros: int = 0
    access_number: str = ""
    rings_for: timedelta = timedelta(0)

    @property
    def number(self) -> str | None:
        """The international number called; none when what is sold is not a number."""
        if self.kind is not Kind.CALL and self.rate.service not in BY_NUMBER:
            return None
        return "+" + self.destination.removeprefix("+")


@dataclass(frozen=True, slots=True)
class Permit:
    """It may be done, up to `cap_ms`; `funds` are the locked account's; the rest is for `keep`."""

    cap_ms: int
    ceiling_micros: int | None = None
    counted_prefix: str | None = None
    funds: Funds | None = None
    limit: FraudRefusal | None = None
    """Whose `cap_ms` is, where that is less than was asked for."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of an account's limits and of what it did."""

    account: Account
    limits: Limits
    activity: Activity
    suspensions: tuple[Suspension, ...]
    refusals: tuple[Refused, ...]


def stand(conn: Connection, attempt: Attempt) -> Standing | None:
    """Lock the account until the caller's transaction ends, and read what binds it; none when there is no such one."""
    return judgement_store.lock_standing(
        conn,
        account_id=attempt.account_id,
        profile_id=attempt.profile_id,
        session_id=attempt.session_id,
        digits=(attempt.number or "").removeprefix("+"),
    )


def judge(conn: Connection, now: datetime, attempt: Attempt, standing: Standing | None = None) -> Permit | FraudRefusal:
    """Whether this may be paid for, within the caller's transaction; the account stays locked until its end.

    A refusal is kept, and may suspend the account. A session that was authorised before is not judged again; whether
    an event was is for the caller to see once the account is locked, by `stand`. Whether the account exists and can pay
    is for charging to say.
    """
    if standing is None:
        standing = stand(conn, attempt)
    if standing is None:
        return Permit(attempt.cap_ms)
    if standing.session_cap_ms is not None:
        cap_ms = standing.session_cap_ms if standing.was_cut else attempt.cap_ms
        return Permit(cap_ms, funds=standing.funds)
    answer, before = _judge(conn, now, attempt, standing)
    if isinstance(answer, Permit) and answer.cap_ms >= attempt.cap_ms:
        return answer
    # The same session may have been opened while this one waited for the lock, and counts against itself.
    if before is None:
        before = judgement_store.session_before(conn, attempt.session_id)
    if before.cap_ms is not None:
        return Permit(before.cap_ms if before.was_cut else attempt.cap_ms, funds=standing.funds)
    if isinstance(answer, FraudRefusal):
        shown = attempt.destination[: LONGEST_PREFIX + 1]
        judgement_store.add_refusal(conn, attempt.account_id, attempt.asked_id, answer, shown, now)
        _suspend_if_too_often(conn, now, attempt.account_id, standing)
    return answer


def keep(conn: Connection, now: datetime, attempt: Attempt, permit: Permit) -> None:
    """Note what was permitted and done counts for, in the same transaction."""
    if permit.ceiling_micros is not None:
        judgement_store.add_ceiling(conn, attempt.session_id, permit.ceiling_micros)
    if permit.counted_prefix is not None:
        judgement_store.add_attempt(conn, permit.counted_prefix, attempt.account_id, now)


def suspend(engine: Engine, clock: Clock, number: str, reason: SuspensionReason, *, by: str, note: str) -> Account:
    """Let an account make no call until it is lifted; calls that are up get nothing beyond what they were granted.

    Raises NotFoundError for an unknown account, StaffError for one that is suspended or closed.
    """
    with transaction(engine) as conn:
        found = _locked(conn, number)
        if found.state is not AccountState.OPEN:
            raise StaffError(f"account {number} is {found.state} already")
        _suspend(conn, clock.now(), found.id, reason, by, note)
    return replace(found, state=AccountState.SUSPENDED)


def lift(engine: Engine, clock: Clock, number: str, *, by: str, note: str) -> Account:
    """End a suspension, with a note why; raises NotFoundError, StaffError when there is none or no note."""
    if not note.strip():
        raise StaffError("say why it is lifted")
    with transaction(engine) as conn:
        found = _locked(conn, number)
        if found.state is not AccountState.SUSPENDED:
            raise StaffError(f"account {number} is not suspended: it is {found.state}")
        last = store.suspensions(conn, found.id, 1)
        reason = SuspensionReason(last[0].reason) if last else SuspensionReason.REQUESTED
        store.set_state(conn, found.id, AccountState.OPEN)
        store.add_suspension(conn, found.id, SuspensionAction.LIFTED, reason, clock.now(), made_by=by, note=note)
    return replace(found, state=AccountState.OPEN)


def describe(engine: Engine, clock: Clock, number: str) -> Profile:
    """An account's own limits, what it did lately, its suspensions and refusals; raises NotFoundError."""
    now = clock.now()
    with reading(engine) as conn:
        found = account_store.account_by_number(conn, number)
        if found is None:
            raise NotFoundError(f"no account {number}")
        every = Limits(calls_per_hour=0, concurrent_calls=0, spend_per_hour_micros=0, spend_per_day_micros=1)
        return Profile(
            found,
            store.limits_of(conn, account_id=found.id),
            judgement_store.activity(conn, found.id, every, now)[0],
            tuple(store.suspensions(conn, found.id)),
            tuple(store.refusals(conn, found.id)),
        )


def set_account_limits(engine: Engine, clock: Clock, number: str, limits: Limits, *, by: str, note: str) -> None:
    """Bind an account by these limits alone, besides those of its service; raises NotFoundError, StaffError."""
    _check(limits)
    with transaction(engine) as conn:
        found = _locked(conn, number)
        store.put_limits(conn, limits, clock.now(), set_by=by, note=note, account_id=found.id)


def set_profile_limits(
    engine: Engine, clock: Clock, operator_code: str, profile: str, limits: Limits, *, by: str, note: str
) -> None:
    """Bind every account that calls by a service by these limits; raises NotFoundError, StaffError."""
    _check(limits)
    with transaction(engine) as conn:
        profile_id = _profile_id(conn, operator_code, profile)
        store.put_limits(conn, limits, clock.now(), set_by=by, note=note, profile_id=profile_id)


def account_limits(engine: Engine, number: str) -> Limits:
    """What is set for an account; raises NotFoundError."""
    with reading(engine) as conn:
        found = account_store.account_by_number(conn, number)
        if found is None:
            raise NotFoundError(f"no account {number}")
        return store.limits_of(conn, account_id=found.id)


def profile_limits(engine: Engine, operator_code: str, profile: str) -> Limits:
    """What is set for a service; raises NotFoundError."""
    with reading(engine) as conn:
        return store.limits_of(conn, profile_id=_profile_id(conn, operator_code, profile))


def list_destination(
    engine: Engine, clock: Clock, prefix: str, *, is_risky: bool, calls_per_hour: int | None, by: str, note: str
) -> None:
    """List a prefix as risky, or bound how often all accounts together may call it in an hour, or both."""
    digits = prefix.lstrip("+")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= LONGEST_PREFIX):
        raise StaffError("prefix: 1 to 15 digits of an international number")
    if calls_per_hour is not None and not 0 <= calls_per_hour <= fraud.LARGEST_COUNT:
        raise StaffError(f"calls per hour: 0 to {fraud.LARGEST_COUNT}")
    with transaction(engine) as conn:
        now = clock.now()
        store.put_destination(conn, RiskyDestination(digits, is_risky, calls_per_hour, now, by, note))
        store.forget_attempts(conn, now - HOUR)


def unlist_destination(engine: Engine, clock: Clock, prefix: str, *, by: str, note: str) -> None:
    """Take a prefix off the list; raises NotFoundError when it is not on it."""
    with transaction(engine) as conn:
        if not store.remove_destination(conn, prefix.lstrip("+"), clock.now(), by=by, note=note):
            raise NotFoundError(f"prefix {prefix} is not listed")


def destinations(engine: Engine) -> list[RiskyDestination]:
    """Every listed prefix."""
    with reading(engine) as conn:
        return store.destinations(conn)


def _judge(
    conn: Connection, now: datetime, attempt: Attempt, standing: Standing
) -> tuple[Permit | FraudRefusal, Before | None]:
    """The answer, and the session as it was when something was counted."""
    if standing.funds.is_suspended:
        return FraudRefusal.SUSPENDED, None
    place = _place(attempt, standing)
    if place is not None:
        refusal = fraud.place_refusal(standing.limits.reach or Reach.HOME, place)
        if refusal is not None:
            return refusal, None
    limits = standing.limits if _is_call(attempt) else standing.limits.of_use
    activity, before = judgement_store.activity(conn, attempt.account_id, limits, now, attempt.session_id)
    counted = standing.risk_prefix if standing.prefix_calls_per_hour is not None else None
    if counted is not None:
        activity = replace(activity, calls_to_prefix=judgement_store.calls_to_prefix(conn, counted, now - HOUR))
    refusal = fraud.activity_refusal(limits, place, activity, now)
    if refusal is not None:
        return refusal, before
    bound = fraud.spend_left(limits, activity)
    if bound is None:
        return Permit(attempt.cap_ms, None, counted, standing.funds), before
    # Included units are not counted on: others on the account may use them up before this one does.
    context = allowances.without_bundles(
        conn, now, attempt.account_id, attempt.rate, attempt.access_number, attempt.rings_for
    )
    return _bounded(attempt, context, bound, counted, standing.funds), before


def _bounded(
    attempt: Attempt, context: Context, bound: tuple[int, FraudRefusal], counted: str | None, funds: Funds
) -> Permit | FraudRefusal:
    """What it may use for the money a limit leaves, or that limit; an event is taken whole or not at all."""
    left_micros, limit = bound
    if attempt.kind is Kind.EVENT:
        return limit if attempt.price_micros > left_micros else Permit(0, None, counted, funds)
    cap_ms, ceiling_micros = fraud.longest_within(attempt.rate, left_micros, attempt.cap_ms, context)
    if cap_ms < attempt.cap_ms and cap_ms < max(1, attempt.minimum_ms):
        return limit
    return Permit(cap_ms, ceiling_micros, counted, funds, limit if cap_ms < attempt.cap_ms else None)


def _is_call(attempt: Attempt) -> bool:
    """Whether it counts as a call: also one that another service carries."""
    return attempt.kind is not Kind.EVENT and attempt.number is not None


def _place(attempt: Attempt, standing: Standing) -> Destination | None:
    """Where it goes; none for what goes nowhere. The country is looked for only where it decides."""
    number = attempt.number
    if number is None:
        return None
    is_home_only = (standing.limits.reach or Reach.HOME) is Reach.HOME
    country = _country(number, standing.home_country) if is_home_only else None
    return Destination(
        country, standing.home_country, standing.risk_prefix, standing.is_risky, standing.prefix_calls_per_hour
    )


def _suspend_if_too_often(conn: Connection, now: datetime, account_id: int, standing: Standing) -> None:
    most = standing.limits.suspend_after
    if most is None or not standing.funds.is_open:
        return
    refused = judgement_store.refusals_since(conn, account_id, now - HOUR)
    if refused >= most:
        note = f"{refused} calls were refused by limits within an hour"
        _suspend(conn, now, account_id, SuspensionReason.LIMITS_PASSED, THE_GATEWAY, note)


def _suspend(conn: Connection, now: datetime, account_id: int, reason: SuspensionReason, by: str, note: str) -> None:
    store.set_state(conn, account_id, AccountState.SUSPENDED)
    store.add_suspension(conn, account_id, SuspensionAction.SUSPENDED, reason, now, made_by=by, note=note)


def _locked(conn: Connection, number: str) -> Account:
    found = account_store.account_by_number(conn, number, lock=True)
    if found is None:
        raise NotFoundError(f"no account {number}")
    return found


def _profile_id(conn: Connection, operator_code: str, name: str) -> int:
    found = operator_store.profile_named(conn, operator_code, name)
    if found is None:
        raise NotFoundError(f"operator {operator_code} has no profile {name}")
    return found.id


def _check(limits: Limits) -> None:
    try:
        fraud.check_limits(limits)
    except BadLimitError as error:
        raise StaffError(str(error)) from error


@lru_cache(maxsize=8192)
def _country(destination: str, home_country: str) -> str | None:
    """The country of an international number; none when it has none."""
    found = numbers.parse_destination(destination, home_country)
    return None if found is None else found.country
