"""Sessions and events of other services: replays, late and changed requests, refunds, silence."""

from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy.engine import Engine

from billing.allowances import store as allowance_store
from billing.allowances.store import MonthUse
from billing.charging.session import ChargeRefusal
from billing.consumption import service
from billing.consumption.consumption import (
    ConsumptionRefusal,
    Debited,
    Event,
    Open,
    Refunded,
    Reservation,
    id_of,
)
from billing.ledger import service as ledger_service
from billing.ledger.transfer import ChangedReplayError
from billing.operators import service as operator_service
from billing.operators.operator import Reach
from billing.pricing.bundles import Bundle
from billing.tariffs import service as tariff_service
from billing.tariffs.service import TariffImport
from billing.tariffs.tariff import RateRefusal, read_rate
from runtime.database import reading, transaction
from runtime.ids import new_id
from tests.billing.books import UNIT, at_once
from tests.billing.shop import EMPTY, Shop, open_shop
from tests.clock import SettableClock

MEGABYTE = 1_000_000


@pytest.fixture
def shop(engine: Engine, clock: SettableClock) -> Shop:
    return open_shop(engine, clock)


def reserve(shop: Shop, wanted: Open) -> Reservation:
    answer = service.open_session(shop.engine, shop.clock, shop.rates, wanted)
    assert isinstance(answer, Reservation)
    return answer


def extend(shop: Shop, session_id: str, number: int, used: int, wanted: int) -> Reservation:
    answer = service.extend_session(shop.engine, shop.clock, shop.operator_id, session_id, number, used, wanted)
    assert isinstance(answer, Reservation)
    return answer


def debit(shop: Shop, event: Event) -> Debited:
    answer = service.debit(shop.engine, shop.clock, shop.rates, event, "test")
    assert isinstance(answer, Debited)
    return answer


