"""Longest prefix of routes, and what may be a prefix or a trunk."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialplan.routes.route import Route, RouteFieldError, RouteTable, check_trunk, find_routes, read_prefix

TABLE = RouteTable(
    [Route("any", ""), Route("b", "44", 2), Route("a", "44", 2), Route("c", "44", 1), Route("mobile", "447")]
)


@pytest.mark.parametrize(
    ("number", "trunks"),
    [
        ("+442079460000", ["c", "a", "b"]),
        ("442079460000", ["c", "a", "b"]),
        ("+447700900000", ["mobile"]),
        ("+12125550100", ["any"]),
        ("", ["any"]),
    ],
)
def test_the_longest_prefix_wins_and_rank_orders(number: str, trunks: list[str]) -> None:
    assert [route.trunk for route in find_routes(TABLE, number)] == trunks


def test_a_number_nobody_carries_has_no_route() -> None:
    assert find_routes(RouteTable([Route("a", "44")]), "+33142685300") == ()
    assert find_routes(RouteTable([Route("a", "44")]), "+4") == ()
    assert find_routes(RouteTable([]), "+33142685300") == ()


@given(st.lists(st.text("012", max_size=4), max_size=20), st.text("012", max_size=8))
def test_the_table_finds_what_a_search_through_all_finds(prefixes: list[str], digits: str) -> None:
    fitting = [prefix for prefix in prefixes if digits.startswith(prefix)]
    found = find_routes(RouteTable(Route("t", prefix) for prefix in prefixes), digits)
    assert {route.prefix for route in found} == ({max(fitting, key=len)} if fitting else set())


def test_prefixes_and_trunks_are_plain() -> None:
    assert read_prefix("+44") == "44"
    assert read_prefix("*") == ""
    assert check_trunk("carrier_1-b") == "carrier_1-b"


@pytest.mark.parametrize("text", ["", "44x", "1234567890123456", "٤٤", "4 4", "44\n"])
def test_other_prefixes_are_refused(text: str) -> None:
    with pytest.raises(RouteFieldError):
        read_prefix(text)


@pytest.mark.parametrize("name", ["", "a b", "a/b", "a,b", "a)", "${X}", "a\n", "x" * 41, "é"])
def test_a_trunk_that_could_act_in_a_dial_string_is_refused(name: str) -> None:
    with pytest.raises(RouteFieldError):
        check_trunk(name)
