"""Files of a region: their formats, their dates, and taken up where a run was cut off."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Engine

from ani.importing import Source
from ani.numbers import Ani, parse_ani, parse_listed
from ani.reverse_match import service, store
from ani.reverse_match.listing import Identity, Listing, Report, Standard, Standing, succeed
from ani.reverse_match.loading import service as loading
from runtime.csv_import import ImportResult, RejectFile
from tests.clock import SettableClock

LINE = "+16045550123"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
Make = Callable[..., Source]


def test_formats_with_and_without_address(sqlite_engine: Engine, clock: SettableClock, csv_source: Make) -> None:
    whole = csv_source(
        "Phone,name,street,city,region,postal_code,line_type", '604-555-0123,"Lee, Ana",1 Main St,Burnaby,BC,V5K,Mobile'
    )
    source = Source(whole.path, whole.rejects, {"phone": "ani"}, "CA")
    assert service.import_listings(sqlite_engine, clock, source, "acme") == ImportResult(1, 0, 0)
    expected = Identity(LINE, "Ana", "Lee", "1 Main St, Burnaby, BC", "V5K", "CA", "acme", "mobile")
    assert [found.identity for found in service.listings_of(sqlite_engine, LINE)] == [expected]
    # A carrier that knows the name alone adds nothing, and says that it still holds.
    clock.advance(86_400)
    bare = csv_source("ani,last_name", "6045550123,LEE")
    assert service.import_listings(sqlite_engine, clock, bare, "carrier") == ImportResult(0, 0, 1)
    held = service.listings_of(sqlite_engine, LINE)[-1]
    assert (held.identity, held.seen_at) == (expected, clock.now())


def test_effective_dates_make_the_history_whatever_the_order(
    engine: Engine, clock: SettableClock, csv_source: Make
) -> None:
    clock.advance(NOW.timestamp() - clock.now().timestamp())
    source = csv_source(
        "ani,last_name,effective_on,ends_on",
        "6045550123,Lee,2020-03-01,",
        "6045550123,Roe,2024-05-01,",
        "6045550124,Poe,2020-01-01,",
        "6045550124,Poe,2020-01-01,2025-01-01",
        "6045550123,Old,2015-01-01,",
        "6045550125,Moe,2031-01-01,",
        "6045550125,Moe,2024-02-31,",
    )
    assert service.import_listings(engine, clock, source, "acme") == ImportResult(4, 2, 1)
    lee, roe = service.listings_of(engine, LINE)
    moved_at = datetime(2024, 5, 1, tzinfo=UTC)
    assert (lee.identity.last_name, lee.valid_until_at, lee.changed_hands_at) == ("Lee", moved_at, None)
    assert (roe.identity.last_name, roe.valid_until_at, roe.changed_hands_at) == ("Roe", None, moved_at)
    assert service.listings_of(engine, "+16045550124")[-1].valid_until_at == datetime(2025, 1, 1, tzinfo=UTC)


HEADER = "ani,last_name,effective_on,ends_on"
RAY, RAY_ENDS = f"{LINE},Ray,2025-01-01,", f"{LINE},Ray,2025-01-01,2026-02-01"
ZED = f"{LINE},Zed,2026-03-01,"


@pytest.mark.parametrize("batch_rows", [1, 10])
def test_who_comes_after_a_line_was_given_up_has_it_newly(
    engine: Engine, clock: SettableClock, csv_source: Make, batch_rows: int
) -> None:
    clock.advance(NOW.timestamp() - clock.now().timestamp())
    source = csv_source(HEADER, RAY, RAY_ENDS, ZED, batch_rows=batch_rows)
    assert service.import_listings(engine, clock, source, "acme") == ImportResult(3, 0, 0)
    ray, zed = service.listings_of(engine, LINE)
    march = datetime(2026, 3, 1, tzinfo=UTC)
    assert (ray.valid_until_at, ray.changed_hands_at) == (datetime(2026, 2, 1, tzinfo=UTC), None)
    assert (zed.valid_from_at, zed.changed_hands_at) == (march, march)
    # loaded again it changes nothing, and neither does what began before
    again = csv_source(HEADER, RAY, RAY_ENDS, ZED, f"{LINE},Old,2015-01-01,", batch_rows=batch_rows)
    assert service.import_listings(engine, clock, again, "acme") == ImportResult(0, 0, 4)


def test_who_comes_back_has_it_as_before(engine: Engine, clock: SettableClock, csv_source: Make) -> None:
    clock.advance(NOW.timestamp() - clock.now().timestamp())
    back = f"{LINE},RAY,2026-03-01,"
    for rows in ((RAY,), (RAY_ENDS,), (RAY,), (f"{LINE},Old,2015-01-01,",), (back,)):
        service.import_listings(engine, clock, csv_source(HEADER, *rows), "acme")
    first, again = service.listings_of(engine, LINE)
    assert (first.valid_until_at, again.valid_from_at, again.changed_hands_at) == (
        datetime(2026, 2, 1, tzinfo=UTC),
        datetime(2026, 3, 1, tzinfo=UTC),
        None,
    )


def test_a_run_that_is_cut_off_goes_on_where_it_stood(
    engine: Engine, clock: SettableClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.csv"
    rows = [f"60455501{at:02d},Lee" if at % 10 else "none,Lee" for at in range(40)]
    path.write_text("\n".join(("ani,last_name", *rows)) + "\n")

    def load() -> ImportResult:
        return service.import_listings(
            engine, clock, Source(path, RejectFile(RejectFile.beside(path)), batch_rows=8), "acme"
        )

    written, true_insert = 0, store.insert_listings

    def insert(*arguments: object) -> None:
        nonlocal written
        written += 1
        if written == 4:
            raise KeyboardInterrupt
        true_insert(*arguments)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(store, "insert_listings", insert)
    with pytest.raises(KeyboardInterrupt):
        load()
    (cut,) = loading.imports(engine, 10)
    assert (cut.rows_read, cut.finished_at) == (24, None)
    parsed: list[str] = []
    true_parse = loading.parse_report

    def parse(fields: dict[str, str], *rest: object) -> Report:
        parsed.append(fields["ani"])
        return true_parse(fields, *rest)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(loading, "parse_report", parse)
    assert load() == ImportResult(36, 4, 0)
    assert len(parsed) == 16
    assert RejectFile.beside(path).read_text().count("not a telephone number") == 4
    assert [one.finished_at for one in loading.imports(engine, 10)] == [clock.now()]
    assert load() == ImportResult(0, 4, 36)
    assert len(loading.imports(engine, 10)) == 2


NUMBER = st.from_regex(r"(\+1)?[2-9][0-9]{2}[2-9][0-9]{6}", fullmatch=True)


@settings(max_examples=150)
@given(NUMBER, st.sampled_from(["US", "CA", "DE"]))
def test_the_short_way_to_a_number_ends_where_the_long_one_does(number: str, home: str) -> None:
    found = parse_ani(number, home)
    assert parse_listed(number, home) == (found if isinstance(found, Ani) else None)


def test_what_a_listing_is_worth() -> None:
    ana = Identity(LINE, "Ana", "Lee", "", "", "CA", "acme")
    standard = Standard(needs_address=True, valid_for=timedelta(days=60))
    assert standard.standing(None, NOW) is Standing.MISSING
    assert standard.standing(Listing(ana, NOW, None), NOW) is Standing.INSUFFICIENT
    seen = Listing(ana, NOW, None, NOW)
    assert Standard().standing(seen, NOW + timedelta(days=60)) is Standing.HELD
    assert Standard().standing(seen, NOW + timedelta(days=61)) is Standing.OLD


def test_a_line_that_changes_hands_says_since_when() -> None:
    def of(last: str, held: Listing | None, day: int) -> Listing:
        found = succeed(
            held, Report(Identity(LINE, "", last, "", "", "CA", "acme")), datetime(2026, 1, day, tzinfo=UTC)
        )
        assert isinstance(found, Listing)
        return found

    lee = of("Lee", None, 1)
    roe = of("Roe", lee, 2)
    assert (lee.changed_hands_at, roe.changed_hands_at) == (None, datetime(2026, 1, 2, tzinfo=UTC))
    named = succeed(roe, Report(Identity(LINE, "Eve", "Roe", "", "", "CA", "acme")), datetime(2026, 1, 3, tzinfo=UTC))
    assert isinstance(named, Listing)
    assert named.changed_hands_at == roe.changed_hands_at
