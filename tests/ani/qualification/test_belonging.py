"""Whose line it is now decides who may prove an age on it: a change of hands ends proofs, and persons of before."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from sqlalchemy.engine import Engine

from ani.importing import Source
from ani.lockout.lockout import Limits
from ani.numbers import Ani
from ani.qualification import service, store
from ani.qualification.belonging import is_of_line
from ani.qualification.qualification import AgeProof, IdentityRecord, StoredRecord
from ani.reverse_match import service as listing_service
from ani.reverse_match.listing import Identity, Listing
from ani.vendor.service import VendorDesk
from runtime.database import reading
from runtime.keys import Pepper
from tests.ani.qualification.test_person import Knowing
from tests.ani.vendor.test_asking import RULES, Scripted
from tests.clock import SettableClock

LINE, SECOND, THIRD = "+12125550101", "+12125550102", "+12125550103"
BEFORE, MOVED, AFTER = (datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3))


class House:
    """Loads listings and persons, and lets callers prove their age."""

    def __init__(self, engine: Engine, clock: SettableClock, pepper: Pepper, files: Callable[..., Source]) -> None:
        self.engine, self.clock, self.pepper, self.files = engine, clock, pepper, files

    def list(self, *rows: str) -> None:
        self.clock.advance(86_400)
        source = self.files("ani,first_name,last_name,ends_on", *rows)
        listing_service.import_listings(self.engine, self.clock, source, "acme")

    def persons(self, *rows: str) -> None:
        source = self.files("ani,first_name,last_name,birth_on,ssn_last_four", *rows)
        service.import_identities(self.engine, self.clock, self.pepper, source, "bureau")

    def proves(self, digits: str, line: str = LINE, desk: VendorDesk | None = None) -> bool:
        checked = service.check_person(
            self.engine,
            self.clock,
            self.pepper,
            Limits(100, 100, 1000, 1000),
            ani=line,
            account_id=None,
            digits=digits,
            minimum_age=18,
            evidence_days=90,
            desk=desk,
        )
        return isinstance(checked.answer, AgeProof)

    def has_proof(self, line: str = LINE) -> bool:
        with reading(self.engine) as conn:
            return store.has_evidence(conn, ani=line, account_id=None, minimum_age=18, now=self.clock.now())


@pytest.fixture
def house(engine: Engine, clock: SettableClock, pepper: Pepper, csv_source: Callable[..., Source]) -> House:
    return House(engine, clock, pepper, csv_source)


def test_a_file_that_names_another_holder_ends_proofs_and_who_gave_them(house: House) -> None:
    house.list(f"{LINE},Ana,Lee,", f"{SECOND},Eve,Roe,", f"{THIRD},Moe,Poe,")
    house.persons(f"{LINE},Ana,Lee,1970-05-01,6789", f"{SECOND},Eve,Roe,1970-05-01,5555")
    assert house.proves("6789")
    assert house.proves("5555", SECOND)
    house.list(f"{LINE},A,LEE,", f"{SECOND},Eve,Roe,", f"{THIRD},Zoe,Zed,")
    assert (house.has_proof(), house.has_proof(SECOND)) == (True, True)
    house.list(f"{LINE},Carl,Foe,", f"{SECOND},Eve,Roe,")
    assert (house.has_proof(), house.has_proof(SECOND)) == (False, True)
    assert not house.proves("6789")
    house.persons(f"{LINE},Carl,Foe,1975-05-01,1234")
    assert house.proves("1234")


def test_a_line_that_is_given_up_ends_them_too(house: House) -> None:
    house.list(f"{LINE},Ana,Lee,")
    house.persons(f"{LINE},Ana,Lee,1970-05-01,6789")
    assert house.proves("6789")
    house.list(f"{LINE},Ana,Lee,{house.clock.now().date()}")
    house.clock.advance(86_400)
    assert not house.has_proof()
    assert not house.proves("6789")
    house.persons(f"{LINE},Carl,Foe,1975-05-01,1234")
    assert house.proves("1234")


def test_a_batch_ends_its_proofs_at_once_and_only_those_of_lines_that_moved(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[list[str]] = []
    monkeypatch.setattr(store, "end_evidence_on", lambda _conn, lines, _at: ended.append(list(lines)))
    house.list(f"{LINE},Ana,Lee,", f"{SECOND},Eve,Roe,")
    house.list(f"{LINE},Carl,Foe,", f"{SECOND},Zoe,Zed,")
    house.list(f"{LINE},Carl,Foe,", f"{SECOND},Zoe,Zed,")
    assert ended == [[], [LINE, SECOND], []]


def test_a_vendor_that_names_another_holder_ends_them(house: House) -> None:
    house.list(f"{LINE},Ana,Lee,")
    house.persons(f"{LINE},Ana,Lee,1970-05-01,6789")
    assert house.proves("6789")
    vendor = Scripted(Identity(LINE, "Carl", "Foe", "", "", "US", "scripted"))
    desk = VendorDesk(house.engine, house.clock, vendor, RULES)
    listing_service.identify(house.engine, house.clock, desk, Ani(LINE, "US"), "c1")
    assert not house.has_proof()
    assert not house.proves("6789")


def test_so_does_one_that_names_who_came_after_the_line_was_given_up(house: House) -> None:
    house.list(f"{LINE},Ana,Lee,")
    house.list(f"{LINE},Ana,Lee,{house.clock.now().date()}")
    vendor = Scripted(Identity(LINE, "Carl", "Foe", "", "", "US", "scripted"))
    desk = VendorDesk(house.engine, house.clock, vendor, RULES)
    found = listing_service.identify(house.engine, house.clock, desk, Ani(LINE, "US"), "c1").listing
    assert found is not None
    assert (found.identity.last_name, found.changed_hands_at) == ("Foe", house.clock.now())


def test_what_the_vendor_says_of_a_former_holders_digits_is_news(house: House) -> None:
    house.list(f"{LINE},Ana,Lee,")
    house.persons(f"{LINE},Ana,Lee,1970-05-01,6789")
    house.list(f"{LINE},Carl,Foe,")
    vendor = Knowing("6789", date(1960, 1, 1))
    desk = VendorDesk(house.engine, house.clock, vendor, RULES)
    assert house.proves("6789", desk=desk)
    assert house.proves("6789")
    assert vendor.asked == 1


def test_a_person_with_another_name_than_the_lines_proves_nothing(house: House) -> None:
    house.persons(f"{LINE},Ana,Lee,1970-05-01,6789", f"{LINE},Bob,Foe,1970-05-01,4321", f"{LINE},,,1970-05-01,1111")
    assert house.proves("6789"), "never listed: there is nothing to compare with"
    house.list(f"{LINE},Carl,Foe,")
    assert [house.proves(digits) for digits in ("6789", "4321", "1111")] == [False, True, True]


def listed(first: str, last: str, *, moved: bool = False, given_up: bool = False) -> Listing:
    until_at = MOVED if given_up else None
    return Listing(Identity(LINE, first, last, "", "", "US", "acme"), BEFORE, until_at, None, MOVED if moved else None)


@pytest.mark.parametrize(
    ("name", "recorded_at", "last", "expected"),
    [
        (("Ana", "Lee"), BEFORE, None, True),
        (("Ana", "Lee"), BEFORE, listed("Ana", "Lee"), True),
        (("Ana", "Lee"), BEFORE, listed("LEE", "ANA"), True),
        (("Ana", "Lee"), BEFORE, listed("", "Lee"), True),
        (("", "Lee"), BEFORE, listed("Ana", ""), True),
        (("Ana", "Lee"), BEFORE, listed("Carl", "Foe"), False),
        # a family has one line
        (("Bob", "Lee"), BEFORE, listed("Ana", "Lee"), True),
        (("Bob", "Lee Jr"), BEFORE, listed("Bob", "Lee Sr"), True),
        (("Ana", "Lopez"), BEFORE, listed("Juan", "Garcia Lopez"), True),
        (("John", "Smith"), BEFORE, listed("SMITH JOHN", "A"), True),
        (("Eve", "Adams"), BEFORE, listed("SMITH JOHN", "A"), False),
        # from before the change only who is named whole as the new holder is
        (("Ana", "Lee"), BEFORE, listed("Bob", "Lee", moved=True), False),
        (("Bob", "Lee"), BEFORE, listed("Bob", "Lee", moved=True), True),
        (("B", "Lee"), BEFORE, listed("Bob", "Lee", moved=True), True),
        (("", "Lee"), BEFORE, listed("Bob", "Lee", moved=True), False),
        (("", ""), BEFORE, listed("Bob", "Lee", moved=True), False),
        (("Ana", "Lee"), MOVED, listed("Bob", "Lee", moved=True), True),
        (("", ""), AFTER, listed("Bob", "Lee", moved=True), True),
        (("Ana", "Foe"), AFTER, listed("Bob", "Lee", moved=True), False),
        # nobody's line now
        (("Ana", "Lee"), BEFORE, listed("Ana", "Lee", given_up=True), False),
        (("Ana", "Lee"), AFTER, listed("Ana", "Lee", given_up=True), False),
        (("Carl", "Foe"), AFTER, listed("Ana", "Lee", given_up=True), True),
        (("", ""), AFTER, listed("Ana", "Lee", given_up=True), True),
    ],
)
def test_who_is_of_the_line(name: tuple[str, str], recorded_at: datetime, last: Listing | None, expected: bool) -> None:
    record = IdentityRecord(LINE, name[1], date(1970, 5, 1), "", "bureau", name[0])
    assert is_of_line(StoredRecord(1, record, recorded_at), last) is expected
