"""What keyed digits mean: however a number is written, the same rate, the same block, and never a number of our own."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from billing.operators import service as operator_service
from billing.operators import store as operator_store
from billing.tariffs.service import RateBook
from billing.tariffs.tariff import RateRefusal
from dialplan.routes.service import RouteBook
from ivr.back_office import BackOffice, Shelf
from ivr.offer import Offer
from ivr.reception import Identification, Plan
from ivr.refusals import CallRefusal
from runtime import database
from runtime.keys import Pepper
from runtime.settings import Settings
from tests.clock import SettableClock
from tests.ivr.town import ANN, CALLING, Town, build_town

OWN_FREE_PHONE = "18005550100"


@pytest.fixture
def town(sqlite_engine: Engine, clock: SettableClock, pepper: Pepper, tmp_path: Path) -> Town:
    made = build_town(sqlite_engine, clock, pepper, tmp_path)
    operator_service.create_number(made.engine, dnis=OWN_FREE_PHONE, operator_code="town", profile_name="calling")
    return made


@pytest.fixture
def office(town: Town) -> Iterator[BackOffice]:
    with ThreadPoolExecutor(1) as pool:
        rates, routes = RateBook(town.engine, town.clock), RouteBook(town.engine, town.clock)
        yield BackOffice(Shelf(town.engine, town.clock, town.pepper, Settings(), rates, routes, pool))


def meaning(office: BackOffice, town: Town, digits: str, country: str) -> str:
    """The destination these digits reach on a line of the country, or the refusal."""
    with database.reading(town.engine) as connection:
        profile = operator_store.profile_for(connection, CALLING)
    assert profile is not None
    account = town.account(f"ann-{digits}", 5_000_000)
    payer = office._payer(account.id)
    assert not isinstance(payer, str)
    plan = Plan(profile, ANN, country, Identification.LINE, 1_860_000, 1_860_000)
    offer = office._offer(plan, payer, digits, CALLING)
    return offer.destination if isinstance(offer, Offer) else str(offer)


@pytest.mark.parametrize(
    ("digits", "country", "meant"),
    [
        # premium numbers, by every way that reaches them
        ("19005551234", "US", RateRefusal.BLOCKED),
        ("9005551234", "US", RateRefusal.BLOCKED),
        ("01119005551234", "US", RateRefusal.BLOCKED),
        ("0019005551234", "FR", RateRefusal.BLOCKED),
        ("+19005551234", "FR", RateRefusal.BLOCKED),
        # and ways that only look like it
        ("0119005551234", "US", RateRefusal.UNPRICED),  # Turkey, and priced and dialled as Turkey
        ("0019005551234", "US", CallRefusal.DESTINATION_NOT_VALID),
        ("119005551234", "US", RateRefusal.BLOCKED),
        ("1011011442079460000", "US", CallRefusal.DESTINATION_NOT_VALID),
        ("1010288019005551234", "US", CallRefusal.DESTINATION_NOT_VALID),
        ("*6719005551234", "US", CallRefusal.DESTINATION_NOT_VALID),
        ("1900555*234", "US", CallRefusal.DESTINATION_NOT_VALID),
        (" 12125550199", "US", CallRefusal.DESTINATION_NOT_VALID),
        ("1212555\n0199", "US", CallRefusal.DESTINATION_NOT_VALID),
        ("12125550199&33142685300", "US", CallRefusal.DESTINATION_NOT_VALID),
        ("12125550199,60", "US", CallRefusal.DESTINATION_NOT_VALID),
        ("\uff11\uff12\uff11\uff12\uff15\uff15\uff15\uff10\uff11\uff19\uff19", "US", CallRefusal.DESTINATION_NOT_VALID),
        ("1" * 20, "US", CallRefusal.DESTINATION_NOT_VALID),
        ("0" * 20, "US", CallRefusal.DESTINATION_NOT_VALID),
        ("411", "US", CallRefusal.DESTINATION_NOT_VALID),
        # a number without a price is no free number
        ("011442079460000", "US", RateRefusal.UNPRICED),
        # a call to ourselves is a caller of its own, and so on for ever
        (OWN_FREE_PHONE, "US", CallRefusal.DESTINATION_IS_OURS),
        (OWN_FREE_PHONE[1:], "US", CallRefusal.DESTINATION_IS_OURS),
        (f"011{OWN_FREE_PHONE}", "US", CallRefusal.DESTINATION_IS_OURS),
        (f"00{OWN_FREE_PHONE}", "FR", CallRefusal.DESTINATION_IS_OURS),
        # help is not sold, and not refused without a word
        ("911", "US", CallRefusal.EMERGENCY_NUMBER),
        ("112", "US", CallRefusal.EMERGENCY_NUMBER),
        ("911", "FR", CallRefusal.EMERGENCY_NUMBER),
        ("112", "FR", CallRefusal.EMERGENCY_NUMBER),
        ("15", "FR", CallRefusal.EMERGENCY_NUMBER),
        ("999", "GB", CallRefusal.EMERGENCY_NUMBER),
        # what is meant as it is written
        ("12125550199", "US", "+12125550199"),
        ("2125550199", "US", "+12125550199"),
        ("01133142685300", "US", "+33142685300"),
        ("0142685300", "FR", "+33142685300"),
    ],
)
def test_what_digits_mean(office: BackOffice, town: Town, digits: str, country: str, meant: str) -> None:
    assert meaning(office, town, digits, country) == meant
