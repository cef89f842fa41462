"""By whose tariff an account is priced: its own, its plan's, the service's."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.engine import Engine

from ani.access.service import Staff
from billing.accounts.own_tariff.service import set_tariff
from billing.consumption import service as consumption
from billing.consumption.consumption import Debited, Event, Sold
from billing.plans import service, store
from billing.plans.cycle import Every
from billing.plans.plan import Plan, PlanTariff, Terms
from billing.plans.service import Wish
from billing.tariffs import service as tariff_service
from billing.tariffs.service import TariffImport
from billing.tariffs.store import list_tariffs
from billing.tariffs.tariff import read_rate
from runtime.database import reading
from runtime.faults import BadInputError, NotFoundError, StaffError
from runtime.ids import new_id
from runtime.keys import PEPPER_BYTES, Pepper
from tests.billing.shop import EMPTY, Shop, open_shop
from tests.clock import SettableClock

EVE = Staff(SettableClock(), Pepper(bytes(range(PEPPER_BYTES))), "eve")
PLAN = Plan(0, "", "gold", "", Every.MONTH, "UTC", None, ())


@pytest.fixture
def shop(engine: Engine, clock: SettableClock) -> Shop:
    made = open_shop(engine, clock)
    for name, price in (("standard", "9"), ("planned", "2"), ("own", "1"), ("later", "3")):
        rates = [read_rate({**EMPTY, "prefix": "sms", "service": "message", "per": "unit", "price": price}, "USD")]
        tariff_service.import_tariff(engine, clock, TariffImport(made.operator_id, name, "USD", None, "test"), rates)
    service.create(engine, clock, PLAN, Terms("Gold", tariff="planned"), by="eve")
    return made


def cost(shop: Shop, number: str, tariff: str | None = None) -> int:
    """What a message costs, in whole units."""
    event = Event(new_id(), Sold(shop.operator_id, number, tariff, "message", "sms"), 1)
    made = consumption.debit(shop.engine, shop.clock, shop.rates, event, "test")
    assert isinstance(made, Debited)
    return made.debit.charged_micros // 1_000_000


def test_own_before_plan_before_service(shop: Shop) -> None:
    engine, clock, number = shop.engine, shop.clock, shop.account(100_000_000).number
    assert cost(shop, number) == 9
    service.set_plan(engine, clock, number, Wish("gold"), by="eve")
    assert cost(shop, number) == 2
    set_tariff(engine, number, "own", EVE)
    assert cost(shop, number) == 1
    assert cost(shop, number, "standard") == 9
    set_tariff(engine, number, None, EVE)
    service.change(engine, clock, None, "gold", lambda one: Terms(one.name, tariff="later"), by="eve")
    assert cost(shop, number) == 3
    service.set_plan(engine, clock, number, Wish(None, at_once=True), by="eve")
    assert cost(shop, number) == 9


def test_versions_hold_from_their_moment(shop: Shop) -> None:
    engine, clock, account = shop.engine, shop.clock, shop.account(0)
    now = clock.now()
    later = now + timedelta(days=3)
    service.set_plan(engine, clock, account.number, Wish("gold"), by="eve")
    service.change(engine, clock, None, "gold", lambda one: Terms(one.name, tariff="later"), by="ann", from_at=later)
    service.remove(engine, clock, None, "gold", by="ann", note="old", at=now + timedelta(days=9))
    with reading(engine) as conn:
        found = [store.tariff_of(conn, account.id, now + timedelta(days=days)) for days in (-1, 0, 3, 9)]
        names = {one.tariff.name: one.tariff.id for one in list_tariffs(conn)}
    assert found == [None, PlanTariff("gold", names["planned"]), PlanTariff("gold", names["later"]), None]
    versions = service.show(engine, clock, None, "gold").versions
    assert [(one.number, one.terms.tariff, one.made_by) for one in versions] == [
        (1, "planned", "eve"),
        (2, "later", "ann"),
    ]


def test_what_cannot_be_is_told(shop: Shop) -> None:
    engine, clock, account = shop.engine, shop.clock, shop.account(0)
    now = clock.now()
    with pytest.raises(StaffError, match="already"):
        service.create(engine, clock, PLAN, Terms("Gold"), by="eve")
    with pytest.raises(NotFoundError):
        service.create(engine, clock, replace(PLAN, code="new"), Terms("N", tariff="x"), by="e")
    with pytest.raises(NotFoundError):
        service.create(engine, clock, replace(PLAN, code="new"), Terms("N", offer="x"), by="e")
    with pytest.raises(BadInputError):
        service.create(engine, clock, replace(PLAN, code="N!"), Terms("N"), by="e")
    with pytest.raises(BadInputError):
        service.create(engine, clock, replace(PLAN, code="n", time_zone="Mars"), Terms("N"), by="e")
    with pytest.raises(StaffError, match="ends after"):
        service.create(engine, clock, replace(PLAN, code="n", ends_at=now), Terms("N"), by="e")
    with pytest.raises(NotFoundError):
        service.set_plan(engine, clock, account.number, Wish("silver"), by="eve")
    with pytest.raises(NotFoundError):
        service.set_plan(engine, clock, "999", Wish("gold"), by="eve")
    with pytest.raises(BadInputError, match="billing day"):
        service.set_plan(engine, clock, account.number, Wish("gold", billing_day=32), by="eve")
    with pytest.raises(StaffError, match="no plan"):
        service.set_plan(engine, clock, account.number, Wish(None), by="eve")
    service.set_plan(engine, clock, account.number, Wish("gold"), by="eve")
    with pytest.raises(StaffError, match="already"):
        service.set_plan(engine, clock, account.number, Wish("gold"), by="eve")
    with pytest.raises(StaffError, match="so already"):
        service.change(engine, clock, None, "gold", lambda one: one, by="eve")
    with pytest.raises(StaffError, match="1 accounts"):
        service.remove(engine, clock, None, "gold", by="eve", note="old")
    service.set_plan(engine, clock, account.number, Wish(None, at_once=True), by="eve")
    service.remove(engine, clock, None, "gold", by="eve", note="old")
    with pytest.raises(StaffError, match="not sold"):
        service.set_plan(engine, clock, account.number, Wish("gold"), by="eve")
    with pytest.raises(StaffError, match="ended already"):
        service.remove(engine, clock, None, "gold", by="eve", note="old")
