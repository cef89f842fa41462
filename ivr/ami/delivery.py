"""The one ordered, bounded consumer between the link and the gateway's callbacks."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ivr.ami.connection import LinkCounters
from ivr.ami.protocol import Event

_log = logging.getLogger("tollgate.ami")


@dataclass(frozen=True, slots=True)
class Callbacks:
    """What the gateway wants to hear; `event` may be a plain function."""

    event: Callable[[Event], Awaitable[None] | None]
    up: Callable[[], Awaitable[None]]
    down: Callable[[str], Awaitable[None]]


class Delivery:
    """Calls back one at a time, in the order things happened.

    At most `queue_max` events wait; what comes beyond is dropped, counted, and made good by another `up()` once the
    queue is empty. So is an `up()` that raised while the link stood, after `resync_retry_s`.
    """

    def __init__(self, callbacks: Callbacks, counters: LinkCounters, *, queue_max: int, resync_retry_s: float) -> None:
        self._callbacks, self._counters = callbacks, counters
        self._queue_max, self._resync_retry_s = queue_max, resync_retry_s
        self._queue: deque[Event | Callable[[], Awaitable[None]]] = deque()
        self._waiting_events = 0
        self._wake = asyncio.Event()
        self._link_up = False
        self._resync_due = False

    def event(self, event: Event) -> None:
        """Queue an event, or drop it and remember that a resync is due."""
        if self._waiting_events >= self._queue_max:
            self._counters.events_dropped += 1
            self._resync_due = True
            return
        self._waiting_events += 1
        self._push(event)

    def up(self) -> None:
        """The link is up: a full resync follows what is queued."""
        self._link_up, self._resync_due = True, False
        self._push(self._resync)

    def down(self, reason: str) -> None:
        """The link is lost; a resync that was due is left to the next `up`."""
        self._link_up = self._resync_due = False
        self._push(lambda: self._callbacks.down(reason))

    async def run(self) -> None:
        """Deliver for ever; ends by cancellation."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                await self._deliver(self._queue.popleft())
            if self._resync_due and self._link_up:
                self._resync_due = False
                self._push(self._resync)

    def _push(self, item: Event | Callable[[], Awaitable[None]]) -> None:
        self._queue.append(item)
        self._wake.set()

    async def _resync(self) -> None:
        try:
            await self._callbacks.up()
        except Exception:
            if self._link_up:
                asyncio.get_running_loop().call_later(self._resync_retry_s, self._resync_again)
            raise

    def _resync_again(self) -> None:
        self._resync_due = self._link_up
        self._wake.set()

    async def _deliver(self, item: Event | Callable[[], Awaitable[None]]) -> None:
        try:
            if isinstance(item, Event):
                self._waiting_events -= 1
                awaitable = self._callbacks.event(item)
                if awaitable is not None:
                    await awaitable
            else:
                await item()
        except Exception:  # noqa: BLE001 - outermost edge: a callback that raises must stop neither link nor consumer
            self._counters.callback_faults += 1
            _log.exception("an AMI callback raised")
