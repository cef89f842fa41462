"""Money: decimal text and integers meet exactly, and rounding goes the way it is told."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import AmountError, Rounding, divide, format_amount, parse_amount


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("12.34", 12_340_000),
        ("0.000001", 1),
        ("-0.5", -500_000),
        ("+3", 3_000_000),
        (" 7.10 ", 7_100_000),
        ("0.0210000000", 21_000),
        ("0", 0),
    ],
)
def test_text_becomes_micros(text: str, micros: int) -> None:
    assert parse_amount(text) == micros


@pytest.mark.parametrize(
    "text",
    ["", ".5", "5.", "1,000.00", "1e3", "0.0000001", "NaN", "٣", "--1", "9223372036854.775808", "1 000", "$1", "1.2.3"],
)
def test_other_text_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(AmountError) as caught:
        parse_amount(text)
    assert not text or text not in str(caught.value)


def test_formatting_shows_cents_always_and_micros_where_there_are_any() -> None:
    assert format_amount(12_340_000) == "12.34"
    assert format_amount(12_000_000, "USD") == "12.00 USD"
    assert format_amount(-1) == "-0.000001"
    assert format_amount(21_500) == "0.0215"


@given(st.integers(-(2**63) + 1, 2**63 - 1))
def test_formatting_then_parsing_changes_nothing(micros: int) -> None:
    assert parse_amount(format_amount(micros)) == micros


@pytest.mark.parametrize(
    ("numerator", "up", "down", "half_up", "half_even"),
    [(5, 3, 2, 3, 2), (7, 4, 3, 4, 4), (-5, -2, -3, -2, -2), (4, 2, 2, 2, 2), (-7, -3, -4, -3, -4)],
)
def test_halves_go_the_way_they_are_told(numerator: int, up: int, down: int, half_up: int, half_even: int) -> None:
    assert divide(numerator, 2, Rounding.UP) == up
    assert divide(numerator, 2, Rounding.DOWN) == down
    assert divide(numerator, 2, Rounding.HALF_UP) == half_up
    assert divide(numerator, 2, Rounding.HALF_EVEN) == half_even


@given(st.integers(-(10**20), 10**20), st.integers(1, 10**6), st.sampled_from(Rounding))
def test_a_rounded_quotient_is_less_than_one_away(numerator: int, denominator: int, rounding: Rounding) -> None:
    exact = Fraction(numerator, denominator)
    rounded = divide(numerator, denominator, rounding)
    assert abs(rounded - exact) < 1
    if rounding is Rounding.HALF_EVEN:
        assert rounded == round(exact)


def test_a_denominator_that_is_not_positive_is_a_fault() -> None:
    with pytest.raises(ValueError, match="denominator"):
        divide(1, 0, Rounding.UP)
