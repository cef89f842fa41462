"""Time that passes only when the simulation says so: a clock that can be stepped, and an event loop on it.

The loop runs the gateway's own coroutines, timers and locks. What happens next is decided by times and by the order
things were asked for, never by the machine, so a seed gives the same story each time.
"""

import asyncio
import contextlib
import contextvars
import heapq
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

from runtime.database import from_micros, to_micros

SECOND = 1_000_000
BEGIN = datetime(2026, 3, 31, 23, 50, tzinfo=UTC)
"""Ten minutes before a month's end: calls run over it, and a clock that is stepped crosses it both ways."""


class VirtualClock:
    """A `runtime.clock.Clock`: real time in microseconds since the beginning, and a wall that may be wrong."""

    def __init__(self) -> None:
        self._begin_us = to_micros(BEGIN)
        self.elapsed_us = 0
        self.offset_us = 0
        self.steps = 0

    def now(self) -> datetime:
        """What the wall shows."""
        return from_micros(self.wall_us)

    def monotonic_s(self) -> float:
        """Seconds that truly passed."""
        return self.elapsed_us / SECOND

    @property
    def wall_us(self) -> int:
        """What the wall shows, in microseconds since 1970."""
        return self._begin_us + self.elapsed_us + self.offset_us

    def step(self, by_us: int) -> None:
        """Somebody sets the wall."""
        self.offset_us += by_us
        self.steps += 1


class Mortal(Protocol):
    """A process that may be dead."""

    alive: bool


OWNER: contextvars.ContextVar[Mortal | None] = contextvars.ContextVar("owner", default=None)
"""Whose work is being done; what a dead process had yet to do is never done."""


_NOBODY = contextvars.Context()


def _is_orphan(handle: Any) -> bool:
    owner = handle._context.get(OWNER)
    return owner is not None and not owner.alive


class Pool(Protocol):
    """Where a process puts work that waits for the database."""

    def take(self, work: Callable[[], Any], answer: "asyncio.Future[Any]") -> None:
        """Do it some time and answer, or never."""


class VirtualLoop:
    """The part of an event loop that the gateway uses; `fault` hears of exceptions nobody asked for."""

    def __init__(self, clock: VirtualClock, fault: Callable[[BaseException], None]) -> None:
        self._clock = clock
        self._fault = fault
        self._ready: deque[asyncio.Handle] = deque()
        self._later: list[tuple[int, int, asyncio.Handle]] = []
        self._number = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self.as_loop: Any = self
        """Itself, for asyncio, which asks only for what is here."""

    @property
    def next_us(self) -> int | None:
        """When something is due next."""
        while self._later and self._later[0][2].cancelled():
            heapq.heappop(self._later)
        return self._later[0][0] if self._later else None

    def run_next(self) -> None:
        """Let time pass until the next thing is due, do it, and all that follows at once."""
        when_us, _, handle = heapq.heappop(self._later)
        self._clock.elapsed_us = max(self._clock.elapsed_us, when_us)
        if not (handle.cancelled() or _is_orphan(handle)):
            handle._run()
            self.run_ready()

    def run_ready(self) -> None:
        """Do what is due now."""
        while self._ready:
            handle = self._ready.popleft()
            if not (handle.cancelled() or _is_orphan(handle)):
                handle._run()

    def after(self, delay_us: int, callback: Callable[..., object], *args: object) -> None:
        """Call it that much later; it belongs to no process, whoever asked for it."""
        handle = asyncio.Handle(callback, args, self.as_loop, _NOBODY.copy())
        self._push(self._clock.elapsed_us + delay_us, handle)

    def _push(self, when_us: int, handle: asyncio.Handle) -> None:
        self._number += 1
        heapq.heappush(self._later, (when_us, self._number, handle))

    def time(self) -> float:
        return self._clock.elapsed_us / SECOND

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self.as_loop, context)
        self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self.as_loop, context)
        self._push(max(self._clock.elapsed_us, round(when * SECOND)), handle)
        return handle

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self.as_loop)

    def create_task(self, coro: Any, **kwargs: Any) -> "asyncio.Task[Any]":
        # Kept until it is done, also when nobody will ever wake it: what is collected, and when, must not matter.
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self.as_loop, **kwargs)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def abandon(self) -> None:
        """The story is over: end what waits for something, without a word."""
        for task in tuple(self._tasks):
            quiet: Any = task
            quiet._log_destroy_pending = False
            coroutine: Any = task.get_coro()
            with contextlib.suppress(RuntimeError):
                coroutine.close()

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":
        answer = self.create_future()
        pool: Pool = executor
        pool.take(lambda: func(*args), answer)
        return answer

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """A cancelled timer is left where it is, and passed over when its time comes."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        exception, future = context.get("exception"), context.get("future")
        if future is not None and not isinstance(future, asyncio.Task):
            return  # an answer that nobody heard: who waited for it was killed
        if exception is not None:
            self._fault(exception)
