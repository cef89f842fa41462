"""Loading tariffs and asking for prices, on SQLite and PostgreSQL."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

import billing.tariffs
from billing.operators.tables import operator
from billing.rating import Rate
from billing.tariffs import service, store
from billing.tariffs.service import Imported, RateBook, TariffImport, import_tariff, price_of_number, read_tariff_file
from billing.tariffs.tariff import Changes, ImportRefusal, RateRefusal
from runtime.csv_import import ImportResult, RejectFile
from runtime.database import reading, rehearsing, transaction
from runtime.faults import NotFoundError, StaffError
from tests.clock import SettableClock

SAMPLE = Path(str(billing.tariffs.__file__)).with_name("sample.csv")
US = "+12125550100"


def make_rate(prefix: str, minute: int = 21_000, *, blocked: bool = False) -> Rate:
    return Rate(0, prefix, f"to {prefix}", "USD", minute, 0, 0, 60, 6, blocked)


def add_operator(engine: Engine, code: str = "acme") -> int:
    with transaction(engine) as conn:
        statement = sa.insert(operator).values(code=code, name="Acme", currency="USD", home_country="US")
        return int(conn.execute(statement.returning(operator.c.id)).scalar_one())


def load(
    engine: Engine,
    clock: SettableClock,
    rates: Sequence[Rate],
    *,
    operator_id: int = 1,
    at: datetime | None = None,
    currency: str = "USD",
) -> Imported | ImportRefusal:
    return import_tariff(engine, clock, TariffImport(operator_id, "standard", currency, at, "deck.csv"), rates)


def must(imported: Imported | ImportRefusal) -> Imported:
    assert isinstance(imported, Imported)
    return imported


def minute_price(rate: Rate | RateRefusal) -> int | RateRefusal:
    return rate.price_per_minute_micros if isinstance(rate, Rate) else rate


@pytest.fixture(autouse=True)
def _operator(engine: Engine) -> None:
    add_operator(engine)


def test_an_import_makes_a_whole_version(engine: Engine, clock: SettableClock) -> None:
    first = must(load(engine, clock, [make_rate("1"), make_rate("44"), make_rate("1900", blocked=True)]))
    assert first.changes == Changes(3, 0, 0, 0)
    second = must(load(engine, clock, [make_rate("1", 30_000), make_rate("1900", blocked=True)]))
    assert (second.version.number, second.changes) == (2, Changes(0, 1, 1, 1))
    with reading(engine) as conn:
        assert [version.rates for version in store.versions(conn, first.tariff.id)] == [3, 2]
        assert store.rates_of_version(conn, first.version.id)[0].tariff_version_id == first.version.id
        assert store.rate_of_session(conn, first.version.id, "44").price_per_minute_micros == 21_000
        assert store.rate_of_session(conn, second.version.id, "1900").blocked is True
        with pytest.raises(LookupError):
            store.rate_of_session(conn, second.version.id, "44")


def test_an_import_that_cannot_be_is_refused_and_leaves_nothing(engine: Engine, clock: SettableClock) -> None:
    assert load(engine, clock, []) is ImportRefusal.EMPTY
    past = clock.now() - timedelta(microseconds=1)
    assert load(engine, clock, [make_rate("1")], at=past) is ImportRefusal.PAST
    must(load(engine, clock, [make_rate("1")]))
    assert load(engine, clock, [make_rate("1")]) is ImportRefusal.UNCHANGED
    assert load(engine, clock, [make_rate("2")], currency="EUR") is ImportRefusal.CURRENCY
    with reading(engine) as conn:
        assert len(store.versions(conn)) == 1


def test_a_rehearsed_import_changes_nothing(engine: Engine, clock: SettableClock) -> None:
    assert must(load(rehearsing(engine), clock, [make_rate("1")])).changes == Changes(1, 0, 0, 0)
    with reading(engine) as conn:
        assert store.list_tariffs(conn) == []


def test_imports_at_the_same_time_get_numbers_of_their_own(engine: Engine, clock: SettableClock) -> None:
    must(load(engine, clock, [make_rate("1", 1)]))
    gate = threading.Barrier(4)

    def run(price: int) -> int:
        gate.wait(10)
        return must(load(engine, clock, [make_rate("1", price)])).version.number

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(run, range(2, 6))) == [2, 3, 4, 5]


def test_the_price_of_a_number_says_what_was_considered(engine: Engine, clock: SettableClock) -> None:
    tariff_id = must(load(engine, clock, [make_rate("1"), make_rate("1900", blocked=True)])).tariff.id
    with reading(engine) as conn:
        answer = price_of_number(conn, tariff_id, "+19005550100", clock.now())
        assert answer.answer is RateRefusal.BLOCKED
        assert [rate.prefix for rate in answer.considered] == ["1900", "1"]
        assert minute_price(price_of_number(conn, tariff_id, US, clock.now()).answer) == 21_000
        before = clock.now() - timedelta(seconds=1)
        assert price_of_number(conn, tariff_id, US, before).answer is RateRefusal.UNPRICED


def test_the_book_sees_a_new_version_after_its_refresh(engine: Engine, clock: SettableClock) -> None:
    book = RateBook(engine, clock, refresh_s=5)
    assert book.rate_for(1, US, clock.now()) is RateRefusal.UNPRICED
    tariff_id = must(load(engine, clock, [make_rate("1")])).tariff.id
    assert book.rate_for(tariff_id, US, clock.now()) is RateRefusal.UNPRICED
    clock.advance(5)
    assert minute_price(book.rate_for(tariff_id, US, clock.now())) == 21_000
    assert book.rate_for(tariff_id, "+442079460000", clock.now()) is RateRefusal.UNPRICED


def test_a_version_loaded_ahead_begins_at_its_moment_without_asking_the_database(
    engine: Engine, clock: SettableClock
) -> None:
    must(load(engine, clock, [make_rate("1", 1)]))
    begins = clock.now() + timedelta(hours=1)
    tariff_id = must(load(engine, clock, [make_rate("1", 2)], at=begins)).tariff.id
    book = RateBook(engine, clock, refresh_s=10_000)
    assert minute_price(book.rate_for(tariff_id, US, begins - timedelta(microseconds=1))) == 1
    statements: list[str] = []
    sa.event.listen(engine, "begin", lambda conn: statements.append("begin"))
    assert minute_price(book.rate_for(tariff_id, US, begins)) == 2
    assert minute_price(book.rate_for(tariff_id, US, begins - timedelta(seconds=1))) == 1
    assert statements == []


def test_the_book_still_knows_the_version_before(engine: Engine, clock: SettableClock) -> None:
    before = clock.now()
    must(load(engine, clock, [make_rate("1", 1)]))
    clock.advance(60)
    tariff_id = must(load(engine, clock, [make_rate("1", 2)])).tariff.id
    book = RateBook(engine, clock)
    assert minute_price(book.rate_for(tariff_id, US, clock.now())) == 2
    assert minute_price(book.rate_for(tariff_id, US, before)) == 1


def test_the_book_and_the_tables_answer_alike(engine: Engine, clock: SettableClock, tmp_path: Path) -> None:
    with RejectFile(tmp_path / "rejects.csv") as rejects:
        rates, result = read_tariff_file(SAMPLE, {}, "USD", rejects)
    assert result == ImportResult(len(rates), 0)
    tariff_id = must(load(engine, clock, rates)).tariff.id
    book = RateBook(engine, clock)
    numbers = [US, "+19005550100", "+442079460000", "+447700900123", "+4915112345678", "+5215512345678", "+88123456789"]
    with reading(engine) as conn:
        for number in (*numbers, "+999", "+7", "+33142685300"):
            told = book.rate_for(tariff_id, number, clock.now())
            assert told == price_of_number(conn, tariff_id, number, clock.now()).answer
    assert book.rate_for(tariff_id, "+88123456789", clock.now()) is RateRefusal.BLOCKED


def test_many_threads_share_a_book_while_versions_come(engine: Engine, clock: SettableClock) -> None:
    tariff_id = must(load(engine, clock, [make_rate("1", 1)])).tariff.id
    book = RateBook(engine, clock, refresh_s=0)
    stop = threading.Event()

    def ask(_: int) -> set[int | RateRefusal]:
        told = set()
        while not stop.is_set():
            told.add(minute_price(book.rate_for(tariff_id, US, clock.now())))
        return told

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask, number) for number in range(4)]
        for price in range(2, 6):
            must(load(engine, clock, [make_rate("1", price)]))
        stop.set()
        told = set().union(*(one.result(30) for one in asking))
    assert told <= {1, 2, 3, 4, 5}
    assert minute_price(book.rate_for(tariff_id, US, clock.now())) == 5


def test_the_owner_of_a_tariff_must_be_clear(engine: Engine, clock: SettableClock) -> None:
    with reading(engine) as conn:
        owner = service.find_owner(conn, None)
        assert (owner.code, owner.home_country) == ("acme", "US")
        with pytest.raises(NotFoundError, match="nobody"):
            service.find_owner(conn, "nobody")
        with pytest.raises(NotFoundError, match="standard"):
            service.find_tariff(conn, owner, "standard")
    add_operator(engine, "zenith")
    with reading(engine) as conn, pytest.raises(StaffError, match="acme, zenith"):
        service.find_owner(conn, None)


def test_bad_rows_are_put_aside_with_line_and_reason(tmp_path: Path, engine: Engine) -> None:
    deck = tmp_path / "deck.csv"
    deck.write_text("Code,price_per_minute\n1,0.02\n44,cheap\n1,0.03\n33,0.018\n,1\n")
    with RejectFile(tmp_path / "rejects.csv") as rejects:
        rates, result = read_tariff_file(deck, {"code": "prefix"}, "USD", rejects)
    assert [rate.prefix for rate in rates] == ["1", "33"]
    assert result == ImportResult(2, 3)
    assert (tmp_path / "rejects.csv").read_text().splitlines() == [
        "line,reason,Code,price_per_minute",
        "3,price_per_minute: not a decimal amount such as 12.34,44,cheap",
        "4,prefix: 1 is in this file already,1,0.03",
        "6,prefix: one to fifteen digits are needed,,1",
    ]


def test_moments_are_kept_in_utc(engine: Engine, clock: SettableClock) -> None:
    at = datetime(2027, 1, 1, tzinfo=UTC)
    version = must(load(engine, clock, [make_rate("1")], at=at)).version
    with reading(engine) as conn:
        assert store.versions(conn, version.tariff_id)[0].effective_at == at
