"""Staff answer a person who asks what is kept of him, and erase it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ani import cli as ani_cli
from billing.cli import root
from runtime import command_database
from tests.terminal import Terminal

Install = Callable[[str], None]
LINE = "+12125550100"


@pytest.fixture
def terminal(sqlite_url: str, installation: Install) -> Terminal:
    """A terminal on a fresh installation with an account, its line and a listing."""
    installation(sqlite_url)
    terminal = Terminal(root.attach, ani_cli.attach, command_database.attach)
    terminal.must("operator", "create", "acme", "Acme Telephone")
    terminal.must("account", "create", "acme", "--number", "100", "--name", "Ann")
    terminal.must("line", "add", "100", LINE)
    Path("lines.csv").write_text(f"ani,first_name,last_name\n{LINE},Ann,Ash\n")
    terminal.must("listing", "import", "lines.csv", "--source", "acme")
    return terminal


def test_asked_answered_erased(terminal: Terminal) -> None:
    whose = ("--line", LINE, "--account", "100", "--reason", "he asked")
    kept = terminal.must("person", "export", *whose, "--json").document["kept"]
    assert {one["table"]: len(one["rows"]) for one in kept} == {"account": 1, "account_line": 1, "listing": 1}
    assert "listing\t1\tremoved" in terminal.must("person", "export", *whose).out
    refused = terminal.run("person", "erase", *whose, "--yes")
    assert (refused.code, "tollgate line remove" in refused.err) == (1, True)
    terminal.must("line", "remove", "100", LINE, "--reason", "he leaves")
    terminal.must("account", "close", "100", "--reason", "he leaves", "--yes")
    assert "there is nobody to ask" in terminal.run("person", "erase", *whose).err
    assert "listing\t1\tremoved" in terminal.must("person", "erase", *whose, "--dry-run").out
    assert "Ash" in terminal.must("listing", "show", LINE).out
    done = terminal.must("person", "erase", *whose, "--yes", "--json").document["tables"]
    assert {one["table"]: one["done"] for one in done} == {
        "account": "blanked",
        "account_line": "blanked",
        "listing": "removed",
    }
    assert terminal.run("listing", "show", LINE).code == 3


def test_who_looked(terminal: Terminal) -> None:
    assert terminal.run("person", "accesses", "--line", LINE).code == 3
    terminal.must("listing", "show", LINE)
    terminal.must("person", "export", "--line", LINE, "--reason", "case 7")
    looked = terminal.must("person", "accesses", "--line", LINE, "--json").document
    assert [(one["action"], one["reason"]) for one in looked] == [("export", "case 7"), ("read", "listing show")]
    assert terminal.run("person", "export", "--reason", "case 7").code == 1
