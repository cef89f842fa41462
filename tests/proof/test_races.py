"""Sixty-four threads on one account, through several engines: never below the limit, nothing lost, nothing twice."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.engine import Engine

from billing.accounts import service as account_service
from runtime import database
from tests.clock import SettableClock
from tests.proof.book import Book
from tests.proof.counter import OPERATOR, Answer, Counter, Kind, open_counter
from tests.proof.lives import steps_of
from tests.proof.watching import watched

THREADS, ENGINES = 64, 4
LIMIT_MICROS = 500_000
PATIENCE_S = 120.0


@pytest.fixture
def engines(url: str) -> Iterator[list[Engine]]:
    """Several engines on one database, as several processes have them."""
    made = [database.create_engine(url, busy_timeout_s=PATIENCE_S, pool_size=16) for _ in range(ENGINES)]
    yield made
    for engine in made:
        engine.dispose()


def test_sixty_four_threads_on_one_account(
    engines: list[Engine], clock: SettableClock, times: Callable[[int, int], int]
) -> None:
    """Pairs of threads send at one moment: the same request twice, or two that exclude each other, all on one account.

    A race is the life of a session, a sale or a payment; each is raced by two threads while sixty-two others race too.
    """
    races = times(64, 10_000)
    operator_id = open_counter(engines[0], clock)
    account = account_service.create_account(engines[0], clock, operator_code=OPERATOR, limit_micros=LIMIT_MICROS)
    counters = [Counter(engine, clock, operator_id, account.number) for engine in engines]
    book = Book()
    begun_s = time.monotonic()
    with watched(engines[-1], account.id) as seen, ThreadPoolExecutor(THREADS) as pool:
        waiting = []
        for pair in range(THREADS // 2):
            meet = threading.Barrier(2, timeout=PATIENCE_S)
            answers: list[list[Answer | None]] = [[None, None]]
            for side in (0, 1):
                counter = counters[(pair + side) % ENGINES]
                lives = range(pair, races, THREADS // 2)
                waiting.append(pool.submit(run, counter, book, meet, answers, lives, side))
        sent = sum(one.result() for one in waiting)
    took_s = time.monotonic() - begun_s
    book.must_match(engines[0], account.id)
    assert min(seen) >= 0
    assert sent >= races * 2
    assert book.replays
    if races >= 1000:
        assert {"open no-credit", "debit no-credit", "extend session-ended", "end changed-replay"} <= set(book.refused)
    print(f"\n{races} races, {sent} requests in {took_s:.1f} s, {book.replays} replays, looked {len(seen)} times")
    print(dict(book.refused))


def run(
    counter: Counter,
    book: Book,
    meet: threading.Barrier,
    answers: list[list[Answer | None]],
    lives: range,
    side: int,
) -> int:
    """One of two threads: at every step both send at once; what was answered is noted when both have their answer."""
    sent = 0
    try:
        for life in lives:
            for step in steps_of(life):
                meet.wait()
                answer = counter.send(step[side])
                answers[0][side] = answer
                sent += 1
                book.note(step[side], answer)
                meet.wait()
                first, second = answers[0]
                if (first and first.refused and second and second.refused) and step[0].kind in {Kind.OPEN, Kind.DEBIT}:
                    break  # there was no money for either: this life is over
    except BaseException:
        meet.abort()
        raise
    return sent
