"""The gateway process: FastAGI in front, AMI behind, and nothing it could not lose at any moment."""

import asyncio
import ipaddress
import signal
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import uvloop
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from ani.gateways.choosing import rules_of, vendor_of
from ani.vendor.service import VendorDesk
from billing.tariffs.service import RateBook
from dialplan.routes.service import RouteBook
from ivr.account_watch import AccountWatch
from ivr.agi.faults import SessionFault
from ivr.agi.server import AgiServer
from ivr.ami.client import AmiClient
from ivr.ami.faults import AmiFault, LoginRefused
from ivr.ami.protocol import Event
from ivr.ami.switch import Switch
from ivr.back_office import Shelf
from ivr.block_watch import BlockWatch
from ivr.call import StoryRules
from ivr.clock_watch import ClockWatch
from ivr.key_watch import KeyWatch
from ivr.live_calls import LiveCall, LiveCalls
from ivr.meters import Meters
from ivr.prompt_watch import PromptWatch
from ivr.reaper import Reaper
from ivr.recovery import Recovery, ended_as
from ivr.settlement import Settler
from ivr.switch_record import record_of
from ivr.turns import DialRules, Turns
from runtime import database, schema
from runtime.clock import SystemClock
from runtime.database_watch import DatabaseWatch
from runtime.interpreter import serve_many
from runtime.keys import Pepper
from runtime.logs import get_logger
from runtime.settings import Settings

CALL_THREADS = {"sqlite": 3, "postgresql": 8}
METER_THREADS = {"sqlite": 2, "postgresql": 4}
"""Writers of SQLite take turns, and each further thread that waits for Python's lock delays the one that has it: at 30
calls a second on two processors three threads answer in half the time of eight."""
VENDOR_THREADS = 32
DRAIN_S = 30.0
LINK_GRACE_S = 10.0


