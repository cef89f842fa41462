"""A caller whose line nobody knew, and one who proves his age in another way."""

import json
from pathlib import Path

import pytest

from ani.qualification.proof import Fallback
from ani.reverse_match import service as listing_service
from billing.agreements import service as terms_service
from billing.operators import service as operator_service
from billing.operators.operator import ProfileTerms
from dialplan.lab.lab import Lab
from dialplan.lab.telephone import Telephone
from runtime.clock import SystemClock
from tests.ani.gateways.fake_vendors import FakeVendor, serving
from tests.ivr.town import CHECKED, STRANGER
from tests.live.house import open_house

STRICT = "19005550199"
pytestmark = pytest.mark.live


def test_a_vendor_says_whose_line_it_is(lab: Lab, sqlite_url: str, tmp_path: Path, telephone: Telephone) -> None:
    fields = {"first_name": "people.0.given", "last_name": "people.0.family"}
    with serving(FakeVendor(people={STRANGER: ("Ana", "Lee")})) as vendor:
        settings = {
            "VENDOR__KIND": "json",
            "VENDOR__JSON_URL": f"{vendor.url}/v1",
            "VENDOR__JSON_QUERY": json.dumps({"phone": "{ani}"}),
            "VENDOR__JSON_FIELDS": json.dumps(fields),
        }
        with open_house(lab, sqlite_url, tmp_path, **settings) as house:
            telephone.call(CHECKED, STRANGER)
            telephone.wait_answered()
            telephone.hang_up()
            cdr = house.wait_cdrs(1)[0]
            assert cdr.disposition.startswith("gone-at-"), house.explain(cdr.call_id)
            (listing,) = listing_service.listings_of(house.town.engine, STRANGER)
            assert (listing.identity.first_name, listing.identity.last_name) == ("Ana", "Lee")
            told = [event for event in house.explain(cdr.call_id).events if event.step == "reverse-match"]
            assert [event.outcome for event in told] == ["found"]
            assert len(vendor.asked) == 1


def test_terms_and_another_proof_after_wrong_digits(
    lab: Lab, sqlite_url: str, tmp_path: Path, telephone: Telephone
) -> None:
    with open_house(lab, sqlite_url, tmp_path, CALL__ENTRY_ATTEMPTS="1") as house:
        terms = ProfileTerms(age_check=True, fallback=Fallback.BIRTH_DATE)
        engine = house.town.engine
        operator_service.create_profile(engine, operator_code="town", name="strict", tariff_name="retail", terms=terms)
        operator_service.create_number(engine, dnis=STRICT, operator_code="town", profile_name="strict")
        profile = operator_service.find_profile(engine, "town", "strict")
        terms_service.set_terms(
            engine, SystemClock(), profile.id, text="You must be of age.", prompt="terms-of-service", made_by="test"
        )
        house.town.account("stranger", 5_000_000, line=STRANGER)
        house.town.listing(STRANGER)
        house.town.identity(STRANGER)
        house.town.identity(STRANGER, ssn="", supplier="motor")
        telephone.call(STRICT, STRANGER)
        telephone.wait_answered()
        telephone.listen(0.5)
        telephone.press("1")
        telephone.listen(0.5)
        telephone.press("0000")
        telephone.listen(0.5)
        telephone.press("05011970")
        telephone.listen(0.5)
        telephone.hang_up()
        cdr = house.wait_cdrs(1)[0]
        ages = [event for event in house.explain(cdr.call_id).events if event.step == "age"]
        assert [event.outcome for event in ages] == ["age-not-proven", "proven"], house.explain(cdr.call_id)
        assert (ages[0].detail["compared"], ages[1].detail["source"]) == ("test", "motor")
        agreed = terms_service.agreement_of(engine, cdr.call_id)
        assert agreed is not None
        assert agreed.version == 1
