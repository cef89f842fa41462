"""The ledger in the database: everything once, nothing edited, and an audit that notices."""

from functools import partial

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DatabaseError, IntegrityError

from billing.accounts.tables import account
from billing.charging.tables import charging_session
from billing.ledger import service, store, transfer
from billing.ledger.tables import ledger_account, posting
from billing.ledger.tables import transfer as transfer_table
from billing.ledger.transfer import (
    ChangedReplayError,
    Credited,
    CreditRefusal,
    Funds,
    LedgerAccount,
    LedgerKind,
    Posting,
    Transfer,
    TransferKind,
)
from runtime.database import transaction
from tests.billing.books import UNIT, Books, at_once
from tests.clock import SettableClock


@pytest.fixture
def books(engine: Engine, clock: SettableClock) -> Books:
    return Books(engine, clock)


def credit(books: Books, number: str, amount_micros: int, key: str) -> Credited | CreditRefusal:
    return service.credit(books.engine, books.clock, number, amount_micros, key, "clerk", "cash")


def test_a_credit_is_posted_and_answers_the_same_again(books: Books) -> None:
    account_id = books.account()
    number = books.number(account_id)
    first = credit(books, number, 5 * UNIT, "a")
    assert isinstance(first, Credited)
    assert (first.balance_micros, first.is_replay) == (5 * UNIT, False)
    credit(books, number, 2 * UNIT, "b")
    again = credit(books, number, 5 * UNIT, "a")
    assert again == Credited(5 * UNIT, first.transfer_id, is_replay=True)
    assert books.money(account_id) == (7 * UNIT, 0)
    with transaction(books.engine) as conn:
        lines = store.lines_of_account(conn, account_id)
    assert [(line.amount_micros, line.balance_after_micros, line.note) for line in lines] == [
        (2 * UNIT, 7 * UNIT, "cash"),
        (5 * UNIT, 5 * UNIT, "cash"),
    ]
    books.assert_sound()


def test_a_changed_credit_under_the_same_key_is_its_own_error(books: Books) -> None:
    one, other = books.account(), books.account()
    credit(books, books.number(one), UNIT, "a")
    with pytest.raises(ChangedReplayError):
        credit(books, books.number(one), UNIT + 1, "a")
    with pytest.raises(ChangedReplayError):
        credit(books, books.number(other), UNIT, "a")
    assert (books.money(one), books.money(other)) == ((UNIT, 0), (0, 0))


def test_a_credit_that_was_booked_answers_even_when_the_account_is_closed_since(books: Books) -> None:
    account_id = books.account()
    credit(books, books.number(account_id), UNIT, "a")
    books.set_state(account_id, "closed")
    again = credit(books, books.number(account_id), UNIT, "a")
    assert isinstance(again, Credited)
    assert again.is_replay
    assert credit(books, books.number(account_id), UNIT, "b") is CreditRefusal.ACCOUNT_CLOSED


def test_refused_credits_leave_nothing(books: Books) -> None:
    number = books.number(books.account())
    assert credit(books, number, 0, "a") is CreditRefusal.NOT_POSITIVE
    assert credit(books, "none", UNIT, "a") is CreditRefusal.UNKNOWN_ACCOUNT
    assert credit(books, number, 10**15 + 1, "a") is CreditRefusal.TOO_LARGE
    with transaction(books.engine) as conn:
        assert conn.execute(sa.select(sa.func.count()).select_from(transfer_table)).scalar_one() == 0


def test_the_same_credit_from_many_threads_is_booked_once(books: Books) -> None:
    account_id = books.account()
    number = books.number(account_id)
    answers = at_once([partial(credit, books, number, UNIT, "same")] * 10)
    booked = [answer for answer in answers if isinstance(answer, Credited)]
    assert len(booked) == 10
    assert sum(not answer.is_replay for answer in booked) == 1
    assert {answer.balance_micros for answer in booked} == {UNIT}
    assert books.money(account_id) == (UNIT, 0)
    books.assert_sound()


