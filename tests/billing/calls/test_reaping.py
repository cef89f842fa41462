"""Calls whose switch never comes back: settled once, by what is provable, and never while they can be up (CHG-10)."""

import random
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy.engine import Engine

from billing.calls import service, store
from billing.calls.call import Cdr, Disposition, Extended
from billing.calls.reaping.service import reap
from billing.charging import store as charging_store
from runtime.database import reading, rehearsing
from tests.billing.books import UNIT, Books, at_once
from tests.clock import SettableClock

AFTER, GRACE_S, RING_S = timedelta(seconds=300), 30, 45
LONG_S = 3_600


@pytest.fixture
def books(engine: Engine, clock: SettableClock) -> Books:
    return Books(engine, clock, month_cap_s=10**6)


def cdr(books: Books, call_id: str) -> Cdr | None:
    with reading(books.engine) as conn:
        return store.find_cdr(conn, call_id)


def extended(books: Books, call_id: str, number: int, wanted_ms: int, used_ms: int) -> None:
    answer = service.extend(books.engine, books.clock, call_id, number, wanted_ms, used_ms=used_ms)
    assert isinstance(answer, Extended)


def test_a_call_is_charged_for_the_use_that_was_reported_last(books: Books) -> None:
    account_id, price = books.account(10 * UNIT), books.rate()
    call_id = books.up(account_id, price)
    books.clock.advance(50)
    extended(books, call_id, 1, 120_000, 40_000)
    books.clock.advance(60)
    extended(books, call_id, 2, 180_000, 100_000)
    last_at = books.clock.now()
    assert books.money(account_id) == (10 * UNIT, 3 * UNIT)
    books.clock.advance(60 + 180)
    assert reap(books.engine, books.clock, AFTER) == []
    books.clock.advance(320)
    (done,) = reap(books.engine, books.clock, AFTER)
    assert (done.call_id, done.switch, done.used) == (call_id, "gw1", 100_000)
    assert (done.charged_micros, done.freed_micros, done.currency) == (2 * UNIT, UNIT, "USD")
    record = cdr(books, call_id)
    assert record is not None
    assert (record.answered_at, record.ended_at) == (last_at - timedelta(seconds=100), last_at)
    assert (record.disposition, record.settled_from, record.hangup_cause) == ("answered", "reaper", 38)
    assert books.money(account_id) == (8 * UNIT, 0)
    assert books.talk() == (100_000, 0)
    assert reap(books.engine, books.clock, AFTER) == []
    assert books.settle(call_id, 170_000) == record
    books.assert_sound()


def test_nothing_is_charged_for_a_call_nobody_saw_answered(books: Books) -> None:
    account_id, price = books.account(10 * UNIT), books.rate(connect_fee_micros=UNIT)
    call_id = books.up(account_id, price)
    books.clock.advance(LONG_S)
    (done,) = reap(books.engine, books.clock, AFTER)
    assert (done.used, done.charged_micros, done.freed_micros) == (0, 0, 2 * UNIT)
    record = cdr(books, call_id)
    assert record is not None
    assert (record.disposition, record.answered_at, record.ended_at) == (
        Disposition.SWITCH_LOST,
        None,
        done.valid_until_at,
    )
    assert (books.money(account_id), books.talk()) == ((10 * UNIT, 0), (0, 0))
    books.assert_sound()


def test_a_switch_that_is_asked_itself_is_left_alone(books: Books) -> None:
    account_id, price = books.account(10 * UNIT), books.rate()
    books.up(account_id, price)
    books.clock.advance(LONG_S)
    assert reap(books.engine, books.clock, AFTER, "gw1") == []
    assert len(reap(books.engine, books.clock, AFTER, "gw2")) == 1


def test_a_rehearsal_ends_nothing(books: Books) -> None:
    account_id, price = books.account(10 * UNIT), books.rate()
    for _ in range(3):
        books.up(account_id, price)
    books.clock.advance(LONG_S)
    assert len(reap(rehearsing(books.engine), books.clock, AFTER)) == 3
    assert books.money(account_id) == (10 * UNIT, 3 * UNIT)
    assert len(reap(books.engine, books.clock, AFTER)) == 3
    books.assert_sound()


def test_reapers_and_witnesses_at_once_settle_once(books: Books) -> None:
    account_id, price = books.account(10 * UNIT), books.rate()
    call_id = books.up(account_id, price)
    extended(books, call_id, 1, 120_000, 70_000)
    books.clock.advance(LONG_S)
    reapers: list[Callable[[], object]] = [partial(reap, books.engine, books.clock, AFTER) for _ in range(6)]
    witnesses: list[Callable[[], object]] = [partial(books.settle, call_id, 90_000) for _ in range(2)]
    answers = at_once([*reapers, *witnesses])
    assert sum(len(answer) for answer in answers if isinstance(answer, list)) <= 1
    record = cdr(books, call_id)
    assert record is not None
    assert {answer for answer in answers if isinstance(answer, Cdr)} == {record}
    assert record.charged_micros == 2 * UNIT
    assert books.money(account_id) == (8 * UNIT, 0)
    books.assert_sound()


def test_a_hold_that_is_extended_meanwhile_is_left_alone(books: Books) -> None:
    account_id, price = books.account(10 * UNIT), books.rate()
    call_id = books.up(account_id, price)
    books.clock.advance(230)
    with reading(books.engine) as conn:
        assert len(store.open_sessions_past(conn, books.clock.now() + timedelta(seconds=60))) == 1
    extended(books, call_id, 1, 120_000, 40_000)
    books.clock.advance(60)
    assert reap(books.engine, books.clock, timedelta(0)) == []
    assert cdr(books, call_id) is None


@pytest.mark.parametrize("seed", range(12))
def test_a_hold_outlives_every_moment_its_call_can_be_up(
    sqlite_engine: Engine, clock: SettableClock, seed: int
) -> None:
    """However long it rings on however many routes and however it is extended: no call that is up is overdue."""
    books, chance = Books(sqlite_engine, clock, month_cap_s=10**6), random.Random(seed)
    account_id, price = books.account(200 * UNIT), books.rate()
    routes, granted_ms = chance.randint(1, 4), 60_000
    valid_for = timedelta(seconds=RING_S * routes + GRACE_S)
    call_id = books.up(account_id, price, valid_for=valid_for)
    clock.advance(chance.uniform(0, RING_S * routes))
    answered_at = clock.now()
    for number in range(1, 8):
        with reading(books.engine) as conn:
            call = store.call_by_id(conn, call_id)
            assert call is not None
            session = charging_store.find_session(conn, call.session_id or "")
        assert session is not None
        over_at = answered_at + timedelta(milliseconds=session.granted_ms)
        assert session.valid_until_at >= over_at + timedelta(seconds=GRACE_S)
        clock.advance(chance.uniform(0, (over_at - clock.now()).total_seconds()))
        assert reap(books.engine, clock, timedelta(0)) == []
        used_ms = (clock.now() - answered_at) // timedelta(milliseconds=1)
        granted_ms += chance.choice([0, 60_000, 120_000])
        extended(books, call_id, number, granted_ms, used_ms)
