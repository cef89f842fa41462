"""Accounts, lines, access codes and PINs, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import Engine

from ani.lockout.lockout import Limits, Lock, Scope
from ani.lockout.store import record_wrong
from billing.accounts import service, store
from billing.accounts.account import AccountRefusal, AccountState, is_access_code, is_account_number, is_pin
from billing.accounts.codes.service import set_code
from billing.accounts.tables import account, account_line, pin
from runtime.database import reading, rehearsing, transaction
from runtime.faults import NotFoundError, StaffError
from runtime.keys import Pepper
from tests.billing.customers import open_account, sell
from tests.clock import SettableClock

LINE = "+12125550100"
OTHER_LINE = "+12125550101"
LIMITS = Limits(per_line_hour=3, per_account_half_hour=4, overall_hour=60)
WIDE = Limits(per_line_hour=1000, per_account_half_hour=1000, overall_hour=1000)


@given(st.text(max_size=6))
def test_access_codes_are_one_to_four_digits_or_starred(keyed: str) -> None:
    digits = keyed.removeprefix("*")
    assert is_access_code(keyed) == (1 <= len(digits) <= 4 and all(mark in "0123456789" for mark in digits))


@given(st.text(alphabet="0123456789*٣ \n", max_size=10))
def test_pins_are_eight_digits(keyed: str) -> None:
    assert is_pin(keyed) == (len(keyed) == 8 and all(mark in "0123456789" for mark in keyed))


def test_account_numbers_are_short_and_plain() -> None:
    assert is_account_number("A-1")
    assert not any(is_account_number(text) for text in ("", "a b", "x" * 33, "é", "a\n"))


def test_a_new_account_is_open_and_empty(engine: Engine, clock: SettableClock) -> None:
    sell(engine)
    made = service.create_account(engine, clock, operator_code="acme", name="Ann")
    assert len(made.number) == 10
    assert made.number.isdigit()
    assert (made.currency, made.state, made.available_micros, made.created_at) == (
        "USD",
        AccountState.OPEN,
        0,
        clock.now(),
    )
    assert service.find_account(engine, made.number) == made
    assert service.list_accounts(engine) == [made]
    assert service.list_accounts(engine, operator_code="other") == []


def test_a_number_is_given_once(engine: Engine, clock: SettableClock) -> None:
    sell(engine)
    open_account(engine, clock, "1")
    with pytest.raises(StaffError, match="already"):
        service.create_account(engine, clock, operator_code="acme", number="1")
    with pytest.raises(NotFoundError, match="no operator x"):
        service.create_account(engine, clock, operator_code="x")
    with pytest.raises(StaffError, match="number"):
        service.create_account(engine, clock, operator_code="acme", number="a b")


def test_a_closed_account_opens_nothing(engine: Engine, clock: SettableClock, pepper: Pepper) -> None:
    sell(engine)
    made = open_account(engine, clock, "1")
    service.add_line(engine, clock, pepper, number="1", line=LINE, code="7")
    digits = service.issue_pin(engine, clock, pepper, made.id)
    closed = service.close_account(engine, clock, number="1", by="ann", note="moved away")
    assert (closed.state, closed.closed_at) == (AccountState.CLOSED, clock.now())
    assert service.check_pin(engine, clock, pepper, LIMITS, LINE, digits) is AccountRefusal.CLOSED
    assert service.check_access_code(engine, clock, pepper, LIMITS, LINE, "7") is AccountRefusal.CLOSED
    with reading(engine) as conn:
        row = conn.execute(sa.select(account.c.closed_by, account.c.close_note)).one()
        assert tuple(row) == ("ann", "moved away")
        assert [found.state for found in store.accounts_on_line(conn, LINE)] == [AccountState.CLOSED]
    for change in (
        lambda: service.close_account(engine, clock, number="1", by="ann", note=""),
        lambda: service.add_line(engine, clock, pepper, number="1", line=OTHER_LINE),
        lambda: service.issue_pin(engine, clock, pepper, made.id),
    ):
        with pytest.raises(StaffError):
            change()


def test_an_account_in_a_call_is_not_closed(engine: Engine, clock: SettableClock) -> None:
    sell(engine)
    open_account(engine, clock, "1", balance_micros=10)
    with transaction(engine) as conn:
        conn.execute(sa.update(account).values(held_micros=10))
    with pytest.raises(StaffError, match="a call is using"):
        service.close_account(engine, clock, number="1", by="ann", note="")


def test_one_account_has_several_lines(engine: Engine, clock: SettableClock, pepper: Pepper) -> None:
    sell(engine)
    open_account(engine, clock, "1")
    assert service.add_line(engine, clock, pepper, number="1", line="2125550100") == LINE
    service.add_line(engine, clock, pepper, number="1", line=OTHER_LINE)
    assert [line.ani for line in service.list_lines(engine, number="1")] == [LINE, OTHER_LINE]
    with reading(engine) as conn:
        assert [found.number for found in store.accounts_on_line(conn, LINE)] == ["1"]
        assert not store.accounts_on_line(conn, LINE)[0].has_code
    with pytest.raises(StaffError, match="already"):
        service.add_line(engine, clock, pepper, number="1", line=LINE)
    with pytest.raises(StaffError, match="telephone number"):
        service.add_line(engine, clock, pepper, number="1", line="nonsense")


def test_accounts_on_one_line_are_told_apart_by_code(engine: Engine, clock: SettableClock, pepper: Pepper) -> None:
    sell(engine)
    one, two = open_account(engine, clock, "1"), open_account(engine, clock, "2")
    service.add_line(engine, clock, pepper, number="1", line=LINE)
    with pytest.raises(StaffError, match="needs an access code"):
        service.add_line(engine, clock, pepper, number="2", line=LINE)
    with pytest.raises(StaffError, match="account 1 is on this line without"):
        service.add_line(engine, clock, pepper, number="2", line=LINE, code="2")
    set_code(engine, clock, pepper, number="1", line=LINE, code="*79")
    with pytest.raises(StaffError, match="choose another"):
        service.add_line(engine, clock, pepper, number="2", line=LINE, code="*79")
    service.add_line(engine, clock, pepper, number="2", line=LINE, code="79")
    assert service.check_access_code(engine, clock, pepper, LIMITS, LINE, "*79") == one.id
    assert service.check_access_code(engine, clock, pepper, LIMITS, LINE, "79") == two.id
    assert service.check_access_code(engine, clock, pepper, LIMITS, OTHER_LINE, "79") is AccountRefusal.WRONG_CODE


def test_a_line_is_taken_off_with_a_note_and_may_come_back(
    engine: Engine, clock: SettableClock, pepper: Pepper
) -> None:
    sell(engine)
    open_account(engine, clock, "1")
    service.add_line(engine, clock, pepper, number="1", line=LINE, code="7")
    service.remove_line(engine, clock, number="1", line=LINE, by="ann", note="sold")
    assert service.check_access_code(engine, clock, pepper, LIMITS, LINE, "7") is AccountRefusal.WRONG_CODE
    with pytest.raises(NotFoundError, match="is not on account 1"):
        service.remove_line(engine, clock, number="1", line=LINE, by="ann", note="again")
    with pytest.raises(NotFoundError, match="is not on account 1"):
        set_code(engine, clock, pepper, number="1", line=LINE, code="7")
    service.add_line(engine, clock, pepper, number="1", line=LINE)
    with reading(engine) as conn:
        rows = conn.execute(
            sa.select(account_line.c.removed_by, account_line.c.remove_note).order_by(account_line.c.id)
        )
        assert [tuple(row) for row in rows] == [("ann", "sold"), (None, None)]


def test_a_pin_opens_its_account_until_it_ends_or_is_revoked(
    engine: Engine, clock: SettableClock, pepper: Pepper
) -> None:
    sell(engine)
    made = open_account(engine, clock, "1")
    forever = service.issue_pin(engine, clock, pepper, made.id)
    short = service.issue_pin(engine, clock, pepper, made.id, expires_at=clock.now() + timedelta(days=1))
    assert is_pin(forever)
    assert is_pin(short)
    assert service.check_pin(engine, clock, pepper, WIDE, LINE, forever) == made.id
    assert service.check_pin(engine, clock, pepper, WIDE, LINE, short) == made.id
    clock.advance(86_400)
    assert service.check_pin(engine, clock, pepper, WIDE, LINE, short) is AccountRefusal.WRONG_PIN
    with reading(engine) as conn:
        assert store.has_pin(conn, made.id, clock.now())
    assert service.revoke_pins(engine, clock, number="1", by="ann", note="lost") == 2
    assert service.check_pin(engine, clock, pepper, WIDE, LINE, forever) is AccountRefusal.WRONG_PIN
    with reading(engine) as conn:
        assert not store.has_pin(conn, made.id, clock.now())
        assert all(not issued.is_valid(clock.now()) for issued in store.pins(conn, made.id))
    with pytest.raises(NotFoundError):
        service.revoke_pins(engine, clock, number="1", by="ann", note="again")
    with pytest.raises(StaffError, match="cannot end"):
        service.issue_pin(engine, clock, pepper, made.id, expires_at=clock.now())


def test_only_hashes_are_kept(engine: Engine, clock: SettableClock, pepper: Pepper) -> None:
    sell(engine)
    made = open_account(engine, clock, "1")
    digits = service.issue_pin(engine, clock, pepper, made.id)
    service.add_line(engine, clock, pepper, number="1", line=LINE, code="4711")
    with reading(engine) as conn:
        assert conn.scalar(sa.select(pin.c.pin_hash)) == pepper.digest("pin", digits)
        kept = repr(conn.execute(sa.select(pin)).all()) + repr(conn.execute(sa.select(account_line)).all())
    assert digits not in kept.replace(pepper.digest("pin", digits), "")
    assert "4711" not in kept.replace(pepper.digest("code", LINE, "4711"), "")


def test_wrong_pins_lock_the_line_and_the_right_one_does_not_help(
    engine: Engine, clock: SettableClock, pepper: Pepper
) -> None:
    sell(engine)
    made = open_account(engine, clock, "1")
    digits = service.issue_pin(engine, clock, pepper, made.id)
    for keyed in ("00000000", "junk", ""):
        assert service.check_pin(engine, clock, pepper, LIMITS, LINE, keyed) is AccountRefusal.WRONG_PIN
    assert service.check_pin(engine, clock, pepper, LIMITS, LINE, digits) is AccountRefusal.LOCKED
    assert service.check_pin(engine, clock, pepper, LIMITS, OTHER_LINE, digits) == made.id
    clock.advance(3600)
    assert service.check_pin(engine, clock, pepper, LIMITS, LINE, digits) == made.id


def test_tries_side_by_side_get_no_extra_tries(engine: Engine, clock: SettableClock, pepper: Pepper) -> None:
    sell(engine)
    start = Barrier(8)

    def guess(number: int) -> int | AccountRefusal:
        start.wait(10)
        return service.check_pin(engine, clock, pepper, LIMITS, LINE, f"{number:08d}")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(guess, range(8)))
    assert answers.count(AccountRefusal.WRONG_PIN) == LIMITS.per_line_hour
    assert answers.count(AccountRefusal.LOCKED) == 8 - LIMITS.per_line_hour


def test_wrong_codes_of_the_only_account_lock_its_pin_too(engine: Engine, clock: SettableClock, pepper: Pepper) -> None:
    sell(engine)
    made = open_account(engine, clock, "1")
    digits = service.issue_pin(engine, clock, pepper, made.id)
    for line in (LINE, OTHER_LINE):
        service.add_line(engine, clock, pepper, number="1", line=line, code="7")
        for _ in range(2):
            answer = service.check_access_code(engine, clock, pepper, LIMITS, line, "8")
            assert answer is AccountRefusal.WRONG_CODE
    assert service.check_access_code(engine, clock, pepper, LIMITS, LINE, "7") is AccountRefusal.LOCKED
    # from another line its right PIN is as wrong as any, told so and counted so: a lock-out tells nobody which is right
    elsewhere, heard = "+12125550199", list[Lock]()
    for keyed in (digits, "00000000", digits):
        answer = service.check_pin(engine, clock, pepper, LIMITS, elsewhere, keyed, tell=heard.append)
        assert answer is AccountRefusal.WRONG_PIN
    assert [lock.bound.scope for lock in heard] == [Scope.ACCOUNT] * 2
    assert service.check_pin(engine, clock, pepper, LIMITS, elsewhere, digits) is AccountRefusal.LOCKED
    clock.advance(1800)
    assert service.check_access_code(engine, clock, pepper, LIMITS, LINE, "7") == made.id


def test_a_pin_is_never_issued_twice(
    engine: Engine, clock: SettableClock, pepper: Pepper, monkeypatch: pytest.MonkeyPatch
) -> None:
    sell(engine)
    made = open_account(engine, clock, "1")
    drawn = iter([5, 5, 6])
    monkeypatch.setattr("billing.accounts.service.secrets.randbelow", lambda top: next(drawn))
    assert service.issue_pin(engine, clock, pepper, made.id) == "00000005"
    assert service.issue_pin(engine, clock, pepper, made.id) == "00000006"


def test_a_rehearsal_leaves_nothing(engine: Engine, clock: SettableClock, pepper: Pepper) -> None:
    sell(engine)
    made = open_account(engine, clock, "1")
    rehearsal = rehearsing(engine)
    service.create_account(rehearsal, clock, operator_code="acme")
    service.add_line(rehearsal, clock, pepper, number="1", line=LINE)
    service.issue_pin(rehearsal, clock, pepper, made.id)
    service.close_account(rehearsal, clock, number="1", by="ann", note="")
    assert service.describe_account(engine, "1") == (made, [], [])


def test_a_right_code_of_a_locked_account_is_as_wrong_as_any(
    engine: Engine, clock: SettableClock, pepper: Pepper
) -> None:
    sell(engine)
    for number in ("1", "2"):
        open_account(engine, clock, number)
        service.add_line(engine, clock, pepper, number=number, line=LINE, code=f"7{number}")
    shut = service.find_account(engine, "1")
    for _ in range(LIMITS.per_account_half_hour):
        with transaction(engine) as conn:
            record_wrong(conn, ani=OTHER_LINE, account_id=shut.id, kind="card", at=clock.now())
    for code in ("71", "73", "71"):
        answer = service.check_access_code(engine, clock, pepper, LIMITS, LINE, code)
        assert answer is AccountRefusal.WRONG_CODE
    assert service.check_access_code(engine, clock, pepper, LIMITS, LINE, "72") is AccountRefusal.LOCKED
