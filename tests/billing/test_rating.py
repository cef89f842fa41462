"""The price function: known prices, and the promises that must hold for every rate, balance and usage."""

import dataclasses
from fractions import Fraction
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rating import (
    NOTHING,
    Grant,
    Rate,
    billed_ms,
    charge_micros,
    explain,
    largest_grant,
    price_micros,
    talk_time_ms,
)

US = Rate(1, "1", "United States", "USD", 21_000)
MONTH_MS = 31 * 86_400_000


def make_rate(minute: int, notation: str = "1/1", *, fee: int = 0, minimum_s: int = 0) -> Rate:
    initial, increment = notation.split("/")
    return Rate(1, "1", "somewhere", "USD", minute, fee, minimum_s, int(initial), int(increment))


rates = st.builds(
    lambda minute, fee, minimum, initial, increment: Rate(1, "1", "", "USD", minute, fee, minimum, initial, increment),
    st.one_of(st.integers(0, 200), st.integers(0, 9_000_000)),
    st.sampled_from([0, 0, 0, 1, 50_000, 990_000]),
    st.sampled_from([0, 0, 0, 1, 7, 30, 40, 60, 180]),
    st.sampled_from([1, 1, 6, 30, 60, 61]),
    st.sampled_from([1, 1, 6, 30, 60]),
)
funds = st.one_of(st.integers(-10, 2_000), st.integers(0, 50_000_000))
times_ms = st.one_of(st.integers(-1, 5_000), st.integers(0, 2_000_000), st.integers(1, 2_000).map(lambda s: s * 1000))


@pytest.mark.parametrize(
    ("notation", "minimum_s", "used_ms", "billed_s"),
    [
        ("60/60", 0, 0, 0),
        ("60/60", 0, -5, 0),
        ("60/60", 0, 1, 60),
        ("60/60", 0, 60_000, 60),
        ("60/60", 0, 60_001, 120),
        ("60/6", 0, 60_001, 66),
        ("60/6", 0, 72_000, 72),
        ("1/1", 0, 999, 1),
        ("30/6", 0, 31_000, 36),
        ("30/6", 40, 5_000, 40),
        ("30/6", 40, 36_000, 40),
        ("30/6", 40, 36_001, 42),
        ("6/6", 30, 1, 30),
    ],
)
def test_begun_increments_are_billed(notation: str, minimum_s: int, used_ms: int, billed_s: int) -> None:
    assert billed_ms(make_rate(60_000, notation, minimum_s=minimum_s), used_ms) == billed_s * 1000


def test_the_total_is_rounded_up_to_a_micro_once() -> None:
    assert price_micros(make_rate(100), 1000) == 2
    assert price_micros(make_rate(100), 3000) == 5
    assert price_micros(make_rate(100, fee=7), 3000) == 12
    assert price_micros(make_rate(100, fee=7), 0) == 0


def test_enough_money_buys_the_increments_that_cover_what_is_wanted() -> None:
    rate = make_rate(600_000, "60/6")
    assert largest_grant(rate, 5_000_000, 61_000, MONTH_MS) == Grant(66_000, 660_000, final=False)


def test_the_last_money_buys_a_part_of_an_increment_and_ends_at_zero() -> None:
    rate = make_rate(600_000, "60/60")
    grant = largest_grant(rate, 900_000, 300_000, MONTH_MS)
    assert grant == Grant(90_000, 900_000, final=True)
    assert charge_micros(rate, 90_000, grant) == 900_000
    assert charge_micros(rate, 60_000, grant) == 600_000
    assert charge_micros(rate, 90_020, grant) == 900_000


def test_the_first_block_may_be_given_in_part_but_the_minimum_and_the_fee_may_not() -> None:
    rate = make_rate(600_000, "60/60", fee=100_000)
    assert largest_grant(rate, 400_000, 1000, MONTH_MS) == Grant(30_000, 400_000, final=True)
    assert largest_grant(rate, 100_000, 1000, MONTH_MS) == NOTHING
    strict = make_rate(600_000, "60/60", fee=100_000, minimum_s=60)
    assert largest_grant(strict, 699_999, 1000, MONTH_MS) == NOTHING
    assert largest_grant(strict, 700_000, 1000, MONTH_MS) == Grant(60_000, 700_000, final=True)


def test_the_cap_cuts_and_is_final() -> None:
    rate = make_rate(600_000, "60/60")
    assert largest_grant(rate, 5_000_000, 100_000, 93_000) == Grant(93_000, 1_200_000, final=True)
    assert largest_grant(rate, 5_000_000, 100_000, 0) == NOTHING


def test_a_free_destination_is_limited_by_the_cap_only() -> None:
    assert largest_grant(make_rate(0), 0, 60_000, 90_000) == Grant(60_000, 0, final=False)
    assert talk_time_ms(make_rate(0), 0, 90_000) == 90_000
    assert talk_time_ms(make_rate(0, fee=5), 4, 90_000) == 0
    assert talk_time_ms(make_rate(0, fee=5), 5, 90_000) == 90_000


@given(rates, times_ms, times_ms)
def test_the_price_never_falls_as_time_grows(rate: Rate, one_ms: int, other_ms: int) -> None:
    assert price_micros(rate, min(one_ms, other_ms)) <= price_micros(rate, max(one_ms, other_ms))


@given(rates, times_ms)
def test_the_price_is_the_exact_one_rounded_up_by_less_than_a_micro(rate: Rate, used_ms: int) -> None:
    price = price_micros(rate, used_ms)
    if used_ms <= 0:
        assert price == 0
        return
    exact = rate.connect_fee_micros + Fraction(billed_ms(rate, used_ms) * rate.price_per_minute_micros, 60_000)
    assert exact <= price < exact + 1
    assert billed_ms(rate, used_ms) >= max(used_ms, rate.minimum_s * 1000, rate.initial_s * 1000)


