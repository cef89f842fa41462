"""Several sessions on one account in the database: parts, reports, and the revision by which others learn of it."""

from dataclasses import replace

import pytest
from sqlalchemy.engine import Engine

from billing.charging import service, store
from billing.charging.session import ChargeRefusal, Granted, Initiate
from billing.charging.updating import service as updating
from billing.ledger import service as ledger_service
from billing.ledger import store as ledger_store
from billing.rating import Grant, Rate
from runtime.database import reading, transaction
from runtime.ids import new_id
from tests.billing.books import UNIT, Books
from tests.clock import SettableClock


@pytest.fixture
def books(engine: Engine, clock: SettableClock) -> Books:
    return Books(engine, clock)


@pytest.fixture
def price(books: Books) -> Rate:
    """One unit a minute, by the second."""
    return books.rate(initial_s=1, increment_s=1)


def initiate(books: Books, account_id: int, price: Rate, wanted_ms: int = 60_000) -> tuple[Initiate, Granted]:
    opened = Initiate(new_id(), account_id, "voice", price, wanted_ms, 1_860_000, 5_000)
    with transaction(books.engine) as conn:
        answer = service.initiate(conn, books.clock.now(), opened)
    assert isinstance(answer, Granted)
    return opened, answer


def update(books: Books, opened: Initiate, number: int, wanted_ms: int, used_ms: int | None) -> Granted:
    with transaction(books.engine) as conn:
        answer = updating.update(
            conn, books.clock.now(), opened.session_id, number, wanted_ms, opened.rate, used_ms=used_ms
        )
    assert isinstance(answer, Granted)
    return answer


def revision(books: Books, account_id: int) -> int:
    with reading(books.engine) as conn:
        return ledger_store.revisions(conn, [account_id])[account_id]


def test_two_sessions_come_to_the_same_end_whoever_asks_first(books: Books, price: Rate) -> None:
    account_id = books.account(3 * UNIT)
    one, _ = initiate(books, account_id, price)
    books.clock.advance(20)
    other, begun = initiate(books, account_id, price)
    assert begun.is_shared
    update(books, one, 1, 60_000, 20_000)
    update(books, other, 1, 60_000, 0)
    books.clock.advance(30)
    first = update(books, other, 2, 120_000, 30_000)
    second = update(books, one, 2, 120_000, 50_000)
    # 80 s of 180 are used, so there are 50 more for each
    assert first.grant.granted_ms + second.grant.granted_ms == 180_000
    assert abs(first.grant.granted_ms - 80_000) <= 1
    assert first.grant.final
    assert second.grant.final
    assert books.money(account_id) == (3 * UNIT, 3 * UNIT)
    books.assert_sound()


def test_what_one_leaves_is_there_for_the_other(books: Books, price: Rate) -> None:
    account_id = books.account(2 * UNIT)
    one, _ = initiate(books, account_id, price)
    other, _ = initiate(books, account_id, price)
    update(books, one, 1, 120_000, 0)
    before = update(books, other, 1, 120_000, 0)
    assert before.grant == Grant(60_000, UNIT, final=True)
    with transaction(books.engine) as conn:
        service.terminate(conn, books.clock.now(), one.session_id, 30_000, price, "test")
    after = update(books, other, 2, 120_000, 30_000)
    assert after.grant == Grant(90_000, 3 * UNIT // 2, final=True)
    assert after.revision > before.revision


def test_the_revision_counts_what_concerns_others(books: Books, price: Rate) -> None:
    account_id = books.account(5 * UNIT)
    seen = [revision(books, account_id)]
    opened, begun = initiate(books, account_id, price)
    seen.append(revision(books, account_id))
    assert begun.revision == seen[-1]
    assert update(books, opened, 1, 120_000, 10_000).revision == revision(books, account_id) == seen[-1]
    ledger_service.credit(books.engine, books.clock, books.number(account_id), UNIT, "k", "test")
    seen.append(revision(books, account_id))
    ledger_service.credit(books.engine, books.clock, books.number(account_id), UNIT, "k", "test")
    assert revision(books, account_id) == seen[-1]
    with transaction(books.engine) as conn:
        service.terminate(conn, books.clock.now(), opened.session_id, 0, price, "test")
    seen.append(revision(books, account_id))
    assert seen == sorted(set(seen))
    with reading(books.engine) as conn:
        assert ledger_store.revisions(conn, []) == {}


def test_a_report_is_kept_changes_no_grant_and_never_goes_back(books: Books, price: Rate) -> None:
    account_id = books.account(5 * UNIT)
    opened, begun = initiate(books, account_id, price)
    assert update(books, opened, 1, 60_000, 7_000).grant == begun.grant
    assert update(books, opened, 2, 60_000, 3_000).grant == begun.grant
    with reading(books.engine) as conn:
        kept = store.find_session(conn, opened.session_id)
    assert kept is not None
    assert (kept.reported_ms, kept.reported_at) == (7_000, books.clock.now())


def test_a_newcomer_finds_something_while_there_is_something(books: Books, price: Rate) -> None:
    account_id = books.account(2 * UNIT)
    initiate(books, account_id, price)
    _, second = initiate(books, account_id, price)
    assert 0 < second.grant.granted_ms <= 60_000
    opened = Initiate(new_id(), account_id, "voice", price, 60_000, 1_860_000, 5_000)
    with transaction(books.engine) as conn:
        third = service.initiate(conn, books.clock.now(), replace(opened))
    assert third is ChargeRefusal.NO_CREDIT
    assert books.money(account_id) == (2 * UNIT, 2 * UNIT)
