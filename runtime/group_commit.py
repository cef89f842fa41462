"""Group commit: requests of many threads, answered by few transactions.

A transaction costs a write to the disk, however much is in it. So whoever finds nobody writing writes, and takes with
him all who are waiting by then; whoever comes while others write waits for the next turn. A lone request is written at
once, on its own thread; only who comes first after a group was answered waits for those who will come back as he did,
a millisecond at most. There is no thread of its own that could die or must be stopped.

Where many keep asking they take turns by halves, so that one half is decided while the disk writes the other. On
SQLite, which has one writer, what a group was answered is told when the next one's COMMIT begins: nobody else has work
for Python then, and those who were told ask again while the disk writes.
"""

import asyncio
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from typing import Any, Generic, TypeVar, cast
from weakref import WeakKeyDictionary

from sqlalchemy.engine import Connection, Engine

from runtime.database import transaction

Q = TypeVar("Q")
A = TypeVar("A")
WRITERS = {"sqlite": 1, "postgresql": 2}
"""SQLite has one writer; on PostgreSQL one group may be decided while another is written to the disk."""
MOST_AT_ONCE = 256
FEWEST_BY_HALVES = 8
"""Fewer are not worth two transactions."""
COMPANY_WAIT_S = 0.001
"""So long at most the first after a group waits for as many as were answered then: often they come back."""
_Answered = tuple["_Seat[Q, A]", A | Exception]
_LOCK_WAIT = "SET LOCAL lock_timeout = '1s'"
"""On PostgreSQL a group does not wait longer for a row, so that who holds one for long delays only who needs it."""


class WriterLostError(Exception):
    """The thread that wrote for others was ended in the middle. Asking again is safe."""


class GroupCommit(Generic[Q, A]):
    """Answers requests by `work`, which is given some of them in one transaction and returns an answer for each.

    An answer that is an exception is raised to who asked, and what `work` wrote for the others stays. An answer is
    given after COMMIT, at the latest when the next transaction is over or cannot be begun. When the transaction of a
    group fails, each of its requests is tried alone, so one of them cannot fail the others: `work` must answer a
    request that was written before as it did then. Those who ask through one engine share its transactions.
    """

    def __init__(
        self, work: Callable[[Connection, Sequence[Q]], Sequence[A | Exception]], most_at_once: int = MOST_AT_ONCE
    ) -> None:
        self._work = work
        self._most = most_at_once
        self._mutex = threading.Lock()
        self._queues: WeakKeyDictionary[Engine, _Queue[Q, A]] = WeakKeyDictionary()

    def ask(self, engine: Engine, request: Q) -> A:
        """The answer, or the exception raised as if `work` had been called for this request alone."""
        seat: _ThreadSeat[Q, A] = _ThreadSeat(request)
        queue = self._queue(engine)
        if queue.leads_at_once(seat) or queue.leads_after_waiting(seat):
            _Writer(engine, self._work, queue).write(seat)
        return seat.result()

    def submit(self, engine: Engine, request: Q, pool: Executor) -> "asyncio.Future[A]":
        """The same from an event loop; when it is this request's turn to write, that is done on the pool.

        From now on nobody can take it back: it may be written at any moment, whether or not anybody waits for it.
        """
        queue = self._queue(engine)
        seat: _LoopSeat[Q, A] = _LoopSeat(request, pool, _Writer(engine, self._work, queue).write)
        if queue.leads_at_once(seat) and not seat.lead():
            queue.hand_on(1)
        return seat.future

    def _queue(self, engine: Engine) -> "_Queue[Q, A]":
        found = self._queues.get(engine)
        if found is None:
            with self._mutex:
                found = self._queues.get(engine)
                if found is None:
                    found = self._queues[engine] = _Queue(WRITERS[engine.dialect.name], self._most)
        return found


