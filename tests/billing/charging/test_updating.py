"""Updates in one transaction: the same answers and books as one after another, whatever comes together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Engine

from ani.usage.tables import line_usage
from ani.usage.usage import month_of
from billing.calls import service as call_service
from billing.calls.call import Extended, UnknownCallError
from billing.charging import service, store
from billing.charging.session import ChargeRefusal, Granted, Initiate, Line, Session, UnknownSessionError, Update
from billing.charging.updating.service import Updated, update_many
from billing.ledger.transfer import ChangedReplayError
from billing.rating import Rate
from runtime.database import reading, transaction
from runtime.ids import new_id
from tests.billing.books import UNIT, Books, at_once
from tests.clock import SettableClock

ACCOUNTS, SESSIONS, LINES = 2, 5, 2


@pytest.fixture
def books(engine: Engine, clock: SettableClock) -> Books:
    return Books(engine, clock)


@dataclass(frozen=True, slots=True)
class Ask:
    """An update of one of the sessions of a world."""

    session: int
    number: int
    wanted_s: int
    used_s: int | None
    late_s: int


ASKS = st.lists(
    st.builds(
        Ask,
        session=st.integers(0, SESSIONS),
        number=st.integers(1, 4),
        wanted_s=st.sampled_from([30, 60, 61, 90, 120, 600]),
        used_s=st.none() | st.integers(0, 120),
        late_s=st.integers(0, 90),
    ),
    min_size=1,
    max_size=12,
)


@dataclass(frozen=True, slots=True)
class World:
    """Sessions that share few accounts and few lines; the last one is closed, and one more does not exist."""

    books: Books
    price: Rate
    accounts: tuple[int, ...]
    lines: tuple[Line, ...]
    sessions: tuple[str, ...]

    def update(self, ask: Ask) -> Update:
        """What is asked in this world."""
        session_id = self.sessions[ask.session] if ask.session < SESSIONS else "0" * 32
        used_ms = None if ask.used_s is None else ask.used_s * 1_000
        at = self.books.clock.now() + timedelta(seconds=ask.late_s)
        line = self.lines[ask.session % LINES]
        return Update(session_id, ask.number, ask.wanted_s * 1_000, self.price, at, line, used_ms)

    def answer(self, asked: Sequence[Ask]) -> list[object]:
        """Ask for all of it in one transaction."""
        updates = [self.update(ask) for ask in asked]
        with transaction(self.books.engine) as conn:
            sessions = store.lock_sessions(conn, {one.session_id for one in updates})
            return [self.anonymous(one) for one in update_many(conn, sessions, updates)]

    def anonymous(self, updated: Updated) -> object:
        """An answer, without the ids of this world."""
        answer = updated.answer
        session = None if updated.session is None else self.plain(updated.session)
        if isinstance(answer, Granted):
            return answer.grant, answer.is_replay, session
        return type(answer) if isinstance(answer, Exception) else answer, session

    def plain(self, session: Session) -> Session:
        """A session without its ids."""
        return replace(session, session_id=str(self.sessions.index(session.session_id)), account_id=0)

    def state(self) -> object:
        """All that is kept of it."""
        with reading(self.books.engine) as conn:
            found = [store.find_session(conn, one) for one in self.sessions]
            requests = [[replace(one, session_id="") for one in store.requests(conn, key)] for key in self.sessions]
            talk = [
                conn.execute(
                    sa.select(line_usage.c.used_ms, line_usage.c.held_ms).where(line_usage.c.ani == line.ani)
                ).one_or_none()
                for line in self.lines
            ]
        return (
            [self.plain(one) for one in found if one is not None],
            requests,
            [None if row is None else tuple(row) for row in talk],
            [self.books.money(one) for one in self.accounts],
        )


def world(books: Books, price: Rate, name: str) -> World:
    month = month_of(books.clock.now())
    lines = tuple(Line(f"+1{name}{number}", month, 400_000) for number in range(LINES))
    accounts = tuple(books.account(6 * UNIT) for _ in range(ACCOUNTS))
    sessions = []
    for number in range(SESSIONS):
        opened = Initiate(new_id(), accounts[number % ACCOUNTS], price.service, price, 60_000, 300_000, 5_000)
        with transaction(books.engine) as conn:
            answer = service.initiate(conn, books.clock.now(), opened, lines[number % LINES])
        assert isinstance(answer, Granted)
        sessions.append(opened.session_id)
    with transaction(books.engine) as conn:
        service.terminate(conn, books.clock.now(), sessions[-1], 1_000, price, "test", lines[(SESSIONS - 1) % LINES])
    return World(books, price, accounts, lines, tuple(sessions))


def test_together_is_the_same_as_one_after_another(
    books: Books, clock: SettableClock, times: Callable[[int, int], int]
) -> None:
    price, number = books.rate(initial_s=6, increment_s=6), 0

    @settings(max_examples=times(8, 300), deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
    @given(ASKS)
    def compare(asked: list[Ask]) -> None:
        nonlocal number
        number += 1
        one, other = (world(books, price, f"{number:08d}{side}") for side in (0, 1))
        clock.advance(20)
        assert one.answer(asked) == [answer for ask in asked for answer in other.answer([ask])]
        assert one.state() == other.state()

    compare()
    books.assert_sound()


def test_each_of_many_gets_its_own_answer(books: Books) -> None:
    """Calls, replays, changed replays and calls that are unknown, at once."""
    price = books.rate(initial_s=1, increment_s=1)
    accounts = [books.account(20 * UNIT) for _ in range(3)]
    calls = [books.up(accounts[number % 3], price, ani=f"+12125550{number:03d}") for number in range(8)]

    def extend(call_id: str, wanted_ms: int) -> Extended | ChargeRefusal | type[Exception]:
        try:
            return call_service.extend(books.engine, books.clock, call_id, 1, wanted_ms, used_ms=1_000)
        except (UnknownCallError, ChangedReplayError) as error:
            return type(error)

    tasks = [*(partial(extend, call_id, 90_000) for call_id in calls * 3), *(partial(extend, new_id(), 1),) * 4]
    answers = at_once(tasks + [partial(extend, calls[0], 91_000)] * 4)
    granted = [answer for answer in answers if isinstance(answer, Extended)]
    assert answers[24:28] == [UnknownCallError] * 4
    assert len(granted) + answers.count(ChangedReplayError) == 28
    assert sum(not answer.is_replay for answer in granted) == len(calls)
    assert len({answer.grant for answer in granted}) <= 2
    with reading(books.engine) as conn:
        kept = store.open_sessions(conn, accounts)
    assert sorted(one.granted_ms for one in kept)[:7] == [90_000] * 7
    assert [books.money(one)[1] for one in accounts] == [
        sum(one.held_micros for one in kept if one.account_id == account_id) for account_id in accounts
    ]
    books.assert_sound()


def test_thirty_two_threads_on_few_accounts_lose_nothing(books: Books) -> None:
    price = books.rate(initial_s=1, increment_s=1)
    accounts = [books.account(20 * UNIT) for _ in range(4)]
    calls = [books.up(accounts[number % 4], price, ani=f"+1212555{number:04d}") for number in range(32)]

    def extend(call_id: str) -> int:
        granted = 0
        for number in range(1, 5):
            answer = call_service.extend(books.engine, books.clock, call_id, number, 60_000 + 20_000 * number, price)
            assert isinstance(answer, Extended)
            assert answer.grant.granted_ms >= granted
            granted = answer.grant.granted_ms
        return granted

    granted = at_once([partial(extend, call_id) for call_id in calls])
    with reading(books.engine) as conn:
        kept = store.open_sessions(conn, accounts)
    assert sorted(granted) == sorted(one.granted_ms for one in kept)
    for account_id in accounts:
        balance_micros, held_micros = books.money(account_id)
        assert held_micros == sum(one.held_micros for one in kept if one.account_id == account_id)
        assert 0 <= held_micros <= balance_micros
    books.assert_sound()


def test_an_unknown_session_is_told(books: Books) -> None:
    price = books.rate()
    with transaction(books.engine) as conn:
        [answer] = update_many(conn, {}, [Update(new_id(), 1, 60_000, price, books.clock.now())])
    assert isinstance(answer.answer, UnknownSessionError)
    with pytest.raises(UnknownSessionError):
        answer.granted()
