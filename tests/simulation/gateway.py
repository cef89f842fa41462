"""The gateway under simulation: its own event handling, meters, settlement, recovery and account watch, no sockets.

A process is one object: when it is killed nothing of it runs any more, and the next one knows what the database and the
switch know.
"""

import asyncio
import contextlib
import contextvars
import random
from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from typing import Any, cast

from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from billing.calls import service as call_service
from billing.calls.call import Authorise, Authorised, NewCall
from billing.rating import Rate
from billing.tariffs.book.service import RateBook
from billing.tariffs.tariff import RateRefusal
from ivr.account_watch import AccountWatch
from ivr.ami.switch import Switch
from ivr.gateway import Gateway
from ivr.live_calls import LiveCall, LiveCalls
from ivr.metering import Meter, MeterPolicy
from ivr.meters import Meters
from ivr.recovery import Recovery
from ivr.settlement import Settler
from ivr.switch_record import parse_record
from runtime import database
from tests.simulation.faults import Killed
from tests.simulation.switch import SimCall, SimSwitch, SwitchLink
from tests.simulation.virtual import OWNER, VirtualClock, VirtualLoop

SWITCH = "gw1"
POLICY = MeterPolicy(30_000, 10_000, ())
MINIMUM_MS = 5_000
CAP_MS = 240_000
MONTH_CAP_S = 1_800
LOOK_EVERY_US = 3_000_000


class Log:
    """A log that nobody reads, but for what a task died of."""

    def __init__(self, fault: Callable[[BaseException], None]) -> None:
        self._fault = fault

    def debug(self, event: str, **detail: object) -> None:
        """Nothing."""

    info = warning = debug

    def error(self, event: str, **detail: object) -> None:
        """A task that ended by an exception."""
        raised = detail.get("exc_info")
        if isinstance(raised, BaseException):
            self._fault(raised)


class Process:
    """Something that can be killed; as a pool it does the work of a process while that lives."""

    def __init__(
        self,
        run: Callable[["Process", Callable[[], Any]], Any],
        loop: VirtualLoop,
        chance: random.Random,
        delays_us: Callable[[], tuple[int, int]],
    ) -> None:
        self.alive = True
        self.context = contextvars.copy_context()
        self.context.run(OWNER.set, self)
        self.killed: Callable[[], None] = lambda: None
        self._run = run
        self._loop = loop
        self._chance = chance
        self._delays_us = delays_us

    def kill(self) -> None:
        """It is gone."""
        if self.alive:
            self.alive = False
            self.killed()

    def submit(self, work: Callable[..., Any], *args: Any) -> None:
        """Do it a little later; it answers by itself, or not at all."""
        if self.alive:
            self._loop.after(self._delays_us()[0], self._submitted, work, args)

    def _submitted(self, work: Callable[..., Any], args: tuple[Any, ...]) -> None:
        if self.alive:
            with contextlib.suppress(Killed):
                self._run(self, lambda: work(*args))

    def take(self, work: Callable[[], Any], answer: "asyncio.Future[Any]") -> None:
        """Do it a little later, and tell the answer later still."""
        if self.alive:
            before_us, after_us = self._delays_us()
            self._loop.after(before_us, self._work, work, answer, after_us)

    def _work(self, work: Callable[[], Any], answer: "asyncio.Future[Any]", after_us: int) -> None:
        if not self.alive:
            return
        result: Any = None
        fault: Exception | None = None
        try:
            result = self._run(self, work)
        except Killed:
            return
        except Exception as raised:  # noqa: BLE001 - whatever it is, it is the answer
            fault = raised
        if after_us:
            self._loop.after(after_us, self._answer, answer, result, fault)
        else:
            self._answer(answer, result, fault)

    def _answer(self, answer: "asyncio.Future[Any]", result: Any, fault: Exception | None) -> None:
        if not self.alive or answer.done():
            return
        if fault is None:
            answer.set_result(result)
        else:
            answer.set_exception(fault)


