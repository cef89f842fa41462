"""Calls from arrival to CDR: charged once, from whichever witness, and explained."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DatabaseError

from billing.calls import service, store
from billing.calls.call import (
    AmbiguousCallError,
    Authorised,
    CallEvent,
    CallStateError,
    Cdr,
    Extended,
    NewCall,
    UnknownCallError,
)
from billing.calls.tables import cdr
from billing.charging.session import ChargeRefusal
from billing.ledger import service as ledger_service
from billing.ledger.transfer import ChangedReplayError
from billing.rating import Grant, Rate
from runtime.database import reading, transaction
from runtime.ids import new_id
from tests.billing.books import ANI, UNIT, Books, at_once
from tests.clock import SettableClock


@pytest.fixture
def books(engine: Engine, clock: SettableClock) -> Books:
    return Books(engine, clock)


def extend(books: Books, call_id: str, number: int, wanted_ms: int, price: Rate | None = None) -> object:
    return service.extend(books.engine, books.clock, call_id, number, wanted_ms, price)


def test_a_call_from_ring_to_cdr(books: Books) -> None:
    account_id, price = books.account(10 * UNIT), books.rate()
    call_id = books.call(events=[CallEvent(books.clock.now(), "line", "identified", {"listed": True})])
    wanted = books.asking(call_id, account_id, price, events=(CallEvent(books.clock.now(), "quote", "said"),))
    assert books.authorise(wanted) == Authorised(Grant(60_000, UNIT, final=False), 1_860_000, is_replay=False)
    books.clock.advance(50)
    assert service.answered(books.engine, call_id, books.clock.now())
    assert extend(books, call_id, 1, 120_000) == Extended(Grant(120_000, 2 * UNIT, final=False), is_replay=False)
    assert (books.money(account_id), books.talk()) == ((10 * UNIT, 2 * UNIT), (0, 120_000))
    books.clock.advance(60)
    record = books.settle(call_id, 61_234, events=(CallEvent(books.clock.now(), "bye", "said"),))
    assert (record.used_ms, record.billed_ms, record.charged_micros) == (61_234, 120_000, 2 * UNIT)
    assert (record.balance_after_micros, record.currency, record.destination) == (8 * UNIT, "USD", "+33123456789")
    assert (record.operator_id, record.service_profile_id) == (books.operator_id, books.profile_id)
    assert (record.tariff_version_id, record.rate_prefix) == (books.version_id, "33")
    assert (books.money(account_id), books.talk()) == ((8 * UNIT, 0), (61_234, 0))
    with reading(books.engine) as conn:
        assert store.live_calls(conn) == []
        assert store.list_cdrs(conn, account_id=account_id, ani=ANI) == [record]
        assert [event.step for event in store.events(conn, call_id)] == ["line", "quote", "limit", "bye"]
    books.assert_sound()


def test_the_balance_ends_at_exactly_zero(books: Books) -> None:
    account_id, price = books.account(UNIT + UNIT // 4), books.rate()
    call_id = books.up(account_id, price)
    assert extend(books, call_id, 1, 120_000, price) == Extended(
        Grant(75_000, UNIT + UNIT // 4, final=True), is_replay=False
    )
    record = books.settle(call_id, 75_017)
    assert (record.charged_micros, record.balance_after_micros, record.billed_ms) == (UNIT + UNIT // 4, 0, 75_000)
    assert books.money(account_id) == (0, 0)
    assert books.talk() == (75_000, 0)
    books.assert_sound()


@pytest.mark.parametrize("talked_ms", [None, 0, -5_000])
def test_nothing_is_charged_for_a_call_that_was_not_answered(books: Books, talked_ms: int | None) -> None:
    account_id = books.account(10 * UNIT)
    price = books.rate(connect_fee_micros=UNIT, minimum_s=60)
    record = books.settle(books.up(account_id, price), talked_ms)
    assert (record.used_ms, record.billed_ms, record.charged_micros, record.transfer_id) == (0, 0, 0, None)
    assert record.balance_after_micros == 10 * UNIT
    assert (books.money(account_id), books.talk()) == ((10 * UNIT, 0), (0, 0))
    books.assert_sound()


def test_a_call_that_was_refused_leaves_a_cdr(books: Books) -> None:
    call_id = books.call(ani="")
    record = books.settle(call_id, None, disposition="number-withheld", hangup_cause=21)
    assert (record.disposition, record.hangup_cause, record.charged_micros) == ("number-withheld", 21, 0)
    assert (record.account_id, record.currency, record.transfer_id) == (None, None, None)
    assert books.settle(call_id, 60_000) == record


def test_whoever_settles_later_gets_the_same_cdr(books: Books) -> None:
    account_id, price = books.account(10 * UNIT), books.rate()
    call_id = books.up(account_id, price)
    first = books.settle(call_id, 30_000)
    books.clock.advance(90)
    assert books.settle(call_id, 600_000, settled_from="reaper", disposition="busy") == first
    assert extend(books, call_id, 1, 120_000) is ChargeRefusal.SESSION_ENDED
    assert books.money(account_id) == (9 * UNIT, 0)
    books.assert_sound()


def test_an_authorisation_again_changes_nothing(books: Books) -> None:
    account_id, price = books.account(10 * UNIT), books.rate()
    call_id = books.call()
    wanted = books.asking(call_id, account_id, price, events=(CallEvent(books.clock.now(), "quote", "said"),))
    first = books.authorise(wanted)
    assert isinstance(first, Authorised)
    assert books.authorise(wanted) == replace(first, is_replay=True)
    with pytest.raises(ChangedReplayError):
        books.authorise(replace(wanted, wanted_ms=90_000))
    with pytest.raises(CallStateError):
        books.authorise(replace(wanted, session_id=new_id()))
    assert (books.money(account_id), books.talk()) == ((10 * UNIT, UNIT), (0, 60_000))
    with reading(books.engine) as conn:
        assert len(store.events(conn, call_id)) == 2
    books.assert_sound()


def test_what_cannot_be_authorised_holds_nothing(books: Books) -> None:
    account_id, price = books.account(10 * UNIT), books.rate()
    ended, waiting = books.call(), books.call()
    books.settle(ended, None)
    assert books.authorise(books.asking(ended, account_id, price)) is ChargeRefusal.CALL_ENDED
    with pytest.raises(UnknownCallError):
        books.authorise(books.asking(new_id(), account_id, price))
    with pytest.raises(CallStateError):
        books.authorise(books.asking(waiting, account_id, price, ani="+12125550111"))
    poor = books.asking(waiting, books.account(), price)
    assert books.authorise(poor) is ChargeRefusal.NO_CREDIT
    used_up = books.asking(waiting, account_id, price, month_cap_ms=4_000)
    assert books.authorise(used_up) is ChargeRefusal.MONTH_CAP
    assert (books.money(account_id), books.talk()) == ((10 * UNIT, 0), (0, 0))
    assert isinstance(books.authorise(replace(poor, account_id=account_id)), Authorised)
    with pytest.raises(UnknownCallError):
        books.settle(new_id(), None)
    with pytest.raises(UnknownCallError):
        extend(books, ended, 1, 60_000)
    books.assert_sound()


def test_the_month_is_that_of_the_authorisation(engine: Engine, clock: SettableClock) -> None:
    clock.set(datetime(2026, 3, 31, 23, 59, 30, tzinfo=UTC))
    books = Books(engine, clock, month_cap_s=100)
    account_id, price = books.account(10 * UNIT), books.rate()
    call_id = books.up(account_id, price, month_cap_ms=100_000)
    clock.advance(45)
    assert extend(books, call_id, 1, 120_000) == Extended(Grant(100_000, 2 * UNIT, final=True), is_replay=False)
    clock.advance(60)
    books.settle(call_id, 99_000)
    assert books.talk() == (99_000, 0)
    books.assert_sound()


def test_an_arrival_is_one_call_however_often_it_is_told(books: Books) -> None:
    first = NewCall(new_id(), "gw1", "u1", "PJSIP/network-1", "19005550199", ANI, books.clock.now())
    again = replace(first, call_id=new_id())
    with transaction(books.engine) as conn:
        assert [service.open_call(conn, new) for new in (first, again, first)] == [first.call_id] * 3
        assert len(store.live_calls(conn)) == 1


def test_live_calls_and_those_past_their_time(books: Books) -> None:
    account_id, price = books.account(10 * UNIT), books.rate()
    talking, waiting = books.up(account_id, price), books.call()
    with reading(books.engine) as conn:
        live = {one.call.call_id: one for one in store.live_calls(conn, "gw1")}
        assert store.live_calls(conn, "gw2") == []
        assert live[waiting].session is None
        session = live[talking].session
        assert session is not None
        assert (session.granted_ms, session.request_number, session.is_open) == (60_000, 0, True)
        assert store.open_sessions_past(conn, session.valid_until_at) == []
        late = store.open_sessions_past(conn, session.valid_until_at + timedelta(seconds=1))
    assert [(one.call_id, one.session_id, one.granted_ms) for one in late] == [(talking, session.session_id, 60_000)]
    books.settle(talking, 1_000)
    with reading(books.engine) as conn:
        assert store.open_sessions_past(conn, session.valid_until_at + timedelta(days=1)) == []


def test_a_call_is_found_by_the_beginning_of_its_id(books: Books) -> None:
    call_id = books.call()
    books.call()
    with reading(books.engine) as conn:
        found = store.find_call(conn, call_id)
        assert found is not None
        assert found.call_id == call_id
        assert store.find_call(conn, "ffff") is None
        assert store.find_call(conn, "") is None
        with pytest.raises(AmbiguousCallError):
            store.find_call(conn, call_id[0])


def test_a_cdr_is_never_changed(books: Books) -> None:
    books.settle(books.call(), None)
    for statement in (sa.update(cdr).values(charged_micros=0), sa.delete(cdr)):
        with pytest.raises(DatabaseError, match="never changed"), transaction(books.engine) as conn:
            conn.execute(statement)


def test_a_call_is_explained_in_order(books: Books) -> None:
    account_id, price = books.account(10 * UNIT), books.rate()
    call_id = books.call(events=[CallEvent(books.clock.now(), "line", "identified", {"listed": True})])
    books.clock.advance(5)
    books.authorise(books.asking(call_id, account_id, price))
    books.clock.advance(40)
    extend(books, call_id, 1, 120_000)
    books.clock.advance(70)
    books.settle(call_id, 110_000, events=(CallEvent(books.clock.now(), "goodbye", "said"),))
    told = service.explain(books.engine, call_id)
    assert [moment.kind for moment in told.timeline] == [
        *("call", "event", "event", "charging", "charging", "event", "ledger", "ledger", "cdr")
    ]
    assert told.timeline[1].text == "line: identified listed=True"
    assert "granted 120000 ms, held 2.00 USD" in told.timeline[4].text
    assert "charged 2.00 USD" in told.timeline[-1].text
    assert any("total 2.00 USD" in step for step in told.price_steps)
    refused = service.explain(books.engine, books.call())
    assert (refused.price_steps, [moment.kind for moment in refused.timeline]) == ([], ["call"])
    with pytest.raises(UnknownCallError):
        service.explain(books.engine, new_id())


def test_many_witnesses_settle_once(books: Books) -> None:
    account_id, price = books.account(10 * UNIT), books.rate()
    call_id = books.up(account_id, price)
    told = [books.told(call_id, 1_000 * seconds, settled_from=f"w{seconds}") for seconds in range(1, 11)]
    records = at_once([partial(service.settle, books.engine, books.clock, one) for one in told])
    assert len(set(records)) == 1
    assert (books.money(account_id), books.talk()[1]) == ((9 * UNIT, 0), 0)
    books.assert_sound()


def test_extend_and_settle_of_one_call_at_once(books: Books) -> None:
    account_id, price = books.account(100 * UNIT), books.rate()
    for _ in range(5):
        call_id = books.up(account_id, price)
        before, held_before = books.money(account_id)
        assert held_before == UNIT
        tasks: list[Callable[[], object]] = [
            *(partial(extend, books, call_id, 1, 180_000, price) for _ in range(4)),
            *(partial(books.settle, call_id, 100_000) for _ in range(4)),
        ]
        answers = at_once(tasks)
        records = {answer for answer in answers if isinstance(answer, Cdr)}
        extended = {answer.grant for answer in answers if isinstance(answer, Extended)}
        assert len(records) == 1
        assert extended <= {Grant(180_000, 3 * UNIT, final=False)}
        charged_micros = records.pop().charged_micros
        assert charged_micros == (2 * UNIT if extended else UNIT)
        assert books.money(account_id) == (before - charged_micros, 0)
    books.assert_sound()


def test_authorise_and_hang_up_at_once_never_leave_a_hold(books: Books) -> None:
    account_id, price = books.account(100 * UNIT), books.rate()
    for _ in range(10):
        call_id = books.call()
        wanted = books.asking(call_id, account_id, price)
        tasks: list[Callable[[], object]] = [
            partial(books.authorise, wanted),
            partial(books.settle, call_id, None),
            partial(books.authorise, wanted),
            partial(books.settle, call_id, None),
        ]
        answers = at_once(tasks)
        assert isinstance(answers[1], Cdr)
        assert answers[1] == answers[3]
        assert (books.money(account_id), books.talk()) == ((100 * UNIT, 0), (0, 0))
    with reading(books.engine) as conn:
        assert store.live_calls(conn) == []
    books.assert_sound()


def test_a_credit_during_the_last_extension_is_used_or_kept(books: Books) -> None:
    account_id, price = books.account(UNIT), books.rate()
    number = books.number(account_id)
    call_id = books.up(account_id, price)
    tasks: list[Callable[[], object]] = [
        partial(extend, books, call_id, 1, 120_000, price),
        partial(ledger_service.credit, books.engine, books.clock, number, 2 * UNIT, "paid", "test"),
    ]
    at_once(tasks)
    assert extend(books, call_id, 2, 180_000, price) == Extended(Grant(180_000, 3 * UNIT, final=True), is_replay=False)
    assert books.settle(call_id, 180_000).balance_after_micros == 0
    books.assert_sound()