class _Queue(Generic[Q, A]):
    """Who waits, and how many may still write."""

    def __init__(self, writers: int, most: int) -> None:
        self._free = writers
        self._tells_late = writers == 1
        self._most = most
        self._mutex = threading.Lock()
        self._waiting: deque[_Seat[Q, A]] = deque()
        self._last_size, self._size_before = 1, 0
        self._in_hand = 0
        self._wanted = 0
        self._complete: threading.Lock | None = None
        self._untold: list[_Answered[Q, A]] = []

    def leads_at_once(self, seat: "_Seat[Q, A]") -> bool:
        with self._mutex:
            if not self._free:
                self._waiting.append(seat)
                if self._complete is not None and len(self._waiting) >= self._wanted:
                    self._complete.release()
                    self._complete = None
                return False
            self._free -= 1
            self._in_hand += 1
            return True

    def gather(self) -> None:
        """Wait a moment for as many as were answered together last; after one alone nobody waits."""
        if self._last_size == 1:
            return
        with self._mutex:
            self._wanted = self._last_size - 1
            if self._complete is not None or len(self._waiting) >= self._wanted:
                return
            complete = self._complete = threading.Lock()
            complete.acquire()
        complete.acquire(timeout=COMPANY_WAIT_S)
        with self._mutex:
            if self._complete is complete:
                self._complete = None

    def answered(self, size: int) -> None:
        """So many are about to be answered together."""
        self._last_size, self._size_before = size, self._last_size

    def leads_after_waiting(self, seat: "_ThreadSeat[Q, A]") -> bool:
        """Wait to be answered, or to be the next who writes."""
        try:
            seat.wake.acquire()
        except BaseException:
            with self._mutex:
                if seat in self._waiting:
                    self._waiting.remove(seat)
            if seat.is_chosen:
                self.hand_on(1)
            raise
        return not seat.is_answered

    def is_empty(self) -> bool:
        """Whether nobody waits at this moment."""
        return not self._waiting

    def join(self, group: "list[_Seat[Q, A]]") -> None:
        """All who wait, as far as there is room, are in the group; or half of all, if so many were answered lately."""
        if not self._waiting:
            return
        with self._mutex:
            most = self._most
            half = (self._in_hand + len(self._waiting) + len(self._untold) + 1) // 2
            if half * 2 >= FEWEST_BY_HALVES and half <= self._last_size + self._size_before:
                most = min(most, half)
            while self._waiting and len(group) < most:
                group.append(self._waiting.popleft())
                self._in_hand += 1

    def keep_untold(self, answered: "list[_Answered[Q, A]]") -> "list[_Answered[Q, A]]":
        """Those of a group who are to be told at once; the others are told by who writes next.

        The first is the one who wrote: where that is his own thread, it has come to its end.
        """
        if not self._tells_late:
            return answered
        at_once = 1 if answered[0][0].writes_itself else 0
        self._untold += answered[at_once:]
        return answered[:at_once]

    def tell(self) -> None:
        """What was kept untold; to be called by who writes."""
        if self._untold:
            untold, self._untold = self._untold, []
            _answer_each(untold)

    def hand_on(self, done: int) -> None:
        """So many are done. Let the next who waits write, who tells what is untold; or nobody, and it is told now."""
        while True:
            with self._mutex:
                self._in_hand -= done
                if not self._waiting:
                    self._free += 1
                    untold, self._untold = self._untold, []
                    break
                seat = self._waiting.popleft()
                seat.is_chosen = True
                self._in_hand += 1
                done = 1
            if seat.lead():
                return
        _answer_each(untold)


class _Writer(Generic[Q, A]):
    """Writes for one who leads and for all who wait."""

    def __init__(
        self,
        engine: Engine,
        work: Callable[[Connection, Sequence[Q]], Sequence[A | Exception]],
        queue: _Queue[Q, A],
    ) -> None:
        self._engine = engine
        self._work = work
        self._queue = queue

    def write(self, own: "_Seat[Q, A]") -> None:
        """Answer them all, and let the next lead."""
        group = [own]
        is_done = False
        try:
            self._answer(group)
            is_done = True
        finally:
            if not is_done:
                self._queue.tell()
                lost = WriterLostError("the thread that wrote was ended")
                _answer_each([(seat, lost) for seat in group])
            self._queue.hand_on(len(group))

    def _answer(self, group: "list[_Seat[Q, A]]") -> None:
        try:
            fault = self._attempt(group, is_first=True)
            if fault is None:
                return
            if len(group) == 1:
                _answer_each([(group[0], fault)])
                return
            for seat in group:
                fault = self._attempt([seat], is_first=False)
                if fault is not None:
                    _answer_each([(seat, fault)])
        except _AwayError as away:
            self._queue.tell()
            self._queue.join(group)
            _answer_each([(seat, away.fault) for seat in group])

    def _attempt(self, group: "list[_Seat[Q, A]]", *, is_first: bool) -> Exception | None:
        """Write a group in one transaction and answer it, or give the fault that undid it.

        Raises _AwayError when no transaction can be begun: then nobody's can, and nobody is kept waiting for his.
        """
        is_begun = False
        if is_first:
            self._queue.gather()
        try:
            with transaction(self._engine) as conn:
                is_begun = True
                if conn.dialect.name == "postgresql" and not (is_first and self._queue.is_empty()):
                    conn.exec_driver_sql(_LOCK_WAIT)
                if is_first:
                    # Only now: whoever came while the transaction was begun is taken too.
                    self._queue.join(group)
                answers = self._work(conn, [seat.request for seat in group])
                self._queue.tell()
        except Exception as fault:
            # An edge: it is raised again, to each who asked.
            if not is_begun:
                raise _AwayError(fault) from fault
            self._queue.tell()
            return fault
        self._queue.answered(len(group))
        answered = list(zip(group, answers, strict=True))
        _answer_each(self._queue.keep_untold(answered) if is_first else answered)
        return None


