"""Periods of plans: fees, units, pro rata, what is not paid, what was missed, and two runs side by side."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier
from unittest import mock

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from billing.bundles import service as bundle_service
from billing.bundles.offer import Offer
from billing.ledger import service as ledger_service
from billing.plans import service, store
from billing.plans.accruing import service as accruing
from billing.plans.cycle import Every
from billing.plans.plan import FirstPeriod, PeriodState, Plan, Shortage, Terms
from billing.plans.service import Wish
from billing.plans.tables import plan_period
from billing.pricing.bundles import Bundle
from runtime.database import reading, rehearsing, transaction
from tests.billing.books import Books
from tests.clock import SettableClock

UNIT = 1_000_000
FIRST = datetime(2026, 3, 10, 15, tzinfo=UTC)
UNITS = Offer("", "minutes", Bundle(0, 600_000, name="minutes", rolls_over=60_000), "1m", renews=True)
GOLD = Terms("Gold", "residential", None, "minutes", 10 * UNIT)
SOLD = Plan(0, "acme", "gold", "", Every.MONTH, "UTC", None, ())


@pytest.fixture
def books(engine: Engine, clock: SettableClock) -> Books:
    clock.set(FIRST - timedelta(days=30))
    made = Books(engine, clock)
    bundle_service.create(engine, clock, UNITS, by="eve")
    return made


def sell(books: Books, **changes: object) -> Plan:
    terms = replace(GOLD, **changes)  # type: ignore[arg-type]  # the names are checked when it is made
    made = service.create(books.engine, books.clock, SOLD, terms, by="eve")
    books.clock.set(FIRST)
    return made


def give(books: Books, account_id: int, code: str | None = "gold", **wish: object) -> None:
    number = books.number(account_id)
    service.set_plan(books.engine, books.clock, number, Wish(code, **wish), by="eve")  # type: ignore[arg-type]  # the same


def bill(books: Books) -> accruing.Tally:
    return accruing.bill(books.engine, books.clock, by="timer")


def pay(books: Books, account_id: int, micros: int, key: str) -> None:
    ledger_service.credit(books.engine, books.clock, books.number(account_id), micros, key, "test")


def periods(books: Books, account_id: int) -> list[tuple[str, str, int, str]]:
    """From when until when, the fee in whole units, and what became of it; from the first."""
    found = service.history(books.engine, books.clock, books.number(account_id)).periods
    return [
        (f"{one.begins_at:%m-%d}", f"{one.ends_at:%m-%d}", one.fee_micros // UNIT, one.state.value)
        for one in reversed(found)
    ]


def units(books: Books, account_id: int) -> list[tuple[int, str]]:
    found = bundle_service.bundles(books.engine, books.clock, books.number(account_id))
    return [(one.bundle.units, one.state(books.clock.now())) for one in found]


def test_each_period_is_charged_once_and_brings_its_units(books: Books) -> None:
    sell(books)
    account_id = books.account(25 * UNIT)
    give(books, account_id)
    first = bill(books)
    assert (first.periods, first.paid, first.bundles, first.fees_micros) == (1, 1, 1, {"USD": 10 * UNIT})
    again = bill(books)
    assert (again.accounts, again.periods, again.paid) == (0, 0, 0)
    assert books.money(account_id) == (15 * UNIT, 0)
    assert units(books, account_id) == [(600_000, "open")]
    books.clock.set(datetime(2026, 4, 10, tzinfo=UTC))
    bill(books)
    assert units(books, account_id) == [(540_000, "renewed"), (660_000, "open")]
    books.clock.set(datetime(2026, 5, 10, tzinfo=UTC))
    third = bill(books)
    assert (third.periods, third.unpaid) == (1, 1)
    assert books.money(account_id) == (5 * UNIT, 0)
    assert periods(books, account_id) == [
        ("03-10", "04-10", 10, "paid"),
        ("04-10", "05-10", 10, "paid"),
        ("05-10", "06-10", 10, "unpaid"),
    ]
    pay(books, account_id, 5 * UNIT, "more")
    assert bill(books).paid == 1
    assert units(books, account_id)[2] == (660_000, "open")
    books.assert_sound()


def test_a_first_period_may_cost_and_bring_its_share_by_days(books: Books) -> None:
    sell(books, first_period=FirstPeriod.PRO_RATA)
    account_id, other = books.account(20 * UNIT), books.account(20 * UNIT)
    give(books, account_id, billing_day=1)
    give(books, other)
    bill(books)
    # 22 of the 31 days of March
    assert books.money(account_id) == (20 * UNIT - 7_100_000, 0)
    assert units(books, account_id) == [(425_807, "open")]
    assert books.money(other) == (10 * UNIT, 0)
    books.clock.set(datetime(2026, 4, 1, tzinfo=UTC))
    bill(books)
    assert books.money(account_id) == (20 * UNIT - 17_100_000, 0)
    assert units(books, account_id)[1] == (660_000, "open")
    books.assert_sound()


@pytest.mark.parametrize(("shortage", "state"), [(Shortage.SUSPEND, "lapsed"), (Shortage.OWE, "unpaid")])
def test_a_fee_that_is_not_paid_lapses_or_is_owed(books: Books, shortage: Shortage, state: str) -> None:
    sell(books, shortage=shortage)
    account_id = books.account(5 * UNIT)
    give(books, account_id)
    assert bill(books).unpaid == 1
    assert books.money(account_id) == (5 * UNIT, 0)
    assert units(books, account_id) == []
    books.clock.set(datetime(2026, 4, 10, tzinfo=UTC))
    bill(books)
    assert [row[3] for row in periods(books, account_id)] == [state, "unpaid"]
    pay(books, account_id, 10 * UNIT, "more")
    bill(books)
    states = [row[3] for row in periods(books, account_id)]
    assert states == (["lapsed", "paid"] if shortage is Shortage.SUSPEND else ["paid", "unpaid"])
    assert books.money(account_id) == (5 * UNIT, 0)
    assert bill(books).paid == 0
    books.assert_sound()


def test_missed_periods_are_caught_up_with_in_order(books: Books) -> None:
    sell(books)
    account_id = books.account(25 * UNIT)
    give(books, account_id)
    books.clock.set(datetime(2026, 6, 20, tzinfo=UTC))
    rehearsed = accruing.bill(rehearsing(books.engine), books.clock, by="timer")
    assert (rehearsed.periods, rehearsed.paid, rehearsed.lapsed, rehearsed.unpaid) == (4, 2, 1, 1)
    assert periods(books, account_id) == []
    assert bill(books) == rehearsed
    assert [row[3] for row in periods(books, account_id)] == ["paid", "paid", "lapsed", "unpaid"]
    books.assert_sound()


def test_a_long_absence_is_caught_up_with_in_several_transactions(books: Books) -> None:
    service.create(
        books.engine, books.clock, replace(SOLD, every=Every.DAY), replace(GOLD, offer=None, fee_micros=1), by="eve"
    )
    account_id = books.account(UNIT)
    give(books, account_id)
    books.clock.set(FIRST + timedelta(days=100))
    assert bill(books).periods == 131
    assert books.money(account_id) == (UNIT - 131, 0)
    assert bill(books).periods == 0


def test_two_runs_side_by_side_charge_once(books: Books, times: Callable[[int, int], int]) -> None:
    sell(books)
    account_id = books.account(100 * UNIT)
    give(books, account_id)
    rounds = times(6, 100)
    pay(books, account_id, rounds * 10 * UNIT, "much")
    for month in range(rounds):
        books.clock.set(FIRST + timedelta(days=31 * month))
        together = Barrier(2)

        def run(together: Barrier = together) -> accruing.Tally:
            together.wait()
            return bill(books)

        with ThreadPoolExecutor(2) as pool:
            done = [one.result() for one in [pool.submit(run), pool.submit(run)]]
        assert sum(one.paid for one in done) == sum(one.periods for one in done) >= 1
        assert [one.failed for one in done] == [[], []]
    with reading(books.engine) as conn:
        paid = conn.scalar(sa.select(sa.func.count(plan_period.c.transfer_id.distinct()))) or 0
        begun = conn.scalar(sa.select(sa.func.count()).select_from(plan_period))
    assert paid == begun
    assert books.money(account_id) == ((100 + rounds * 10 - paid * 10) * UNIT, 0)
    books.assert_sound()


KILLED_AT = (
    "ledger_store.post",
    "ledger_store.move",
    "allowance_store.add_bundle",
    "period_store.add",
    "store.set_due",
)


def test_a_run_that_is_killed_anywhere_leaves_nothing_half_done(books: Books) -> None:
    sell(books)
    account_id = books.account(50 * UNIT)
    give(books, account_id)
    for at in KILLED_AT:
        killed = mock.patch(f"billing.plans.accruing.service.{at}", side_effect=KeyboardInterrupt)
        with killed, pytest.raises(KeyboardInterrupt):
            bill(books)
        left = books.money(account_id), periods(books, account_id), units(books, account_id)
        assert left == ((50 * UNIT, 0), [], []), at
    assert bill(books).paid == 1
    assert books.money(account_id) == (40 * UNIT, 0)
    books.assert_sound()


def test_a_change_waits_for_the_next_period_or_is_at_once(books: Books) -> None:
    sell(books)
    service.create(
        books.engine, books.clock, replace(SOLD, code="silver"), replace(GOLD, name="Silver", fee_micros=UNIT), by="eve"
    )
    account_id, other = books.account(50 * UNIT), books.account(50 * UNIT)
    for one in (account_id, other):
        give(books, one)
    bill(books)
    books.clock.set(FIRST + timedelta(days=1))
    give(books, account_id, "silver")
    give(books, other, "silver", at_once=True)
    bill(books)
    assert [row[2] for row in periods(books, account_id)] == [10]
    assert periods(books, other) == [("03-10", "03-11", 10, "paid"), ("03-11", "04-10", 1, "paid")]
    assert units(books, other) == [(600_000, "closed"), (600_000, "open")]
    books.clock.set(datetime(2026, 4, 10, 1, tzinfo=UTC))
    bill(books)
    assert periods(books, account_id)[1] == ("04-10", "05-10", 1, "paid")
    give(books, account_id, None)
    books.clock.set(datetime(2026, 6, 10, tzinfo=UTC))
    bill(books)
    assert len(periods(books, account_id)) == 2
    history = service.history(books.engine, books.clock, books.number(account_id))
    assert [(one.plan_code, one.set_by) for one in history.stretches] == [("gold", "eve"), ("silver", "eve")]
    assert history.current is None
    books.assert_sound()


def test_a_planned_change_is_called_off_by_the_plan_it_has(books: Books) -> None:
    sell(books)
    service.create(books.engine, books.clock, replace(SOLD, code="silver"), replace(GOLD, name="Silver"), by="eve")
    account_id = books.account(50 * UNIT)
    give(books, account_id)
    bill(books)
    give(books, account_id, "silver")
    give(books, account_id, "gold")
    books.clock.set(datetime(2026, 4, 10, tzinfo=UTC))
    bill(books)
    with reading(books.engine) as conn:
        found = store.in_force(store.assignments(conn, account_id), books.clock.now())
    assert found is not None
    assert (found.plan_code, found.ends_at) == ("gold", None)
    assert len(periods(books, account_id)) == 2


def test_who_is_not_open_waits(books: Books) -> None:
    sell(books)
    account_id = books.account(50 * UNIT)
    give(books, account_id)
    books.set_state(account_id, "suspended")
    assert bill(books).accounts == 0
    books.set_state(account_id, "open")
    assert bill(books).paid == 1


def test_the_fee_is_that_of_the_terms_when_its_period_began(books: Books) -> None:
    sell(books)
    account_id = books.account(50 * UNIT)
    give(books, account_id)
    april = datetime(2026, 4, 1, tzinfo=UTC)
    service.change(
        books.engine, books.clock, None, "gold", lambda one: replace(one, fee_micros=12 * UNIT), by="eve", from_at=april
    )
    bill(books)
    books.clock.set(datetime(2026, 4, 10, tzinfo=UTC))
    bill(books)
    assert [row[2] for row in periods(books, account_id)] == [10, 12]


def test_the_audit_finds_a_fee_that_was_not_charged_and_one_without_its_period(books: Books) -> None:
    sell(books)
    account_id = books.account(50 * UNIT)
    give(books, account_id)
    bill(books)
    with transaction(books.engine) as conn:
        conn.execute(sa.update(plan_period).values(fee_micros=9 * UNIT))
    (found,) = ledger_service.audit(books.engine)
    assert (found.check, found.subject, found.found) == ("the fee of a plan's period is posted", "fee:1:1", 9 * UNIT)
    with transaction(books.engine) as conn:
        conn.execute(sa.update(plan_period).values(transfer_id=None, state=PeriodState.UNPAID.value))
    assert "a fee has its plan's period" in {one.check for one in ledger_service.audit(books.engine)}
    # the same fee again is refused by its key
    assert bill(books).failed == [books.number(account_id)]
    assert books.money(account_id) == (40 * UNIT, 0)
