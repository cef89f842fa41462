"""Longest prefix, the rows of a tariff file, and the differences of versions."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rating import Rate
from billing.tariffs.tariff import (
    Changes,
    RateFieldError,
    RateRefusal,
    RateTable,
    Version,
    compare,
    find_rate,
    read_rate,
    version_in_effect,
)

ROW = {
    "prefix": "44",
    "destination": "United Kingdom",
    "price_per_minute": "0.019",
    "connect_fee": "",
    "minimum_s": "",
    "increments": "",
    "blocked": "",
}
START = datetime(2026, 1, 1, tzinfo=UTC)


def make_rate(prefix: str, *, blocked: bool = False) -> Rate:
    return Rate(1, prefix, f"to {prefix}", "USD", 21_000, blocked=blocked)


TABLE = RateTable([make_rate("1"), make_rate("1900", blocked=True), make_rate("44"), make_rate("447")])


@pytest.mark.parametrize(("digits", "prefix"), [("12125550100", "1"), ("442079460000", "44"), ("447700900000", "447")])
def test_the_longest_prefix_wins(digits: str, prefix: str) -> None:
    rate = find_rate(TABLE, digits)
    assert isinstance(rate, Rate)
    assert rate.prefix == prefix


def test_a_blocked_prefix_has_no_fall_back() -> None:
    assert find_rate(TABLE, "19005550100") is RateRefusal.BLOCKED
    assert [rate.prefix for rate in TABLE.along("19005550100")] == ["1900", "1"]


@pytest.mark.parametrize("digits", ["33142685300", "4", "", "+44"])
def test_a_number_without_a_prefix_has_no_price(digits: str) -> None:
    assert find_rate(TABLE, digits) is RateRefusal.UNPRICED


digit_strings = st.text("0123456789", min_size=1, max_size=15)


@given(st.lists(st.text("012", min_size=1, max_size=5), max_size=20), st.text("012", max_size=8))
def test_the_table_finds_what_a_search_through_all_finds(prefixes: list[str], digits: str) -> None:
    fitting = [prefix for prefix in prefixes if digits.startswith(prefix)]
    found = RateTable(map(make_rate, prefixes)).longest(digits)
    assert (found and found.prefix) == (max(fitting, key=len) if fitting else None)


def test_a_row_is_read_with_its_defaults() -> None:
    rate = read_rate(ROW, "USD")
    assert rate == Rate(0, "44", "United Kingdom", "USD", 19_000, 0, 0, 1, 1, blocked=False)


def test_a_full_row_is_read() -> None:
    row = {**ROW, "prefix": "+52", "connect_fee": "0.05", "minimum_s": "30", "increments": "60/6", "blocked": "No"}
    assert read_rate(row, "MXN") == Rate(0, "52", "United Kingdom", "MXN", 19_000, 50_000, 30, 60, 6)
    assert read_rate({**ROW, "increments": "60"}, "USD").increment_s == 60


def test_only_a_blocked_row_may_lack_a_price() -> None:
    assert read_rate({**ROW, "price_per_minute": "", "blocked": "yes"}, "USD").blocked
    with pytest.raises(RateFieldError, match="price_per_minute"):
        read_rate({**ROW, "price_per_minute": ""}, "USD")


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("prefix", ""),
        ("prefix", "44x"),
        ("prefix", "1234567890123456"),
        ("prefix", "٤٤"),
        ("destination", "x" * 81),
        ("price_per_minute", "-0.01"),
        ("price_per_minute", "0,02"),
        ("price_per_minute", "0.0000001"),
        ("price_per_minute", "100001"),
        ("connect_fee", "free"),
        ("minimum_s", "1.5"),
        ("minimum_s", "86401"),
        ("increments", "0/6"),
        ("increments", "60/0"),
        ("increments", "60-6"),
        ("increments", "99999/1"),
        ("blocked", "maybe"),
    ],
)
def test_a_bad_field_is_refused_by_its_name(field: str, text: str) -> None:
    with pytest.raises(RateFieldError, match=f"^{field}: "):
        read_rate({**ROW, field: text}, "USD")


@pytest.mark.parametrize(
    ("terms", "due"),
    [
        ({"connect_fee": "0.50", "maximum_charge": "0.40"}, "0.50"),
        ({"connect_fee": "0.50", "maximum_charge": "0.50", "markup": "10%"}, "0.55"),
        ({"minimum_charge": "0.45", "maximum_charge": "0.40"}, "0.45"),
    ],
)
def test_a_maximum_that_no_call_could_begin_under_is_refused(terms: dict[str, str], due: str) -> None:
    with pytest.raises(RateFieldError, match=f"^maximum_charge: below the {due} due at once"):
        read_rate({**ROW, **terms, "maximum_rule": "ends"}, "USD")
    assert read_rate({**ROW, **terms}, "USD").terms is not None
    assert read_rate({**ROW, **terms, "maximum_rule": "ends", "maximum_charge": "0.60"}, "USD").terms is not None
    assert read_rate({**ROW, **terms, "maximum_rule": "ends", "grace": "3"}, "USD").terms is not None


def test_the_version_that_took_effect_last_is_in_effect() -> None:
    def version(number: int, days: int) -> Version:
        return Version(number, 1, number, START + timedelta(days=days), START, "")

    versions = [version(1, 0), version(2, 10), version(3, 5), version(4, 5)]
    assert version_in_effect(versions, START - timedelta(microseconds=1)) is None
    assert version_in_effect(versions, START) == versions[0]
    assert version_in_effect(versions, START + timedelta(days=7)) == versions[3]
    assert version_in_effect(versions, START + timedelta(days=10)) == versions[1]


def test_versions_are_compared_by_prefix() -> None:
    before = [make_rate("1"), make_rate("44"), make_rate("33")]
    after = [replace(make_rate("1"), tariff_version_id=9), make_rate("44", blocked=True), make_rate("52")]
    assert compare(before, after) == Changes(added=1, changed=1, removed=1, same=1)
    assert compare([], []) == Changes(0, 0, 0, 0)


@given(st.lists(digit_strings, unique=True), st.lists(digit_strings, unique=True))
def test_every_prefix_is_counted_once(before: list[str], after: list[str]) -> None:
    changes = compare(map(make_rate, before), map(make_rate, after))
    assert changes.added + changes.changed + changes.same == len(after)
    assert changes.removed + changes.changed + changes.same == len(before)
