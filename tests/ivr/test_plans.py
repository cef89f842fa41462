"""A call is priced by the caller's plan, and its record says so."""

from ani.access.service import Staff
from billing.accounts.own_tariff.service import set_tariff
from billing.calls import service as call_service
from billing.plans import service
from billing.plans.cycle import Every
from billing.plans.plan import Plan, Terms
from billing.plans.service import Wish
from billing.tariffs import service as tariff_service
from billing.tariffs.service import TariffImport
from ivr.back_office import Shelf
from ivr.call import Dial
from tests.ivr.test_story import PARIS, settle, shelf, tell, town  # noqa: F401  (pytest finds the fixtures here)
from tests.ivr.town import ANN, Town, rate


def test_a_call_is_priced_by_the_plan_unless_the_account_has_a_tariff(town: Town, shelf: Shelf) -> None:  # noqa: F811  (pytest's names)
    ann = town.account("ann", 10_000_000, line=ANN)
    owner = town.engine, town.clock
    with town.engine.connect() as conn:
        operator = tariff_service.find_owner(conn, "town")
    for name, price in (("planned", 600_000), ("own", 60_000)):
        wanted = TariffImport(operator.id, name, "USD", None, "test")
        tariff_service.import_tariff(*owner, wanted, [rate("33", price)])
    plan = Plan(0, "", "gold", "", Every.MONTH, "UTC", None, ())
    service.create(*owner, plan, Terms("Gold", tariff="planned"), by="e")
    costs = []
    for step in ("service", "plan gold", "account"):
        if step == "plan gold":
            service.set_plan(*owner, ann.number, Wish("gold"), by="e")
        if step == "account":
            set_tariff(town.engine, ann.number, "own", Staff(town.clock, town.pepper, "e"))
        told = tell(shelf, {"destination": [f"011{PARIS}"]})
        assert isinstance(told.decision, Dial)
        costs.append(settle(shelf, told, seconds=60))
        explained = call_service.explain(shelf.engine, told.ring.call_id)
        assert f"priced_by={step}" in " ".join(one.text for one in explained.timeline)
    assert costs == [1_000_000, 600_000, 60_000]
