"""Cards and ranges as staff type them, on both databases."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pyrage
import pytest

from billing.cli import root
from runtime import command_database
from tests.terminal import Terminal

Install = Callable[[str], None]


@pytest.fixture
def terminal(empty_url: str, installation: Install) -> Terminal:
    """A terminal on a fresh installation with one operator."""
    installation(empty_url)
    terminal = Terminal(root.attach, command_database.attach)
    terminal.must("db", "upgrade")
    terminal.must("operator", "create", "acme", "Acme Telephone")
    return terminal


def test_a_batch_as_it_is_typed(terminal: Terminal, tmp_path: Path) -> None:
    identity = pyrage.x25519.Identity.generate()
    key = str(identity.to_public())
    plan = ("card", "batch", "create", "acme", "spring", "--cards", "3", "--face", "10", "--valid-days", "30")
    assert "nothing will be written" in terminal.must(*plan, "-n").err
    assert terminal.must("card", "batch", "list", "--json").document == []
    assert terminal.must(*plan).out == "batch spring: 3 cards of 10.00 USD\n"
    export = ("card", "batch", "export", "spring", "cards.age", "--recipient", key)
    terminal.must(*export, "-n")
    assert not (tmp_path / "cards.age").exists()
    terminal.must(*export)
    text = pyrage.decrypt((tmp_path / "cards.age").read_bytes(), [identity]).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["serial"][6:] for row in rows] == ["-0000001", "-0000002", "-0000003"]
    assert rows[0] | {"serial": "", "pin": ""} == {
        "serial": "",
        "pin": "",
        "class": "standard",
        "face_value": "10.00",
        "currency": "USD",
        "valid_until": "",
        "valid_days": "30",
    }
    assert terminal.run("card", "batch", "export", "spring", "again.age", "--recipient", key).code == 1
    first, last = rows[0]["serial"], rows[1]["serial"]
    some = ("card", "batch", "activate", "spring", "--from", first, "--to", last, "--reason", "kiosk 7")
    assert terminal.must(*some).out == "batch spring: 2 cards activated\n"
    assert terminal.run(*some).code == 3
    assert terminal.run("card", "batch", "activate", "spring", "--from", first, "--reason", "x").code == 2
    (listed,) = terminal.must("card", "batch", "list", "--json").document
    assert listed["cards"] == {"made": 1, "activated": 2, "used": 0, "expired": 0, "void": 0}
    assert listed["face_value"] == {"amount": "10.000000", "currency": "USD"}
    assert terminal.run("card", "void", first, "--reason", "stolen").code == 2
    terminal.must("card", "void", first, "--reason", "stolen", "--yes")
    shown = terminal.must("card", "show", first, "--json").document
    assert (shown["state"], [event["state"] for event in shown["events"]]) == ("void", ["made", "activated", "void"])
    assert "kiosk 7" in terminal.must("card", "batch", "show", "spring").out
    everything = terminal.must("card", "show", first).out + terminal.must("card", "batch", "show", "spring").out
    assert not [row for row in rows if row["pin"] in everything]
    terminal.must("card", "batch", "void", "spring", "--reason", "lost", "--yes")
    assert terminal.run("card", "show", "nothing").code == 3


def test_a_virtual_card_is_shown_once(terminal: Terminal) -> None:
    terminal.must("card", "batch", "create", "acme", "online", "--cards", "2", "--face", "5", "--virtual")
    assert "--------" in terminal.must("card", "issue", "online", "-n").out
    issued = terminal.must("card", "issue", "online")
    serial, digits = issued.out.split()
    assert (serial[6:], len(digits)) == ("-0000001", 8)
    assert "not shown again" in issued.err
    assert digits not in terminal.must("card", "show", serial).out


def test_ranges_as_they_are_typed(terminal: Terminal) -> None:
    make = ("pin", "range", "create", "acme", "web", "--site", "shop.example", "--prefix", "71", "--ends", "month")
    assert terminal.must(*make, "--most", "9").out == "range acme/web: 9 PINs\n"
    assert terminal.run(*make).code == 1
    assert terminal.run("pin", "range", "create", "acme", "x", "--ends", "never-ever").code == 2
    terminal.must("account", "create", "acme", "--number", "100")
    issued = terminal.must("pin", "issue", "100", "--range", "web", "--json").document
    assert issued["pin"].startswith("71")
    assert issued["expires_at"].endswith("00:00:00+00:00")
    assert terminal.must("pin", "range", "list").out == (
        "operator\trange\tsite\tcampaign\tprefix\tends\tissued\tleft\nacme\tweb\tshop.example\t\t71\tmonth\t1\t8\n"
    )
    (use,) = terminal.must("pin", "range", "report", "--by", "site", "--json").document
    assert (use["site"], use["issued"], use["in_force"]) == ("acme/shop.example", 1, 1)
    assert terminal.run("pin", "range", "report", "--by", "moon").code == 2
    assert terminal.run("pin", "issue", "100", "--range", "none").code == 3
