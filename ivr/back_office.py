"""The way from a call to the databases: each question of the story is one short transaction on a bounded pool.

The functions of the other rooms are plain and synchronous; here they are put on threads, with the call's own pool, so
that a rush of new calls cannot delay the meters, which have another. How long each answer took is kept, because a
caller waits for it.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from operator import itemgetter
from typing import TypeVar

from sqlalchemy.engine import Connection, Engine

from ani.lockout.lockout import Limits, Lock
from ani.numbers import Ani, Destination
from ani.reverse_match.service import Identified
from ani.vendor.service import VendorDesk
from billing.accounts import service as account_service
from billing.accounts import store as account_store
from billing.accounts.account import AccountRefusal, AccountState
from billing.accounts.issuing import service as issuing
from billing.allowances import service as allowances
from billing.calls import service as call_service
from billing.calls.call import Authorise, CallEvent
from billing.charging.session import ChargeRefusal
from billing.conditions import service as condition_service
from billing.conditions import store as condition_store
from billing.conditions.condition import ConditionRefusal, Unmet, spend_bound
from billing.conditions.judgement import judge
from billing.fraud.rules.fraud import FraudRefusal
from billing.operators import store as operator_store
from billing.plans import store as plan_store
from billing.rating import Context, Rate, talk_time_ms
from billing.tariffs.service import RateBook
from billing.thresholds import service as threshold_service
from billing.thresholds.threshold import NO_CAPS, ThresholdRefusal
from dialplan.routes.service import RouteBook
from ivr import identifying
from ivr.arriving import arrive
from ivr.metering import MeterPolicy
from ivr.offer import Authorised, Offer, Payer
from ivr.reception import Arrival, Plan, Ring
from ivr.refusals import CallRefusal
from ivr.wanted import wanted_number
from runtime import database, ids
from runtime.clock import Clock
from runtime.faults import StaffError
from runtime.hop import on_thread
from runtime.keys import Pepper
from runtime.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shelf:
    """What every call needs and none owns."""

    engine: Engine
    clock: Clock
    pepper: Pepper
    settings: Settings
    rates: RateBook
    routes: RouteBook
    pool: Executor
    can_extend: Callable[[], bool] = lambda: True
    """Whether the switch can be told of more time: without that no call is connected."""
    vendors: VendorDesk | None = None
    vendor_pool: Executor | None = None
    """Threads of its own: who waits for a company keeps nobody else waiting."""

    @property
    def policy(self) -> MeterPolicy:
        """When a call that is up is given more, and its caller a warning."""
        charging, warn_at_s = self.settings.charging, self.settings.call.warn_at_s
        warn_at_ms = tuple(at * 1000 for at in warn_at_s)
        return MeterPolicy(charging.grant_s * 1000, charging.extend_before_s * 1000, warn_at_ms)

    @property
    def limits(self) -> Limits:
        """How many wrong entries are borne."""
        bounds = self.settings.lockout
        return Limits(
            bounds.per_line_hour,
            bounds.per_account_half_hour,
            bounds.overall_hour,
            bounds.per_access_number_hour,
        )


class BackOffice:
    """The back office of one call."""

    __slots__ = ("_shelf", "authorised", "is_passed_on", "locks", "waits_ms")

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self.waits_ms: list[float] = []
        self.authorised: Authorised | None = None
        self.is_passed_on = False
        self.locks: list[Lock] = []

    @property
    def can_extend(self) -> bool:
        """Whether a call that is connected now could be given more than its first grant."""
        return self._shelf.can_extend()

    @property
    def minimum_talk_ms(self) -> int:
        """No call is connected for less."""
        return self._shelf.settings.charging.minimum_talk_s * 1000

    async def arrive(self, ring: Ring) -> Arrival:
        """Open the call's record and look up all that is known of the number dialled and of the line."""
        shelf = self._shelf
        return await self._run(arrive, shelf.engine, shelf.settings, shelf.limits, ring)

    async def identify(self, line: Ani, call_id: str) -> Identified:
        """Ask the vendor whose line it is."""
        shelf = self._shelf
        return await identifying.identify(shelf.engine, shelf.clock, shelf.vendors, shelf.vendor_pool, line, call_id)

    def lock_told(self) -> dict[str, object]:
        """The lock-out that stood against the last entry, as the call's record tells it, once; empty when none did."""
        told = self.locks[-1].told if self.locks else {}
        self.locks.clear()
        return told

    async def payer(self, account_id: int) -> Payer | StrEnum:
        """The account a line belongs to."""
        return await self._run(self._payer, account_id)

    async def check_access_code(self, plan: Plan, code: str) -> Payer | StrEnum:
        """The account this code opens on this line; a wrong one is counted."""
        return await self._run(self._check_access_code, plan, code)

    async def check_pin(self, plan: Plan, pin: str) -> Payer | StrEnum:
        """The account of the service's operator that this PIN opens; a wrong one is counted."""
        return await self._run(self._check_pin, plan, pin)

    async def issue_pin(self, payer: Payer, range_name: str) -> str | None:
        """A new PIN for the account, of the service's range; only its hash is kept. None when the range is full.

        It opens nothing until `confirm_pin`.
        """
        return await self._run(self._issue_pin, payer.account_id, range_name)

    async def confirm_pin(self, payer: Payer, pin: str) -> None:
        """The caller has heard his new PIN: from now on it opens the account."""
        shelf = self._shelf
        await self._run(issuing.confirm_heard, shelf.engine, shelf.pepper, payer.account_id, pin)

    async def with_shelf(self, use_case: Callable[..., T], *arguments: object) -> T:
        """What a use-case that takes the shelf first answers."""
        return await self._run(use_case, self._shelf, *arguments)

    async def with_vendor(self, use_case: Callable[..., T], *arguments: object) -> T:
        """The same for one that may wait for a company: on threads of its own.

        Their turn and the company together take the vendor's deadline at most: who waited that long for a thread has
        nobody asked any more.
        """
        loop, shelf = asyncio.get_running_loop(), self._shelf
        if shelf.vendors is not None:
            shelf = replace(shelf, vendors=shelf.vendors.since(shelf.clock.monotonic_s()))
        return await loop.run_in_executor(shelf.vendor_pool, use_case, shelf, *arguments)

    async def offer(self, plan: Plan, payer: Payer, digits: str, dnis: str) -> Offer | Unmet | StrEnum:
        """What the dialled digits mean, cost and allow, at this moment's balance, with the included units left."""
        return await self._run(self._offer, plan, payer, digits, dnis)

    async def authorise(
        self, ring: Ring, plan: Plan, payer: Payer, offer: Offer, events: list[CallEvent]
    ) -> Authorised | StrEnum:
        """Hold money and minutes for the first grant, in one transaction with what was noted so far."""
        if not self._shelf.can_extend():
            return CallRefusal.NO_SWITCH_LINK
        answer = await self._run(self._authorise, ring, plan, payer, offer, events)
        if isinstance(answer, Authorised):
            self.authorised = answer
        return answer

    async def _run(self, function: Callable[..., T], *arguments: object) -> T:
        clock = self._shelf.clock
        start_s = clock.monotonic_s()
        try:
            return await on_thread(self._shelf.pool, function, *arguments)
        finally:
            self.waits_ms.append((clock.monotonic_s() - start_s) * 1000)

    def _payer(self, account_id: int) -> Payer | StrEnum:
        with database.reading(self._shelf.engine) as connection:
            return self._payer_now(connection, account_id)

    def _payer_now(self, connection: Connection, account_id: int, *, has_pin: bool | None = None) -> Payer | StrEnum:
        """The account as it is; `has_pin` where that is known already."""
        now = self._shelf.clock.now()
        account = account_store.account_by_id(connection, account_id)
        if account is not None and account.is_open and account.is_expired(now):
            return AccountRefusal.EXPIRED
        if account is None or not account.is_open:
            is_suspended = account is not None and account.state is AccountState.SUSPENDED
            return FraudRefusal.SUSPENDED if is_suspended else ChargeRefusal.ACCOUNT_CLOSED
        if has_pin is None:
            has_pin = account_store.has_pin(connection, account_id, now)
        return Payer(account.id, account.number, account.currency, account.available_micros, has_pin, account.tariff_id)

    def _check_access_code(self, plan: Plan, code: str) -> Payer | StrEnum:
        shelf = self._shelf
        means = (shelf.engine, shelf.clock, shelf.pepper, shelf.limits)
        answer = account_service.check_access_code(*means, plan.ani, code, way=plan.way, tell=self.locks.append)
        return answer if isinstance(answer, StrEnum) else self._payer_by_code(plan.ani, answer)

    def _check_pin(self, plan: Plan, pin: str) -> Payer | StrEnum:
        shelf = self._shelf
        hashes, operator_id = shelf.pepper.digests("pin", pin), plan.profile.operator_id
        with database.transaction(shelf.engine) as conn:
            answer = account_service.try_pin(
                conn,
                shelf.clock,
                shelf.limits,
                plan.ani,
                hashes,
                operator_id=operator_id,
                way=plan.way,
                tell=self.locks.append,
            )
            return answer if isinstance(answer, StrEnum) else self._payer_by_pin(conn, answer, hashes)

    def _payer_by_code(self, ani: str, account_id: int) -> Payer | StrEnum:
        with database.reading(self._shelf.engine) as connection:
            found = self._payer_now(connection, account_id)
            on_line = account_store.every_account_on_line(connection, ani)
        bound = next((one.told_bound for one in on_line if one.account_id == account_id), {})
        return replace(found, evidence=bound) if isinstance(found, Payer) else found

    def _payer_by_pin(self, conn: Connection, account_id: int, hashes: tuple[str, ...]) -> Payer | StrEnum:
        found = self._payer_now(conn, account_id, has_pin=True)
        issued_at = account_store.pin_issued_at(conn, hashes)
        told = {"pin_issued": issued_at.isoformat(timespec="seconds") if issued_at is not None else None}
        return replace(found, evidence=told) if isinstance(found, Payer) else found

    def _issue_pin(self, account_id: int, range_name: str) -> str | None:
        shelf = self._shelf
        try:
            return issuing.issue_unheard(shelf.engine, shelf.clock, shelf.pepper, account_id, range_name)
        except StaffError:  # a range that is full or gone is the operator's affair, not the caller's
            return None

    def _offer(self, plan: Plan, payer: Payer, digits: str, dnis: str) -> Offer | Unmet | StrEnum:
        shelf = self._shelf
        destination = wanted_number(digits, plan.country)
        if isinstance(destination, CallRefusal):
            return destination
        with database.reading(shelf.engine) as connection:
            offer = self._offered(connection, plan, payer, destination, dnis)
        if isinstance(offer, Offer) and isinstance(offer.shortage, ThresholdRefusal):
            self._over(plan, offer.shortage)
        return offer

    def _offered(
        self, connection: Connection, plan: Plan, payer: Payer, destination: Destination, dnis: str
    ) -> Offer | Unmet | StrEnum:
        shelf, profile = self._shelf, plan.profile
        now = shelf.clock.now()
        line = condition_store.line_terms(connection, payer.account_id, plan.ani)
        condition = line.condition if line else None
        told = condition.told if condition else {}
        refusal = judge(condition.terms, plan.ani, destination, now) if condition else None
        if refusal is not None:
            return Unmet(refusal, told)
        priced = plan_store.chosen(connection, payer.account_id, payer.tariff_id, profile.tariff_id, now)
        rate = shelf.rates.rate_for(priced.tariff_id, destination.e164, now, profile.sells)
        trunks = tuple(route.trunk for route in shelf.routes.routes_for(destination.e164))
        if not isinstance(rate, Rate) or not trunks:
            return CallRefusal.NO_ROUTE if isinstance(rate, Rate) else rate
        if operator_store.is_ours(connection, destination.e164):
            # A call to ourselves would be a caller of its own, and so on until every channel is taken.
            return CallRefusal.DESTINATION_IS_OURS
        current = self._payer_now(connection, payer.account_id, has_pin=payer.has_pin)
        if not isinstance(current, Payer):
            return current
        wanted = destination.e164
        rings_for = self._rings_for(trunks)
        context = allowances.at_start(connection, now, payer.account_id, rate, wanted, dnis, rings_for)
        tier_cap_ms, limit = _most(plan, rate, context)
        cap_ms, over = tier_cap_ms, None
        if plan.ani and plan.caps != NO_CAPS:
            cap_ms, over = threshold_service.within(connection, now, plan.caps, plan.ani, cap_ms)
        cap_without_spend_ms = cap_ms
        spend = spend_bound(condition, now)
        if spend is not None:
            cap_ms, _ = condition_service.longest(
                connection,
                now,
                spend,
                account_id=payer.account_id,
                ani=plan.ani,
                rate=rate,
                cap_ms=cap_ms,
                access_number=dnis,
                rings_for=rings_for,
            )
        talk_ms = talk_time_ms(rate, current.available_micros, cap_ms, context)
        is_cut = cap_ms < min(cap_without_spend_ms, self.minimum_talk_ms)
        shortage: StrEnum = ConditionRefusal.SPEND_LIMIT if is_cut else ChargeRefusal.NO_CREDIT
        if over is not None and cap_without_spend_ms < self.minimum_talk_ms:
            shortage = over
        return Offer(destination.e164, trunks, rate, talk_ms, tier_cap_ms, told, spend, limit, shortage, priced.by)

    def _over(self, plan: Plan, refusal: ThresholdRefusal) -> ThresholdRefusal:
        """A line that used up all it may is blocked until staff lift it (ANI-5, ANI-6)."""
        if refusal is ThresholdRefusal.LINE:
            threshold_service.block_over_line(self._shelf.engine, self._shelf.clock, plan.ani, plan.caps)
        return refusal

    def _rings_for(self, trunks: Sequence[str]) -> timedelta:
        """How late a call may be answered, with a grace: each route may ring for its whole time before the next."""
        settings = self._shelf.settings
        return timedelta(seconds=settings.switch.ring_timeout_s * len(trunks) + settings.charging.settle_grace_s)

    def _authorise(
        self, ring: Ring, plan: Plan, payer: Payer, offer: Offer, events: list[CallEvent]
    ) -> Authorised | StrEnum:
        shelf = self._shelf
        request = Authorise(
            call_id=ring.call_id,
            session_id=ids.new_id(),
            account_id=payer.account_id,
            rate=offer.rate,
            destination=offer.destination,
            trunk=offer.trunks[0],
            ani=plan.ani,
            session_cap_ms=min(plan.session_cap_ms, offer.cap_ms),
            month_cap_ms=plan.profile.month_cap_s * 1000,
            wanted_ms=shelf.policy.first_grant_ms,
            minimum_ms=self.minimum_talk_ms,
            profile_id=plan.profile.id,
            valid_for=self._rings_for(offer.trunks),
            events=tuple(events),
            access_number=ring.dnis,
            spend=offer.spend,
            caps=plan.caps,
            limit=offer.limit,
        )
        answer = call_service.authorise(shelf.engine, shelf.clock, request)
        if isinstance(answer, ThresholdRefusal):
            return self._over(plan, answer)
        if isinstance(answer, StrEnum):
            return answer
        grant = answer.grant
        return Authorised(
            request.session_id,
            payer.account_id,
            offer.destination,
            offer.trunks,
            offer.rate,
            grant.granted_ms,
            grant.final,
            answer.cap_ms,
            answer.revision,
            answer.is_shared,
            plan.ani,
        )


def _most(plan: Plan, rate: Rate, context: Context) -> tuple[int, StrEnum]:
    """How long a call may be by the service and the customer's credit tier, and which of their limits says so."""
    cap_ms, limit = min(
        (plan.session_cap_ms, ChargeRefusal.SESSION_CAP),
        (plan.month_left_ms, ChargeRefusal.MONTH_CAP),
        key=itemgetter(0),
    )
    if not plan.spend_cap_micros:
        return cap_ms, limit
    for_money_ms = talk_time_ms(rate, plan.spend_cap_micros, cap_ms, context)
    return (for_money_ms, ThresholdRefusal.SPEND) if for_money_ms < cap_ms else (cap_ms, limit)
