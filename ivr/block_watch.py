"""Ends the calls of a line that is blocked while they are up, where the block says so (ANI-5).

A block may come from any process, so the blocks of the last day (no call is longer) are read once a second, by their
own index, as long as a call is up. Looking at all of them each time loses none, whatever order they were committed in.
"""

import asyncio
from concurrent.futures import Executor
from datetime import timedelta
from typing import Any

from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from ani.negative import store as negative_store
from ani.negative.block import Block
from billing.calls.call import CallEvent
from ivr.ami.faults import AmiFault
from ivr.ami.switch import Switch
from ivr.live_calls import LiveCall, LiveCalls
from ivr.refusals import CALL_REJECTED
from runtime import database
from runtime.clock import Clock

LOOK_EVERY_S = 1.0
LOOK_BACK = timedelta(hours=25)
"""Longer than the longest call."""


class BlockWatch:
    """Looks for blocks that end calls of this gateway."""

    def __init__(self, engine: Engine, clock: Clock, switch: Switch, pool: Executor, live: LiveCalls, log: Any) -> None:
        self._engine = engine
        self._clock = clock
        self._switch = switch
        self._pool = pool
        self._live = live
        self._log = log

    async def run_for_ever(self) -> None:
        """Look every second."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.look()
            except SQLAlchemyError as fault:
                self._log.debug("block-watch", fault=type(fault).__name__)

    async def look(self) -> None:
        """End what is to be ended now; what the switch cannot be told now is told the next time."""
        calls = [call for call in self._live if call.ani and call.ended_for is None]
        if not calls:
            return
        blocks = await asyncio.get_running_loop().run_in_executor(self._pool, self._read)
        by_line = {block.ani: block for block in reversed(blocks)}
        for call in calls:
            block = by_line.get(call.ani)
            if block is not None and not call.settled.is_set():
                await self._end(call, block)

    async def _end(self, call: LiveCall, block: Block) -> None:
        """The called leg when there is one, so that the caller is still there to hear why."""
        call.ended_for = block.reason
        if not call.called_uniqueid:
            call.disposition = block.reason
        try:
            await self._switch.hang_up(call.called_uniqueid or call.channel, CALL_REJECTED)
        except AmiFault as fault:
            call.ended_for = None
            self._log.warning("block-not-told", call=call.call_id, fault=type(fault).__name__)
            return
        call.events.append(CallEvent(self._clock.now(), "negative", block.reason, {"in_call": True, **block.told}))
        self._log.info("call-blocked", call=call.call_id, reason=block.reason.value, entry=block.entry_id)

    def _read(self) -> list[Block]:
        now = self._clock.now()
        with database.reading(self._engine) as connection:
            return negative_store.ending_blocks(connection, now - LOOK_BACK, now)
