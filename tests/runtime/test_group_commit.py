"""Requests that share a transaction: each gets its own answer, and none is answered before it is kept."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import OperationalError

from runtime import database, group_commit
from runtime.group_commit import WRITERS, GroupCommit
from tests.billing.books import at_once

A = TypeVar("A")
WAIT_S = 60.0


class Loop:
    """An event loop on a thread of its own, from which requests are submitted."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def submit(self, group: GroupCommit[int, A], engine: Engine, number: int, pool: Executor) -> "Future[A]":
        """It has its place when this returns."""

        async def ask() -> "asyncio.Future[A]":
            return group.submit(engine, number, pool)

        async def answer(asked: "asyncio.Future[A]") -> A:
            return await asked

        asked = asyncio.run_coroutine_threadsafe(ask(), self._loop).result(WAIT_S)
        return asyncio.run_coroutine_threadsafe(answer(asked), self._loop)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT_S)
        self._loop.close()


@pytest.fixture
def loop() -> Iterator[Loop]:
    with closing(Loop()) as one:
        yield one


class Work:
    """Writes numbers down; a negative one makes the group fail, a zero is answered by an exception."""

    def __init__(self, engine: Engine, loop: Loop) -> None:
        self.engine = engine
        self.loop = loop
        self.groups: list[list[int]] = []
        self.mine = threading.local()
        self.gate = threading.Event()
        self.gate.set()
        with database.transaction(engine) as conn:
            conn.exec_driver_sql("CREATE TABLE noted (number INTEGER PRIMARY KEY)")
            self.group: GroupCommit[int, str] = GroupCommit(self)

    def __call__(self, conn: Connection, asked: Sequence[int]) -> list[str | Exception]:
        self.groups.append(list(asked))
        self.mine.size = len(asked)
        assert self.gate.wait(WAIT_S)
        if min(asked) < 0:
            raise ArithmeticError("a negative number")
        text = sa.text("INSERT INTO noted (number) VALUES (:number) ON CONFLICT DO NOTHING")
        for number in set(asked) - {0}:
            conn.execute(text, {"number": number})
        return [LookupError("nothing") if number == 0 else f"noted {number}" for number in asked]

    def ask(self, number: int) -> str:
        return self.group.ask(self.engine, number)

    def submit(self, number: int, pool: Executor) -> "Future[str]":
        return self.loop.submit(self.group, self.engine, number, pool)

    def noted(self) -> set[int]:
        with database.reading(self.engine) as conn:
            return {row[0] for row in conn.execute(sa.text("SELECT number FROM noted"))}

    def together(self, numbers: Sequence[int]) -> list["Future[str]"]:
        """Ask for all of these while as many others as may write at once are writing, so that they wait together."""
        busy = range(1001, 1001 + WRITERS[self.engine.dialect.name])
        self.gate.clear()
        with ThreadPoolExecutor(len(busy)) as pool:
            leading = [self.submit(number, pool) for number in busy]
            wait_until(lambda: len(self.groups) == len(busy))
            asked = [self.submit(number, pool) for number in numbers]
            self.gate.set()
            assert [one.result(WAIT_S) for one in leading] == [f"noted {number}" for number in busy]
            for one in asked:
                one.exception(WAIT_S)
        return asked


def wait_until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.001)


@pytest.fixture
def work(engine: Engine, loop: Loop) -> Work:
    return Work(engine, loop)


def test_a_lone_request_is_written_at_once_on_its_own_thread(work: Work) -> None:
    assert work.ask(7) == "noted 7"
    assert work.groups == [[7]]
    assert work.noted() == {7}


def test_those_who_wait_are_answered_by_one_transaction(work: Work) -> None:
    asked = work.together(range(1, 31))
    assert [one.result() for one in asked] == [f"noted {number}" for number in range(1, 31)]
    assert len(work.groups) <= 2 * WRITERS[work.engine.dialect.name]
    assert set(range(1, 31)) <= work.noted()


