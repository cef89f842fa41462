"""Staff set limits, suspend accounts and lift suspensions."""

from collections.abc import Callable

import pytest

from billing.cli import root
from runtime import command_database
from tests.terminal import Terminal

Install = Callable[[str], None]


@pytest.fixture
def terminal(sqlite_url: str, installation: Install) -> Terminal:
    """A terminal on a fresh installation with one account."""
    installation(sqlite_url)
    terminal = Terminal(root.attach, command_database.attach)
    terminal.must("operator", "create", "acme", "Acme Telephone")
    terminal.must("account", "create", "acme", "--number", "100", "--name", "Ann")
    return terminal


def test_limits_are_set_shown_and_taken_away(terminal: Terminal) -> None:
    terminal.must("fraud", "limits", "100", "--calls-per-hour", "20", "--spend-per-day", "50", "--reach", "abroad")
    terminal.must("fraud", "limits", "100", "--calls-per-hour", "none", "--cooldown-s", "60")
    limits = terminal.must("fraud", "limits", "100", "--json").document["limits"]
    assert {name: value for name, value in limits.items() if value is not None} == {
        "spend_per_day_micros": 50_000_000,
        "cooldown_s": 60,
        "reach": "abroad",
    }
    assert "cooldown       60" in terminal.must("fraud", "limits", "100").out
    shown = terminal.must("fraud", "show", "100").out
    assert "spend per day" in shown
    assert "50.00 USD" in shown


def test_limits_of_a_service(terminal: Terminal, tmp_path: object) -> None:
    assert terminal.run("fraud", "limits", "acme/talk", "--calls-per-hour", "1").code == 3
    assert terminal.run("fraud", "limits", "200", "--calls-per-hour", "1").code == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ("limits", "100", "--calls-per-hour", "many"),
        ("limits", "100", "--reach", "moon"),
        ("suspend", "100", "--reason", "mood"),
        ("add", "252"),
    ],
)
def test_usage(terminal: Terminal, arguments: tuple[str, ...]) -> None:
    assert terminal.run("fraud", *arguments).code == 2


def test_an_account_is_suspended_and_lifted(terminal: Terminal) -> None:
    terminal.must("fraud", "suspend", "100", "--reason", "chargeback", "--dry-run")
    assert terminal.must("fraud", "suspend", "100", "--reason", "chargeback", "--note", "case 9").out == (
        "account 100 is suspended\n"
    )
    assert terminal.must("account", "show", "100", "--json").document["state"] == "suspended"
    assert "suspended" in terminal.run("account", "credit", "100", "1").err
    assert terminal.run("fraud", "suspend", "100", "--reason", "chargeback").code == 1
    assert terminal.run("fraud", "lift", "100").code == 2
    terminal.must("fraud", "lift", "100", "--note", "paid")
    document = terminal.must("fraud", "show", "100", "--json").document
    assert document["state"] == "open"
    assert [(row["action"], row["note"]) for row in document["suspensions"]] == [
        ("lifted", "paid"),
        ("suspended", "case 9"),
    ]


def test_listed_destinations(terminal: Terminal) -> None:
    terminal.must("fraud", "add", "+252", "--risky", "--note", "dear")
    terminal.must("fraud", "add", "1876", "--calls-per-hour", "30")
    terminal.must("fraud", "remove", "252", "--note", "fair")
    listed = terminal.must("fraud", "list", "--json").document
    assert [(row["prefix"], row["is_risky"], row["calls_per_hour"]) for row in listed] == [("1876", False, 30)]
    assert terminal.run("fraud", "remove", "252", "--note", "fair").code == 3
