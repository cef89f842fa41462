"""Limits against fraud bind what other services sell as they bind calls (CHG-11)."""

from functools import partial

import pytest
from sqlalchemy.engine import Engine

from billing.accounts.account import Account
from billing.consumption import service
from billing.consumption.consumption import Debited, Event, Open, Reservation
from billing.fraud import service as fraud_service
from billing.fraud.rules.fraud import FraudRefusal, SuspensionReason
from billing.ledger import service as ledger_service
from billing.operators.operator import Reach
from runtime.ids import new_id
from tests.billing.books import UNIT, at_once
from tests.billing.shop import Shop, open_shop
from tests.clock import SettableClock

MEGABYTE = 1_000_000
PARIS, HOME = "+33142685300", "+12125550123"


@pytest.fixture
def shop(engine: Engine, clock: SettableClock) -> Shop:
    return open_shop(engine, clock)


def opened(shop: Shop, account: Account, service_name: str, code: str, wanted: int, **changes: int) -> object:
    wish = Open(new_id(), shop.sold(account, service_name, code), wanted, **changes)
    return service.open_session(shop.engine, shop.clock, shop.rates, wish)


def bought(shop: Shop, account: Account, code: str = "sms", units: int = 1, event_id: str | None = None) -> object:
    group = "content" if code == "song" else "message"
    event = Event(event_id or new_id(), shop.sold(account, group, code), units)
    return service.debit(shop.engine, shop.clock, shop.rates, event, "test")


def refused(shop: Shop, account: Account) -> list[str]:
    shown = fraud_service.describe(shop.engine, shop.clock, account.number)
    return [entry.refusal for entry in reversed(shown.refusals)]


