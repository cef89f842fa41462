"""Asking a vendor so that its faults cost a caller little: deadline, one retry, breaker, daily limit, each kept.

No transaction is open while a vendor is asked.
"""

import threading
from collections.abc import Callable
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
    """What became of a question: the answer where there is one, who gave it, and how long that took."""

    outcome: VendorOutcome
    answer: T | None
    vendor: str
    took_ms: int


class VendorDesk:
    """Where one vendor is asked; any number of threads may use it. Without a vendor it answers NO_VENDOR."""

    def __init__(self, engine: Engine, clock: Clock, vendor: Vendor | None, rules: AskRules) -> None:
        self._engine = engine
        self._clock = clock
        self._vendor = vendor
        self.rules = rules
        self._lock = threading.Lock()
        self._breaker = Breaker(rules.breaker)

    @property
    def vendor_name(self) -> str:
        """Who is asked, by the name his answers are kept with; "" without a vendor."""
        return self._vendor.name if self._vendor is not None else ""

    @property
    def has_vendor(self) -> bool:
        """Whether there is anybody to ask."""
        return self._vendor is not None

    def ask(
        self, purpose: Purpose, ani: str, call_id: str | None, question: Callable[[Vendor, float], T | None]
    ) -> Asked[T]:
        """Put the question, once more where the first try failed before its time, and keep what became of it."""
        vendor = self._vendor
        if vendor is None:
            return Asked(VendorOutcome.NO_VENDOR, None, "", 0)
        start_s, asked_at = self._clock.monotonic_s(), self._clock.now()
        outcome, answer, sent = VendorOutcome.TIMED_OUT, None, 0
        for _ in range(TRIES):
            left_s = start_s + self.rules.deadline_s - self._clock.monotonic_s()
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
        return Asked(outcome, answer, vendor.name, took_ms)

    def _may_not_ask(self, vendor: Vendor) -> VendorOutcome | None:
        with self._lock:
            admitted = self._breaker.admit(self._clock.monotonic_s())
            if admitted is None:
                return VendorOutcome.SPARED
            self._breaker = admitted
        with transaction(self._engine) as conn:
            day, rules = self._clock.now().date(), self.rules
            counted = store.count_request(conn, vendor.name, day, rules.cost_micros, rules.daily_limit)
        return None if counted else VendorOutcome.DAILY_LIMIT

    def _try(
        self, vendor: Vendor, question: Callable[[Vendor, float], T | None], left_s: float
    ) -> tuple[VendorOutcome, T | None]:
        try:
            answer = question(vendor, left_s)
        except VendorError as error:
            with self._lock:
                self._breaker = self._breaker.failing(self._clock.monotonic_s())
            return error.outcome, None
        with self._lock:
            self._breaker = self._breaker.answered()
        return VendorOutcome.NOT_FOUND if answer is None else VendorOutcome.FOUND, answer


def queries_of(engine: Engine, ani: str) -> list[VendorQuery]:
    """What was asked of a line, the newest first (ANI-10)."""
    with reading(engine) as conn:
        return store.queries_of(conn, ani)


def days(engine: Engine, limit: int) -> list[VendorDay]:
    """What was asked and spent on the newest days."""
    with reading(engine) as conn:
        return store.days(conn, limit)