class Gateway:
    """One gateway on one switch."""

    def __init__(self, engine: Engine, pepper: Pepper, settings: Settings) -> None:
        self._settings = settings
        self._pepper = pepper
        self._log = get_logger("ivr")
        self._engine = engine = database.watched(engine, DatabaseWatch(self._log))
        self._clock = clock = SystemClock()
        self._down_since_s: float | None = clock.monotonic_s()
        self._call_pool = ThreadPoolExecutor(CALL_THREADS[engine.dialect.name], "call")
        self._meter_pool = ThreadPoolExecutor(METER_THREADS[engine.dialect.name], "meter")
        self._live = LiveCalls()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ami = self._linked()
        self._switch = switch = Switch(self._ami)
        rates, routes = RateBook(engine), RouteBook(engine)
        self._vendor_pool = ThreadPoolExecutor(VENDOR_THREADS, "vendor")
        vendor = settings.vendor
        self._vendors = VendorDesk(engine, clock, vendor_of(vendor, clock), rules_of(vendor))
        shelf = Shelf(
            engine,
            clock,
            pepper,
            settings,
            rates,
            routes,
            self._call_pool,
            self._can_extend,
            self._vendors,
            self._vendor_pool,
        )
        self._meters = Meters(engine, clock, switch, self._meter_pool, shelf.policy, self._log)
        self._watch = AccountWatch(engine, self._meter_pool, self._live, self._meters, self._log)
        self._blocks = BlockWatch(engine, clock, switch, self._meter_pool, self._live, self._log)
        self._clock_watch = ClockWatch(clock, self._live, self._meters, self._log)
        self._settler = Settler(engine, clock, switch, self._meter_pool, self._live, self._log, self._watch.nudge)
        self._recovery = Recovery(
            engine,
            clock,
            switch,
            self._meter_pool,
            self._live,
            self._meters,
            self._settler,
            settings.switch.name,
            self._log,
        )
        self._reaper = Reaper(
            engine, clock, self._meter_pool, settings.charging.reap_after_s, self._asked_switch, self._log
        )
        story = StoryRules(settings.call.entry_attempts, settings.call.digit_timeout_ms)
        asserting = frozenset({settings.switch.trunk, *settings.switch.trusted_endpoints})
        dial = DialRules(settings.switch.name, settings.switch.ring_timeout_s, asserting)
        turns = Turns(shelf, self._live, self._settler, self._recovery.load, story, dial, self._log, self._watch.nudge)
        self._server = self._answering(turns)

    def _linked(self) -> AmiClient:
        ami = self._settings.ami
        secret = ami.secret.get_secret_value()
        heard = self._on_event, self._on_up, self._on_down
        return AmiClient(ami.host, ami.port, ami.username, secret, *heard, on_fault=self._on_ami_fault)

    def _answering(self, turns: Turns) -> AgiServer:
        agi = self._settings.agi
        return AgiServer(
            agi.host,
            agi.port,
            {"call": turns.call, "after-dial": turns.after_dial},
            agi.token.get_secret_value(),
            allowed_peers=tuple(ipaddress.ip_network(peer) for peer in agi.allowed_peers),
            header_timeout_s=agi.header_timeout_s,
            session_cap=agi.session_cap,
            on_fault=self._on_agi_fault,
        )

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then finish the turns in progress; calls that are up stay up."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await self._server.start()
        self._ami.start()
        self._spawn(self._try_database())
        self._spawn(KeyWatch(self._engine, self._pepper, self._meter_pool, self._log).run_for_ever())
        self._spawn(self._recovery.run_for_ever())
        self._spawn(self._watch.run_for_ever())
        self._spawn(self._blocks.run_for_ever())
        self._spawn(self._clock_watch.run_for_ever())
        self._spawn(self._reaper.run_for_ever())
        self._log.info("ready", agi=f"{self._settings.agi.host}:{self._server.port}", switch=self._settings.switch.name)
        await stop.wait()
        self._log.info("draining", sessions=len(self._server.live), calls=len(self._live))
        late = await self._server.drain(DRAIN_S)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._ami.close()
        self._call_pool.shutdown()
        self._meter_pool.shutdown()
        self._vendor_pool.shutdown(cancel_futures=True)
        self._vendors.close()
        self._log.info("stopped", cut_sessions=late)

    async def _try_database(self) -> None:
        """Have the log say at once, and not only to the first caller, that nothing can be written."""
        with suppress(SQLAlchemyError):  # told by the watch
            await asyncio.get_running_loop().run_in_executor(self._meter_pool, schema.require_writable, self._engine)

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._log.error("task", exc_info=task.exception())

    def _on_event(self, event: Event) -> None:
        if event.name != "UserEvent":
            return
        kind, call_id, linkedid = event.get("UserEvent"), event.get("Call"), event.get("Linkedid")
        call = self._live.find(call_id, event.get("Uniqueid"))
        if call is None or (kind == "TollgateAnswered" and call.meter is None):
            if not self._live.was_settled(linkedid):
                self._spawn(self._adopt_and_heed(event))
            return
        if linkedid != call.uniqueid:
            self._log.warning("event-not-of-this-call", call=call_id, kind=kind)
            return
        self._heed(call, event)

    async def _adopt_and_heed(self, event: Event) -> None:
        """An event about a call that was connected before this process was started."""
        try:
            call = await self._recovery.load(event.get("Call"), event.get("Linkedid"))
        except SQLAlchemyError as fault:
            # The next resync sees the same in the switch.
            self._log.warning("event-put-off", call=event.get("Call"), fault=type(fault).__name__)
            return
        if call is not None and event.get("Linkedid") == call.uniqueid:
            self._heed(call, event)

    def _heed(self, call: LiveCall, event: Event) -> None:
        kind = event.get("UserEvent")
        if kind == "TollgateGone":
            if call.answered_at is None and event.get("Dialstatus") != "ANSWER":
                call.gone = True
                if not call.in_turn:
                    disposition = call.disposition or ended_as(event.get("Dialstatus"))
                    self._spawn(self._settler.settle_unanswered(call, disposition, source="event"))
            return
        record = record_of(event.get("Answered"), event.get("Ended"), event.get("Cause"))
        if record is None:
            self._log.warning("event-unreadable", call=call.call_id, kind=kind)
        elif kind == "TollgateAnswered":
            self._meters.start(call, record, event.get("Uniqueid"))
        elif kind == "TollgateEnded" and record.ended_at is not None:
            call.answered_at = record.answered_at
            self._spawn(self._settler.settle_answered(call, record, "event"))

    async def _on_up(self) -> None:
        self._down_since_s = None
        self._log.info("switch-up")
        self._look_for_prompts()
        await self._recovery.resync_or_retry()

    def _look_for_prompts(self) -> None:
        sounds_dirs = self._settings.switch.sounds_dirs
        self._spawn(PromptWatch(self._switch, sounds_dirs, self._meter_pool, self._log).look())

    async def _on_down(self, reason: str) -> None:
        self._recovery.link_lost(self._ami.heard_s)
        self._down_since_s = self._ami.heard_s
        self._log.warning("switch-down", reason=reason)

    def _asked_switch(self) -> str | None:
        """The switch whose calls a resync settles; none while the link is down."""
        return self._settings.switch.name if self._down_since_s is None else None

    def _can_extend(self) -> bool:
        """A link that was lost a moment ago will be back before the first grant is over."""
        down_since_s = self._down_since_s
        return down_since_s is None or self._clock.monotonic_s() - down_since_s < LINK_GRACE_S

    def _on_ami_fault(self, fault: AmiFault) -> None:
        is_refused = isinstance(fault, LoginRefused)
        if is_refused:
            # Not a link that will be back in a moment.
            self._down_since_s = self._clock.monotonic_s() - LINK_GRACE_S
        mend = "ami.username, ami.secret" if is_refused else "ami.host, ami.port, or the switch"
        self._log.warning("switch-fault", fault=type(fault).__name__, why=str(fault), mend=mend)

    def _on_agi_fault(self, fault: SessionFault) -> None:
        self._log.warning("agi-fault", kind=str(fault.kind), where=fault.where, peer=fault.peer)


def run_gateway(engine: Engine, pepper: Pepper, settings: Settings) -> None:
    """Run a gateway in this process until it is told to stop."""
    serve_many()
    uvloop.run(Gateway(engine, pepper, settings).run())