def test_one_that_fails_does_not_fail_the_others(work: Work) -> None:
    asked = work.together([1, -5, 2, 0, 3])
    assert [asked[at].result() for at in (0, 2, 4)] == ["noted 1", "noted 2", "noted 3"]
    assert isinstance(asked[1].exception(), ArithmeticError)
    assert isinstance(asked[3].exception(), LookupError)
    assert work.noted() >= {1, 2, 3}
    with pytest.raises(ArithmeticError):
        work.ask(-1)
    with pytest.raises(LookupError):
        work.ask(0)
    assert work.ask(4) == "noted 4"


def test_many_threads_get_each_its_own_answer(work: Work) -> None:
    def ask_some(first: int) -> list[str]:
        return [work.ask(number) for number in range(first, first + 10)]

    answers = at_once([partial(ask_some, first) for first in range(1, 321, 10)])
    assert [answer for some in answers for answer in some] == [f"noted {number}" for number in range(1, 321)]
    assert work.noted() == set(range(1, 321))


def test_what_is_not_kept_is_not_answered(work: Work) -> None:
    """The COMMIT of a group fails: each is tried alone, and answered when that is kept."""
    failures = iter([True])

    def fail(conn: Connection) -> None:
        if work.mine.size > 1 and next(failures, False):
            raise ConnectionError("the answer to COMMIT was lost")

    sa.event.listen(work.engine, "commit", fail)
    try:
        asked = work.together([1, 2, 3])
    finally:
        sa.event.remove(work.engine, "commit", fail)
    assert [one.result() for one in asked] == ["noted 1", "noted 2", "noted 3"]
    assert work.noted() >= {1, 2, 3}


