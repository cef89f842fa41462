"""The end of a call, from whichever witness speaks first: settled once, logged once, and forgotten by the switch."""

from collections.abc import Callable
from concurrent.futures import Executor
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from billing.calls import service as call_service
from billing.calls.call import CallEvent, Cdr, Settle, UnknownCallError
from ivr import call_time
from ivr.ami.faults import AmiFault
from ivr.ami.switch import Switch
from ivr.live_calls import LiveCall, LiveCalls
from ivr.meters import MILLISECOND
from ivr.refusals import NORMAL_CLEARING
from ivr.switch_record import FAMILY, SwitchRecord
from runtime.clock import Clock, read_both
from runtime.hop import on_thread
from runtime.logs import mask_number

CUT_TOLERANCE_MS = 200
HEARD_AT_ONCE = frozenset({"event", "after-dial"})
"""What tells of an end when it comes; a record that is found later says nothing of when that was."""


class Settler:
    """Settles the calls of this gateway."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        switch: Switch,
        pool: Executor,
        live: LiveCalls,
        log: Any,
        settled: Callable[[LiveCall], None] = lambda _: None,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._switch = switch
        self._pool = pool
        self._live = live
        self._log = log
        self._settled = settled
        self._put_off: dict[str, tuple[LiveCall, Settle]] = {}

    async def settle_answered(self, call: LiveCall, record: SwitchRecord, source: str) -> Cdr | None:
        """A conversation is over: charge what the switch's stamps say, never more than was granted.

        Where the wall clock was set meanwhile, what that made of them is taken out, and the call's record says so.
        """
        now = read_both(self._clock)
        stamped_at = record.ended_at or now.wall_at
        anchor = call.anchor if source in HEARD_AT_ONCE else None
        ended_at = call_time.ended_at(record.answered_at, stamped_at, anchor, now)
        if ended_at != stamped_at and not call.settled.is_set():
            by_ms = (stamped_at - ended_at) // MILLISECOND
            self._log.warning("stamps-corrected", call=call.call_id, by_ms=by_ms)
            call.events.append(CallEvent(now.wall_at, "clock", "set-meanwhile", {"stamps_off_ms": by_ms}))
        return await self._settle_used(call, record.answered_at, ended_at, record.cause, source)

    async def settle_lost(self, call: LiveCall, answered_at: datetime, ended_at: datetime, cause: int) -> Cdr | None:
        """The switch died with the call: charge to the last moment it is known to have been up, no second more."""
        return await self._settle_used(call, answered_at, ended_at, cause, "switch-lost")

    async def _settle_used(
        self, call: LiveCall, answered_at: datetime, ended_at: datetime, cause: int, source: str
    ) -> Cdr | None:
        disposition = self._disposition(call, (ended_at - answered_at) // MILLISECOND)
        return await self._settle(call, answered_at, ended_at, disposition, cause, source)

    async def settle_unanswered(
        self, call: LiveCall, disposition: str, cause: int = NORMAL_CLEARING, source: str = "gateway"
    ) -> Cdr | None:
        """Nobody was connected: nothing is charged, and what was held is free."""
        return await self._settle(call, None, self._clock.now(), disposition, cause, source)

    def _disposition(self, call: LiveCall, used_ms: int) -> str:
        if call.ended_for is not None:
            return call.ended_for
        meter = call.meter
        if meter is None or not meter.final or used_ms < meter.granted_ms - CUT_TOLERANCE_MS:
            return "answered"
        return "cap-reached" if meter.granted_ms >= call.cap_ms else "balance-used-up"

    async def _settle(
        self,
        call: LiveCall,
        answered_at: datetime | None,
        ended_at: datetime,
        disposition: str,
        cause: int,
        source: str,
    ) -> Cdr | None:
        request = Settle(
            call_id=call.call_id,
            answered_at=answered_at,
            ended_at=ended_at,
            disposition=disposition,
            hangup_cause=cause,
            settled_from=source,
            events=tuple(call.events),
            trunk=call.trunk or None,
        )
        return await self._tell(call, request)

    async def _tell(self, call: LiveCall, request: Settle) -> Cdr | None:
        async with call.lock:
            if call.settled.is_set():
                return None
            call.stop_timer()
            request = self._put_off.get(call.call_id, (call, request))[1]
            try:
                cdr = await on_thread(self._pool, call_service.settle, self._engine, self._clock, request, call.rate)
            except SQLAlchemyError as fault:
                # Not lost: it is told again until the database hears it, and the switch keeps its record till then.
                if call.call_id not in self._put_off:
                    self._log.error("settle-put-off", call=call.call_id, fault=type(fault).__name__)
                self._put_off[call.call_id] = (call, request)
                return None
            except UnknownCallError:
                # The database failed when the call arrived. A turn that is not over may yet open it: not settled.
                self._log.warning("call-not-kept", call=call.call_id, disposition=request.disposition)
                self._put_off.pop(call.call_id, None)
                self._live.forget(call)
                return None
            self._put_off.pop(call.call_id, None)
            call.disposition = cdr.disposition  # the limit that ended it, where one did
            call.settled.set()
            call.events = []
            self._live.forget(call)
        self._settled(call)
        if (cdr.ended_at, cdr.settled_from) == (request.ended_at, request.settled_from):
            self._log_once(call, cdr)
        if request.answered_at is not None:
            await self.forget_record(call.call_id)
        return cdr

    async def note(self, call_id: str, event: CallEvent) -> None:
        """Append to what is kept of a call that may be settled already; not worth more than a line where it fails."""
        try:
            await on_thread(self._pool, call_service.add_events, self._engine, call_id, (event,))
        except SQLAlchemyError as fault:
            self._log.warning("event-not-kept", call=call_id, step=event.step, fault=type(fault).__name__)

    async def settle_put_off(self) -> None:
        """Tell the database again what it could not hear; what was seen first stands."""
        for call, request in tuple(self._put_off.values()):
            if await self._tell(call, request) is None and not call.settled.is_set():
                return

    async def forget_record(self, call_id: str) -> None:
        """The switch need not remember this call any longer; if it cannot be told now, the next resync does."""
        try:
            await self._switch.delete_record(FAMILY, call_id)
        except AmiFault as fault:
            self._log.info("record-kept", call=call_id, fault=type(fault).__name__)

    def _log_once(self, call: LiveCall, cdr: Cdr) -> None:
        waits = call.waits_ms
        self._log.info(
            "call",
            call=cdr.call_id,
            uniqueid=cdr.uniqueid,
            switch=cdr.switch,
            dnis=cdr.dnis,
            ani=mask_number(cdr.ani),
            account=cdr.account_id,
            destination=mask_number(cdr.destination),
            trunk=cdr.trunk,
            disposition=cdr.disposition,
            cause=cdr.hangup_cause,
            used_ms=cdr.used_ms,
            billed_ms=cdr.billed_ms,
            charged_micros=cdr.charged_micros,
            currency=cdr.currency,
            settled_from=cdr.settled_from,
            decisions_ms=[round(wait, 1) for wait in waits],
        )
