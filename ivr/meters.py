"""Keeps every answered call supplied: more money, then more time in the switch, in that order and never the other.

The database is asked on a pool of its own, so that a rush of new calls cannot delay an extension. If anything here
fails, the switch ends the call when the paid time is over.
"""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import Executor
from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from billing.calls import service as call_service
from billing.calls.call import ExtendCall
from billing.ledger.transfer import ChangedReplayError
from ivr.ami.faults import AmiFault
from ivr.ami.switch import LiveChannel, Switch
from ivr.call_time import anchored
from ivr.live_calls import LiveCall
from ivr.metering import Extend, Meter, MeterPolicy, Wait, Warn, look_again, next_step
from ivr.switch_record import SwitchRecord
from runtime.clock import Clock, read_both
from sounds import spoken

MILLISECOND = timedelta(milliseconds=1)
DEADLINE_TOLERANCE = timedelta(seconds=1.5)
"""The switch tells its deadlines in whole seconds."""


class Meters:
    """The meters of this gateway's calls."""

    def __init__(
        self, engine: Engine, clock: Clock, switch: Switch, pool: Executor, policy: MeterPolicy, log: Any
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._switch = switch
        self._pool = pool
        self._policy = policy
        self._log = log
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, call: LiveCall, record: SwitchRecord, called_uniqueid: str) -> None:
        """The called leg was answered: from now on the meter runs. Starting twice changes nothing."""
        if call.answered_at is None:
            call.answered_at = record.answered_at
        if call.anchor is None:
            call.anchor = anchored(call.answered_at, read_both(self._clock), call.ordered_s)
        if called_uniqueid:
            call.called_uniqueid = called_uniqueid
        if call.timer is None and call.meter is not None and not call.stepping:
            self._schedule(call, 0.0)

    def reconsider(self, call: LiveCall) -> None:
        """The account of this call changed: see whether there is more for it, as soon as it is answered."""
        call.reconsider_due = True
        if call.answered_at is not None and call.meter is not None and not call.stepping and not call.settled.is_set():
            self._schedule(call, 0.0)

    def arm_anew(self, call: LiveCall) -> None:
        """The switch's deadline of this call may be wrong: tell it again, as soon as nothing else is being told."""
        if call.anchor is None or call.meter is None or call.settled.is_set():
            return
        call.arm_due = True
        if not call.stepping:
            self._schedule(call, 0.0)

    async def take_up(self, call: LiveCall, record: SwitchRecord, leg: LiveChannel) -> None:
        """The called leg was found up: the meter runs, and the switch's deadline is that of the money held.

        They differ where a process died, or the link was lost, between the reservation and the order to the switch.
        """
        self.start(call, record, leg.uniqueid)
        if call.meter is None:
            return
        due_at = self._clock.now() + (call.meter.granted_ms - self.elapsed_ms(call)) * MILLISECOND
        if leg.hangup_at is None or abs(leg.hangup_at - due_at) > DEADLINE_TOLERANCE:
            await self.arm(call)

    def elapsed_ms(self, call: LiveCall) -> int:
        """Milliseconds since the answer, whatever the wall clock is set to meanwhile; 0 before it."""
        return 0 if call.anchor is None else call.anchor.elapsed_ms(self._clock.monotonic_s())

    def _schedule(self, call: LiveCall, delay_s: float) -> None:
        call.stop_timer()
        call.timer = asyncio.get_running_loop().call_later(delay_s, self._turn, call)

    def _turn(self, call: LiveCall) -> None:
        call.timer = None
        meter = call.meter
        if meter is None or call.settled.is_set():
            return
        if call.arm_due:
            self._spawn(call, self._arm_again(call))
            return
        elapsed_ms = self.elapsed_ms(call)
        step = self._step(call, meter, elapsed_ms)
        if isinstance(step, Wait):
            if step.until_ms is not None:
                self._schedule(call, max(0.001, (step.until_ms - elapsed_ms) / 1000))
            return
        self._spawn(call, self._take(call, meter, step))

    def _step(self, call: LiveCall, meter: Meter, elapsed_ms: int) -> Extend | Warn | Wait:
        """What comes next; before anything else, what was asked and not answered, and a change of the account."""
        if call.asked is not None and elapsed_ms < meter.granted_ms:
            return call.asked
        if call.reconsider_due:
            call.reconsider_due = False
            again = look_again(meter, elapsed_ms, self._policy)
            if again is not None:
                return again
        return next_step(meter, elapsed_ms, self._policy)

    def _spawn(self, call: LiveCall, work: Coroutine[Any, Any, None]) -> None:
        call.stepping = True
        task = asyncio.create_task(self._alone(call, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _alone(self, call: LiveCall, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        finally:
            call.stepping = False

    async def _take(self, call: LiveCall, meter: Meter, step: Extend | Warn) -> None:
        try:
            if isinstance(step, Warn):
                call.meter = meter.warned_at(step.threshold_ms)
                await self._switch.play_warning(call.channel, spoken.say_time_left(step.remaining_ms // 1000))
                self._log.info("warned", call=call.call_id, remaining_ms=step.remaining_ms)
            else:
                await self._extend(call, meter, step)
        except (SQLAlchemyError, AmiFault) as fault:
            self._log.warning("meter", call=call.call_id, fault=type(fault).__name__, step=type(step).__name__)
            if isinstance(step, Extend) and not call.arm_due:
                call.meter = (call.meter or meter).failed(self.elapsed_ms(call), self._policy)
        except ChangedReplayError:
            # Another process extends this call too, by other settings: the next resync reads what was granted.
            self._log.warning("meter-of-another", call=call.call_id)
            call.meter = call.asked = None
            return
        if not call.settled.is_set():
            self._schedule(call, self._policy.retry_ms / 1000 if call.arm_due or call.asked else 0.0)

    async def _arm_again(self, call: LiveCall) -> None:
        """The money is held but the switch may not know: tell it until it answers, or until it is too late to."""
        try:
            await self.arm(call)
        except AmiFault as fault:
            self._log.debug("arm", call=call.call_id, fault=type(fault).__name__)
        if call.meter is None or self.elapsed_ms(call) >= call.meter.granted_ms:
            call.arm_due = False
        if not call.settled.is_set():
            self._schedule(call, self._policy.retry_ms / 1000 if call.arm_due else 0.0)

    async def _extend(self, call: LiveCall, meter: Meter, step: Extend) -> None:
        call.asked = step
        # Not a thread for each: those who wait are answered together, by one transaction.
        wanted = ExtendCall(
            call.call_id,
            step.request_number,
            step.wanted_ms,
            self._clock.now(),
            call.rate,
            self.elapsed_ms(call),
            call.answered_at,
        )
        answer = await call_service.submit_extension(self._engine, wanted, self._pool)
        call.asked = None
        if isinstance(answer, StrEnum):
            call.meter = meter.extended(meter.granted_ms, final=True)
            return
        longer = answer.grant.granted_ms > meter.granted_ms
        again_ms = self.elapsed_ms(call) + self._policy.retry_ms
        call.meter = meter.extended(answer.grant.granted_ms, final=answer.grant.final, not_before_ms=again_ms)
        if longer:
            call.arm_due = True
            await self.arm(call)

    async def arm(self, call: LiveCall) -> None:
        """Tell the switch when the money held now is used up. Safe to repeat."""
        if call.meter is None or not call.called_uniqueid:
            return
        remaining_s = (call.meter.granted_ms - self.elapsed_ms(call)) / 1000
        await self._switch.set_deadline(call.called_uniqueid, max(0.001, remaining_s))
        call.arm_due = False
