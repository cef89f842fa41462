"""Staff set conditions, restrictions and modes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from billing.cli import root
from runtime import command_database
from tests.terminal import Terminal

LINE = "+12125550102"


@pytest.fixture
def terminal(sqlite_url: str, installation: Callable[[str], None]) -> Terminal:
    installation(sqlite_url)
    terminal = Terminal(root.attach, command_database.attach)
    terminal.must("operator", "create", "acme", "Acme Telephone")
    Path("prices.csv").write_text("prefix,name,price_per_minute\n1,US,0.10\n")
    terminal.must("tariff", "import", "prices.csv", "--tariff", "standard")
    terminal.must("profile", "create", "acme", "talk", "--tariff", "standard")
    terminal.must("account", "create", "acme", "--number", "1000")
    terminal.must("line", "add", "1000", LINE)
    return terminal


def test_conditions(terminal: Terminal) -> None:
    ask = ("condition", "set", "1000", LINE, "--allow", "+12125550101,33*", "--hours", "mo-fr 08:00-18:00")
    terminal.must(*ask, "--dry-run")
    assert terminal.must("condition", "list", "--json").document == []
    terminal.must(*ask)
    terminal.must(*ask, "--spend", "20.00", "--per", "day", "--long-distance", "--note", "school")
    (found,) = terminal.must("condition", "list", "--account", "1000", "--json").document
    assert (found["line"], found["allowed"], found["long_distance_only"]) == (LINE, "12125550101 33*", True)
    assert (found["spend_limit_micros"], found["spend_period"], found["note"]) == (20_000_000, "day", "school")
    assert "mo-fr 08:00-18:00" in terminal.must("condition", "list").out
    assert terminal.run("condition", "set", "1000", LINE, "--allow", "x").code == 2
    assert terminal.run("condition", "set", "1000", LINE, "--hours", "x").code == 1
    assert terminal.run("condition", "set", "1000", "+12125550199").code == 3
    terminal.must("condition", "remove", "1000", LINE, "--reason", "grown up")
    assert terminal.run("condition", "remove", "1000", LINE, "--reason", "again").code == 3


def test_restrictions_and_modes(terminal: Terminal) -> None:
    assert terminal.must("line", "toll-block", LINE, "--note", "letter").out == f"{LINE}: toll calls are restricted\n"
    assert terminal.must("line", "toll-block", LINE, "--note", "letter", "--json").document["changed"] is False
    terminal.must("line", "toll-lift", LINE, "--note", "letter")
    assert terminal.run("line", "toll-lift", LINE, "--note", "letter").code == 3
    assert terminal.run("line", "toll-block", "hello", "--note", "letter").code == 2
    terminal.must("profile", "mode", "acme/talk", "continue", "--dry-run")
    assert terminal.must("profile", "mode", "acme/talk", "continue").out == "acme/talk: continue\n"
    assert terminal.run("profile", "mode", "acme/none", "continue").code == 3
