"""Staff change the keys of the keyed hashes, and hear it when a key file does not fit."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from billing.cli import root
from runtime import command_database
from tests.terminal import Terminal


@pytest.fixture
def terminal(sqlite_url: str, installation: Callable[[str], None]) -> Terminal:
    """A terminal on an installation with two PINs and a code."""
    installation(sqlite_url)
    terminal = Terminal(root.attach, command_database.attach)
    terminal.must("db", "upgrade")
    terminal.must("operator", "create", "acme", "Acme Telephone")
    terminal.must("account", "create", "acme", "--number", "100")
    terminal.must("pin", "issue", "100")
    terminal.must("pin", "issue", "100")
    terminal.must("line", "add", "100", "+12125550100", "--with-code", keyed="4711\n")
    return terminal


def states(terminal: Terminal) -> list[tuple[int, str, int]]:
    listed = terminal.must("key", "list", "--json").document["keys"]
    return [(one["key"], one["state"], one["under_it"]) for one in listed]


def test_a_key_is_added_and_everything_comes_under_it(terminal: Terminal) -> None:
    assert states(terminal) == [(1, "in use", 3)]
    assert terminal.run("key", "rotate").code == 3
    assert terminal.must("key", "add", "-n", "--json").document["key"] == 2
    assert terminal.must("key", "add", "--json").document["state"] == "standby"
    assert "standby already" in terminal.run("key", "add").err
    assert states(terminal) == [(1, "in use", 3), (2, "standby", 0)]
    assert "pin.pin_hash\t2" in terminal.must("key", "rotate", "-n").out
    assert "add --yes" in terminal.run("key", "rotate").err
    assert terminal.must("key", "rotate", "--yes", "--json").document == {
        "key": 2,
        "renewed": 3,
        "left": 0,
        "dry_run": False,
    }
    assert states(terminal) == [(1, "older", 0), (2, "in use", 3)]
    assert terminal.run("key", "rotate", "--yes").code == 3
    terminal.must("pin", "issue", "100")
    assert states(terminal)[1] == (2, "in use", 4)
    assert terminal.must("key", "list").out.startswith("key\tstate\tfingerprint\tunder it\n1\tolder\t")
    assert Path("pepper").stat().st_mode & 0o777 == 0o600


def test_a_key_file_of_yesterday_is_refused(terminal: Terminal) -> None:
    shutil.copy2("pepper", "yesterday")
    terminal.must("key", "add")
    terminal.must("key", "rotate", "--yes")
    Path("yesterday").replace("pepper")
    for words in (("pin", "issue", "100"), ("key", "list"), ("key", "add"), ("key", "rotate"), ("db", "check")):
        refused = terminal.run(*words)
        assert (refused.code, "secrets under key 2" in refused.err) == (1, True), words
    Path("pepper").unlink()
    refused = terminal.run("db", "upgrade")
    assert (refused.code, "no key file" in refused.err, Path("pepper").exists()) == (1, True, False)
