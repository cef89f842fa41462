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


def test_a_key_that_nothing_rests_on_is_retired(terminal: Terminal) -> None:
    retire = ("--reason", "sent by mail")
    under = "account_line.access_code_hash 1, pin.pin_hash 2, personal_access.subject_hash 1"
    for number, why in ((1, f"4 values rest on it ({under})"), (2, "no key 2")):
        assert why in terminal.run("key", "retire", str(number), *retire).err
    terminal.must("key", "add")
    assert terminal.must("key", "retire", "2", *retire, "-n", "--json").document["retired"] is False
    assert "add --yes" in terminal.run("key", "retire", "2", *retire).err
    assert states(terminal)[1] == (2, "standby", 0)
    assert terminal.must("key", "retire", "2", *retire, "--yes", "--json").document["retired"] is True
    assert states(terminal) == [(1, "in use", 3)]
    (told,) = terminal.must("key", "list", "--json").document["retired"]
    assert (told["key_id"], told["reason"], len(told["fingerprint"])) == (2, "sent by mail", 32)
    assert "sent by mail" in terminal.must("key", "list").out
    terminal.must("key", "add")
    terminal.must("key", "rotate", "--yes")
    refused = terminal.run("key", "retire", "1", *retire, "--yes")
    assert (refused.code, "4 values rest on it" in refused.err) == (1, True), "what is under key 2 is made of key 1"
    assert "3 values rest on it" in terminal.run("key", "retire", "2", *retire, "--yes").err


def test_a_key_in_use_is_not_retired_though_nothing_is_under_it_yet(
    sqlite_url: str, installation: Callable[[str], None]
) -> None:
    installation(sqlite_url)
    terminal = Terminal(root.attach, command_database.attach)
    terminal.must("db", "upgrade")
    terminal.must("key", "add")
    terminal.must("key", "rotate", "--yes")
    refused = terminal.run("key", "retire", "2", "--reason", "r", "--yes")
    assert (refused.code, "it was put in use" in refused.err) == (1, True)
    assert states(terminal) == [(1, "older", 0), (2, "in use", 0)]