class SimGateway(Gateway):
    """A gateway process whose AGI turns are told by the simulation; all the rest is the product's."""

    def __init__(
        self,
        engine: Engine,
        clock: VirtualClock,
        loop: VirtualLoop,
        switch: SimSwitch,
        process: Process,
        chance: random.Random,
        service: tuple[int, int],
        log: Log,
        refused: Callable[[SimCall, StrEnum], None],
    ) -> None:
        self._refused = refused
        self.process = process
        self._engine = engine
        self._sim_switch = switch
        self._loop = loop
        self._service_profile_id, self._tariff_id = service
        self._clock = cast(Any, clock)
        self._log = log
        self._pool = cast(Any, process)
        self._down_since_s = None
        self._live = LiveCalls()
        self._tasks = set()
        link = cast(Switch, SwitchLink(switch, loop, chance, lambda: process.alive))
        self._rates = RateBook(engine, self._clock)
        self._meters = Meters(engine, self._clock, link, self._pool, POLICY, log)
        self._watch = AccountWatch(engine, self._pool, self._live, self._meters, log)
        self._settler = Settler(engine, self._clock, link, self._pool, self._live, log, self._watch.nudge)
        self._recovery = Recovery(
            engine, self._clock, link, self._pool, self._live, self._meters, self._settler, SWITCH, log
        )
        self._ami = cast(Any, _Silence(clock))
        for work in (self._recovery.resync_or_retry(), self._recovery.run_for_ever()):
            process.context.run(self._spawn, work)
        loop.after(LOOK_EVERY_US, self._look)

    def _look_for_prompts(self) -> None:
        """The simulated switch plays nothing."""

    def heed(self, event: Any) -> None:
        """The switch says something."""
        if self.process.alive:
            self.process.context.run(self._on_event, event)

    def link(self, *, up: bool) -> None:
        """The link to the switch is lost or back."""
        if self.process.alive:
            self.process.context.run(self._spawn, self._on_up() if up else self._on_down("cut"))

    def call(self, call: SimCall, meant: Callable[[Rate], None]) -> None:
        """A caller has dialled: the turn `/call`, from the moment he keyed the number."""
        self.process.context.run(self._spawn, self._call(call, meant))

    def after_dial(self, call: SimCall, status: str, record: str) -> None:
        """The turn `/after-dial`."""
        self.process.context.run(self._spawn, self._after(call, status, record))

    def _look(self) -> None:
        if self.process.alive:
            self.process.context.run(self._spawn, self._looked())
            self._loop.after(LOOK_EVERY_US, self._look)

    async def _looked(self) -> None:
        try:
            await self._watch.look()
        except SQLAlchemyError:
            return

    async def _call(self, ring: SimCall, meant: Callable[[Rate], None]) -> None:
        call = self._live.add(LiveCall(ring.call_id, ring.uniqueid, "PJSIP/x-1"))
        call.in_turn = True
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._pool, self._arrive, ring)
            rate = await loop.run_in_executor(self._pool, self._rate, ring.number)
            if isinstance(rate, RateRefusal):
                await self._settler.settle_unanswered(call, str(rate))
                self._sim_switch.caller_leaves(ring)
                return
            meant(rate)
            answer = await loop.run_in_executor(self._pool, self._authorise, ring, rate)
            if isinstance(answer, StrEnum):
                self._refused(ring, answer)
                await self._settler.settle_unanswered(call, str(answer))
                self._sim_switch.caller_leaves(ring)
                return
            call.rate, call.cap_ms = rate, answer.cap_ms
            call.meter = Meter(answer.grant.granted_ms, answer.grant.final, 0)
            call.account_id, call.seen_revision = ring.account_id, answer.revision
            call.reconsider_due = answer.is_shared
            self._watch.nudge(call)
            call.destination, call.trunk = ring.number, "network"
            self._sim_switch.dial(ring, answer.grant.granted_ms)
        except SQLAlchemyError:
            call.disposition = "gateway-fault"
            self._sim_switch.caller_leaves(ring)
        finally:
            if self.process.alive:
                call.in_turn = False
        if call.gone:
            await self._settler.settle_unanswered(call, call.disposition or "caller-hung-up", source="event")

    async def _after(self, ring: SimCall, status: str, record_text: str) -> None:
        call = self._live.find(ring.call_id, ring.uniqueid) or self._live.settled_on(ring.uniqueid)
        if call is None:
            try:
                call = await self._recovery.load(ring.call_id)
            except SQLAlchemyError:
                call = None
        if call is None:
            self._sim_switch.caller_leaves(ring)
            return
        call.in_turn = True
        try:
            record = parse_record(record_text)
            if status != "ANSWER":
                await self._settler.settle_unanswered(call, "busy", 17, "after-dial")
            elif record is not None and record.ended_at is not None:
                await self._settler.settle_answered(call, record, "after-dial")
            self._sim_switch.caller_leaves(ring)
        finally:
            if self.process.alive:
                call.in_turn = False
        if call.gone:
            await self._settler.settle_unanswered(call, call.disposition or "caller-hung-up", source="event")

    def _arrive(self, ring: SimCall) -> None:
        new = NewCall(
            ring.call_id,
            SWITCH,
            ring.uniqueid,
            "PJSIP/x-1",
            "19005550199",
            ring.ani,
            self._clock.now(),
            service_profile_id=self._service_profile_id,
        )
        with database.transaction(self._engine) as connection:
            call_service.open_call(connection, new)

    def _rate(self, number: str) -> Rate | RateRefusal:
        return self._rates.rate_for(self._tariff_id, number, self._clock.now())

    def _authorise(self, ring: SimCall, rate: Rate) -> Authorised | StrEnum:
        wanted = Authorise(
            call_id=ring.call_id,
            session_id=ring.session_id,
            account_id=ring.account_id,
            rate=rate,
            destination=f"+{ring.number}",
            trunk="network",
            ani=ring.ani,
            session_cap_ms=CAP_MS,
            month_cap_ms=MONTH_CAP_S * 1000,
            wanted_ms=POLICY.first_grant_ms,
            minimum_ms=MINIMUM_MS,
            profile_id=self._service_profile_id,
            valid_for=timedelta(seconds=180),
        )
        return call_service.authorise(self._engine, self._clock, wanted)


class _Silence:
    """When the switch was last heard on a link that is found lost."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock

    @property
    def heard_s(self) -> float:
        """Three seconds ago."""
        return self._clock.monotonic_s() - 3.0
