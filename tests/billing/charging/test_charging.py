"""Sessions in the database: replays, refusals, and many requests on one account at once."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError

from ani.usage.usage import month_of
from billing.charging import service, store
from billing.charging.session import (
    ChargeRefusal,
    CurrencyMismatchError,
    Granted,
    Initiate,
    Line,
    Terminated,
    UnknownSessionError,
)
from billing.charging.updating import service as updating
from billing.ledger import service as ledger_service
from billing.ledger.transfer import ChangedReplayError
from billing.rating import Grant, Rate
from runtime.database import transaction
from runtime.ids import new_id
from tests.billing.books import ANI, UNIT, Books, at_once
from tests.clock import SettableClock


@pytest.fixture
def books(engine: Engine, clock: SettableClock) -> Books:
    return Books(engine, clock)


def asking(account_id: int, price: Rate, wanted_ms: int = 60_000, cap_ms: int = 1_860_000) -> Initiate:
    return Initiate(new_id(), account_id, "voice", price, wanted_ms, cap_ms, 5_000)


def line(books: Books, cap_ms: int = 5_580_000) -> Line:
    return Line(ANI, month_of(books.clock.now()), cap_ms)


def initiate(books: Books, opened: Initiate, on: Line | None = None) -> Granted | ChargeRefusal:
    with transaction(books.engine) as conn:
        return service.initiate(conn, books.clock.now(), opened, on)


def update(
    books: Books, session_id: str, number: int, wanted_ms: int, price: Rate, on: Line | None = None
) -> Granted | ChargeRefusal:
    with transaction(books.engine) as conn:
        return updating.update(conn, books.clock.now(), session_id, number, wanted_ms, price, on)


def terminate(books: Books, session_id: str, used_ms: int, price: Rate, on: Line | None = None) -> Terminated:
    with transaction(books.engine) as conn:
        return service.terminate(conn, books.clock.now(), session_id, used_ms, price, "test", on)


def test_hold_extend_charge_and_free(books: Books) -> None:
    account_id, price = books.account(10 * UNIT), books.rate()
    opened = asking(account_id, price)
    assert initiate(books, opened) == Granted(Grant(60_000, UNIT, final=False), is_replay=False)
    assert books.money(account_id) == (10 * UNIT, UNIT)
    answer = update(books, opened.session_id, 1, 150_000, price)
    assert answer == Granted(Grant(180_000, 3 * UNIT, final=False), is_replay=False)
    assert books.money(account_id) == (10 * UNIT, 3 * UNIT)
    ended = terminate(books, opened.session_id, 61_000, price)
    assert (ended.billed_ms, ended.charged_micros, ended.balance_micros) == (120_000, 2 * UNIT, 8 * UNIT)
    assert books.money(account_id) == (8 * UNIT, 0)
    books.assert_sound()


def test_every_replay_answers_as_the_first_time(books: Books) -> None:
    account_id, price = books.account(2 * UNIT), books.rate()
    opened = asking(account_id, price)
    first = initiate(books, opened)
    second = update(books, opened.session_id, 1, 120_000, price)
    assert isinstance(first, Granted)
    assert isinstance(second, Granted)
    assert initiate(books, opened) == replace(first, is_replay=True)
    assert update(books, opened.session_id, 1, 120_000, price) == replace(second, is_replay=True)
    assert books.money(account_id) == (2 * UNIT, 2 * UNIT)
    ended = terminate(books, opened.session_id, 70_000, price)
    again = terminate(books, opened.session_id, 999_000, price)
    assert again == replace(ended, is_replay=True)
    assert update(books, opened.session_id, 1, 120_000, price) == replace(second, is_replay=True)
    assert update(books, opened.session_id, 2, 180_000, price) is ChargeRefusal.SESSION_ENDED
    assert books.money(account_id) == (0, 0)
    books.assert_sound()


def test_a_changed_replay_is_its_own_error_and_changes_nothing(books: Books) -> None:
    account_id, price, dearer = books.account(9 * UNIT), books.rate(), books.rate("331")
    opened = asking(account_id, price)
    initiate(books, opened)
    update(books, opened.session_id, 2, 120_000, price)
    for changed in (
        replace(opened, wanted_ms=61_000),
        replace(opened, rate=dearer),
        replace(opened, cap_ms=70_000),
        replace(opened, account_id=books.account(UNIT)),
        replace(opened, service="content"),
    ):
        with pytest.raises(ChangedReplayError):
            initiate(books, changed)
    for number, wanted_ms in ((2, 180_000), (1, 120_000), (0, 60_000)):
        with pytest.raises(ChangedReplayError):
            update(books, opened.session_id, number, wanted_ms, price)
    with pytest.raises(ChangedReplayError):
        update(books, opened.session_id, 3, 180_000, dearer)
    with pytest.raises(ChangedReplayError):
        terminate(books, opened.session_id, 1, dearer)
    assert books.money(account_id) == (9 * UNIT, 2 * UNIT)
    books.assert_sound()


def test_what_is_refused_holds_nothing(books: Books) -> None:
    price, empty, closed = books.rate(), books.account(), books.account(UNIT)
    books.set_state(closed, "closed")
    assert initiate(books, asking(empty, price)) is ChargeRefusal.NO_CREDIT
    assert initiate(books, asking(closed, price)) is ChargeRefusal.ACCOUNT_CLOSED
    assert initiate(books, asking(empty, price, cap_ms=4_000)) is ChargeRefusal.SESSION_CAP
    with pytest.raises(CurrencyMismatchError):
        initiate(books, asking(empty, replace(price, currency="EUR")))
    with pytest.raises(UnknownSessionError):
        initiate(books, asking(999, price))
    with pytest.raises(UnknownSessionError):
        update(books, new_id(), 1, 60_000, price)
    with pytest.raises(UnknownSessionError):
        terminate(books, new_id(), 60_000, price)
    assert (books.money(empty), books.money(closed)) == ((0, 0), (UNIT, 0))


def test_a_credit_limit_is_used_up_and_never_passed(books: Books) -> None:
    account_id, price = books.account(UNIT // 2, limit_micros=UNIT), books.rate()
    opened = asking(account_id, price, wanted_ms=600_000)
    assert initiate(books, opened) == Granted(Grant(90_000, 3 * UNIT // 2, final=True), is_replay=False)
    assert terminate(books, opened.session_id, 90_010, price).balance_micros == -UNIT
    assert initiate(books, asking(account_id, price)) is ChargeRefusal.NO_CREDIT
    books.assert_sound()


def test_money_paid_in_during_a_session_extends_it(books: Books) -> None:
    account_id, price = books.account(UNIT // 2), books.rate()
    opened = asking(account_id, price)
    first = initiate(books, opened)
    assert isinstance(first, Granted)
    assert first.grant == Grant(30_000, UNIT // 2, final=True)
    ledger_service.credit(books.engine, books.clock, books.number(account_id), UNIT, "more", "test")
    answer = update(books, opened.session_id, 1, 60_000, price)
    assert answer == Granted(Grant(60_000, UNIT, final=False), is_replay=False)
    assert books.money(account_id) == (3 * UNIT // 2, UNIT)


def test_a_closed_account_gets_no_more_and_still_pays(books: Books) -> None:
    account_id, price = books.account(5 * UNIT), books.rate()
    opened = asking(account_id, price)
    initiate(books, opened)
    books.set_state(account_id, "closed")
    answer = update(books, opened.session_id, 1, 120_000, price)
    assert answer == Granted(Grant(60_000, UNIT, final=True), is_replay=False)
    assert terminate(books, opened.session_id, 60_000, price).charged_micros == UNIT
    books.assert_sound()


def test_the_line_gets_what_is_left_of_its_month(books: Books) -> None:
    account_id, price = books.account(50 * UNIT), books.rate()
    capped = line(books, cap_ms=150_000)
    one, other = asking(account_id, price), asking(account_id, price)
    initiate(books, one, capped)
    assert initiate(books, other, capped) == Granted(Grant(60_000, UNIT, final=False), is_replay=False)
    answer = update(books, one.session_id, 1, 120_000, price, capped)
    assert answer == Granted(Grant(90_000, 2 * UNIT, final=True), is_replay=False)
    assert books.talk() == (0, 150_000)
    assert initiate(books, asking(account_id, price), capped) is ChargeRefusal.MONTH_CAP
    answer = update(books, other.session_id, 1, 120_000, price, capped)
    assert answer == Granted(Grant(60_000, UNIT, final=True), is_replay=False)
    terminate(books, one.session_id, 20_000, price, capped)
    assert books.talk() == (20_000, 60_000)
    answer = update(books, other.session_id, 2, 120_000, price, capped)
    assert answer == Granted(Grant(120_000, 2 * UNIT, final=False), is_replay=False)
    terminate(books, other.session_id, 500_000, price, capped)
    assert books.talk() == (140_000, 0)
    books.assert_sound()


def test_a_hold_is_valid_for_the_time_granted_and_the_ringing(books: Books) -> None:
    account_id, price = books.account(50 * UNIT), books.rate()
    opened = asking(account_id, price)
    initiate(books, opened)
    books.clock.advance(40)
    update(books, opened.session_id, 1, 180_000, price)
    with transaction(books.engine) as conn:
        session = store.find_session(conn, opened.session_id)
    assert session is not None
    assert session.valid_until_at - session.started_at == opened.valid_for + timedelta(seconds=180)


def test_twenty_at_once_on_money_for_one(books: Books) -> None:
    account_id, price = books.account(UNIT), books.rate()
    answers = at_once([partial(initiate, books, asking(account_id, price)) for _ in range(20)])
    assert sum(isinstance(answer, Granted) for answer in answers) == 1
    assert answers.count(ChargeRefusal.NO_CREDIT) == 19
    assert books.money(account_id) == (UNIT, UNIT)
    books.assert_sound()


def test_one_session_asked_for_many_times_at_once_holds_once(books: Books) -> None:
    account_id, price = books.account(50 * UNIT), books.rate()
    opened = asking(account_id, price)
    answers = at_once([partial(initiate, books, opened, line(books))] * 12)
    granted = [answer for answer in answers if isinstance(answer, Granted)]
    assert len(granted) == 12
    assert {answer.grant for answer in granted} == {Grant(60_000, UNIT, final=False)}
    assert sum(not answer.is_replay for answer in granted) == 1
    assert (books.money(account_id), books.talk()) == ((50 * UNIT, UNIT), (0, 60_000))


def test_one_session_id_for_two_accounts_at_once_serves_one(books: Books) -> None:
    price = books.rate()
    opened = asking(books.account(UNIT), price)
    others = [opened, *(replace(opened, account_id=books.account(UNIT)) for _ in range(5))]

    def attempt(wanted: Initiate) -> bool:
        try:
            return isinstance(initiate(books, wanted), Granted)
        except (ChangedReplayError, IntegrityError):
            return False

    assert sum(at_once([partial(attempt, wanted) for wanted in others])) == 1
    assert sum(books.money(wanted.account_id)[1] for wanted in others) == UNIT
    books.assert_sound()


def test_lines_shared_by_accounts_never_pass_their_month(books: Books) -> None:
    price = books.rate()
    capped = line(books, cap_ms=200_000)
    wanted = [asking(books.account(50 * UNIT), price) for _ in range(10)]
    answers = at_once([partial(initiate, books, opened, capped) for opened in wanted])
    total_ms = sum(answer.grant.granted_ms for answer in answers if isinstance(answer, Granted))
    assert (0, total_ms) == books.talk()
    assert total_ms == 200_000
    assert answers.count(ChargeRefusal.MONTH_CAP) == 6


def test_ends_extensions_starts_and_credits_at_once(books: Books) -> None:
    account_id, price = books.account(6 * UNIT), books.rate()
    number = books.number(account_id)
    sessions = [asking(account_id, price) for _ in range(4)]
    for opened in sessions:
        initiate(books, opened, line(books))

    def extend(opened: Initiate) -> Granted | ChargeRefusal:
        return update(books, opened.session_id, 1, 120_000, price, line(books))

    def end(opened: Initiate) -> Terminated:
        return terminate(books, opened.session_id, 90_000, price, line(books))

    tasks: list[Callable[[], object]] = [
        *(partial(extend, opened) for opened in sessions * 2),
        *(partial(end, opened) for opened in sessions * 2),
        *(partial(initiate, books, asking(account_id, price), line(books)) for _ in range(3)),
        *(
            partial(ledger_service.credit, books.engine, books.clock, number, UNIT, f"k{at % 2}", "test")
            for at in range(4)
        ),
    ]
    at_once(tasks)
    balance_micros, held_micros = books.money(account_id)
    assert balance_micros - held_micros >= 0
    assert 0 <= balance_micros <= 4 * UNIT
    books.assert_sound()
