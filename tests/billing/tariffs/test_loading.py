"""Loading long tariff files bit by bit: interrupted, resumed, refused, seen by a book that runs."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from billing.operators.tables import operator
from billing.rating import Context, Rate, price_micros
from billing.tariffs import store
from billing.tariffs.book import service as book_service
from billing.tariffs.loading import service as loading
from billing.tariffs.loading.service import BadRowsError, Loaded, load_file
from billing.tariffs.service import Deck, Imported, RateBook, TariffImport
from billing.tariffs.tariff import Changes, ImportRefusal, RateRefusal
from runtime.csv_import import RejectFile
from runtime.database import reading, transaction
from runtime.faults import BusyError
from tests.clock import SettableClock

HEADER = "prefix,destination,price_per_minute,connect_fee,increments,service,per,time_zone,bands\n"


@pytest.fixture(autouse=True)
def _operator(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with transaction(engine) as conn:
        conn.execute(sa.insert(operator).values(code="acme", name="Acme", currency="USD", home_country="US"))
    monkeypatch.setattr(loading, "ROWS_AT_ONCE", 10)


@pytest.fixture
def deck(tmp_path: Path) -> Deck:
    path = tmp_path / "deck.csv"
    rows = [f"{1000 + number},place {number % 3},0.0{number % 7 + 1},,60/6,,,," for number in range(35)]
    rows += ['44,United Kingdom,0.06,,1/1,,,Europe/London,"mo-fr 18:00-08:00 50%"', "video,films,0.10,,1/1,data,MB,,"]
    path.write_text(HEADER + "\n".join(rows) + "\n")
    return Deck(path, "USD")


def load(engine: Engine, clock: SettableClock, deck: Deck, **more: object) -> Loaded:
    wanted = TariffImport(1, "standard", "USD", None, "deck.csv")
    with RejectFile(RejectFile.beside(deck.path)) as rejects:
        return load_file(engine, clock, wanted, deck, rejects, **more)  # type: ignore[arg-type]  # any option


def must(loaded: Loaded) -> Imported:
    assert isinstance(loaded.answer, Imported)
    return loaded.answer


def test_a_file_is_loaded_with_its_terms_and_services(engine: Engine, clock: SettableClock, deck: Deck) -> None:
    imported = must(load(engine, clock, deck))
    assert (imported.changes, imported.version.rates) == (Changes(37, 0, 0, 0), 37)
    book = RateBook(engine, clock)
    london = book.rate_for(imported.tariff.id, "+442079460000", clock.now())
    assert isinstance(london, Rate)
    monday = clock.now().replace(year=2027, month=3, day=1, hour=19)
    assert price_micros(london, 60_000, Context(monday)) == 30_000
    films = book.rate_for(imported.tariff.id, "video.hd", clock.now(), "data")
    assert isinstance(films, Rate)
    assert price_micros(films, 1_000_000) == 100_000
    assert book.rate_for(imported.tariff.id, "music", clock.now(), "data") is RateRefusal.UNPRICED
    assert book.rate_for(imported.tariff.id, "+442079460000", clock.now(), "message") is RateRefusal.UNPRICED
    with reading(engine) as conn:
        assert store.rate_of_session(conn, imported.version.id, "44") == london
        assert store.rate_of_session(conn, imported.version.id, "video", "data") == films


def test_an_interrupted_load_is_seen_by_nobody_and_goes_on_where_it_was(
    engine: Engine, clock: SettableClock, deck: Deck, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_rates = store.add_rates
    calls: Iterator[int] = iter(range(100))

    def dies(*arguments: object) -> int:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return add_rates(*arguments)  # type: ignore[arg-type]  # what add_rates was called with

    monkeypatch.setattr(store, "add_rates", dies)
    with pytest.raises(KeyboardInterrupt):
        load(engine, clock, deck)
    monkeypatch.setattr(store, "add_rates", add_rates)
    with reading(engine) as conn:
        assert store.versions(conn) == []
    assert RateBook(engine, clock).rate_for(1, "+1000", clock.now()) is RateRefusal.UNPRICED
    loaded = load(engine, clock, deck)
    assert (loaded.resumed, loaded.rates) == (20, 37)
    with reading(engine) as conn:
        assert len(store.rates_of_version(conn, must(loaded).version.id)) == 37


def test_the_same_file_again_changes_nothing_and_leaves_nothing(
    engine: Engine, clock: SettableClock, deck: Deck
) -> None:
    must(load(engine, clock, deck))
    assert load(engine, clock, deck).answer is ImportRefusal.UNCHANGED
    deck.path.write_text(
        deck.path.read_text().replace("1000,place 0,0.01", "1000,place 0,0.99").replace("1001,", "2001,")
    )
    changed = must(load(engine, clock, deck))
    assert changed.changes == Changes(1, 1, 1, 35)
    with reading(engine) as conn:
        assert [version.number for version in store.versions(conn)] == [1, 2]
        assert store.staged_before(conn, changed.tariff.id, clock.now() + timedelta(days=1)) == []


def test_a_file_with_bad_rows_is_loaded_without_them_or_not_at_all(
    engine: Engine, clock: SettableClock, deck: Deck
) -> None:
    with deck.path.open("a") as file:
        file.write("44,again,0.01,,,,,,\n45,,cheap,,,,,,\n46,,0.01,,,,,,mo-fr 0.01\n")
    with pytest.raises(BadRowsError):
        load(engine, clock, deck, whole=True)
    with reading(engine) as conn:
        assert store.versions(conn) == []
    loaded = load(engine, clock, deck)
    assert (loaded.rates, loaded.rejected, loaded.resumed) == (37, 3, 0)
    reasons = RejectFile.beside(deck.path).read_text()
    assert "44 is in this file already" in reasons
    assert "time_zone: a name such as Europe/Berlin is needed" in reasons


def test_two_that_load_one_file_do_not_mix(
    engine: Engine, clock: SettableClock, deck: Deck, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_rates = store.add_rates

    def comes_second(conn: sa.Connection, version_id: int, rates: list[Rate]) -> int:
        return add_rates(conn, version_id, [*rates, rates[0]])

    monkeypatch.setattr(store, "add_rates", comes_second)
    with pytest.raises(BusyError):
        load(engine, clock, deck)


def test_usual_values_fill_empty_cells(engine: Engine, clock: SettableClock, deck: Deck) -> None:
    usual = Deck(deck.path, "USD", usual={"connect_fee": "0.05", "rounding": "up 2"})
    imported = must(load(engine, clock, usual))
    with reading(engine) as conn:
        rate = store.rate_of_session(conn, imported.version.id, "1000")
    assert rate.connect_fee_micros == 50_000
    assert price_micros(rate, 1_000) == 60_000


def test_a_large_version_is_read_beside_the_calls(
    engine: Engine, clock: SettableClock, deck: Deck, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book_service, "LARGEST_READ_AT_ONCE", 5)
    tariff_id = must(load(engine, clock, deck)).tariff.id
    book = RateBook(engine, clock)
    before = book.rate_for(tariff_id, "+442079460000", clock.now())
    deck.path.write_text(deck.path.read_text().replace("0.06", "0.07"))
    must(load(engine, clock, deck))
    clock.advance(5)
    assert book.rate_for(tariff_id, "+442079460000", clock.now()) in {before, _dearer(before)}
    assert book.wait(30)
    assert book.rate_for(tariff_id, "+442079460000", clock.now()) == _dearer(before)


def _dearer(rate: Rate | RateRefusal) -> Rate:
    assert isinstance(rate, Rate)
    return replace(rate, tariff_version_id=2, price_per_minute_micros=70_000)