def test_credits_side_by_side_all_count(books: Books) -> None:
    accounts = [books.account() for _ in range(3)]
    tasks = [
        partial(credit, books, books.number(account_id), UNIT, f"{account_id}-{turn}")
        for account_id in accounts
        for turn in range(5)
    ]
    at_once(tasks)
    assert [books.money(account_id) for account_id in accounts] == [(5 * UNIT, 0)] * 3
    with transaction(books.engine) as conn:
        cash = conn.execute(sa.select(sa.func.count()).where(ledger_account.c.kind == "cash")).scalar_one()
    assert cash == 1
    books.assert_sound()


def test_a_key_used_for_two_accounts_at_once_serves_one(books: Books) -> None:
    numbers = [books.number(books.account()) for _ in range(6)]

    def attempt(number: str) -> bool:
        try:
            return isinstance(credit(books, number, UNIT, "same"), Credited)
        except ChangedReplayError:
            return False

    assert sum(at_once([partial(attempt, number) for number in numbers])) == 1
    books.assert_sound()


def test_a_posted_transfer_is_found_again_or_refused_when_changed(books: Books) -> None:
    def moved(amount: int) -> Transfer:
        return Transfer(
            "k",
            TransferKind.CREDIT,
            "USD",
            (
                Posting(LedgerAccount(LedgerKind.CASH, "1"), amount),
                Posting(LedgerAccount(LedgerKind.REVENUE, "1"), -amount),
            ),
        )

    with transaction(books.engine) as conn:
        first = store.post(conn, moved(4), books.clock.now(), "test")
        again = store.post(conn, moved(4), books.clock.now(), "test")
        assert (again.transfer_id, again.is_replay) == (first.transfer_id, True)
        with pytest.raises(ChangedReplayError):
            store.post(conn, moved(5), books.clock.now(), "test")


@pytest.mark.parametrize("table", [transfer_table, posting, ledger_account])
def test_the_database_refuses_to_edit_history(books: Books, table: sa.Table) -> None:
    books.account(UNIT)
    column = next(column for column in table.c if not column.primary_key)
    for statement in (sa.delete(table), sa.update(table).values({column: column})):
        with pytest.raises(DatabaseError, match="never changed"), transaction(books.engine) as conn:
            conn.execute(statement)
    books.assert_sound()


def test_the_database_refuses_what_passes_the_limit(books: Books) -> None:
    account_id = books.account(UNIT, limit_micros=UNIT)
    with pytest.raises(IntegrityError), transaction(books.engine) as conn:
        store.move(conn, account_id, 0, 2 * UNIT + 1)
    with pytest.raises(IntegrityError), transaction(books.engine) as conn:
        store.move(conn, account_id, 0, -1)
    assert books.money(account_id) == (UNIT, 0)


def test_the_audit_finds_what_does_not_agree(books: Books) -> None:
    books.account(3 * UNIT)
    account_id = books.account(5 * UNIT)
    price = books.rate()
    books.settle(books.up(account_id, price), 60_000)
    books.up(account_id, price)
    books.assert_sound()
    with transaction(books.engine) as conn:
        conn.execute(sa.update(account).where(account.c.id == account_id).values(balance_micros=4 * UNIT + 1))
        conn.execute(sa.update(account).where(account.c.id == account_id).values(held_micros=UNIT - 1))
        conn.execute(
            sa.update(charging_session).where(charging_session.c.state == "closed").values(charged_micros=UNIT + 7)
        )
    found = {(finding.check, finding.found, finding.expected) for finding in service.audit(books.engine)}
    assert found == {
        ("balance of an account is the sum of its postings", 4 * UNIT + 1, 4 * UNIT),
        ("holds of an account are those of its open charging sessions", UNIT - 1, UNIT),
        ("charge of a charging session is posted", UNIT + 7, UNIT),
        ("a CDR has the settlement of its call", UNIT, UNIT + 7),
    }


def test_a_customer_cannot_be_posted_to_in_two_currencies(books: Books) -> None:
    account_id = books.account(UNIT)
    euros = Funds(account_id, books.operator_id, "EUR", True, 0, 0, 0)
    with pytest.raises(LookupError), transaction(books.engine) as conn:
        store.post(conn, transfer.credit("e", euros, 5), books.clock.now(), "test")
    books.assert_sound()
