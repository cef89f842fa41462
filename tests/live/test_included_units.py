"""A call that uses included units, then money, and is cut when both are used up."""

from pathlib import Path

import pytest

from billing.bundles import service as bundle_service
from billing.bundles.offer import Offer
from billing.ledger import service as ledger_service
from billing.pricing.bundles import Bundle
from dialplan.lab.lab import Lab
from dialplan.lab.telephone import Telephone
from tests.ivr.town import ANN, CALLING
from tests.live.house import open_house

pytestmark = pytest.mark.live

TALKS = "01133142685300"
FOUR_SECONDS = Offer("town", "france", Bundle(0, 4_000, prefixes=("33",), name="france"))
TWO_SECONDS_OF_MONEY = 33_334
SHORT = {"CHARGING__GRANT_S": "5", "CHARGING__EXTEND_BEFORE_S": "2", "CALL__WARN_AT_S": "[]"}


def test_units_then_money_then_the_end(lab: Lab, sqlite_url: str, tmp_path: Path, telephone: Telephone) -> None:
    with open_house(lab, sqlite_url, tmp_path, **SHORT) as house:
        town = house.town
        ann = town.account("ann", TWO_SECONDS_OF_MONEY, line=ANN)
        bundle_service.create(town.engine, town.clock, FOUR_SECONDS, by="test")
        bundle_service.grant(town.engine, town.clock, ann.number, "france", by="test")
        telephone.call(CALLING, ANN)
        telephone.wait_answered()
        telephone.listen(1.0)
        telephone.press(f"{TALKS}#")
        telephone.listen(0.8)
        telephone.press("#")
        cdr = house.wait_cdrs(1, 40.0)[0]
        assert (cdr.disposition, cdr.charged_micros) == ("balance-used-up", TWO_SECONDS_OF_MONEY)
        assert 6_000 <= cdr.used_ms < 7_000
        assert cdr.billed_ms == 6_000
        assert house.wait_free(ann) == 0
        told = house.explain(cdr.call_id)
        assert [request.granted_ms for request in told.requests] == [5_000, 6_000]
        assert "bundle france (1) gives 4 s of 4 s, rule pro-rata" in told.price_steps
        left = bundle_service.bundles(town.engine, town.clock, ann.number)
        assert [(one.bundle.units, one.held) for one in left] == [(0, 0)]
        assert not ledger_service.audit(town.engine)
        telephone.wait_ended()
