"""Requests that come again: the same is answered as it was, whatever took effect since; another is told from it."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy.engine import Engine

from billing.consumption import service
from billing.consumption.consumption import Debited, Event, Open, Reservation
from billing.ledger.transfer import ChangedReplayError
from billing.tariffs import service as tariff_service
from billing.tariffs.service import TariffImport
from billing.tariffs.tariff import RateRefusal, read_rate
from runtime.ids import new_id
from tests.billing.books import UNIT
from tests.billing.shop import EMPTY, ROWS, Shop, open_shop
from tests.clock import SettableClock

MEGABYTE = 1_000_000


@pytest.fixture
def shop(engine: Engine, clock: SettableClock) -> Shop:
    return open_shop(engine, clock)


def sell(shop: Shop, name: str, *rows: dict[str, str]) -> None:
    """A tariff, or a new version of it, in effect at once."""
    shop.clock.advance(1)
    rates = [read_rate({**EMPTY, **row}, "USD") for row in rows]
    wanted = TariffImport(shop.operator_id, name, "USD", None, "test")
    tariff_service.import_tariff(shop.engine, shop.clock, wanted, rates)
    shop.clock.advance(10)


def buy(shop: Shop, event: Event) -> object:
    return service.debit(shop.engine, shop.clock, shop.rates, event, "test")


def begin(shop: Shop, wanted: Open) -> object:
    return service.open_session(shop.engine, shop.clock, shop.rates, wanted)


def extend(shop: Shop, session_id: str, used: int, wanted: int) -> object:
    return service.extend_session(shop.engine, shop.clock, shop.operator_id, session_id, 1, used, wanted)


def end(shop: Shop, session_id: str, used: int, *, is_answered: bool = True) -> int:
    ended = service.end_session(
        shop.engine, shop.clock, shop.operator_id, session_id, used, "test", is_answered=is_answered
    )
    assert isinstance(ended, tuple)
    return ended[0].charged_micros


def test_what_was_done_is_answered_when_it_is_sold_no_longer(shop: Shop) -> None:
    account = shop.account(UNIT)
    event = Event(new_id(), shop.sold(account, "message", "sms"), 3)
    wanted = Open(new_id(), shop.sold(account, "data", "net"), MEGABYTE)
    bought, opened = buy(shop, event), begin(shop, wanted)
    assert isinstance(bought, Debited)
    assert isinstance(opened, Reservation)
    sell(shop, "all", {"prefix": "sms", "service": "message", "blocked": "yes"})
    assert buy(shop, event) == replace(bought, is_replay=True)
    assert begin(shop, wanted) == replace(opened, is_replay=True)
    assert buy(shop, replace(event, event_id=new_id())) is RateRefusal.BLOCKED
    assert begin(shop, replace(wanted, session_id=new_id())) is RateRefusal.UNPRICED
    shop.bind(account, spend_per_hour_micros=1)
    assert buy(shop, event) == replace(bought, is_replay=True)
    assert begin(shop, wanted) == replace(opened, is_replay=True)


def test_any_other_field_makes_another_request(shop: Shop) -> None:
    account = shop.account(2 * UNIT)
    sell(shop, "other", *ROWS)
    event = Event(new_id(), shop.sold(account, "message", "sms"), 3)
    wanted = Open(new_id(), shop.sold(account, "data", "net"), MEGABYTE, 1)
    assert isinstance(buy(shop, event), Debited)
    assert isinstance(begin(shop, wanted), Reservation)
    for changed in (
        replace(event.sold, code="sms.premium"),
        replace(event.sold, tariff="other"),
        replace(event.sold, service="content"),
        replace(event.sold, account_number=shop.account(UNIT).number),
        replace(event.sold, account_number="nobody"),
    ):
        with pytest.raises(ChangedReplayError):
            buy(shop, replace(event, sold=changed))
    for other in (
        replace(wanted, sold=replace(wanted.sold, code="net.video")),
        replace(wanted, sold=replace(wanted.sold, tariff="other")),
        replace(wanted, minimum=999_999),
        replace(wanted, cap=10**15),
        replace(wanted, wanted=MEGABYTE + 1),
    ):
        with pytest.raises(ChangedReplayError):
            begin(shop, other)
    with pytest.raises(ChangedReplayError):
        buy(shop, replace(event, units=4))
    shop.assert_sound()


def test_an_update_that_tells_another_use_is_another_one(shop: Shop) -> None:
    account = shop.account(UNIT)
    wanted = Open(new_id(), shop.sold(account, "data", "net"), MEGABYTE)
    begin(shop, wanted)
    first = extend(shop, wanted.session_id, 5, 2 * MEGABYTE)
    assert isinstance(first, Reservation)
    assert extend(shop, wanted.session_id, 5, 2 * MEGABYTE) == replace(first, is_replay=True)
    for used, asked in ((900_000, 2 * MEGABYTE), (5, MEGABYTE)):
        with pytest.raises(ChangedReplayError):
            extend(shop, wanted.session_id, used, asked)


def test_what_was_asked_before_requests_were_kept_is_compared_as_before(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = shop.account(2 * UNIT)
    event = Event(new_id(), shop.sold(account, "message", "sms"), 3)
    wanted = Open(new_id(), shop.sold(account, "data", "net"), MEGABYTE, 0, 5 * MEGABYTE)
    with monkeypatch.context() as before:
        before.setattr(Event, "fingerprint", None)
        before.setattr(Open, "fingerprint", None)
        assert isinstance(buy(shop, event), Debited)
        assert isinstance(begin(shop, wanted), Reservation)
    assert isinstance(buy(shop, event), Debited)
    assert isinstance(begin(shop, wanted), Reservation)
    bad: tuple[Callable[[], object], ...] = (
        lambda: buy(shop, replace(event, units=4)),
        lambda: buy(shop, replace(event, sold=replace(event.sold, code="song"))),
        lambda: begin(shop, replace(wanted, cap=None)),
        lambda: begin(shop, replace(wanted, wanted=1)),
        lambda: begin(shop, replace(wanted, sold=replace(wanted.sold, code="film"))),
        lambda: begin(shop, replace(wanted, sold=replace(wanted.sold, account_number="nobody"))),
    )
    for ask in bad:
        with pytest.raises(ChangedReplayError):
            ask()


def test_who_was_never_connected_pays_no_fee_for_it(shop: Shop) -> None:
    row = {"prefix": "z", "service": "data", "price": "0.01", "per": "MB", "fee_at_zero": "yes", "connect_fee": "0.5"}
    sell(shop, "all", row)
    account = shop.account(5 * UNIT)

    def opened() -> str:
        wanted = Open(new_id(), shop.sold(account, "data", "z"), 1000)
        assert isinstance(begin(shop, wanted), Reservation)
        return wanted.session_id

    silent, heard, told, connected = opened(), opened(), opened(), opened()
    for _ in range(2):
        assert end(shop, told, 0, is_answered=False) == 0
        assert end(shop, connected, 0) == UNIT // 2
    for session_id, is_answered in ((told, True), (connected, False)):
        with pytest.raises(ChangedReplayError):
            end(shop, session_id, 0, is_answered=is_answered)
    assert isinstance(extend(shop, heard, 500, 600), Reservation)
    shop.clock.advance(8000)
    charged = {one.session_id: one.charged_micros for one in service.end_overdue(shop.engine, shop.clock)}
    assert charged == {silent: 0, heard: UNIT // 2 + 5}
    assert shop.money(account) == (4 * UNIT - 5, 0)
    shop.assert_sound()
