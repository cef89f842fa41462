"""`tollgate route` as it is typed."""

from collections.abc import Callable

import pytest

from dialplan.routes import cli
from tests.terminal import Terminal


@pytest.fixture
def terminal(installation: Callable[[str], None], sqlite_url: str) -> Terminal:
    installation(sqlite_url)
    return Terminal(cli.attach)


def test_routes_are_added_listed_and_removed(terminal: Terminal) -> None:
    assert terminal.must("route", "add", "*", "network").out == "route * by network, rank 1: added\n"
    terminal.must("route", "add", "44", "spare", "--rank", "2")
    assert terminal.run("route", "add", "44", "spare", "--rank", "2").code == 3
    assert terminal.must("route", "add", "44", "spare", "--json").document == {
        "prefix": "44",
        "trunk": "spare",
        "rank": 1,
        "change": "rank changed",
        "dry_run": False,
    }
    assert terminal.must("route", "list").out == "prefix\ttrunk\trank\n*\tnetwork\t1\n44\tspare\t1\n"
    listed = terminal.must("route", "list", "--number", "+12125550100", "--json").document
    assert listed == [{"prefix": "*", "trunk": "network", "rank": 1}]
    terminal.must("route", "remove", "44", "spare", "--dry-run")
    assert terminal.must("route", "remove", "44", "spare").out == "routes removed: 1\n"
    assert terminal.run("route", "remove", "44").code == 3


def test_what_cannot_be_is_a_usage_error(terminal: Terminal) -> None:
    assert terminal.run("route", "add", "44x", "network").code == 2
    assert terminal.run("route", "add", "44", "a&b").code == 2
    assert terminal.run("route", "add", "44", "network", "--rank", "0").code == 2
    assert terminal.run("route", "remove", "x").code == 2
    assert terminal.run("route", "list").code == 3
