"""The answer to a COMMIT is lost: the client asks again with the same ids, and nothing is done twice or left out."""

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError

from billing.accounts import service as account_service
from runtime import database
from tests.clock import SettableClock
from tests.proof.book import Book
from tests.proof.counter import OPERATOR, Answer, Counter, Kind, Order, open_counter
from tests.proof.lives import steps_of
from tests.proof.lossy import Fate, lossy_postgres, lossy_sqlite

CLIENTS = 8
MOST_ATTEMPTS = 40
LIVES_APART = 100_000


@dataclass(slots=True)
class Client:
    """Sends until it is answered; an answer that was given before came of a COMMIT whose answer was lost."""

    counter: Counter
    book: Book
    faults: int = 0
    recognised: int = 0
    given: dict[tuple[Kind, str, int], bool] = field(default_factory=dict)

    def send(self, order: Order) -> Answer:
        """Send it again and again."""
        for attempt in range(MOST_ATTEMPTS):
            try:
                answer = self.counter.send(order)
            except DBAPIError:
                self.faults += 1
                continue
            name = (order.kind, order.key, order.number)
            self.recognised += answer.is_replay and attempt > 0 and name not in self.given
            self.given[name] = True
            self.book.note(order, answer)
            return answer
        raise AssertionError(f"{order} was never answered")

    def live(self, life: int) -> None:
        """Send all of one life, each request in both its versions."""
        for first, second in steps_of(life):
            answers = self.send(first), self.send(second)
            if first.kind in {Kind.OPEN, Kind.DEBIT} and all(answer.refused for answer in answers):
                return


@pytest.fixture
def fate() -> Fate:
    return Fate(random.Random(4))


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def lossy(request: pytest.FixtureRequest, fate: Fate) -> Iterator[tuple[Engine, Engine]]:
    """An engine that loses COMMITs and one that does not, on one database."""
    url = request.getfixturevalue(f"{request.param}_url")
    sound = database.create_engine(url, busy_timeout_s=60.0)
    if request.param == "sqlite":
        with lossy_sqlite(url, fate) as engine:
            yield engine, sound
    else:
        with lossy_postgres(request.getfixturevalue("postgres_server"), url, fate) as engine:
            yield engine, sound
    sound.dispose()


def test_a_commit_whose_answer_is_lost_is_done_once(
    lossy: tuple[Engine, Engine], fate: Fate, clock: SettableClock, times: Callable[[int, int], int]
) -> None:
    """Eight clients on one account; some COMMITs are lost on their way too, which looks the same to the client."""
    wanted = times(8, 500)
    engine, sound = lossy
    operator_id = open_counter(sound, clock)
    account = account_service.create_account(sound, clock, operator_code=OPERATOR, limit_micros=2_000_000)
    book = Book()
    clients = [Client(Counter(engine, clock, operator_id, account.number), book) for _ in range(CLIENTS)]
    fate.cruel = True
    begun_s = time.monotonic()

    def run(number: int) -> int:
        life = number * LIVES_APART
        while sum(client.recognised for client in clients) < wanted:
            clients[number].live(life)
            life += 1
        return life - number * LIVES_APART

    with ThreadPoolExecutor(CLIENTS) as pool:
        lives = sum(pool.map(run, range(CLIENTS)))
    fate.cruel = False
    book.must_match(sound, account.id)
    assert sum(client.recognised for client in clients) >= wanted
    assert fate.answers_lost >= wanted
    assert fate.commits_lost
    print(
        f"\n{lives} lives in {time.monotonic() - begun_s:.1f} s: {fate.answers_lost} answers and {fate.commits_lost}"
        f" COMMITs lost, {sum(client.recognised for client in clients)} found done when asked again"
    )
