"""Proof of age at a vendor that tells no dates of birth: number and date in one claim, the same for whoever fails."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from ani.gateways.fetching import Fetcher
from ani.gateways.json_vendor import JsonRules, JsonVendor
from ani.qualification.proof import Fallback
from ani.vendor.breaker import BreakerRules
from ani.vendor.service import AskRules, VendorDesk
from billing.operators import service as operator_service
from billing.operators.operator import ProfileTerms
from billing.tariffs.service import RateBook
from dialplan.routes.service import RouteBook
from ivr.back_office import Shelf
from runtime.clock import SystemClock
from runtime.keys import Pepper
from runtime.settings import LockoutSettings, Settings
from tests.ani.gateways.conftest import FIELDS, PERSON, adapter
from tests.ani.gateways.fake_vendors import FakeVendor, serving
from tests.clock import SettableClock
from tests.ivr.scripted import ScriptedCaller
from tests.ivr.test_age_check import STRICT, tell
from tests.ivr.test_privacy import LOOSE
from tests.ivr.town import ANN, build_town

BORN, OTHER = "05011970", "05021970"
WRONG = ("age-not-proven", "ssn-last-four")


@pytest.fixture
def fake() -> Iterator[FakeVendor]:
    with serving(FakeVendor()) as vendor:
        yield vendor


@pytest.fixture(params=["twilio", "json"])
def shelf(
    request: pytest.FixtureRequest,
    sqlite_engine: Engine,
    clock: SettableClock,
    pepper: Pepper,
    tmp_path: Path,
    fake: FakeVendor,
) -> Iterator[Shelf]:
    town = build_town(sqlite_engine, clock, pepper, tmp_path)
    terms = ProfileTerms(age_check=True, fallback=Fallback.BIRTH_DATE)
    operator_service.create_profile(
        sqlite_engine, operator_code="town", name="strict", tariff_name="retail", terms=terms
    )
    operator_service.create_number(sqlite_engine, dnis=STRICT, operator_code="town", profile_name="strict")
    town.account("ann", 5_000_000, line=ANN)
    town.listing(ANN)
    fetcher = Fetcher(SystemClock().monotonic_s)
    vendor = adapter("twilio", fake, fetcher)
    if request.param == "json":
        url = f"{fake.url}/v1"
        fields = FIELDS | {"birth_on": ""}
        vendor = JsonVendor(
            JsonRules("acme", url, {"phone": "{ani}"}, fields, person_url=url, person_query=PERSON), fetcher
        )
    desk = VendorDesk(sqlite_engine, clock, vendor, AskRules(5.0, BreakerRules(99, 30.0), 1000, 0))
    settings = Settings(lockout=LOOSE)
    rates, routes = RateBook(sqlite_engine), RouteBook(sqlite_engine)
    with ThreadPoolExecutor(2) as pool, ThreadPoolExecutor(2) as vendor_pool:
        yield Shelf(sqlite_engine, clock, pepper, settings, rates, routes, pool, vendors=desk, vendor_pool=vendor_pool)
    fetcher.close()


def test_number_and_date_prove_together(shelf: Shelf, fake: FakeVendor) -> None:
    fake.ssn[ANN], fake.born[ANN] = "123456789", "1970-05-01"
    script: dict[str, list[str | None]] = {"ssn-last-four": ["0000", "6789", "6789"], "birth-date": [BORN, OTHER, BORN]}
    assert tell(shelf, script) == ("destination", [WRONG, WRONG, ("proven", "ssn-last-four")])
    assert len(fake.asked) == 3
    assert tell(shelf, {}) == ("destination", [("known", "ssn-last-four")])


def test_whoever_fails_hears_the_same(shelf: Shelf, fake: FakeVendor) -> None:
    script: dict[str, list[str | None]] = {
        "ssn-last-four": ["6789", "6789", "6789"],
        "birth-date": [OTHER, "99999999", "", OTHER],
    }
    heard = []
    for who in ("unknown", "known", "child"):
        if who != "unknown":
            fake.ssn[ANN], fake.born[ANN] = "123456789", "1970-05-01" if who == "known" else "2020-05-02"
        caller = ScriptedCaller(
            script | ({"birth-date": ["05022020", "99999999", "", OTHER]} if who == "child" else {})
        )
        ended, ages = tell(shelf, {}, caller)
        assert (ended, ages[:3]) == ("age-not-proven", [WRONG] * 3)
        heard.append(caller.heard)
    assert heard[0] == heard[1] == heard[2]
    assert heard[0].count("tollgate/enter-date-of-birth") == 4


def test_who_hangs_up_at_the_date_has_used_a_try(shelf: Shelf) -> None:
    shelf = replace(shelf, settings=Settings(lockout=LockoutSettings(per_line_hour=2)))
    for _ in range(2):
        assert tell(shelf, {"ssn-last-four": ["6789"]})[0] == "age-check"
    assert tell(shelf, {"ssn-last-four": ["6789"]})[0] == "locked-out"