def test_a_data_session_reserves_by_bytes_and_pays_what_it_used(shop: Shop) -> None:
    account = shop.account(UNIT)
    wanted = Open(new_id(), shop.sold(account, "data", "net"), 10 * MEGABYTE)
    first = reserve(shop, wanted)
    assert (first.unit, first.granted, first.held_micros, first.final) == ("byte", 10 * MEGABYTE, UNIT // 2, False)
    assert reserve(shop, wanted) == replace(first, is_replay=True)
    second = extend(shop, first.session_id, 1, 9 * MEGABYTE, 15 * MEGABYTE)
    assert (second.granted, second.held_micros) == (15 * MEGABYTE, 750_000)
    assert extend(shop, first.session_id, 1, 9 * MEGABYTE, 15 * MEGABYTE) == replace(second, is_replay=True)
    for _ in range(2):
        ended = service.end_session(
            shop.engine, shop.clock, shop.operator_id, first.session_id, 12 * MEGABYTE + 1, "test"
        )
        assert isinstance(ended, tuple)
        assert (ended[0].charged_micros, ended[0].balance_micros, ended[1]) == (600_050, 399_950, "byte")
    with pytest.raises(ChangedReplayError):
        service.end_session(shop.engine, shop.clock, shop.operator_id, first.session_id, 1, "test")
    assert shop.money(account) == (399_950, 0)
    shop.assert_sound()


def test_the_last_piece_is_final_and_takes_all(shop: Shop) -> None:
    account = shop.account(120_000)
    answer = reserve(shop, Open(new_id(), shop.sold(account, "data", "net"), 10 * MEGABYTE))
    assert (answer.granted, answer.held_micros, answer.final) == (2_400_000, 120_000, True)
    other = Open(new_id(), shop.sold(account, "data", "net"), 1)
    assert service.open_session(shop.engine, shop.clock, shop.rates, other) is ChargeRefusal.NO_CREDIT


def test_a_late_request_changes_nothing_and_a_changed_one_is_an_error(shop: Shop) -> None:
    account = shop.account(UNIT)
    first = reserve(shop, Open(new_id(), shop.sold(account, "data", "net"), MEGABYTE))
    third = extend(shop, first.session_id, 3, MEGABYTE, 3 * MEGABYTE)
    late = extend(shop, first.session_id, 2, 0, 2 * MEGABYTE)
    assert late == replace(third, is_superseded=True)
    with pytest.raises(ChangedReplayError):
        extend(shop, first.session_id, 3, MEGABYTE, 4 * MEGABYTE)
    with pytest.raises(ChangedReplayError):
        reserve(shop, Open(first.session_id, shop.sold(account, "data", "net"), 2 * MEGABYTE))
    service.end_session(shop.engine, shop.clock, shop.operator_id, first.session_id, 0, "test")
    answer = service.extend_session(shop.engine, shop.clock, shop.operator_id, first.session_id, 4, 0, MEGABYTE)
    assert answer is ChargeRefusal.SESSION_ENDED
    assert shop.money(account) == (UNIT, 0)


def test_services_share_one_balance(shop: Shop) -> None:
    account = shop.account(2 * UNIT)
    shop.bind(account, reach=Reach.ABROAD)
    talk = reserve(shop, Open(new_id(), shop.sold(account, "voice", "+33142685300"), 60))
    assert (talk.unit, talk.granted) == ("second", 60)
    surf = reserve(shop, Open(new_id(), shop.sold(account, "data", "net"), 40 * MEGABYTE))
    assert (surf.granted, surf.held_micros, surf.final) == (10 * MEGABYTE, UNIT // 2, False)
    balance, held = shop.money(account)
    assert balance - held >= 0
    bought = Event(new_id(), shop.sold(account, "content", "song"), 1)
    assert service.debit(shop.engine, shop.clock, shop.rates, bought, "test") is ChargeRefusal.NO_CREDIT
    service.end_session(shop.engine, shop.clock, shop.operator_id, talk.session_id, 0, "test")
    assert debit(shop, bought).balance_micros == UNIT // 2
    shop.assert_sound()


def test_an_event_is_charged_once_and_given_back_once(shop: Shop) -> None:
    account = shop.account(2 * UNIT)
    event = Event(new_id(), shop.sold(account, "message", "sms"), 3)
    first = debit(shop, event)
    assert (first.debit.charged_micros, first.balance_micros) == (300_000, 1_700_000)
    assert debit(shop, event) == replace(first, is_replay=True)
    with pytest.raises(ChangedReplayError):
        debit(shop, replace(event, units=4))
    back = partial(service.refund, shop.engine, shop.clock, shop.operator_id, event.event_id)
    part = back("a" * 32, 100_000, "test")
    assert isinstance(part, Refunded)
    assert (part.refund.amount_micros, part.balance_micros, part.is_replay) == (100_000, 1_800_000, False)
    assert back("a" * 32, 100_000, "test") == replace(part, is_replay=True)
    with pytest.raises(ChangedReplayError):
        back("a" * 32, 1, "test")
    assert back("b" * 32, 200_001, "test") is ConsumptionRefusal.OVER_REFUNDED
    rest = back("b" * 32, None, "test")
    assert isinstance(rest, Refunded)
    assert rest.balance_micros == 2 * UNIT
    assert back("c" * 32, None, "test") is ConsumptionRefusal.OVER_REFUNDED
    assert back("c" * 32, 5, "test") is ConsumptionRefusal.OVER_REFUNDED
    shop.assert_sound()


def test_one_event_asked_for_many_times_at_once_is_charged_once(shop: Shop) -> None:
    account = shop.account(UNIT)
    event = Event(new_id(), shop.sold(account, "message", "sms"), 1)
    answers = at_once([partial(debit, shop, event)] * 10)
    assert sum(not answer.is_replay for answer in answers) == 1
    assert shop.money(account) == (900_000, 0)
    refund = partial(service.refund, shop.engine, shop.clock, shop.operator_id, event.event_id)
    given = at_once([partial(refund, id_of(1, "refund", str(number)), None, "test") for number in range(8)])
    assert sum(isinstance(answer, Refunded) for answer in given) == 1
    assert shop.money(account) == (UNIT, 0)


def test_what_is_not_ones_own_is_not_there(shop: Shop) -> None:
    account = shop.account(UNIT)
    operator_service.create_operator(shop.engine, code="other", name="Other", currency="USD", home_country="US")
    stranger = shop.operator_id + 1
    first = reserve(shop, Open(new_id(), shop.sold(account, "data", "net"), MEGABYTE))
    event = debit(shop, Event(new_id(), shop.sold(account, "message", "sms"), 1)).debit
    unknown = ConsumptionRefusal.UNKNOWN_SESSION
    assert service.show_session(shop.engine, stranger, first.session_id) is unknown
    assert service.extend_session(shop.engine, shop.clock, stranger, first.session_id, 1, 0, MEGABYTE) is unknown
    assert service.end_session(shop.engine, shop.clock, stranger, first.session_id, 0, "test") is unknown
    refused = service.refund(shop.engine, shop.clock, stranger, event.event_id, "d" * 32, None, "test")
    assert refused is ConsumptionRefusal.UNKNOWN_EVENT
    for changed, why in (
        (replace(shop.sold(account, "data", "net"), operator_id=stranger), ConsumptionRefusal.UNKNOWN_ACCOUNT),
        (replace(shop.sold(account, "data", "net"), tariff="none"), ConsumptionRefusal.UNKNOWN_TARIFF),
        (shop.sold(account, "data", "wifi"), RateRefusal.UNPRICED),
        (shop.sold(account, "content", "song"), ConsumptionRefusal.NOT_BY_USE),
    ):
        assert service.open_session(shop.engine, shop.clock, shop.rates, Open(new_id(), changed, 1)) is why


def test_a_session_that_is_silent_too_long_is_ended_by_what_it_reported(shop: Shop, clock: SettableClock) -> None:
    account = shop.account(UNIT)
    first = reserve(shop, Open(new_id(), shop.sold(account, "data", "net"), 10 * MEGABYTE))
    extend(shop, first.session_id, 1, 2 * MEGABYTE, 10 * MEGABYTE)
    assert service.end_overdue(shop.engine, shop.clock) == []
    clock.advance(3 * 3600)
    ended = service.end_overdue(shop.engine, shop.clock)
    assert [(one.session_id, one.used, one.charged_micros) for one in ended] == [
        (first.session_id, 2 * MEGABYTE, 100_000)
    ]
    assert service.end_overdue(shop.engine, shop.clock) == []
    assert shop.money(account) == (900_000, 0)
    shop.assert_sound()


def test_postpaid_is_the_same_engine(shop: Shop) -> None:
    account = shop.account(0, limit_micros=UNIT)
    assert debit(shop, Event(new_id(), shop.sold(account, "message", "sms"), 4)).balance_micros == -400_000
    answer = reserve(shop, Open(new_id(), shop.sold(account, "data", "net"), 100 * MEGABYTE))
    assert (answer.granted, answer.final) == (12 * MEGABYTE, True)
    ledger_service.credit(shop.engine, shop.clock, account.number, UNIT, "bill-paid", "test")
    assert not extend(shop, answer.session_id, 1, 12 * MEGABYTE, 13 * MEGABYTE).final
    shop.assert_sound()


def test_messages_and_data_use_their_bundles_first(shop: Shop) -> None:
    account = shop.account(UNIT)
    with transaction(shop.engine) as conn:
        for bundle in (Bundle(0, 3, "units", services=("message",)), Bundle(0, 4 * MEGABYTE, "bytes")):
            allowance_store.add_bundle(conn, account.id, bundle, shop.clock.now())
    sent = Event(new_id(), shop.sold(account, "message", "sms"), 2)
    assert debit(shop, sent).debit.charged_micros == 0
    assert debit(shop, sent) == replace(debit(shop, sent), is_replay=True)
    assert debit(shop, Event(new_id(), shop.sold(account, "message", "sms"), 2)).debit.charged_micros == UNIT // 10
    answer = reserve(shop, Open(new_id(), shop.sold(account, "data", "net"), 10 * MEGABYTE))
    assert (answer.granted, answer.held_micros) == (10 * MEGABYTE, 300_000)
    ended = service.end_session(shop.engine, shop.clock, shop.operator_id, answer.session_id, 5 * MEGABYTE, "test")
    assert isinstance(ended, tuple)
    assert ended[0].charged_micros == 50_000
    with reading(shop.engine) as conn:
        month = "2026-03"
        assert allowance_store.month_used(conn, account.id, month, "message") == MonthUse(4, UNIT // 10)
        assert allowance_store.month_used(conn, account.id, month, "data") == MonthUse(5 * MEGABYTE, 50_000)
        assert allowance_store.owned(conn, account.id, shop.clock.now())[0].bundle.units == 0
    shop.assert_sound()


def test_many_messages_at_once_never_use_a_unit_twice(shop: Shop) -> None:
    account = shop.account(UNIT // 5)
    with transaction(shop.engine) as conn:
        allowance_store.add_bundle(conn, account.id, Bundle(0, 3, "units"), shop.clock.now())
    events = [Event(new_id(), shop.sold(account, "message", "sms"), 1) for _ in range(8)]
    answers = at_once([partial(service.debit, shop.engine, shop.clock, shop.rates, one, "test") for one in events])
    assert answers.count(ChargeRefusal.NO_CREDIT) == 3
    assert shop.money(account) == (0, 0)
    shop.assert_sound()


def test_a_price_below_zero_credits_the_account_for_a_session_and_for_an_event(shop: Shop) -> None:
    row = {"prefix": "*", "price": "-0.05", "per": "unit"}
    rates = [read_rate({**EMPTY, **row, "service": name}, "USD", negative=True) for name in ("unit", "event")]
    wanted = TariffImport(shop.operator_id, "all", "USD", None, "test")
    shop.clock.advance(1)
    tariff_service.import_tariff(shop.engine, shop.clock, wanted, rates)
    shop.clock.advance(10)
    account = shop.account(UNIT)
    event = Event(new_id(), shop.sold(account, "event", "cash"), 2)
    paid = debit(shop, event)
    assert (paid.debit.charged_micros, paid.balance_micros) == (-100_000, 1_100_000)
    assert debit(shop, event) == replace(paid, is_replay=True)
    back = service.refund(shop.engine, shop.clock, shop.operator_id, event.event_id, "a" * 32, None, "test")
    assert back is ConsumptionRefusal.OVER_REFUNDED
    opened = reserve(shop, Open(new_id(), shop.sold(account, "unit", "cash"), 2))
    service.end_session(shop.engine, shop.clock, shop.operator_id, opened.session_id, 2, "test")
    assert shop.money(account) == (1_200_000, 0)
    shop.assert_sound()
