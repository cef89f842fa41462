"""Charging operations per second: our `update` through the public service beside the raw driver, in one run.

Both sides extend calls that are up, each by a second of talk time, and both are durable when they answer: SQLite in WAL
with synchronous=FULL, as it is shipped, PostgreSQL with fsync and synchronous_commit on. Of many clients ours are once
threads, each asking as the charging API's do, and once calls of one event loop, as the gateway extends its calls; the
raw driver's are threads, each with its connection. Rounds during which the host took of the machine's processors are
told and not judged: what it takes falls on either side by chance.
"""

import asyncio
import gc
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import cycle
from threading import Barrier

import pytest
from sqlalchemy.engine import Engine

from ani.usage.usage import month_of
from billing.calls import service as call_service
from billing.calls.call import ExtendCall, Extended
from billing.rating import Rate
from runtime.interpreter import serve_many
from tests.bench.raw_charging import RawClient, Step, turn
from tests.billing.books import UNIT, Books
from tests.clock import SettableClock
from tests.host import Calm, Watch

pytestmark = pytest.mark.load
CLIENTS, CALLS_OF_EACH = 32, 8
FIRST_MS, SECOND_MICROS = 60_000, 10_000
MONTH_S, SESSION_MS = 10**8, 10**11
LEAST_ALONE, LEAST_TOGETHER, P99_MS = 0.5, 2.0, 20.0
ROUNDS, MOST_ROUNDS, ROUND_S = 5, 20, 2.0


@pytest.fixture(params=["sqlite", pytest.param("durable_postgres", marks=pytest.mark.postgres)])
def durable_engine(request: pytest.FixtureRequest) -> Engine:
    """Both databases as they are in service: what is answered is on the disk."""
    found: Engine = request.getfixturevalue(f"{request.param}_engine")
    return found


@dataclass(slots=True)
class Talk:
    """One call that is up, and how far it got."""

    call_id: str
    price: Rate
    month: str
    number: int = 0
    granted_ms: int = FIRST_MS

    def next_step(self) -> Step:
        """A second more."""
        used_ms = self.granted_ms
        self.number += 1
        self.granted_ms += 1_000
        held_micros = self.granted_ms // 1_000 * SECOND_MICROS
        return Step(self.call_id, self.number, self.granted_ms, held_micros, 1_000, SECOND_MICROS, self.month, used_ms)


Client = Callable[[Talk], None]


@dataclass(slots=True)
class Measured:
    """What the clients did in a round."""

    waits_ms: list[float]
    seconds: float
    cpu_s: float

    @property
    def per_s(self) -> float:
        """Operations per second."""
        return len(self.waits_ms) / self.seconds

    @property
    def cpu_us(self) -> float:
        """This process's time of the processor for an operation."""
        return self.cpu_s / len(self.waits_ms) * 1_000_000

    @property
    def p99_ms(self) -> float:
        """The wait that one in a hundred exceeds."""
        return statistics.quantiles(self.waits_ms, n=100)[98]


@pytest.fixture
def books(durable_engine: Engine, clock: SettableClock) -> Books:
    return Books(durable_engine, clock, month_cap_s=MONTH_S)


@pytest.fixture(autouse=True)
def as_in_a_gateway() -> Iterator[None]:
    """Cycles are looked for as seldom, and Python's lock handed over as often, as in a gateway, on both sides."""
    before, interval_s = gc.get_threshold(), sys.getswitchinterval()
    serve_many()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)
    sys.setswitchinterval(interval_s)


@pytest.mark.parametrize(
    ("clients", "kind", "least"),
    [(1, "thread", LEAST_ALONE), (CLIENTS, "threads", LEAST_TOGETHER), (CLIENTS, "calls of a gateway", LEAST_TOGETHER)],
)
def test_updates_beside_the_raw_driver(books: Books, clients: int, kind: str, least: float) -> None:
    """The median of rounds in which one side follows the other; those the host disturbed are tried again."""
    price = books.rate(price_per_minute_micros=60 * SECOND_MICROS, initial_s=1, increment_s=1)
    ours, theirs = _calls_up(books, price, clients, 0), _calls_up(books, price, clients, 1)
    with closing(_RawClients(books.engine, clients)) as raw:
        pairs: list[tuple[Measured, Measured]] = []
        disturbed: list[tuple[Measured, Measured]] = []
        while len(pairs) < ROUNDS and len(pairs) + len(disturbed) < MOST_ROUNDS:
            watch = Watch()
            own = _gateway_round(books, ours) if kind.startswith("calls") else _round(ours, [_own(books)] * clients)
            pair = own, _best([_round(theirs, some) for some in raw.kinds])
            (pairs if watch.taken() <= Calm.LEFT_ALONE else disturbed).append(pair)
    durability = _durability(books.engine)
    judged = pairs or disturbed
    ratio = statistics.median(own.per_s / other.per_s for own, other in judged)
    p99_ms = statistics.median(own.p99_ms for own, _ in judged)
    print(f"\n{books.engine.dialect.name}, {clients} {kind} (durable: {durability}):")
    for name, some in (("ours", [own for own, _ in judged]), ("raw driver", [other for _, other in judged])):
        per_s, p99, cpu = (statistics.median(values) for values in zip(*map(_figures, some), strict=True))
        print(f"  {name}: {per_s:,.0f}/s, p99 {p99:.1f} ms, {cpu:.0f} us of the processor each")
    print(f"  ratio {ratio:.2f} (bound {least}; rounds {_ratios(pairs)}; disturbed by the host: {_ratios(disturbed)})")
    books.assert_sound()
    assert len(pairs) == ROUNDS, "the host was busy: too few rounds to judge by"
    assert ratio >= least
    assert p99_ms <= P99_MS


