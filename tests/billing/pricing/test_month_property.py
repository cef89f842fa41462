"""Sessions side by side in one month: whatever the order of their ends, they cost what one record of them would."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating import Context, Rate, billed_ms, hold_micros, price_micros, unrounded_micros
from billing.tariffs.tariff import read_rate
from tests.billing.shop import EMPTY

ROUNDINGS = ["", *(f"{mode} {places} total" for mode in ("up", "down", "half-up", "half-even") for places in (0, 1, 2))]
FALLING, RISING = ("", "90 0.36; 600 0.06"), ("60 0.9; 240 1.5",)


def rate_of(increments: str, rounding: str, tiers: str) -> Rate:
    """A minute costs 0.60; what a second costs is a whole number of micro-units, so that nothing is lost on the way."""
    row = {"prefix": "33", "price_per_minute": "0.6", "increments": increments, "rounding": rounding, "tiers": tiers}
    return read_rate({**EMPTY, **{name: value for name, value in row.items() if value}}, "USD")


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["1", "60/6", "30/7"]),
    st.sampled_from(ROUNDINGS),
    st.sampled_from((*FALLING, *RISING)),
    st.lists(st.tuples(st.integers(1, 400_000), st.integers(0, 5)), min_size=1, max_size=6),
)
def test_the_order_of_the_ends_does_not_change_the_sum(
    increments: str, rounding: str, tiers: str, sessions: list[tuple[int, int]]
) -> None:
    """Each is (use in ms, how many had ended when it began): what was held by that month covers it, and all are one."""
    rate = rate_of(increments, rounding, tiers)
    months = [(0, 0)]
    charged_micros = 0
    for used_ms, ended in sessions:
        month_used, month_micros = months[-1]
        now = Context(month_used=month_used, month_micros=month_micros)
        price = price_micros(rate, used_ms, now)
        at_start = months[min(ended, len(months) - 1)]
        held = hold_micros(rate, used_ms, Context(month_used=at_start[0], month_micros=at_start[1]))
        assert price <= held or tiers in RISING
        charged_micros += price
        cost = unrounded_micros(rate, used_ms, now) if rounding else price
        months.append((month_used + billed_ms(rate, used_ms), month_micros + cost))
    one_record = replace(rate, initial_s=1, increment_s=1)
    assert charged_micros == price_micros(one_record, months[-1][0], Context())
