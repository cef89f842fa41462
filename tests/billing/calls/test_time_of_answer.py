"""A call has the prices of the moments it talked in, not of those it rang in."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.engine import Engine

from billing.calls import service
from billing.calls.call import Authorised, Extended
from billing.fraud import service as fraud
from billing.fraud.rules.fraud import Limits
from billing.rating import Rate
from billing.tariffs import service as tariff_service
from billing.tariffs.book.service import RateBook
from billing.tariffs.service import Imported, TariffImport
from billing.tariffs.tariff import read_rate
from tests.billing.books import UNIT, Books
from tests.clock import SettableClock

EVENING = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)
MORNING = EVENING + timedelta(hours=14)
RING_S = 45


@pytest.fixture
def books(engine: Engine, clock: SettableClock) -> Books:
    clock.set(EVENING - timedelta(hours=1))
    return Books(engine, clock)


def rate(books: Books, rule: str = "split", **more: str) -> Rate:
    """One unit a minute by seconds, a tenth of it from 18:00 to 08:00."""
    fields = dict.fromkeys(("destination", "connect_fee", "minimum_s", "blocked"), "") | {
        "prefix": "33",
        "price_per_minute": "1.00",
        "increments": "1",
        "time_zone": "UTC",
        "bands": "daily 18:00-08:00 0.10",
        "band_rule": rule,
        **more,
    }
    job = TariffImport(books.operator_id, f"{rule}{len(more)}", "USD", None, "test")
    made = tariff_service.import_tariff(books.engine, books.clock, job, [read_rate(fields, "USD")])
    assert isinstance(made, Imported)
    books.clock.advance(1)
    found = RateBook(books.engine, books.clock).rate_for(made.tariff.id, "+33123456789", books.clock.now())
    assert isinstance(found, Rate)
    return found


def ring(books: Books, account_id: int, price: Rate, at: datetime, **changes: object) -> str:
    books.clock.set(at)
    call_id = books.call()
    answer = books.authorise(books.asking(call_id, account_id, price, valid_for=timedelta(seconds=RING_S), **changes))
    assert isinstance(answer, Authorised), answer
    return call_id


def more(books: Books, call_id: str, number: int, wanted_ms: int, used_ms: int) -> Extended:
    answer = service.extend(books.engine, books.clock, call_id, number, wanted_ms, used_ms=used_ms)
    assert isinstance(answer, Extended)
    return answer


@pytest.mark.parametrize(("rule", "charged_micros"), [("split", 700_000), ("start", UNIT), ("increment", 700_000)])
def test_a_call_answered_at_once_is_charged_as_it_was_quoted(books: Books, rule: str, charged_micros: int) -> None:
    account_id = books.account(10 * UNIT)
    call_id = ring(books, account_id, rate(books, rule), EVENING - timedelta(seconds=40))
    books.clock.advance(60)
    assert books.settle(call_id, 60_000).charged_micros == charged_micros
    books.assert_sound()


@pytest.mark.parametrize("rule", ["split", "start", "increment"])
def test_ringing_is_no_talk_for_the_calendar(books: Books, rule: str) -> None:
    account_id = books.account(10 * UNIT)
    call_id = ring(books, account_id, rate(books, rule), EVENING - timedelta(seconds=40))
    books.clock.advance(RING_S)
    books.clock.advance(60)
    record = books.settle(call_id, 60_000)
    assert (record.billed_ms, record.charged_micros) == (60_000, UNIT // 10)
    assert "total 0.10 USD" in service.explain(books.engine, call_id).price_steps
    assert books.money(account_id) == (10 * UNIT - UNIT // 10, 0)
    books.assert_sound()


@pytest.mark.parametrize("rule", ["split", "start", "increment"])
def test_the_first_hold_is_enough_for_the_dearest_answer(books: Books, rule: str) -> None:
    """Where the price rises while it rings, all of the dearer price is held, and charged."""
    account_id = books.account(10 * UNIT)
    call_id = ring(books, account_id, rate(books, rule), MORNING - timedelta(seconds=RING_S))
    assert books.money(account_id) == (10 * UNIT, UNIT)
    books.clock.advance(RING_S)
    books.clock.advance(60)
    assert books.settle(call_id, 60_000).charged_micros == UNIT
    books.assert_sound()


def test_nothing_more_is_held_where_no_boundary_is_near(books: Books) -> None:
    account_id, price = books.account(10 * UNIT), rate(books)
    ring(books, account_id, price, MORNING - timedelta(seconds=RING_S + 60))
    assert books.money(account_id) == (10 * UNIT, UNIT // 10)
    books.assert_sound()


def test_an_extension_is_quoted_from_the_answer_and_frees_what_was_held_for_another(books: Books) -> None:
    account_id = books.account(UNIT)
    call_id = ring(books, account_id, rate(books), EVENING - timedelta(seconds=30), wanted_ms=60_000)
    assert books.money(account_id) == (UNIT, 550_000)
    books.clock.advance(RING_S)
    books.clock.advance(50)
    assert not more(books, call_id, 1, 120_000, 50_000).grant.final
    assert books.money(account_id) == (UNIT, 2 * UNIT // 10)
    books.clock.advance(70)
    assert books.settle(call_id, 120_000).charged_micros == 2 * UNIT // 10
    books.assert_sound()


def test_who_has_money_for_one_dear_minute_talks_ten_cheap_ones(books: Books) -> None:
    """The grant before the answer is not the last one, though all his money is held for it."""
    account_id, price = books.account(UNIT // 2), rate(books)
    books.clock.set(EVENING - timedelta(seconds=40))
    call_id = books.call()
    answer = books.authorise(books.asking(call_id, account_id, price, valid_for=timedelta(seconds=RING_S)))
    assert isinstance(answer, Authorised)
    assert (answer.grant.granted_ms, answer.grant.final) == (30_000, False)
    assert books.money(account_id) == (UNIT // 2, UNIT // 2)
    books.clock.advance(RING_S + 20)
    assert more(books, call_id, 1, 240_000, 20_000).grant.granted_ms == 240_000
    last = more(books, call_id, 2, 600_000, 20_000).grant
    assert (last.granted_ms, last.held_micros, last.final) == (300_000, UNIT // 2, True)
    books.clock.advance(280)
    assert books.settle(call_id, 300_010).charged_micros == UNIT // 2
    assert books.money(account_id) == (0, 0)
    books.assert_sound()


def test_calls_on_one_account_are_weighed_by_their_answers(books: Books) -> None:
    """One answered in the evening needs little of what they share, whatever was held while it rang."""
    account_id, price = books.account(2 * UNIT), rate(books)
    one = ring(books, account_id, price, EVENING - timedelta(seconds=40))
    other = ring(books, account_id, price, EVENING - timedelta(seconds=20))
    books.clock.advance(30)
    more(books, one, 1, 61_000, 0)
    assert more(books, other, 1, 400_000, 0).grant.granted_ms >= 200_000
    books.clock.advance(60)
    assert books.settle(one, 60_000).charged_micros == UNIT // 10
    assert books.settle(other, 60_000).charged_micros == UNIT // 10
    books.assert_sound()


def test_no_answer_costs_more_than_was_held_nor_takes_an_account_below_zero(books: Books) -> None:
    """Even one that comes later than any ringing, or is told wrongly."""
    account_id = books.account(UNIT // 10)
    call_id = ring(books, account_id, rate(books), EVENING)
    books.clock.set(MORNING + timedelta(hours=1))
    assert books.settle(call_id, 60_000).charged_micros == UNIT // 10
    assert books.money(account_id) == (0, 0)
    books.assert_sound()


def test_a_limit_on_what_is_spent_holds_whenever_the_call_is_answered(books: Books) -> None:
    account_id, price = books.account(10 * UNIT), rate(books)
    limits = Limits(spend_per_call_micros=UNIT // 2)
    fraud.set_account_limits(books.engine, books.clock, books.number(account_id), limits, by="test", note="")
    books.clock.set(MORNING - timedelta(seconds=RING_S))
    call_id = books.call()
    answer = books.authorise(books.asking(call_id, account_id, price, valid_for=timedelta(seconds=RING_S)))
    assert isinstance(answer, Authorised)
    assert answer.cap_ms == 30_000


def test_the_months_of_line_and_account_are_those_of_the_ring(books: Books) -> None:
    """Its talk time was held in that month, so it is used there too."""
    account_id, price = books.account(10 * UNIT), rate(books)
    call_id = ring(books, account_id, price, datetime(2026, 3, 31, 23, 59, 40, tzinfo=UTC))
    books.clock.advance(RING_S + 60)
    assert books.settle(call_id, 60_000).charged_micros == UNIT // 10
    assert books.talk() == (60_000, 0)
    books.assert_sound()