def test_events_stay_within_what_may_be_spent(shop: Shop) -> None:
    account = shop.account(9 * UNIT)
    shop.bind(account, spend_per_call_micros=UNIT, spend_per_hour_micros=UNIT // 2, spend_per_day_micros=UNIT)
    assert bought(shop, account, "song") is FraudRefusal.SPEND_PER_HOUR
    key = new_id()
    assert isinstance(bought(shop, account, units=5, event_id=key), Debited)
    again = bought(shop, account, units=5, event_id=key)
    assert isinstance(again, Debited)
    assert again.is_replay
    assert bought(shop, account) is FraudRefusal.SPEND_PER_HOUR
    shop.clock.advance(3_600)
    assert isinstance(bought(shop, account, units=5), Debited)
    shop.clock.advance(3_600)
    assert bought(shop, account) is FraudRefusal.SPEND_PER_DAY
    assert shop.money(account) == (8 * UNIT, 0)
    assert refused(shop, account) == ["hour-spend-limit", "hour-spend-limit", "day-spend-limit"]
    shop.bind(account, spend_per_call_micros=UNIT)
    assert bought(shop, account, "song") is FraudRefusal.SPEND_PER_CALL
    shop.assert_sound()


def test_a_session_is_cut_to_what_may_be_spent_and_counts_for_all_it_may_come_to(shop: Shop) -> None:
    account = shop.account(9 * UNIT)
    shop.bind(account, spend_per_hour_micros=UNIT)
    key = new_id()
    wish = Open(key, shop.sold(account, "data", "net"), 5 * MEGABYTE, cap=15 * MEGABYTE)
    first = service.open_session(shop.engine, shop.clock, shop.rates, wish)
    assert isinstance(first, Reservation)
    second = opened(shop, account, "data", "net", 50 * MEGABYTE)
    assert isinstance(second, Reservation)
    assert (first.granted, second.granted, second.final) == (5 * MEGABYTE, 5 * MEGABYTE, True)
    assert opened(shop, account, "data", "net", MEGABYTE) is FraudRefusal.SPEND_PER_HOUR
    assert bought(shop, account) is FraudRefusal.SPEND_PER_HOUR
    again = service.open_session(shop.engine, shop.clock, shop.rates, wish)
    assert isinstance(again, Reservation)
    assert (again.session_id, again.is_replay) == (first.session_id, True)
    service.end_session(shop.engine, shop.clock, shop.operator_id, first.session_id, 5 * MEGABYTE, "test")
    assert isinstance(bought(shop, account, units=5), Debited)
    assert bought(shop, account) is FraudRefusal.SPEND_PER_HOUR
    shop.assert_sound()


def test_a_suspended_account_and_one_just_recharged_buy_nothing(shop: Shop) -> None:
    account = shop.account(9 * UNIT)
    shop.bind(account, cooldown_s=300)
    assert bought(shop, account) is FraudRefusal.COOLING_DOWN
    assert opened(shop, account, "data", "net", MEGABYTE) is FraudRefusal.COOLING_DOWN
    shop.clock.advance(300)
    assert isinstance(bought(shop, account), Debited)
    ledger_service.credit(shop.engine, shop.clock, account.number, UNIT, "again", "test")
    assert bought(shop, account) is FraudRefusal.COOLING_DOWN
    reason = SuspensionReason.STOLEN
    fraud_service.suspend(shop.engine, shop.clock, account.number, reason, by="clerk", note="lost card")
    assert bought(shop, account) is FraudRefusal.SUSPENDED
    assert opened(shop, account, "data", "net", MEGABYTE) is FraudRefusal.SUSPENDED


def test_numbers_called_through_another_service_are_calls(shop: Shop) -> None:
    account, other = shop.account(9 * UNIT), shop.account(9 * UNIT)
    assert opened(shop, account, "voice", PARIS, 60) is FraudRefusal.ABROAD
    shop.bind(account, reach=Reach.ABROAD, concurrent_calls=2, calls_per_hour=3)
    shop.bind(other, reach=Reach.ABROAD)
    assert isinstance(opened(shop, account, "voice", PARIS, 60), Reservation)
    assert isinstance(opened(shop, account, "data", "net", MEGABYTE), Reservation)
    second = opened(shop, account, "voice", PARIS.removeprefix("+"), 60)
    assert isinstance(second, Reservation)
    assert opened(shop, account, "voice", PARIS, 60) is FraudRefusal.CONCURRENT_CALLS
    for _ in range(2):
        service.end_session(shop.engine, shop.clock, shop.operator_id, second.session_id, 0, "test")
    third = opened(shop, account, "voice", PARIS, 60)
    assert isinstance(third, Reservation)
    service.end_session(shop.engine, shop.clock, shop.operator_id, third.session_id, 0, "test")
    assert opened(shop, account, "voice", PARIS, 60) is FraudRefusal.CALLS_PER_HOUR
    listing = partial(fraud_service.list_destination, shop.engine, shop.clock, by="clerk", note="")
    listing("3314", is_risky=False, calls_per_hour=0)
    assert opened(shop, other, "voice", PARIS, 60) is FraudRefusal.VELOCITY
    listing("3314", is_risky=True, calls_per_hour=None)
    assert opened(shop, other, "voice", PARIS, 60) is FraudRefusal.RISKY
    assert refused(shop, other) == ["destination-too-often", "destination-risky"]


def test_events_side_by_side_do_not_slip_past(shop: Shop) -> None:
    account = shop.account(9 * UNIT)
    shop.bind(account, spend_per_hour_micros=UNIT // 2)
    answers = at_once([partial(bought, shop, account) for _ in range(12)])
    assert sum(isinstance(answer, Debited) for answer in answers) == 5
    assert shop.money(account) == (9 * UNIT - UNIT // 2, 0)


def test_a_session_asked_for_twice_at_once_is_one(shop: Shop) -> None:
    """The second waits for the first, which then counts against it: it is answered all the same."""
    account = shop.account(9 * UNIT)
    shop.bind(account, reach=Reach.ABROAD, concurrent_calls=1, spend_per_hour_micros=2 * UNIT)
    wish = Open(new_id(), shop.sold(account, "voice", PARIS), 60)
    answers = at_once([partial(service.open_session, shop.engine, shop.clock, shop.rates, wish) for _ in range(8)])
    assert all(isinstance(answer, Reservation) for answer in answers)
    assert refused(shop, account) == []
