"""Everybody but the gateway: applications that charge over the API, payers, staff. They never give up and repeat
themselves, in another order than they spoke, and some fall silent in the middle.
"""

import random
from asyncio import Future
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from billing.accounts import service as account_service
from billing.charging.session import Terminated
from billing.consumption import service as consumption
from billing.consumption.consumption import (
    LARGEST_USE,
    LONGEST_SESSION_MS,
    ConsumptionRefusal,
    Debited,
    Event,
    ExtendSession,
    Open,
    Refunded,
    Reservation,
)
from billing.consumption.extending import service as extending
from billing.fraud import service as fraud
from billing.fraud.rules.fraud import SuspensionReason
from billing.ledger import service as ledger_service
from billing.ledger.transfer import ChangedReplayError, Credited, TransferKind
from runtime.faults import StaffError
from runtime.group_commit import GroupCommit
from tests.simulation.intents import MeantSession, ViolationError
from tests.simulation.prices import About, Included
from tests.simulation.units import OFFERS
from tests.simulation.virtual import SECOND

if TYPE_CHECKING:
    from tests.simulation.world import Customer, World

SERVICES = (
    ("airtime", "12125550123", "1", 60),
    ("data", "net", "net", 4_000_000),
    ("message", "sms", "sms", 10),
    ("airtime", "16465550123", "1646", 50),
    ("data", "video", "video", 4_000_000),
    ("unit", "token", "token", 30),
    ("message", "mms", "mms", 6),
)
"""Service, code, the prefix that prices it, and how much of it is a good piece."""
CHANGED = "changed-replay"
"""The answer ChangedReplayError."""


def deliver(
    world: "World",
    customer: "Customer",
    what: str,
    work: Callable[[], Any],
    done: Callable[[Any], None],
    excuse: Callable[[], bool] = lambda: False,
) -> None:
    """Send a request until it is answered; it may arrive twice, late, or be carried out without an answer.

    `excuse` tells that something else came before a late copy, so that it may be refused.
    """
    chance = world.chance
    draw = chance.random()
    if world.calm:
        draw = 1.0
    if draw < 0.05 and not what.endswith("otherwise"):
        world.loop.after(chance.randrange(1, 30 * SECOND), _ghost, world, customer, what, work, excuse)
    late_us = chance.choice((1_000, 1_000, 1_000, 40_000, 2 * SECOND)) if draw < 0.5 else 0
    world.loop.after(late_us, _attempt, world, customer, what, work, done)


def _attempt(
    world: "World", customer: "Customer", what: str, work: Callable[[], Any], done: Callable[[Any], None]
) -> None:
    answered, answer = world.serve(customer, what, work)
    if isinstance(answer, Future):
        _wait(world, customer, what, work, done, answer)
        return
    if not answered or (not world.calm and world.chance.random() < 0.03):
        again_us = world.chance.choice((50_000, 1 * SECOND, 5 * SECOND))
        world.loop.after(again_us, _attempt, world, customer, what, work, done)
        return
    done(answer)


def _wait(
    world: "World",
    customer: "Customer",
    what: str,
    work: Callable[[], Any],
    done: Callable[[Any], None],
    answer: "Future[Any]",
) -> None:
    """The answer comes later, with those of others, or never; who waited for long asks again."""
    waiting = [True]

    def told() -> None:
        if waiting and answer.done():
            waiting.clear()
            fault = answer.exception()
            if isinstance(fault, ChangedReplayError):
                done(CHANGED)
            elif fault is not None:
                world.tell(customer.account_id, f"{what}: {type(fault).__name__}")
                world.loop.after(SECOND, _attempt, world, customer, what, work, done)
            else:
                world.tell(customer.account_id, what, answer.result())
                done(answer.result())

    def too_late() -> None:
        if waiting:
            waiting.clear()
            _attempt(world, customer, what, work, done)

    answer.add_done_callback(lambda _: world.loop.after(0, told))
    world.loop.after(world.chance.choice((400_000, 8 * SECOND, 8 * SECOND)), too_late)


def _ghost(
    world: "World", customer: "Customer", what: str, work: Callable[[], Any], excuse: Callable[[], bool]
) -> None:
    """A copy that comes late: it must change nothing and raise nothing."""
    answered, answer = world.serve(customer, f"late copy of {what}", work)
    if answered and answer is CHANGED and not excuse():
        raise ViolationError(f"a late copy of {what} was taken for another request", customer.account_id)


