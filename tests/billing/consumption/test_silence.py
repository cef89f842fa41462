"""Sessions nobody speaks for any more: when they end, what they come to, and what a late word is answered."""

import pytest
from sqlalchemy.engine import Engine

from billing.charging.session import Terminated
from billing.consumption import service
from billing.consumption.consumption import ConsumptionRefusal, Open, Reservation
from billing.ledger import service as ledger_service
from billing.ledger.transfer import ChangedReplayError
from billing.operators.operator import Reach
from runtime.ids import new_id
from tests.billing.books import UNIT
from tests.billing.shop import Shop, open_shop
from tests.clock import SettableClock

PARIS = "+33142685300"
EXPIRED = ConsumptionRefusal.SESSION_EXPIRED


@pytest.fixture
def shop(engine: Engine, clock: SettableClock) -> Shop:
    return open_shop(engine, clock)


@pytest.mark.parametrize(
    ("what", "code", "wanted", "valid_s", "late_s"),
    [
        ("voice", PARIS, 30, 30, 15),
        ("voice", PARIS, 1, 10, 5),
        ("voice", PARIS, 3000, 3000, 600),
        ("data", "net", 1_000_000, 3600, 600),
    ],
)
def test_a_hold_ends_within_twice_its_grant(
    shop: Shop, clock: SettableClock, what: str, code: str, wanted: int, valid_s: int, late_s: int
) -> None:
    """Not before, and the books say so if nobody ends it."""
    account = shop.account(50 * UNIT)
    shop.bind(account, reach=Reach.ABROAD)
    opened = open_session(shop, Open(new_id(), shop.sold(account, what, code), wanted))
    assert (opened.granted, opened.valid_for.total_seconds()) == (wanted, valid_s)
    clock.advance(valid_s + late_s)
    assert service.end_overdue(shop.engine, clock) == []
    clock.advance(0.001)
    assert old_holds(shop) == []
    clock.advance(valid_s - late_s)
    assert old_holds(shop) == [opened.session_id]
    assert [one.session_id for one in service.end_overdue(shop.engine, clock)] == [opened.session_id]
    assert old_holds(shop) == []
    assert shop.money(account) == (50 * UNIT, 0)
    shop.assert_sound()


def test_a_word_in_time_renews_and_a_late_one_changes_nothing(shop: Shop, clock: SettableClock) -> None:
    account = shop.account(5 * UNIT)
    shop.bind(account, reach=Reach.ABROAD)
    opened = open_session(shop, Open(new_id(), shop.sold(account, "voice", PARIS), 60))
    clock.advance(80)  # past its grant, yet not given up
    heard = extend(shop, opened.session_id, 1, 50, 70)
    assert isinstance(heard, Reservation)
    assert heard.valid_for.total_seconds() == 60
    clock.advance(91)
    assert len(service.end_overdue(shop.engine, clock)) == 1
    money = shop.money(account)
    assert extend(shop, opened.session_id, 2, 70, 100) is EXPIRED
    assert end(shop, opened.session_id, 70) is EXPIRED
    replayed = extend(shop, opened.session_id, 1, 50, 70)
    assert isinstance(replayed, Reservation)
    assert replayed.is_replay
    ended = end(shop, opened.session_id, 50)
    assert isinstance(ended, Terminated)
    assert (ended.used_ms, ended.is_replay) == (50_000, True)
    assert shop.money(account) == money
    shop.assert_sound()


def test_what_its_service_ended_never_expires(shop: Shop) -> None:
    opened = open_session(shop, Open(new_id(), shop.sold(shop.account(UNIT), "data", "net"), 1_000_000))
    assert isinstance(end(shop, opened.session_id, 1_000), Terminated)
    with pytest.raises(ChangedReplayError):
        end(shop, opened.session_id, 2_000)


def open_session(shop: Shop, wanted: Open) -> Reservation:
    answer = service.open_session(shop.engine, shop.clock, shop.rates, wanted)
    assert isinstance(answer, Reservation)
    return answer


def extend(shop: Shop, session_id: str, number: int, used: int, wanted: int) -> object:
    return service.extend_session(shop.engine, shop.clock, shop.operator_id, session_id, number, used, wanted)


def end(shop: Shop, session_id: str, used: int) -> object:
    answer = service.end_session(shop.engine, shop.clock, shop.operator_id, session_id, used, "test")
    return answer[0] if isinstance(answer, tuple) else answer


def old_holds(shop: Shop) -> list[str]:
    found = ledger_service.audit(shop.engine, now=shop.clock.now())
    return [one.subject for one in found if one.check == "a hold of a service is not older than twice its grant"]
