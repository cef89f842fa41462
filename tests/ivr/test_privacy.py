"""What a caller keys at any question is written down nowhere: no log, event or database, whichever vendor is asked."""

import logging
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from ani.gateways.fetching import Fetcher
from ani.qualification.proof import Fallback
from ani.vendor.breaker import BreakerRules
from ani.vendor.service import AskRules, VendorDesk
from billing.conditions import service as condition_service
from billing.operators import service as operator_service
from billing.operators.operator import ProfileTerms
from billing.tariffs.service import RateBook
from dialplan.routes.service import RouteBook
from ivr.back_office import Shelf
from ivr.call import Dial
from runtime.clock import SystemClock
from runtime.keys import Pepper
from runtime.logs import set_up_logs
from runtime.settings import LockoutSettings, Settings
from tests.ani.gateways.conftest import adapter
from tests.ani.gateways.fake_vendors import FakeVendor, serving
from tests.clock import SettableClock
from tests.ivr.test_story import PARIS, tell
from tests.ivr.town import ANN, SHARED, Town, build_town

BY_DATE, BY_LICENCE, BY_NAME = "19005550191", "19005550192", "19005550193"
SSN, WRONG_SSN, BORN, LICENCE, NAME = "987654321", "987654320", "05011970", "2231234567", "26652742"
CODE, BYPASS, PIN = "*4826", "70419385", "61937204"
SECRETS = (SSN, WRONG_SSN, BORN, "19700501", "1970-05-01", LICENCE, NAME, CODE[1:], BYPASS, PIN)
LOOSE = LockoutSettings(per_line_hour=99, per_account_half_hour=99, overall_hour=99, per_access_number_hour=99)


@pytest.fixture
def town(sqlite_engine: Engine, clock: SettableClock, pepper: Pepper, tmp_path: Path) -> Town:
    made = build_town(sqlite_engine, clock, pepper, tmp_path)
    for dnis, fallback in ((BY_DATE, Fallback.BIRTH_DATE), (BY_LICENCE, Fallback.LICENCE), (BY_NAME, Fallback.NAME)):
        terms = ProfileTerms(age_check=True, ssn_digits=9, fallback=fallback)
        operator_service.create_profile(
            sqlite_engine, operator_code="town", name=fallback, tariff_name="retail", terms=terms
        )
        operator_service.create_number(sqlite_engine, dnis=dnis, operator_code="town", profile_name=fallback)
    ann = made.account("ann", 5_000_000, line=ANN)
    made.account("shared", 5_000_000, line=SHARED, code=CODE)
    made.account("other", 5_000_000, line=SHARED, code="*4827")
    made.listing(ANN)
    made.person(ANN, ("Bob", "Lee", "1950-01-01", "CA", "D7654321"), "motor")
    condition_service.set_bypass(sqlite_engine, clock, pepper, number=ann.number, line=ANN, code=BYPASS, by="test")
    return made


@pytest.fixture(params=["twilio", "json"])
def fake_and_shelf(request: pytest.FixtureRequest, town: Town) -> Iterator[tuple[FakeVendor, Shelf]]:
    """The test runs twice, with each adapter."""
    fetcher = Fetcher(SystemClock().monotonic_s)
    rules = AskRules(5.0, BreakerRules(99, 30.0), 1000, 0)
    settings = Settings(lockout=LOOSE)
    with serving(FakeVendor()) as fake, ThreadPoolExecutor(2) as pool, ThreadPoolExecutor(2) as vendor_pool:
        desk = VendorDesk(town.engine, town.clock, adapter(request.param, fake, fetcher), rules)
        rates, routes = RateBook(town.engine, town.clock), RouteBook(town.engine, town.clock)
        shelf = Shelf(town.engine, town.clock, town.pepper, settings, rates, routes, pool)
        yield fake, replace(shelf, vendors=desk, vendor_pool=vendor_pool)
    fetcher.close()


@pytest.fixture
def logs_at_debug(logs_as_they_were: None) -> None:
    """Everything that can be logged is."""
    set_up_logs("debug", "json")


@pytest.mark.usefixtures("logs_at_debug")
def test_no_answer_is_written_down(
    fake_and_shelf: tuple[FakeVendor, Shelf],
    town: Town,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    fake, shelf = fake_and_shelf
    caplog.set_level(logging.DEBUG)
    fake.ssn[ANN], fake.born[ANN] = SSN, "1970-05-01"
    wrong: list[str | None] = [WRONG_SSN, WRONG_SSN, WRONG_SSN]
    fallbacks = {BY_DATE: ("birth-date", BORN), BY_LICENCE: ("licence", LICENCE), BY_NAME: ("name", NAME)}
    told = []
    for mode in ("well", "down"):
        fake.mode = mode
        for dnis, (question, keyed) in fallbacks.items():
            told.append(tell(shelf, {"ssn": wrong, "birth-date": [BORN] * 4, question: [keyed] * 4}, dnis=dnis))
            assert question in {event.detail.get("method") for event in told[-1].events}, told[-1].events
    fake.mode = "well"
    told.append(tell(shelf, {"ssn": [SSN], "birth-date": [BORN]}, dnis=BY_DATE))
    told.append(tell(shelf, {"access-code": ["*4829", CODE], "destination": [f"011{PARIS}"]}, asserted=SHARED))
    told.append(tell(shelf, {"pin": [PIN]}, asserted="", claimed=ANN))
    condition_service.block_toll(town.engine, town.clock, ani=ANN, by="test", note="letter")
    told.append(tell(shelf, {"bypass-code": ["70419386", BYPASS], "destination": [f"011{PARIS}"]}))
    assert [isinstance(one.decision, Dial) for one in told[-3:]] == [True, False, True]
    logging.getLogger("asyncio").debug("is heard")
    assert len(fake.asked) > 10
    seen = {
        "stderr": capsys.readouterr().err,
        "records": caplog.text,
        "events": "\n".join(repr(event) for one in told for event in one.events),
    }
    assert "is heard" in seen["stderr"]
    seen |= {str(path): path.read_bytes().decode("latin-1") for path in tmp_path.rglob("tollgate.db*")}
    assert len(seen) > 3
    row = re.compile(rf"(?<![0-9A-Za-z])({'|'.join(SECRETS)})(?![0-9A-Za-z])")
    assert row.search(f"?NationalId={SSN}&") is not None
    assert {name: found.group() for name, text in seen.items() if (found := row.search(text))} == {}
