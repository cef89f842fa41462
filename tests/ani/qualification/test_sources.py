"""The other proof comes from another source than the social security number was compared with."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from ani.importing import Source
from ani.qualification import service
from ani.qualification.proof import Method, keypad
from ani.qualification.qualification import AgeProof, AgeRefusal, Checked
from ani.qualification.tables import identity_record
from ani.vendor.vendor import Purpose
from billing.rotation import service as rotation
from runtime.csv_import import ImportResult
from runtime.database import reading
from runtime.keys import Pepper
from tests.ani.qualification.test_person import ANI, LIMITS, UNKNOWN, Knowing, desk_of
from tests.clock import SettableClock

HEADER = "ani,first_name,last_name,birth_on,ssn,licence_state,licence"
WITH_SSN = f"{ANI},Ana,Lee,1970-05-01,123456789,CA,D1234567"
WITHOUT = f"{ANI},Ana,Lee,1970-05-01,,CA,D1234567"
BORN, LICENCE = "05011970", keypad("CAD1234567")


class House:
    """Loads persons and compares callers with them."""

    def __init__(self, engine: Engine, clock: SettableClock, pepper: Pepper, files: Callable[..., Source]) -> None:
        self.engine, self.clock, self.pepper, self.files = engine, clock, pepper, files

    def load(self, supplier: str, *rows: str) -> ImportResult:
        return service.import_identities(self.engine, self.clock, self.pepper, self.files(HEADER, *rows), supplier)

    def check(self, method: Method, digits: str, vendor: Knowing | None = None, **more: Any) -> Checked:
        return service.check_person(
            self.engine,
            self.clock,
            self.pepper,
            replace(LIMITS, per_line_hour=100),
            ani=ANI,
            account_id=None,
            digits=digits,
            minimum_age=18,
            evidence_days=30,
            method=method,
            desk=desk_of(self.engine, self.clock, vendor),
            **more,
        )

    def barred(
        self, method: Method, compared: frozenset[str] = frozenset(), vendor: Knowing | None = None, ani: str = ANI
    ) -> frozenset[str] | None:
        desk = desk_of(self.engine, self.clock, vendor)
        means = (self.engine, self.pepper, desk)
        barred, has_other = service.barred_sources(*means, ani=ani, method=method, compared=compared)
        return barred if has_other else None


@pytest.fixture
def house(engine: Engine, clock: SettableClock, pepper: Pepper, csv_source: Callable[..., Source]) -> House:
    return House(engine, clock, pepper, csv_source)


def test_persons_without_a_number_are_loaded_and_corrected_by_name(house: House) -> None:
    assert house.load("motor", WITHOUT, f"{ANI},Bob,Lee,1950-01-01,,,").loaded == 2
    assert house.load("motor", WITHOUT).unchanged == 1
    assert house.check(Method.LICENCE, LICENCE).answer.__class__ is AgeProof
    assert house.load("motor", WITHOUT.replace("1970", "2015").replace("Ana,Lee", "ANA,Lee")).loaded == 1
    with reading(house.engine) as conn:
        assert conn.scalar(sa.select(sa.func.count()).where(~identity_record.c.has_ssn)) == 2
    assert house.check(Method.LICENCE, LICENCE).answer is AgeRefusal.NOT_PROVEN  # too young, by the correction
    assert house.load("motor", f"{ANI},Ana,,1970-05-01,,,", f"{ANI},Ana,Lee,1970-05-01,---,,").rejected == 2


def test_a_person_without_a_number_outlives_a_change_of_keys(house: House) -> None:
    keys = [bytes([number]) * 32 for number in (1, 2)]
    house.pepper = Pepper(keys[0])
    house.load("motor", WITHOUT)
    house.pepper = Pepper(*keys)
    assert house.load("motor", WITHOUT).unchanged == 1
    assert rotation.rotate(house.engine, house.pepper).left == 0
    assert rotation.older(house.engine, house.pepper) == []
    assert isinstance(house.check(Method.LICENCE, LICENCE).answer, AgeProof)
    assert isinstance(house.check(Method.BIRTH_DATE, BORN).answer, AgeProof)


def test_no_digits_are_a_person_without_a_number(house: House) -> None:
    house.load("motor", WITHOUT)
    for method, digits in ((Method.SSN_LAST_FOUR, "6789"), (Method.SSN, "123456789")):
        assert house.check(method, digits) == Checked(AgeRefusal.NOT_PROVEN)


def test_what_was_compared_is_told(house: House) -> None:
    house.load("bureau", WITH_SSN)
    house.load("motor", WITHOUT)
    vendor = Knowing("999999999", date(1970, 5, 1))
    assert house.check(Method.SSN_LAST_FOUR, "0000").compared == {"bureau"}
    assert house.check(Method.SSN_LAST_FOUR, "00").compared == set()
    vendor.name = "lookup"
    assert house.check(Method.SSN_LAST_FOUR, "0000", vendor).compared == {"bureau", "lookup"}
    barred = frozenset({"bureau", "lookup"})
    assert house.check(Method.BIRTH_DATE, "01011971", vendor, barred=barred).compared == {"motor"}
    assert vendor.asked == 1


def test_a_barred_source_proves_nothing(house: House) -> None:
    house.load("bureau", WITH_SSN)
    barred = frozenset({"bureau"})
    for method, digits in ((Method.BIRTH_DATE, BORN), (Method.LICENCE, LICENCE), (Method.NAME, keypad("AnaLee"))):
        assert house.barred(method, barred) is None
        assert house.check(method, digits, barred=barred).answer is AgeRefusal.NOT_PROVEN
    house.load("motor", WITHOUT)
    for method, digits in ((Method.BIRTH_DATE, BORN), (Method.LICENCE, LICENCE), (Method.NAME, keypad("AnaLee"))):
        assert house.barred(method, barred) == barred
        found = house.check(method, digits, barred=barred).answer
        assert isinstance(found, AgeProof)
        assert found.source == "motor"


def test_a_name_with_accents_is_keyed_without(house: House) -> None:
    house.load("motor", f"{ANI},José María,García,1970-05-01,,,", f"{ANI},李,小龙,1970-05-01,,,")
    for digits in ("5673427242", "56736427242", keypad("JoseMariaGarcia")):
        assert isinstance(house.check(Method.NAME, digits).answer, AgeProof)
    for digits in ("567427242", "2", "5673"):
        assert house.check(Method.NAME, digits).answer is AgeRefusal.NOT_PROVEN


def test_sources_with_the_same_digits_do_not_write_over_each_other(house: House) -> None:
    ana = f"{ANI},Ana,Lee,1970-05-01,123456789,CA,D1234567"
    eve = f"{ANI},Eve,Lee,2015-05-01,999996789,NY,X7654321"
    assert house.load("bureau", ana).loaded == house.load("motor", eve).loaded == 1
    assert house.load("bureau", ana).unchanged == house.load("motor", eve).unchanged == 1
    for method, digits in ((Method.SSN, "123456789"), (Method.LICENCE, LICENCE), (Method.SSN_LAST_FOUR, "6789")):
        found = house.check(method, digits).answer
        assert isinstance(found, AgeProof)
        assert found.source == "bureau"
    assert house.check(Method.SSN, "999996789").answer is AgeRefusal.NOT_PROVEN  # a child
    assert house.load("motor", eve.replace("2015", "1965")).loaded == 1  # a correction
    assert isinstance(house.check(Method.SSN, "999996789").answer, AgeProof)
    assert house.load("third", ana.replace("1970", "2012")).loaded == 1
    assert house.check(Method.SSN, "123456789").answer is AgeRefusal.NOT_PROVEN  # the latest birth counts


def test_they_outlive_a_change_of_keys(house: House) -> None:
    keys = [bytes([number]) * 32 for number in (1, 2)]
    house.pepper = Pepper(keys[0])
    eve = f"{ANI},Eve,Lee,1980-05-01,999996789,,"
    house.load("bureau", WITH_SSN)
    house.load("motor", eve)
    house.pepper = Pepper(*keys)
    assert house.load("motor", eve).unchanged == 1
    assert rotation.rotate(house.engine, house.pepper).left == 0
    assert house.load("motor", eve).unchanged == 1
    for barred in ("bureau", "motor"):
        assert isinstance(house.check(Method.SSN_LAST_FOUR, "6789", barred=frozenset({barred})).answer, AgeProof)


def test_a_source_that_knows_the_number_is_barred_whatever_was_keyed(house: House) -> None:
    house.load("bureau", WITH_SSN, f"{ANI},Eve,Roe,1980-02-29,,,")
    assert house.barred(Method.BIRTH_DATE) is None
    house.load("motor", f"{ANI},Ana,Lee,1970-05-01,,,")
    assert house.barred(Method.BIRTH_DATE) == frozenset({"bureau"})
    assert house.barred(Method.LICENCE) is None  # nobody else knows one


def test_a_vendor_asked_for_the_number_is_no_other_source(house: House) -> None:
    vendor = Knowing("999999999", date(1970, 5, 1))
    bureau = frozenset({"bureau"})
    assert house.barred(Method.BIRTH_DATE, bureau, vendor) is None  # its very name
    vendor.name = "lookup"
    assert house.barred(Method.BIRTH_DATE, bureau | {"lookup"}, vendor) is None
    assert house.barred(Method.BIRTH_DATE, bureau, vendor) == bureau
    assert house.barred(Method.BIRTH_DATE, frozenset(), vendor) is None  # nothing was keyed
    assert house.barred(Method.LICENCE, bureau, vendor) is None  # is asked for none
    assert house.barred(Method.BIRTH_DATE, ani=UNKNOWN) is None


def test_a_vendor_that_was_not_asked_is_another_source(house: House) -> None:
    house.load("motor", f"{ANI},Ana,,,123456789,,".replace("Ana,,", "Ana,Lee,1970-05-01"))
    vendor = Knowing("999999999", date(1970, 5, 1))
    vendor.name, vendor.serves = "lookup", frozenset({Purpose.REVERSE_MATCH, Purpose.CREDIT})
    assert house.check(Method.SSN_LAST_FOUR, "0000", vendor).compared == {"motor"}
    assert vendor.asked == 0
    assert house.barred(Method.BIRTH_DATE, frozenset({"motor"}), vendor) is None  # it cannot be asked at all
