"""A service that is sold by other rates than those of ordinary calls, in whole stories on both databases."""

import pytest

from billing.calls import service as call_service
from billing.calls.call import Extended
from billing.operators import service as operator_service
from billing.operators.operator import ProfileTerms
from billing.tariffs import service as tariff_service
from billing.tariffs.service import TariffImport
from billing.tariffs.tariff import Service, read_rate
from ivr.back_office import Shelf
from ivr.call import Dial
from runtime.database import reading
from runtime.faults import NotFoundError, StaffError
from sounds import spoken
from tests.billing.shop import EMPTY
from tests.ivr.test_story import PARIS, settle, shelf, tell, town  # noqa: F401  (pytest finds the fixtures here)
from tests.ivr.town import ANN, Town

TO_PARIS: dict[str, list[str | None]] = {"destination": [f"011{PARIS}"]}


@pytest.fixture
def premium(town: Town) -> Town:  # noqa: F811  (pytest gives it by this name)
    """Paris costs 1.00 a minute, and 4.00 as a premium number; the calling service sells the latter."""
    rows = (
        {"prefix": "33", "price_per_minute": "1"},
        {"prefix": "33", "price_per_minute": "4", "service": "premium"},
        {"prefix": "1", "price_per_minute": "1"},
    )
    with reading(town.engine) as conn:
        owner = tariff_service.find_owner(conn, "town")
    wanted = TariffImport(owner.id, "retail", "USD", None, "test")
    rates = [read_rate({**EMPTY, **row}, "USD") for row in rows]
    tariff_service.import_tariff(town.engine, town.clock, wanted, rates)
    operator_service.set_sells(town.engine, "town", "calling", Service.PREMIUM)
    return town


def test_a_premium_service_is_announced_held_charged_and_explained_by_its_own_rates(
    premium: Town,
    shelf: Shelf,  # noqa: F811  (pytest gives it by this name)
) -> None:
    ann = premium.account("ann", 12_000_000, line=ANN)
    told = tell(shelf, TO_PARIS)
    assert isinstance(told.decision, Dial)
    assert " ".join(spoken.say_minutes(180)) in " ".join(told.caller.heard)
    assert premium.balance(ann) == (12_000_000, 4_000_000)
    more = call_service.extend(premium.engine, shelf.clock, told.ring.call_id, 1, 120_000)
    assert isinstance(more, Extended)
    assert premium.balance(ann) == (12_000_000, 8_000_000)
    operator_service.set_sells(premium.engine, "town", "calling", Service.VOICE)
    assert settle(shelf, told, seconds=90) == 6_000_000
    assert settle(shelf, told, seconds=90) == 6_000_000
    why = call_service.explain(premium.engine, told.ring.call_id).price_steps
    assert why[0].startswith("premium prefix 33 ")
    after = tell(shelf, TO_PARIS)
    assert settle(shelf, after, seconds=60) == 1_000_000
    assert call_service.explain(premium.engine, after.ring.call_id).price_steps[0].startswith("prefix 33 ")


def test_what_has_no_rate_of_the_service_cannot_be_called(
    premium: Town,
    shelf: Shelf,  # noqa: F811  (pytest gives it by this name)
) -> None:
    premium.account("ann", 12_000_000, line=ANN)
    told = tell(shelf, {"destination": ["12125550188", None]})
    assert told.decision is None
    assert "destination-not-priced" in [event.outcome for event in told.events] + told.caller.heard


def test_only_services_priced_by_the_number_called_can_be_sold_as_calls(premium: Town) -> None:
    with pytest.raises(StaffError, match="sells: one of"):
        operator_service.set_sells(premium.engine, "town", "calling", Service.DATA)
    with pytest.raises(NotFoundError):
        operator_service.set_sells(premium.engine, "town", "none", Service.VOICE)
    terms = ProfileTerms(sells=Service.MESSAGE)
    with pytest.raises(StaffError, match="sells: one of"):
        operator_service.create_profile(
            premium.engine, operator_code="town", name="x", tariff_name="retail", terms=terms
        )
    made = operator_service.create_profile(
        premium.engine,
        operator_code="town",
        name="hotline",
        tariff_name="retail",
        terms=ProfileTerms(sells=Service.PREMIUM),
    )
    assert made.sells is Service.PREMIUM