class _AwayError(Exception):
    """No transaction can be begun, and why."""

    def __init__(self, fault: Exception) -> None:
        super().__init__("no transaction")
        self.fault = fault


class _Seat(ABC, Generic[Q, A]):
    """One who waits for an answer; the first answer holds."""

    __slots__ = ("is_answered", "is_chosen", "request")
    writes_itself = False
    """Whether it is the thread that asked which writes."""

    def __init__(self, request: Q) -> None:
        self.request = request
        self.is_answered = False
        self.is_chosen = False

    @abstractmethod
    def lead(self) -> bool:
        """Make it write; false, and it is answered, when it cannot."""

    @abstractmethod
    def answer(self, answer: A | Exception) -> asyncio.AbstractEventLoop | None:
        """Give it its answer; the event loop on which it is still to be told of it, if it is."""

    def tell(self) -> None:
        """On its event loop: it is answered."""


class _ThreadSeat(_Seat[Q, A]):
    """A thread that waits."""

    __slots__ = ("_answer", "wake")
    writes_itself = True

    def __init__(self, request: Q) -> None:
        self.request = request
        self.is_answered = self.is_chosen = False
        self.wake = threading.Lock()
        self.wake.acquire()
        self._answer: A | Exception | None = None

    def lead(self) -> bool:
        self.wake.release()
        return True

    def answer(self, answer: A | Exception) -> asyncio.AbstractEventLoop | None:
        if not self.is_answered:
            self._answer, self.is_answered = answer, True
            if not self.is_chosen:
                self.wake.release()
        return None

    def result(self) -> A:
        if isinstance(self._answer, Exception):
            raise self._answer
        return cast(A, self._answer)


class _LoopSeat(_Seat[Q, A]):
    """One who is told on his event loop, and writes on a pool."""

    __slots__ = ("_answer", "_loop", "_pool", "_write", "future")

    def __init__(self, request: Q, pool: Executor, write: Callable[[_Seat[Q, A]], Any]) -> None:
        self.request = request
        self.is_answered = self.is_chosen = False
        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[A] = self._loop.create_future()
        self._answer: A | Exception | None = None
        self._pool = pool
        self._write = write

    def lead(self) -> bool:
        try:
            self._pool.submit(self._write, self)
        except RuntimeError as fault:
            _answer_each([(self, fault)])
            return False
        return True

    def answer(self, answer: A | Exception) -> asyncio.AbstractEventLoop | None:
        if self.is_answered:
            return None
        self._answer, self.is_answered = answer, True
        return self._loop

    def tell(self) -> None:
        if self.future.done():
            return  # given up
        if isinstance(self._answer, Exception):
            self.future.set_exception(self._answer)
        else:
            self.future.set_result(cast(A, self._answer))


def _answer_each(answered: "Iterable[_Answered[Q, A]]") -> None:
    """Each gets its answer, an event loop all of its own at once: it is woken once."""
    to_tell: dict[asyncio.AbstractEventLoop, list[_Seat[Q, A]]] = {}
    for seat, answer in answered:
        loop = seat.answer(answer)
        if loop is not None:
            to_tell.setdefault(loop, []).append(seat)
    for loop, some in to_tell.items():
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_tell_each, some)


def _tell_each(seats: "Sequence[_Seat[Q, A]]") -> None:
    for seat in seats:
        seat.tell()
