"""Offers and bundles of accounts in the database, and sessions that meet them there."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.engine import Engine

from billing.bundles import service
from billing.bundles.offer import Given, Offer
from billing.pricing.bundles import Bundle
from runtime.faults import NotFoundError, StaffError
from tests.billing.books import UNIT, Books
from tests.clock import SettableClock

MINUTES = Offer("acme", "minutes", Bundle(0, 120_000, name="minutes"))
MONTHLY = Offer("acme", "monthly", Bundle(0, 120_000, rolls_over=30_000, name="monthly"), "30d", renews=True)


@pytest.fixture
def books(engine: Engine, clock: SettableClock) -> Books:
    made = Books(engine, clock)
    for offer in (MINUTES, MONTHLY):
        assert service.create(engine, clock, replace(offer, operator_code=""), by="eve") == offer
    return made


def left(books: Books, account_id: int) -> list[tuple[int, int, str]]:
    """Free and held units of every bundle, and its state."""
    found = service.bundles(books.engine, books.clock, books.number(account_id))
    return [(one.bundle.units, one.held, one.state(books.clock.now())) for one in found]


def grant(books: Books, account_id: int, name: str) -> Given:
    return service.grant(books.engine, books.clock, books.number(account_id), name, by="eve")


def test_a_call_takes_granted_units_and_shows_who_took_them(books: Books) -> None:
    account_id, price = books.account(), books.rate(initial_s=1, increment_s=1)
    given = grant(books, account_id, "minutes")
    assert (given.bundle.units, given.bundle.expires_at, given.granted_by) == (120_000, None, "eve")
    call_id = books.up(account_id, price)
    assert left(books, account_id) == [(60_000, 60_000, "open")]
    record = books.settle(call_id, 30_000)
    assert (record.billed_ms, record.charged_micros, record.balance_after_micros) == (30_000, 0, 0)
    assert left(books, account_id) == [(90_000, 0, "open")]
    shown, uses = service.show(books.engine, books.clock, given.bundle.id)
    assert shown.bundle.units == 90_000
    assert [(use.held, use.used) for use in uses] == [(0, 30_000)]
    books.assert_sound()


def test_a_closed_bundle_serves_nobody_but_who_holds_of_it(books: Books) -> None:
    account_id, price = books.account(UNIT), books.rate(initial_s=1, increment_s=1)
    given = grant(books, account_id, "minutes")
    call_id = books.up(account_id, price)
    closed = service.close(books.engine, books.clock, given.bundle.id, by="eve", note="sent back")
    assert closed.state(books.clock.now()) == "closed"
    with pytest.raises(StaffError, match="closed already"):
        service.close(books.engine, books.clock, given.bundle.id, by="eve", note="again")
    other = books.up(account_id, price, ani="")
    assert books.money(account_id) == (UNIT, UNIT)
    assert books.settle(call_id, 60_000).charged_micros == 0
    assert books.settle(other, 6_000).charged_micros == UNIT // 10
    books.assert_sound()


def test_a_renewing_bundle_begins_its_next_period_when_it_is_used(books: Books) -> None:
    account_id, price = books.account(), books.rate(initial_s=1, increment_s=1)
    given = grant(books, account_id, "monthly")
    assert given.bundle.expires_at == books.clock.now() + timedelta(days=30)
    books.clock.advance(31 * 86_400)
    assert left(books, account_id) == [(150_000, 0, "open")]
    books.settle(books.up(account_id, price), 60_000)
    assert left(books, account_id) == [(90_000, 0, "renewed"), (90_000, 0, "open")]
    books.clock.advance(30 * 86_400)
    assert left(books, account_id)[1:] == [(150_000, 0, "open")]


def test_what_is_closed_or_not_there_cannot_be_granted(books: Books) -> None:
    engine, clock, account_id = books.engine, books.clock, books.account()
    with pytest.raises(StaffError, match="already"):
        service.create(engine, clock, MINUTES, by="eve")
    with pytest.raises(NotFoundError):
        grant(books, account_id, "hours")
    with pytest.raises(NotFoundError):
        service.grant(engine, clock, "999", "minutes", by="eve")
    with pytest.raises(NotFoundError):
        service.bundles(engine, clock, "999")
    with pytest.raises(NotFoundError):
        service.show(engine, clock, 999)
    with pytest.raises(StaffError, match="expired"):
        service.grant(engine, clock, books.number(account_id), "minutes", by="eve", expires_at=clock.now())
    closed = service.close_offer(engine, clock, None, "minutes", by="eve", note="old")
    assert closed.closed_at == clock.now()
    assert [one.closed_at for one in service.offers(engine, "acme")] == [clock.now(), None]
    with pytest.raises(StaffError, match="closed"):
        grant(books, account_id, "minutes")
    with pytest.raises(StaffError, match="closed already"):
        service.close_offer(engine, clock, "acme", "minutes", by="eve", note="old")
    books.set_state(account_id, "closed")
    with pytest.raises(StaffError, match="is closed"):
        grant(books, account_id, "monthly")
    assert service.show_offer(engine, None, "monthly") == MONTHLY