def test_who_comes_back_leads_those_who_were_answered_with_him(
    sqlite_engine: Engine, loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Work(sqlite_engine, loop)
    monkeypatch.setattr(group_commit, "COMPANY_WAIT_S", WAIT_S)
    work.together([1, 2, 3])
    work.groups.clear()
    with ThreadPoolExecutor(4) as pool:
        for asked in ([4, 5, 6], [7, 8, 9]):
            answers = [work.submit(number, pool) for number in asked]
            assert [one.result(WAIT_S / 2) for one in answers] == [f"noted {number}" for number in asked]
    assert [sorted(group) for group in work.groups] == [[4, 5, 6], [7, 8, 9]]


class Stepped(Work):
    """Each group is written when it is let."""

    def __init__(self, engine: Engine, loop: Loop) -> None:
        self.begun: list[list[int]] = []
        self.steps = threading.Semaphore(2)
        super().__init__(engine, loop)
        self.together(range(1, 11))

    def __call__(self, conn: Connection, asked: Sequence[int]) -> list[str | Exception]:
        self.begun.append(list(asked))
        assert self.steps.acquire(timeout=WAIT_S)
        return super().__call__(conn, asked)

    def half_written(self, pool: Executor, last: int = 20) -> tuple[list["Future[str]"], list["Future[str]"]]:
        """Ten come back, the last of them with this number: half of them are written, the others are being written."""
        asked = {number: self.submit(number, pool) for number in (*range(11, 20), last)}
        wait_until(lambda: len(self.begun) == 3)
        self.steps.release()
        wait_until(lambda: len(self.begun) == 4)
        return [asked[number] for number in self.begun[2]], [asked[number] for number in self.begun[3]]


@pytest.fixture
def stepped(sqlite_engine: Engine, loop: Loop, monkeypatch: pytest.MonkeyPatch) -> Stepped:
    stepped = Stepped(sqlite_engine, loop)
    monkeypatch.setattr(group_commit, "COMPANY_WAIT_S", WAIT_S)
    return stepped


def test_half_is_told_while_the_other_half_is_written(stepped: Stepped) -> None:
    with ThreadPoolExecutor(4) as pool:
        written, waiting = stepped.half_written(pool)
        assert stepped.noted() >= {11, 12, 13, 14, 15}
        assert (len(written), len(waiting)) == (5, 5)
        assert not any(one.done() for one in (*written, *waiting))
        stepped.steps.release()
        answers = [one.result(WAIT_S) for one in (*written, *waiting)]
    assert answers == [f"noted {number}" for number in range(11, 21)]


def test_half_is_told_though_the_other_half_fails(stepped: Stepped) -> None:
    with ThreadPoolExecutor(4) as pool:
        written, waiting = stepped.half_written(pool, last=-1)
        stepped.steps.release()
        assert [one.result(WAIT_S) for one in written] == [f"noted {number}" for number in range(11, 16)]
        assert not any(one.done() for one in waiting)
        for _ in waiting:
            stepped.steps.release()
        assert isinstance(waiting[-1].exception(WAIT_S), ArithmeticError)
        assert [one.result(WAIT_S) for one in waiting[:-1]] == [f"noted {number}" for number in range(16, 20)]


def test_half_is_told_though_nobody_can_write_for_the_other_half(stepped: Stepped) -> None:
    pool = ThreadPoolExecutor(1)
    asked = [stepped.submit(number, pool) for number in range(11, 21)]
    wait_until(lambda: len(stepped.begun) == 3)
    pool.shutdown(wait=False)
    stepped.steps.release()
    assert [one.result(WAIT_S) for one in asked[:5]] == [f"noted {number}" for number in range(11, 16)]
    assert all(isinstance(one.exception(WAIT_S), RuntimeError) for one in asked[5:])


def test_nobody_waits_when_no_transaction_can_be_begun(tmp_path: Path) -> None:
    engine = database.create_engine(f"sqlite:///{tmp_path / 'none' / 'none.db'}")
    group: GroupCommit[int, int] = GroupCommit(lambda conn, asked: asked)

    def ask() -> bool:
        with pytest.raises(OperationalError):
            group.ask(engine, 1)
        return True

    assert all(at_once([ask] * 8))
    engine.dispose()


def test_a_pool_that_is_closed_is_told(work: Work) -> None:
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    refused = work.submit(1, pool)
    assert isinstance(refused.exception(WAIT_S), RuntimeError)
    assert work.ask(2) == "noted 2"


def test_who_ends_the_writing_thread_ends_no_other(work: Work) -> None:
    class EndedError(BaseException):
        """As SystemExit in the thread that writes."""

    def end(conn: Connection, asked: Sequence[int]) -> list[str]:
        raise EndedError

    group: GroupCommit[int, str] = GroupCommit(end)
    for _ in range(3):
        with pytest.raises(EndedError):
            group.ask(work.engine, 1)


@pytest.mark.postgres
def test_who_holds_a_row_delays_only_who_needs_it(postgres_engine: Engine, loop: Loop) -> None:
    with database.transaction(postgres_engine) as conn:
        conn.exec_driver_sql("CREATE TABLE kept (number INTEGER PRIMARY KEY)")
        conn.exec_driver_sql("INSERT INTO kept VALUES (1), (2), (3), (4)")
    begun: list[int] = []

    def lock(conn: Connection, asked: Sequence[int]) -> list[int]:
        begun.append(len(asked))
        for number in asked:
            conn.execute(sa.text("SELECT 1 FROM kept WHERE number = :number FOR UPDATE"), {"number": number})
        return list(asked)

    group: GroupCommit[int, int] = GroupCommit(lock)
    with ThreadPoolExecutor(4) as pool, postgres_engine.connect() as first, postgres_engine.connect() as second:
        first.exec_driver_sql("SELECT 1 FROM kept WHERE number = 1 FOR UPDATE")
        second.exec_driver_sql("SELECT 1 FROM kept WHERE number = 2 FOR UPDATE")
        leading = [loop.submit(group, postgres_engine, 1, pool) for _ in range(WRITERS["postgresql"])]
        wait_until(lambda: len(begun) == len(leading))
        asked = [loop.submit(group, postgres_engine, number, pool) for number in (3, 2, 4)]
        first.rollback()
        assert [one.result(WAIT_S) for one in (*leading, asked[0], asked[2])] == [1, 1, 3, 4]
        assert isinstance(asked[1].exception(WAIT_S), OperationalError)
        second.rollback()
    assert group.ask(postgres_engine, 2) == 2