@given(rates, funds, times_ms, times_ms, times_ms)
def test_a_charge_is_never_more_than_was_held_nor_a_hold_than_there_is(
    rate: Rate, balance: int, wanted_ms: int, cap_ms: int, used_ms: int
) -> None:
    grant = largest_grant(rate, balance, wanted_ms, cap_ms)
    assert 0 <= charge_micros(rate, used_ms, grant) <= grant.held_micros <= max(balance, 0)
    assert 0 <= grant.granted_ms <= max(cap_ms, 0)


@given(rates, funds, times_ms)
def test_using_what_was_announced_can_be_paid(rate: Rate, balance: int, cap_ms: int) -> None:
    announced_ms = talk_time_ms(rate, balance, cap_ms)
    grant = largest_grant(rate, balance, announced_ms, cap_ms)
    assert grant.granted_ms == announced_ms or announced_ms == 0
    assert charge_micros(rate, announced_ms, grant) <= max(balance, 0)


@given(rates, funds, times_ms)
def test_one_increment_more_does_not_fit(rate: Rate, balance: int, cap_ms: int) -> None:
    announced_ms = talk_time_ms(rate, balance, cap_ms)
    if announced_ms < cap_ms and balance >= 0:
        assert price_micros(rate, announced_ms + rate.increment_s * 1000) > balance
        assert price_micros(rate, announced_ms + 1) > balance or announced_ms == 0


@given(rates, funds, times_ms, times_ms)
def test_a_grant_covers_what_is_wanted_unless_it_is_final(
    rate: Rate, balance: int, wanted_ms: int, cap_ms: int
) -> None:
    grant = largest_grant(rate, balance, wanted_ms, cap_ms)
    if not grant.final:
        assert grant.granted_ms >= wanted_ms
        assert billed_ms(rate, grant.granted_ms) == max(grant.granted_ms, rate.minimum_s * 1000)
        assert grant.held_micros == price_micros(rate, grant.granted_ms)
        assert largest_grant(rate, balance, grant.granted_ms + 1, cap_ms).granted_ms > grant.granted_ms
    elif grant.granted_ms < wanted_ms:
        assert grant == largest_grant(rate, balance, cap_ms, cap_ms)


@given(rates, funds, times_ms, times_ms, times_ms)
def test_a_grant_never_shrinks_when_more_is_wanted(
    rate: Rate, balance: int, one_ms: int, other_ms: int, cap_ms: int
) -> None:
    small = largest_grant(rate, balance, min(one_ms, other_ms), cap_ms)
    large = largest_grant(rate, balance, max(one_ms, other_ms), cap_ms)
    assert small.granted_ms <= large.granted_ms
    assert small.held_micros <= large.held_micros
    assert small.final <= large.final or small == dataclasses.replace(large, final=True)


@given(rates, funds, funds, times_ms, times_ms)
def test_a_grant_never_shrinks_when_the_funds_or_the_cap_grow(
    rate: Rate, one: int, other: int, wanted_ms: int, cap_ms: int
) -> None:
    small = largest_grant(rate, min(one, other), wanted_ms, cap_ms)
    assert small.granted_ms <= largest_grant(rate, max(one, other), wanted_ms, cap_ms).granted_ms
    assert small.granted_ms <= largest_grant(rate, min(one, other), wanted_ms, cap_ms + 7_000).granted_ms


@given(rates, st.integers(1, 5_000_000), st.integers(1_000, 90_000))
def test_the_final_unit_ends_at_exactly_zero(rate: Rate, balance: int, step_ms: int) -> None:
    """Grow a session step by step, as a meter does, until its unit is final, and use all of it."""
    for number in count(1):
        grant = largest_grant(rate, balance, number * step_ms, MONTH_MS)
        if grant.final or number * step_ms > 3_600_000:
            break
    if grant.final and 0 < grant.granted_ms < MONTH_MS:
        assert grant.held_micros == balance
        assert charge_micros(rate, grant.granted_ms, grant) == balance
        assert charge_micros(rate, grant.granted_ms + 20, grant) == balance


@given(rates, funds)
def test_money_is_never_taken_for_nothing(rate: Rate, balance: int) -> None:
    grant = largest_grant(rate, balance, 60_000, MONTH_MS)
    assert (grant.granted_ms > 0) or (grant.held_micros == 0)
    assert charge_micros(rate, 0, grant) == 0
    assert grant.granted_ms == 0 or grant.granted_ms >= min(rate.minimum_s, rate.initial_s) * 1000


@pytest.mark.parametrize(
    "change", [{"initial_s": 0}, {"increment_s": 0}, {"minimum_s": -1}, {"price_per_minute_micros": -1}]
)
def test_a_rate_that_cannot_be_billed_is_refused(change: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"not|least"):
        dataclasses.replace(US, **change)  # type: ignore[arg-type]  # field names are given as text here


def test_the_explanation_names_every_step() -> None:
    rate = make_rate(600_000, "60/6", fee=50_000)
    assert explain(rate, 61_000) == [
        "prefix 1 (somewhere), tariff version 1",
        "0.60 USD a minute, increments 60/6 s, minimum 0 s",
        "used 61 s, billed 66 s",
        "66 s x 0.60 USD / 60 = 0.66 USD",
        "connect fee 0.05 USD",
        "total 0.71 USD",
    ]
    assert explain(rate, 0)[-1] == "not used: nothing to pay"
    assert explain(dataclasses.replace(rate, blocked=True), 5)[-1] == "this destination is blocked: no call, no price"
