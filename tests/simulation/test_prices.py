"""The simulation's price model: figures worked out by hand, and the product's own arithmetic against it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from billing.pricing.bundles import Bundle, CoverRule
from billing.rating import Context, Rate, draws_to_hold, hold_micros, largest_grant, price_micros
from billing.tariffs.tariff import read_rate
from tests.simulation.prices import About, Included, Price, prices_of, units_to_hold
from tests.simulation.rows import EMPTY, VERSIONS
from tests.simulation.units import measure_of

FIRST, SECOND = (prices_of(rows) for rows in VERSIONS)
BEGIN = datetime(2026, 3, 31, 22, 0, tzinfo=UTC)
BEGIN_MS = int(BEGIN.timestamp()) * 1000


def test_windows_are_by_the_clock_of_their_zone() -> None:
    """From 23:50:30 in UTC it is 01:50:30 in Rome; from 01:51 on a minute is 1.10, before that 0.60."""
    about = About(BEGIN_MS + (110 * 60 + 30) * 1000)
    assert FIRST["39"].of(60_000, about) == 40_000 + 30_000 + 300_000 + 550_000


def test_a_window_over_midnight_belongs_to_the_day_it_begins_on() -> None:
    """The first of April is a holiday: until 00:04 its own window holds, not that of Tuesday night."""
    price = FIRST["354"]
    assert price.window_at(BEGIN_MS + (2 * 3600 - 1) * 1000) == (1_200_000, 100)
    assert price.window_at(BEGIN_MS + 2 * 3600 * 1000) == (200_000, 100)
    assert price.window_at(BEGIN_MS + (2 * 3600 + 240) * 1000) == (None, 80)
    assert price.window_at(BEGIN_MS + (5 * 3600) * 1000) is None


def test_steps_fees_most_charge_and_rounding() -> None:
    """20 s at 0.80 and 5 s at 0.50 a minute, 0.01 after 15 s, 0.02 after 20 s: 0.33833..., up to 0.005."""
    assert FIRST["34"].of(21_000) == 340_000
    assert FIRST["34"].of(239_000) == 1_100_000


def test_tiers_and_units_of_bundles() -> None:
    """Of 120 s 30 are a bundle's; 60 more are before 120 s of the month, 30 after; 12.5 % on all of it."""
    about = About(month_used=30_000, cover=(Included(1, 30_000),))
    assert FIRST["41"].of(120_000, about) == (900_000 + 300_000) * 1125 // 1000
    assert FIRST["43"].of(60_001, About(month_used=60_001)) == 1_350_000 + 270_000


@pytest.mark.parametrize("number", range(len(VERSIONS)))
def test_the_product_comes_to_the_same(number: int, times: Callable[[int, int], int]) -> None:
    chance = Random(number)
    prices = prices_of(VERSIONS[number])
    for row in VERSIONS[number]:
        if row.get("per") != "transaction":
            rate = read_rate({**EMPTY, **row}, "USD")
            for _ in range(times(12, 1_000)):
                _agree(rate, prices[row["prefix"]], chance)


def _agree(rate: Rate, price: Price, chance: Random) -> None:
    largest = chance.choice((5, 240_000) if price.scale == 1000 else (50, 400) if price.by_units else (4096, 2 * 10**7))
    used = chance.randrange(1, largest)
    month = chance.choice((0, chance.randrange(20 * 10**6 if largest > 10**6 else 900_000)))
    start_ms, paid_micros = BEGIN_MS + chance.randrange(8 * 3_600_000), chance.randrange(10**7)
    cover = tuple(_included(price, chance, number, largest) for number in range(chance.choice((0, 0, 1, 2, 3))))
    about = About(start_ms, month, paid_micros, cover)
    bundles = tuple(
        Bundle(
            one.bundle_id,
            one.units,
            "calls" if one.is_calls else measure_of(price),
            CoverRule(one.rule),
            price_micros=one.micros,
            covers_fees=one.covers_fees,
        )
        for one in cover
    )
    started_at = BEGIN + timedelta(milliseconds=start_ms - BEGIN_MS)
    context = Context(started_at, month_used=month, month_micros=paid_micros, bundles=bundles)
    assert price_micros(rate, used, context) == price.of(used, about), (rate.prefix, used, about)
    assert hold_micros(rate, used, context) == price.to_hold(used, about), (rate.prefix, used, about)
    held = {one.bundle_id: one.units for one in draws_to_hold(rate, used, context)}
    assert held == units_to_hold(price, cover, used), (rate.prefix, used, about)
    grant = largest_grant(rate, chance.randrange(1, 3_000_000), used, max(used, 240_000), context)
    assert not grant.granted_ms or price.hold_fault(grant.granted_ms, grant.held_micros, about) is None


def _included(price: Price, chance: Random, number: int, largest: int) -> Included:
    micros = chance.choice((0, 0, 100_000))
    if price.scale != 1000:
        return Included(number + 1, chance.randrange(1, largest), micros=micros)
    rule = chance.choice(("pro-rata", "pro-rata", "blocks", "whole"))
    covers_fees = chance.random() < 0.3
    if chance.random() < 0.1:
        return Included(number + 1, 2, rule, is_calls=True, micros=micros, covers_fees=covers_fees)
    return Included(number + 1, chance.randrange(1, largest), rule, micros=micros, covers_fees=covers_fees)
