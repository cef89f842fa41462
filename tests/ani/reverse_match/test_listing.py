"""Listings: loaded from a supplier's file, superseded when the line says something new, never lost."""

import csv
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import Engine

from ani.importing import Source
from ani.reverse_match import service, store
from ani.reverse_match.listing import Identity, Listing, absorb, is_same_customer
from runtime.csv_import import CsvFileError, ImportResult, RejectFile
from runtime.database import reading, rehearsing, transaction
from tests.clock import SettableClock

LINE = "+16045550123"
HEADER = "ani,first_name,last_name,address,postal_code"


def identity(first: str, last: str, address: str = "", postal_code: str = "", source: str = "acme") -> Identity:
    return Identity(LINE, first, last, address, postal_code, "CA", source)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("Ana", "Lee"), ("ANA", "lee"), True),
        (("", "Lee"), ("Ana", "Lee"), True),
        (("Ana", ""), ("Ana", "Lee"), True),
        (("Ana", "Lee"), ("Ana", "Roe"), False),
        (("Ana", "Lee"), ("Eve", "Lee"), False),
        (("Ana", ""), ("", "Lee"), False),
        (("", ""), ("", ""), False),
    ],
)
def test_who_is_the_same_customer(one: tuple[str, str], other: tuple[str, str], same: bool) -> None:
    assert is_same_customer(identity(*one), identity(*other)) is same
    assert is_same_customer(identity(*other), identity(*one)) is same


def test_a_partial_record_does_not_supersede_a_fuller_one() -> None:
    full = identity("Ana", "Lee", "1 Main St", "V5K")
    assert absorb(full, identity("", "Lee", source="other")) is full


def test_gaps_are_filled_but_no_old_postal_code_is_put_beside_a_new_address() -> None:
    full = identity("Ana", "Lee", "1 Main St", "V5K")
    assert absorb(identity("", "Lee"), full) == full
    assert absorb(full, identity("", "Lee", "2 Oak St")) == identity("Ana", "Lee", "2 Oak St")
    assert absorb(full, identity("Eve", "Roe")) == identity("Eve", "Roe")


def test_of_a_name_written_last_name_first_the_fuller_form_is_kept() -> None:
    caller, full = identity("SMITH", "J"), identity("John", "Smith")
    assert absorb(caller, full) == full
    assert absorb(full, caller) is full
    assert absorb(identity("SMITH JOHN", "A"), full) == identity("SMITH JOHN", "A")


TEXT = st.sampled_from(["", "Ana", "ana", "Lee", "Roe"])
IDENTITY = st.builds(identity, TEXT, TEXT, st.sampled_from(["", "1 Main St", "2 Oak St"]), st.sampled_from(["", "V5K"]))


@given(IDENTITY, IDENTITY)
def test_the_same_record_again_adds_nothing(current: Identity, newer: Identity) -> None:
    known = absorb(current, newer)
    assert absorb(known, known) == known
    assert absorb(known, newer) == known


def test_good_rows_are_kept_and_bad_ones_told(
    engine: Engine, clock: SettableClock, csv_source: Callable[..., Source]
) -> None:
    source = csv_source(
        HEADER,
        "(604) 555-0123,Ana,Lee,1 Main St,V5K 0A1",
        "anonymous,Eve,Roe,,",
        "6045550124,,,2 Oak St,",
        f"6045550125,{'x' * 81},Roe,,",
        "6045550126,Eve,Roe,,,",
        "6045550127,Bob,Roe,,",
    )
    assert service.import_listings(engine, clock, source, "acme") == ImportResult(2, 4, 0)
    with reading(engine) as conn:
        found = store.current_listing(conn, LINE)
        assert store.current_listing(conn, "+16045550124") is None
    assert found is not None
    assert found.identity == identity("Ana", "Lee", "1 Main St", "V5K 0A1")
    assert (found.valid_from_at, found.valid_until_at) == (clock.now(), None)
    with source.rejects.path.open(newline="") as text:
        assert [(row["line"], row["reason"]) for row in csv.DictReader(text)] == [
            ("3", "ani: not a telephone number"),
            ("4", "last_name: neither first nor last name"),
            ("5", "first_name: 81 characters, at most 80"),
            ("6", "6 cells, the header has 5"),
        ]


def test_loading_again_changes_nothing_and_news_supersede(
    engine: Engine, clock: SettableClock, csv_source: Callable[..., Source]
) -> None:
    lines = (HEADER, "6045550123,Ana,Lee,1 Main St,", "6045550124,Eve,Roe,,", "6045550125,Bob,Roe,,")
    first_at = clock.now()
    assert service.import_listings(rehearsing(engine), clock, csv_source(*lines), "acme") == ImportResult(3, 0, 0)
    assert service.import_listings(engine, clock, csv_source(*lines), "acme") == ImportResult(3, 0, 0)
    assert service.import_listings(engine, clock, csv_source(*lines), "acme") == ImportResult(0, 0, 3)
    clock.advance(3600)
    moved = (HEADER, "6045550123,,Lee,2 Oak St,", "6045550124,,Roe,,", "6045550125,Zoe,Poe,,")
    assert service.import_listings(engine, clock, csv_source(*moved), "other") == ImportResult(2, 0, 1)
    assert service.import_listings(engine, clock, csv_source(*moved), "other") == ImportResult(0, 0, 3)
    before, now = service.listings_of(engine, LINE)
    assert (before.identity.address, before.valid_from_at, before.valid_until_at) == (
        "1 Main St",
        first_at,
        first_at + timedelta(hours=1),
    )
    assert now.identity == identity("Ana", "Lee", "2 Oak St", source="other")
    assert now.valid_until_at is None


def test_a_line_twice_in_a_file_is_loaded_once(
    sqlite_engine: Engine, clock: SettableClock, csv_source: Callable[..., Source]
) -> None:
    lines = (HEADER, "6045550123,Ana,Lee,,", "+16045550123,Ana,Lee,,", "604 555 0123,Eve,Roe,,")
    assert service.import_listings(sqlite_engine, clock, csv_source(*lines), "acme") == ImportResult(1, 1, 1)
    assert service.import_listings(sqlite_engine, clock, csv_source(*lines), "acme") == ImportResult(0, 1, 2)
    assert len(service.listings_of(sqlite_engine, LINE)) == 1


def test_a_file_without_the_number_is_refused(
    sqlite_engine: Engine, clock: SettableClock, csv_source: Callable[..., Source]
) -> None:
    with pytest.raises(CsvFileError, match="no column for ani"):
        service.import_listings(sqlite_engine, clock, csv_source("phone,last_name", "6045550123,Lee"), "acme")


def test_the_database_itself_refuses_two_listings_that_hold(engine: Engine, clock: SettableClock) -> None:
    with pytest.raises(sa.exc.IntegrityError), transaction(engine) as conn:
        store.insert_listings(
            conn, [Listing(one, clock.now(), None) for one in (identity("Ana", "Lee"), identity("Eve", "Roe"))]
        )


def test_two_imports_side_by_side_leave_one_listing(
    engine: Engine,
    clock: SettableClock,
    csv_source: Callable[..., Source],
    side_by_side: Callable[[int, Callable[[], None]], None],
) -> None:
    path = csv_source(HEADER, *(f"60455501{at:02d},Ana,Lee,," for at in range(20))).path

    def load() -> None:
        service.import_listings(
            engine, clock, Source(path, RejectFile(path.with_suffix(".none")), batch_rows=3), "acme"
        )

    side_by_side(3, load)
    assert len(service.listings_of(engine, "+16045550100")) == 1
