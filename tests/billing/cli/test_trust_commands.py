"""Staff look at and change what a calling number opens by itself."""

from collections.abc import Callable
from pathlib import Path

import pytest

from billing.cli import root
from runtime import command_database
from tests.terminal import Terminal

Install = Callable[[str], None]


@pytest.fixture
def terminal(sqlite_url: str, installation: Install) -> Terminal:
    """A terminal on a fresh installation with one service."""
    installation(sqlite_url)
    terminal = Terminal(root.attach, command_database.attach)
    terminal.must("operator", "create", "acme", "Acme Telephone")
    Path("prices.csv").write_text("prefix,name,price_per_minute\n1,US,0.10\n")
    terminal.must("tariff", "import", "prices.csv", "--tariff", "standard")
    terminal.must("profile", "create", "acme", "talk", "--tariff", "standard")
    return terminal


def test_trust_of_a_profile(terminal: Terminal) -> None:
    assert "asserted\tnumber\tdefault\n" in terminal.must("profile", "trust", "show", "acme/talk").out
    ask = ("profile", "trust", "set", "acme/talk", "asserted", "number-and-code")
    assert terminal.must(*ask, "--dry-run").code == 0
    rules = terminal.must("profile", "trust", "show", "acme/talk", "--json").document["rules"]
    assert rules["asserted"] == {"demand": "number", "is_default": True}
    for _ in range(2):
        terminal.must(*ask)
    rules = terminal.must("profile", "trust", "show", "acme/talk", "--json").document["rules"]
    assert rules["asserted"] == {"demand": "number-and-code", "is_default": False}
    assert rules["claimed"] == {"demand": "pin", "is_default": True}
    assert terminal.run("profile", "trust", "show", "acme/none").code == 3
    assert terminal.run("profile", "trust", "show", "acme").code == 2
