"""Bundles and months of accounts, on SQLite and PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.engine import Engine

from billing.allowances import store
from billing.allowances.store import MonthUse, UnitsGoneError
from billing.pricing.bundles import Bundle, CoverRule
from billing.pricing.kept import bundles_of_text, context_of_text, context_text
from billing.rating import NO_CONTEXT, Context, Draw
from runtime.database import reading, transaction
from tests.billing.books import Books
from tests.clock import SettableClock

MINUTES = Bundle(
    0, 600_000, rule=CoverRule.BLOCKS, priority=2, services=("voice",), prefixes=("44", "49"), name="abroad"
)


@pytest.fixture
def account_id(engine: Engine, clock: SettableClock) -> int:
    return Books(engine, clock).account()


def add(engine: Engine, clock: SettableClock, account_id: int, bundle: Bundle = MINUTES) -> int:
    with transaction(engine) as conn:
        return store.add_bundle(conn, account_id, bundle, clock.now())


def free_units(engine: Engine, clock: SettableClock, account_id: int) -> list[int]:
    with reading(engine) as conn:
        return [one.units for one in store.bundles_for(conn, account_id, "voice", "442079460000", "time", clock.now())]


def test_a_bundle_is_kept_whole(engine: Engine, clock: SettableClock, account_id: int) -> None:
    number = add(engine, clock, account_id)
    with reading(engine) as conn:
        found = store.bundles_for(conn, account_id, "voice", "442079460000", "time", clock.now())
        assert found == (replace(MINUTES, id=number),)
        assert store.bundles_for(conn, account_id, "voice", "33", "time", clock.now()) == ()
        assert store.bundles_for(conn, account_id + 1, "voice", "44", "time", clock.now()) == ()
        early = clock.now() - timedelta(seconds=1)
        assert store.bundles_for(conn, account_id, "voice", "44", "time", early) == ()


def test_units_are_held_then_taken_and_the_rest_is_free_again(
    engine: Engine, clock: SettableClock, account_id: int
) -> None:
    number = add(engine, clock, account_id)
    with transaction(engine) as conn:
        store.open_use(conn, "s1", [replace(MINUTES, id=number)])
        store.open_use(conn, "s2", [replace(MINUTES, id=number)])
        store.hold(conn, "s1", [Draw(number, 120_000)])
        store.hold(conn, "s1", [Draw(number, 180_000)])
        store.hold(conn, "s1", [Draw(number, 60_000)])
    assert free_units(engine, clock, account_id) == [420_000]
    with pytest.raises(UnitsGoneError), transaction(engine) as conn:
        store.hold(conn, "s2", [Draw(number, 420_001)])
    with transaction(engine) as conn:
        store.take(conn, "s1", [Draw(number, 100_000)])
        store.take(conn, "s1", [Draw(number, 100_000)])
    assert free_units(engine, clock, account_id) == [500_000]


def test_sessions_that_race_never_hold_more_than_there_is(
    engine: Engine, clock: SettableClock, account_id: int
) -> None:
    number = add(engine, clock, account_id)

    def race(which: int) -> bool:
        try:
            with transaction(engine) as conn:
                store.open_use(conn, f"s{which}", [replace(MINUTES, id=number)])
                store.hold(conn, f"s{which}", [Draw(number, 100_000)])
        except UnitsGoneError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(race, range(10))) == 6
    assert free_units(engine, clock, account_id) == []


def test_a_period_ends_and_what_may_be_carried_over_is(engine: Engine, clock: SettableClock, account_id: int) -> None:
    given = replace(MINUTES, expires_at=clock.now() + timedelta(days=30), rolls_over=100_000)
    with transaction(engine) as conn:
        number = store.add_bundle(conn, account_id, given, clock.now(), period="30d", renews=True)
        store.open_use(conn, "s1", [replace(given, id=number)])
        store.hold(conn, "s1", [Draw(number, 550_000)])
    clock.advance(30 * 86_400)
    assert free_units(engine, clock, account_id) == [650_000]
    with transaction(engine) as conn:
        store.renew(conn, number, clock.now())
    assert free_units(engine, clock, account_id) == [650_000]
    with transaction(engine) as conn:
        store.take(conn, "s1", [Draw(number, 550_000)])
    clock.advance(60 * 86_400 + 1)
    assert free_units(engine, clock, account_id) == [700_000]


def test_a_month_is_added_up(engine: Engine, clock: SettableClock, account_id: int) -> None:
    with transaction(engine) as conn:
        assert store.month_used(conn, account_id, "2027-03", "voice") == MonthUse()
        store.add_month_use(conn, account_id, "2027-03", "voice", 60_000, 12)
        store.add_month_use(conn, account_id, "2027-03", "voice", 6_000, 3)
        assert store.month_used(conn, account_id, "2027-03", "voice") == MonthUse(66_000, 15)
        assert store.month_used(conn, account_id, "2027-03", "data") == MonthUse()


def test_what_a_session_was_opened_with_is_kept_as_text(clock: SettableClock) -> None:
    two = (MINUTES, Bundle(2, 1))
    context = Context(clock.now(), "18005550100", is_answered=True, month_used=5, bundles=two, rings_ms=9)
    context = replace(context, month_micros=7)
    text = context_text(context)
    assert bundles_of_text(text) == [0, 2]
    assert context_of_text(text, clock.now(), {one.id: one for one in two}) == context
    assert context_text(NO_CONTEXT) == context_text(Context(clock.now())) == ""
    assert bundles_of_text("") == []
    assert context_of_text("", clock.now(), {}) == Context(clock.now())
    assert len(context_text(replace(NO_CONTEXT, bundles=two))) < 20
