"""Asking a vendor so that its faults cost a caller little: deadline, one retry, breaker, daily limit, each kept.

No transaction is open while a vendor is asked.
"""

import copy
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy.engine import Engine

from ani.vendor import store
from ani.vendor.breaker import Breaker, BreakerRules
from ani.vendor.store import VendorDay, VendorQuery
from ani.vendor.vendor import Purpose, Vendor, VendorError, VendorOutcome
from runtime.clock import Clock
from runtime.database import reading, transaction

T = TypeVar("T")

TRIES = 2
LEAST_S = 0.05
"""With less left of the deadline no further request is sent."""
MOST_AT_ONCE = 32
"""So many questions are put at one time; others wait for their turn, within their deadline."""
NO_RETRY = frozenset({VendorOutcome.REFUSED, VendorOutcome.TIMED_OUT})


@dataclass(frozen=True, slots=True)
class AskRules:
    """How long a caller may wait, and what may be spent."""

    deadline_s: float
    breaker: BreakerRules
    daily_limit: int
    cost_micros: int


@dataclass(frozen=True, slots=True)
class Asked(Generic[T]):
    """What became of a question: the answer where there is one, who gave it, how long that took, how many requests."""

    outcome: VendorOutcome
    answer: T | None
    vendor: str
    took_ms: int
    requests: int = 0

    @property
    def is_sent(self) -> bool:
        """Whether the vendor was told what the question holds, whatever became of it."""
        return self.requests > 0


class SharedBreaker:
    """One breaker for all threads."""

    def __init__(self, rules: BreakerRules) -> None:
        self._lock = threading.Lock()
        self._breaker = Breaker(rules)

    def admit(self, now_s: float) -> bool:
        """Whether a question may be put now."""
        with self._lock:
            admitted = self._breaker.admit(now_s)
            self._breaker = admitted or self._breaker
            return admitted is not None

    def answered(self) -> None:
        """After an answer."""
        with self._lock:
            self._breaker = self._breaker.answered()

    def failing(self, now_s: float) -> None:
        """After a failure."""
        with self._lock:
            self._breaker = self._breaker.failing(now_s)


class VendorDesk:
    """Where one vendor is asked; any number of threads may use it. Without a vendor it answers NO_VENDOR.

    Questions are put on threads of the desk: who waits for an answer leaves at the deadline, whatever the vendor does.
    """

    def __init__(self, engine: Engine, clock: Clock, vendor: Vendor | None, rules: AskRules) -> None:
        self._engine = engine
        self._clock = clock
        self._vendor = vendor
        self.rules = rules
        self._breaker = SharedBreaker(rules.breaker)
        self._pool = ThreadPoolExecutor(MOST_AT_ONCE, "vendor-question")
        self._since_s: float | None = None

    @property
    def vendor_name(self) -> str:
        """Who is asked, by the name his answers are kept with; "" without a vendor."""
        return self._vendor.name if self._vendor is not None else ""

    def serves(self, purpose: Purpose) -> bool:
        """Whether there is anybody to ask for this."""
        return self._vendor is not None and purpose in self._vendor.serves

    @property
    def tells_birth_dates(self) -> bool:
        """Whether who is asked tells them of his own accord."""
        return self._vendor is not None and self._vendor.tells_birth_dates

    def since(self, start_s: float) -> "VendorDesk":
        """The same desk for somebody who waits since that moment: a thread's turn is part of the deadline too."""
        waiting = copy.copy(self)
        waiting._since_s = start_s
        return waiting

    def close(self) -> None:
        """Put no further questions."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def ask(
        self, purpose: Purpose, ani: str, call_id: str | None, question: Callable[[Vendor, float], T | None]
    ) -> Asked[T]:
        """Put the question, once more where the first try failed before its time, and keep what became of it.

        What the vendor does not serve is NO_VENDOR: nothing is sent, counted or kept.
        """
        vendor = self._vendor
        if vendor is None or purpose not in vendor.serves:
            return Asked(VendorOutcome.NO_VENDOR, None, "", 0)
        asked_at, start_s = self._clock.now(), self._clock.monotonic_s()
        end_s = (start_s if self._since_s is None else self._since_s) + self.rules.deadline_s
        outcome, answer, sent = VendorOutcome.TIMED_OUT, None, 0
        for _ in range(TRIES):
            left_s = end_s - self._clock.monotonic_s()
            if left_s < LEAST_S:
                break
            refused = self._may_not_ask(vendor)
            if refused is not None:
                outcome = refused if sent == 0 else outcome
                break
            sent += 1
            outcome, answer = self._try(vendor, question, left_s)
            if outcome.is_answer or outcome in NO_RETRY:
                break
        took_ms = round((self._clock.monotonic_s() - start_s) * 1000)
        cost_micros = sent * self.rules.cost_micros
        kept = VendorQuery(
            vendor.name, purpose.value, ani, call_id, outcome.value, sent, took_ms, cost_micros, asked_at
        )
        with transaction(self._engine) as conn:
            store.keep_query(conn, kept)
        return Asked(outcome, answer, vendor.name, took_ms, sent)

    def _may_not_ask(self, vendor: Vendor) -> VendorOutcome | None:
        if not self._breaker.admit(self._clock.monotonic_s()):
            return VendorOutcome.SPARED
        with transaction(self._engine) as conn:
            day, rules = self._clock.now().date(), self.rules
            counted = store.count_request(conn, vendor.name, day, rules.cost_micros, rules.daily_limit)
        return None if counted else VendorOutcome.DAILY_LIMIT

    def _try(
        self, vendor: Vendor, question: Callable[[Vendor, float], T | None], left_s: float
    ) -> tuple[VendorOutcome, T | None]:
        work = self._pool.submit(question, vendor, left_s)
        try:
            answer = work.result(left_s)
        except TimeoutError:
            work.cancel()
            self._breaker.failing(self._clock.monotonic_s())
            return VendorOutcome.TIMED_OUT, None
        except VendorError as error:
            self._breaker.failing(self._clock.monotonic_s())
            return error.outcome, None
        self._breaker.answered()
        return VendorOutcome.NOT_FOUND if answer is None else VendorOutcome.FOUND, answer


def queries_of(engine: Engine, ani: str) -> list[VendorQuery]:
    """What was asked of a line, the newest first (ANI-10)."""
    with reading(engine) as conn:
        return store.queries_of(conn, ani)


def days(engine: Engine, limit: int) -> list[VendorDay]:
    """What was asked and spent on the newest days."""
    with reading(engine) as conn:
        return store.days(conn, limit)