class Application:
    """One session of a service that is not a call."""

    def __init__(self, world: "World", customer: "Customer") -> None:
        self._world = world
        self._chance: random.Random = world.chance
        self._customer = customer
        service, code, prefix, self._piece = self._chance.choice(SERVICES)
        self._session_id = world.new_id()
        cap = None if self._chance.random() < 0.7 else self._piece * 3
        self._scale = 1000 if service == "airtime" else 1
        most = LONGEST_SESSION_MS if service == "airtime" else LARGEST_USE
        self._meant = world.intents.session(
            MeantSession(
                self._session_id,
                customer.account_id,
                service,
                prefix,
                most if cap is None else min(most, cap * self._scale),
                code=code,
            )
        )
        wanted = self._chance.randrange(1, 2 * self._piece)
        minimum = 0 if self._chance.random() < 0.8 else min(wanted, self._piece // 5 or 1)
        self._sold = world.sold(customer, service, code)
        self._open = Open(self._session_id, self._sold, wanted, minimum, cap)
        self._granted = 0
        self._used = 0
        self._number = 0
        self._left = self._chance.choice((0, 0, 1, 1, 1, 2, 3))
        self._waits_us = self._chance.randrange(SECOND, 40 * SECOND)
        self._send(f"open {self._session_id} {service} {wanted}", self._opening(self._open), self._opened)

    def _opening(self, wanted: Open) -> Callable[[], Any]:
        world = self._world
        return lambda: consumption.open_session(world.engine, world.clock, world.web_rates, wanted)

    def _send(self, what: str, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        deliver(self._world, self._customer, what, work, done, lambda: self._meant.ended_by_silence)

    def _granted_now(self, number: int, answer: Reservation) -> None:
        self._granted = max(self._granted, answer.granted)
        if not answer.is_superseded:
            found = (answer.granted, answer.held_micros, answer.final)
            self._world.intents.granted(self._session_id, number, found, replay=answer.is_replay)

    def _opened(self, answer: Any) -> None:
        if not isinstance(answer, Reservation):
            if answer is CHANGED or self._meant.answered:
                raise ViolationError(f"{self._open} was answered {answer}", self._customer.account_id)
            return
        self._world.sessions_granted += 1
        self._granted_now(0, answer)
        if self._chance.random() < 0.03:
            other = Open(self._session_id, self._sold, self._open.wanted + 1, self._open.minimum, self._open.cap)
            self._send(f"open {self._session_id} otherwise", self._opening(other), self._must_be_changed)
        self._later(self._go_on)

    def _later(self, step: Callable[[], None]) -> None:
        self._world.loop.after(self._chance.randrange(1, self._waits_us), step)

    def _go_on(self) -> None:
        self._used = max(self._used, self._chance.randint(0, self._granted))
        if self._left == 0 or self._world.calm:
            if self._world.calm or self._chance.random() < 0.95:
                self._end()
            return  # else it is never heard of again
        self._left -= 1
        wanted = self._granted + self._chance.randrange(0, self._piece)
        ahead = self._chance.random() < 0.05
        if ahead:
            # sent before its answer is there, and perhaps carried out first
            self._update(wanted, lambda _: None)
        self._update(wanted + self._chance.randrange(0, self._piece), lambda _: self._later(self._go_on))

    def _update(self, wanted: int, then: Callable[[Any], None]) -> None:
        used = self._used
        self._number += 1
        number = self._number

        def work() -> Any:
            return self._extension(number, used, wanted)

        def done(answer: Any) -> None:
            if isinstance(answer, Reservation):
                self._granted_now(number, answer)
            elif answer is CHANGED:
                raise ViolationError(f"update {number} of {self._session_id} was refused", self._customer.account_id)
            then(answer)

        self._send(f"update {number} of {self._session_id}: used {used}, wants {wanted}", work, done)
        if self._chance.random() < 0.02:
            self._changed_update(number, used, wanted)

    def _extension(self, number: int, used: int, wanted: int) -> Any:
        """As `consumption.extend_session` asks, but without a thread that waits: those who come together are answered
        together."""
        world = self._world
        ask = ExtendSession(world.operator_id, self._session_id, number, used, wanted, world.clock.now())
        together: GroupCommit[ExtendSession, Any] = extending._EXTENSIONS
        pool: Any = world.web
        return together.submit(world.engine, ask, pool)

    def _changed_update(self, number: int, used: int, wanted: int) -> None:
        """The same number with another wish, after it was answered: never granted."""
        world = self._world

        def again() -> Any:
            if number not in self._meant.answers:
                return CHANGED
            return self._extension(number, used, wanted + 7)

        world.loop.after(
            8 * SECOND,
            deliver,
            world,
            self._customer,
            f"update {number} of {self._session_id} otherwise",
            again,
            self._must_be_changed,
        )

    def _must_be_changed(self, answer: Any) -> None:
        if answer is not CHANGED:
            raise ViolationError(
                f"another request under the same number was answered {answer}", self._customer.account_id
            )

    def _must_be_another(self, answer: Any) -> None:
        """Another end than the one there was: by itself, or by silence."""
        if answer is not ConsumptionRefusal.SESSION_EXPIRED or not self._meant.ended_by_silence:
            self._must_be_changed(answer)

    def _end(self) -> None:
        world = self._world
        used = self._used if self._chance.random() < 0.9 else self._granted + self._chance.randrange(self._piece)
        self._meant.said_used = used * self._scale

        def ending(told: int) -> Callable[[], Any]:
            return lambda: consumption.end_session(
                world.engine, world.clock, world.operator_id, self._session_id, told, "app"
            )

        def done(answer: Any) -> None:
            if answer is ConsumptionRefusal.SESSION_EXPIRED and self._meant.ended_by_silence:
                return
            ended = answer[0] if isinstance(answer, tuple) else None
            if not isinstance(ended, Terminated) or ended.charged_micros != self._meant.charged_micros:
                raise ViolationError(
                    f"end of {self._session_id} was answered {answer}, charged is {self._meant.charged_micros}",
                    self._customer.account_id,
                )
            if self._chance.random() < 0.03:
                self._send(f"end {self._session_id} otherwise", ending(used + 1), self._must_be_another)

        self._send(f"end {self._session_id}: used {used}", ending(used), done)


def pay(world: "World", customer: "Customer", micros: int) -> None:
    """A recharge, until it is acknowledged; sometimes the same key again with another amount."""
    key = world.new_id()
    world.intents.transfer(f"credit:{key}", customer.account_id, micros)
    number = customer.number

    def paying(amount: int) -> Callable[[], Any]:
        return lambda: ledger_service.credit(world.engine, world.clock, number, amount, key, "shop")

    def done(answer: Any) -> None:
        if isinstance(answer, Credited):
            world.intents.moved(f"credit:{key}")
            customer.credits.append(f"credit:{key}")
            if world.chance.random() < 0.05:
                deliver(world, customer, f"pay {key} otherwise", paying(micros + 1), changed)

    def changed(answer: Any) -> None:
        if answer is not CHANGED:
            raise ViolationError(f"another payment under the same key was answered {answer}", customer.account_id)

    deliver(world, customer, f"pay {key} {micros}", paying(micros), done)


def buy(world: "World", customer: "Customer") -> None:
    """An event charged at once, and perhaps given back, in parts, more often than allowed."""
    service, code = world.chance.choice((("message", "sms"), ("content", "song"), ("message", "mms")))
    units = world.chance.randint(1, 4) if service == "message" else 1
    event = Event(world.new_id(), world.sold(customer, service, code), units)
    key = f"debit:event:{event.event_id}"
    covers = [()] if code != "mms" else [(Included(1, given),) for given in range(units + 1)]
    amounts = {price.of(units, About(cover=cover)) for price in world.prices_by_code(code) for cover in covers}
    world.intents.transfer(key, customer.account_id, *(-micros for micros in amounts))

    def done(answer: Any) -> None:
        if answer is CHANGED:
            raise ViolationError(f"event {event.event_id} was refused as another", customer.account_id)
        if not isinstance(answer, Debited):
            return
        charged = answer.debit.charged_micros
        if not charged:
            return  # of included units alone
        world.intents.moved(key)
        if world.chance.random() < 0.4:
            for _ in range(world.chance.randint(1, 3)):
                _give_back(world, customer, event.event_id, world.chance.choice((charged // 2, charged, charged // 3)))

    deliver(
        world,
        customer,
        f"buy {event.event_id} {service} {units}",
        lambda: consumption.debit(world.engine, world.clock, world.web_rates, event, "app"),
        done,
    )


def _give_back(world: "World", customer: "Customer", event_id: str, micros: int) -> None:
    refund_id = world.new_id()
    key = f"refund:event:{refund_id}"
    world.intents.transfer(key, customer.account_id, micros)
    world.intents.refunds_of[key] = f"debit:event:{event_id}"

    def done(answer: Any) -> None:
        if isinstance(answer, Refunded):
            world.intents.moved(key)

    deliver(
        world,
        customer,
        f"refund {refund_id} of {event_id} {micros}",
        lambda: consumption.refund(world.engine, world.clock, world.operator_id, event_id, refund_id, micros, "app"),
        done,
    )


def staff(world: "World", customer: "Customer") -> None:
    """Somebody at a desk does something to an account."""
    work = (_adjust, _adjust, _adjust, _reverse, _suspend, _close, give_units, give_units)
    world.chance.choice(work)(world, customer)


def _adjust(world: "World", customer: "Customer") -> None:
    kind, prefix, sign = world.chance.choice(
        (
            (TransferKind.DEBIT, "debit", -1),
            (TransferKind.REFUND, "refund", 1),
            (TransferKind.CORRECTION, "correct", 1),
            (TransferKind.CORRECTION, "correct", -1),
        )
    )
    micros = world.chance.randrange(1, 600_000)
    key = world.new_id()
    world.intents.transfer(f"{prefix}:{key}", customer.account_id, sign * micros)
    asked = micros if kind is TransferKind.DEBIT else sign * micros

    def done(answer: Any) -> None:
        if isinstance(answer, Credited):
            world.intents.moved(f"{prefix}:{key}")

    deliver(
        world,
        customer,
        f"{kind} {key} {asked}",
        lambda: ledger_service.adjust(
            world.engine, world.clock, kind, customer.number, asked, key=key, made_by="staff", reason="simulation"
        ),
        done,
    )


def _reverse(world: "World", customer: "Customer") -> None:
    if customer.credits:
        key = customer.credits.pop()
        deliver(
            world,
            customer,
            f"reverse {key}",
            lambda: ledger_service.reverse(world.engine, world.clock, key, made_by="staff", reason="simulation"),
            lambda _: None,
        )


def _suspend(world: "World", customer: "Customer") -> None:
    def suspending() -> Any:
        reason = next(iter(SuspensionReason))
        return fraud.suspend(world.engine, world.clock, customer.number, reason, by="staff", note="simulation")

    def lifting() -> Any:
        return fraud.lift(world.engine, world.clock, customer.number, by="staff", note="simulation")

    def lift(_: Any) -> None:
        world.loop.after(20 * SECOND, deliver, world, customer, "lift", _or_not(lifting), lambda _: None)

    deliver(world, customer, "suspend", _or_not(suspending), lift)


def give_units(world: "World", customer: "Customer") -> None:
    """A bundle more, some of them for a few minutes only."""
    lasts_s = world.chance.choice((None, None, 240, 900))
    expires_at = None if lasts_s is None else world.clock.now() + timedelta(seconds=lasts_s)
    world.give(customer, world.chance.choice(list(OFFERS)), expires_at)


def _close(world: "World", customer: "Customer") -> None:
    def closing() -> Any:
        return account_service.close_account(
            world.engine, world.clock, number=customer.number, by="staff", note="simulation"
        )

    def done(answer: Any) -> None:
        if answer is not None:
            world.replace(customer)

    deliver(world, customer, "close", _or_not(closing), done)


def _or_not(work: Callable[[], Any]) -> Callable[[], Any]:
    """What staff are refused is no fault."""

    def asked() -> Any:
        try:
            return work()
        except StaffError:
            return None

    return asked


def changed_or(work: Callable[[], Any]) -> Any:
    """The answer, with ChangedReplayError as one."""
    try:
        return work()
    except ChangedReplayError:
        return CHANGED