class _RawClients:
    """The clients of the raw driver; on SQLite also such as take turns by a lock of their own, if that is faster."""

    def __init__(self, engine: Engine, clients: int) -> None:
        turns = [None, turn()] if engine.dialect.name == "sqlite" and clients > 1 else [None]
        self._clients = [[RawClient(engine, by) for _ in range(clients)] for by in turns]
        self.kinds: list[list[Client]] = [[_raw(one) for one in some] for some in self._clients]

    def close(self) -> None:
        for some in self._clients:
            for one in some:
                one.close()


def _raw(client: RawClient) -> Client:
    return lambda talk: client.update(talk.next_step())


def _own(books: Books) -> Client:
    def update(talk: Talk) -> None:
        step = talk.next_step()
        answer = call_service.extend(
            books.engine, books.clock, step.call_id, step.number, step.granted_ms, talk.price, step.used_ms
        )
        _require(answer, step)

    return update


def _require(answer: object, step: Step) -> None:
    assert isinstance(answer, Extended)
    assert (answer.grant.granted_ms, answer.grant.held_micros) == (step.granted_ms, step.held_micros)


def _gateway_round(books: Books, talks: list[list[Talk]]) -> Measured:
    """As many calls at a time as there are clients, extended from an event loop as a gateway does it."""

    async def work(mine: list[Talk], pool: ThreadPoolExecutor, until_s: float) -> list[float]:
        waits = []
        for talk in cycle(mine):
            start_s = time.perf_counter()
            step = talk.next_step()
            wanted = ExtendCall(step.call_id, step.number, step.granted_ms, books.clock.now(), talk.price, step.used_ms)
            _require(await call_service.submit_extension(books.engine, wanted, pool), step)
            end_s = time.perf_counter()
            waits.append((end_s - start_s) * 1_000)
            if end_s >= until_s:
                return waits
        raise AssertionError

    async def all_of_them(pool: ThreadPoolExecutor) -> list[list[float]]:
        until_s = time.perf_counter() + ROUND_S
        return await asyncio.gather(*(work(mine, pool, until_s) for mine in talks))

    with ThreadPoolExecutor(len(talks)) as pool:
        start_s, start_cpu_s = time.perf_counter(), time.process_time()
        waits = [wait for some in asyncio.run(all_of_them(pool)) for wait in some]
        return Measured(waits, time.perf_counter() - start_s, time.process_time() - start_cpu_s)


def _round(talks: list[list[Talk]], clients: list[Client]) -> Measured:
    """Each client asks as soon as he was answered, for one of his calls after the other."""
    begin, until_s = Barrier(len(clients)), time.perf_counter() + ROUND_S

    def work(mine: list[Talk], update: Client) -> list[float]:
        waits = []
        begin.wait(30)
        for talk in cycle(mine):
            start_s = time.perf_counter()
            update(talk)
            end_s = time.perf_counter()
            waits.append((end_s - start_s) * 1_000)
            if end_s >= until_s:
                return waits
        raise AssertionError

    with ThreadPoolExecutor(len(clients)) as pool:
        start_s, start_cpu_s = time.perf_counter(), time.process_time()
        waits = [wait for some in pool.map(work, talks, clients) for wait in some]
        return Measured(waits, time.perf_counter() - start_s, time.process_time() - start_cpu_s)


def _ratios(pairs: list[tuple[Measured, Measured]]) -> str:
    return " ".join(f"{own.per_s / other.per_s:.2f}" for own, other in pairs) or "none"


def _figures(one: Measured) -> tuple[float, float, float]:
    return one.per_s, one.p99_ms, one.cpu_us


def _durability(engine: Engine) -> str:
    """What the database itself says."""
    if engine.dialect.name == "sqlite":
        names = ("journal_mode", "synchronous")
        asked = [f"PRAGMA {name}" for name in names]
    else:
        names = ("fsync", "synchronous_commit")
        asked = [f"SHOW {name}" for name in names]
    with engine.connect() as conn:
        said = [conn.exec_driver_sql(text).scalar_one() for text in asked]
    assert said in (["wal", 2], ["on", "on"])
    return ", ".join(f"{name}={value}" for name, value in zip(names, said, strict=True))


def _best(rounds: list[Measured]) -> Measured:
    return max(rounds, key=lambda one: one.per_s)


def _calls_up(books: Books, price: Rate, clients: int, side: int) -> list[list[Talk]]:
    """Calls that are up, for each client his own, every one on an account and a line of its own."""
    month = month_of(books.clock.now())

    def up(number: int) -> Talk:
        ani = f"+1{side}{number:09d}"
        call_id = books.up(
            books.account(10_000 * UNIT), price, ani=ani, session_cap_ms=SESSION_MS, month_cap_ms=MONTH_S * 1_000
        )
        return Talk(call_id, price, month)

    return [[up(client * CALLS_OF_EACH + at) for at in range(CALLS_OF_EACH)] for client in range(clients)]
