"""Accounts paid before use, after it up to a limit, and by the period: one engine, and what a period came to."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError

from ani.access.service import Staff
from billing.accounts import service as account_service
from billing.accounts.account import AccountKind
from billing.accounts.own_limit.service import set_limit
from billing.charging import service as charging
from billing.charging.session import ChargeRefusal, Granted, Initiate
from billing.charging.updating import service as updating
from billing.ledger import service as ledger_service
from billing.plans import service, statement_store
from billing.plans.accruing import service as accruing
from billing.plans.cycle import Every
from billing.plans.plan import Plan, Terms
from billing.plans.service import Wish
from billing.plans.statement import Statement
from billing.plans.tables import account_statement
from runtime.database import reading, transaction
from runtime.faults import StaffError
from runtime.ids import new_id
from runtime.keys import PEPPER_BYTES, Pepper
from tests.billing.books import UNIT, Books
from tests.clock import SettableClock

FIRST = datetime(2026, 3, 1, 12, tzinfo=UTC)

EVE = Staff(SettableClock(), Pepper(bytes(range(PEPPER_BYTES))), "eve")


@pytest.fixture
def books(engine: Engine, clock: SettableClock) -> Books:
    clock.set(FIRST)
    made = Books(engine, clock)
    plan = Plan(0, "", "line", "", Every.MONTH, "UTC", None, ())
    service.create(engine, clock, plan, Terms("Line", fee_micros=2 * UNIT), by="eve")
    return made


def talk(books: Books, account_id: int, minutes: int) -> list[object]:
    """Initiate for a minute, update for all of them, terminate: what was granted, in milliseconds, and what it cost."""
    price = books.rate(f"33{account_id}{minutes}{books.clock.now():%m%d}")
    opened = Initiate(new_id(), account_id, "voice", price, 60_000, 86_400_000, 5_000)
    now = books.clock.now()
    with transaction(books.engine) as conn:
        first = charging.initiate(conn, now, opened)
    if not isinstance(first, Granted):
        return [first]
    with transaction(books.engine) as conn:
        more = updating.update(conn, now, opened.session_id, 1, minutes * 60_000, price)
    assert isinstance(more, Granted)
    with transaction(books.engine) as conn:
        ended = charging.terminate(conn, now, opened.session_id, minutes * 60_000, price, "test")
    return [first.grant.granted_ms, more.grant.granted_ms, ended.charged_micros]


def bill(books: Books) -> accruing.Tally:
    return accruing.bill(books.engine, books.clock, by="timer")


def statements(books: Books, account_id: int) -> list[Statement]:
    with reading(books.engine) as conn:
        return statement_store.statements(conn, account_id, 10)[::-1]


def test_prepaid_postpaid_and_periodic_by_the_same_requests(books: Books) -> None:
    prepaid, postpaid, periodic = books.account(3 * UNIT), books.account(0, 3 * UNIT), books.account(0, 5 * UNIT)
    set_limit(books.engine, books.number(periodic), kind=AccountKind.PERIODIC, limit_micros=None, by=EVE)
    kinds = [
        account_service.find_account(books.engine, books.number(one)).kind for one in (prepaid, postpaid, periodic)
    ]
    assert kinds == list(AccountKind)
    service.set_plan(books.engine, books.clock, books.number(periodic), Wish("line", billing_day=1), by="eve")
    bill(books)
    for account_id, balance in ((prepaid, 0), (postpaid, -3 * UNIT), (periodic, -5 * UNIT)):
        # five minutes are wanted, three can be paid: the same three of each
        assert talk(books, account_id, 5) == [60_000, 180_000, 3 * UNIT]
        assert books.money(account_id) == (balance, 0)
        assert talk(books, account_id, 1) == [ChargeRefusal.NO_CREDIT]
    books.clock.set(datetime(2026, 4, 1, 1, tzinfo=UTC))
    done = bill(books)
    # what is not paid counts against the limit: the fee of April waits for it
    assert (done.statements, done.unpaid) == (1, 1)
    ledger_service.credit(books.engine, books.clock, books.number(periodic), 5 * UNIT, "march", "test")
    assert bill(books).paid == 1
    assert talk(books, periodic, 1) == [60_000, 60_000, UNIT]
    (march,) = statements(books, periodic)
    assert (march.opening_micros, march.paid_micros, march.charged_micros, march.closing_micros) == (
        0,
        0,
        -5 * UNIT,
        -5 * UNIT,
    )
    assert (march.ends_at, march.last_link) == (datetime(2026, 4, 1, tzinfo=UTC), 2)
    assert statements(books, prepaid) == statements(books, postpaid) == []
    books.assert_sound()


def test_each_movement_is_in_one_statement(books: Books) -> None:
    account_id = books.account(10 * UNIT, 20 * UNIT)
    number = books.number(account_id)
    set_limit(books.engine, number, kind=AccountKind.PERIODIC, limit_micros=None, by=EVE)
    books.clock.advance(60)
    service.set_plan(books.engine, books.clock, number, Wish("line", billing_day=1), by="eve")
    talk(books, account_id, 2)
    bill(books)
    books.clock.set(datetime(2026, 4, 20, tzinfo=UTC))
    ledger_service.credit(books.engine, books.clock, number, UNIT, "april", "test")
    books.clock.set(datetime(2026, 6, 2, tzinfo=UTC))
    assert bill(books).statements == 3
    service.set_plan(books.engine, books.clock, number, Wish(None), by="eve")
    books.clock.set(datetime(2026, 7, 9, tzinfo=UTC))
    assert bill(books).statements == 1
    assert bill(books).accounts == 0
    made = statements(books, account_id)
    assert [(one.number, f"{one.begins_at:%m-%d}", f"{one.ends_at:%m-%d}") for one in made] == [
        (1, "03-01", "04-01"),
        (2, "04-01", "05-01"),
        (3, "05-01", "06-01"),
        (4, "06-01", "07-01"),
    ]
    sums = [(one.opening_micros // UNIT, one.paid_micros // UNIT, one.charged_micros // UNIT) for one in made]
    # fees that were caught up with are in the statement of the day they were posted on
    assert sums == [(10, 0, -4), (6, 1, 0), (7, 0, 0), (7, 0, -6)]
    assert made[-1].closing_micros == UNIT == books.money(account_id)[0]
    books.assert_sound()


def test_a_statement_is_never_changed_and_a_made_up_one_is_found(books: Books) -> None:
    account_id = books.account(10 * UNIT, 20 * UNIT)
    made = Statement(account_id, 1, FIRST, FIRST, 0, UNIT, 0, 0, UNIT, 0, 1, bytes(32), FIRST, "mallory")
    with transaction(books.engine) as conn:
        statement_store.add(conn, made)
        statement_store.add(conn, replace(made, number=2, opening_micros=5, closing_micros=UNIT + 5, last_link=9))
    found = {(one.check, one.subject.partition(":")[2]) for one in ledger_service.audit(books.engine)}
    assert found == {
        ("a statement is what was posted between its links", "1"),
        ("a statement is what was posted between its links", "2"),
        ("a statement goes on where the one before ended", "2"),
        ("the link a statement is stamped with is the ledger's", "1"),
        ("the link a statement is stamped with is the ledger's", "2"),
    }
    with pytest.raises(IntegrityError), transaction(books.engine) as conn:
        conn.execute(sa.delete(account_statement))


def test_a_limit_covers_what_is_owed_and_held(books: Books) -> None:
    account_id = books.account(0, 3 * UNIT)
    number = books.number(account_id)
    talk(books, account_id, 2)
    with pytest.raises(StaffError, match="covers"):
        set_limit(books.engine, number, kind=None, limit_micros=UNIT, by=EVE)
    with pytest.raises(StaffError, match="covers"):
        set_limit(books.engine, number, kind=AccountKind.PREPAID, limit_micros=None, by=EVE)
    with pytest.raises(StaffError, match="prepaid"):
        set_limit(books.engine, number, kind=AccountKind.PREPAID, limit_micros=UNIT, by=EVE)
    assert set_limit(books.engine, number, kind=None, limit_micros=2 * UNIT, by=EVE).available_micros == 0
    ledger_service.credit(books.engine, books.clock, number, 2 * UNIT, "k", "test")
    assert (
        set_limit(books.engine, number, kind=AccountKind.PREPAID, limit_micros=None, by=EVE).kind is AccountKind.PREPAID
    )
    with pytest.raises(StaffError, match="has a limit"):
        set_limit(books.engine, number, kind=AccountKind.POSTPAID, limit_micros=0, by=EVE)
    books.clock.set(FIRST + timedelta(days=1))
    books.assert_sound()
