"""What staff type and read: operators, accounts, lines, codes and PINs, on both databases."""

from collections.abc import Callable
from pathlib import Path

import pytest

from billing.cli import root
from runtime import command_database
from tests.terminal import Terminal

Install = Callable[[str], None]
LINE = "+12125550100"


@pytest.fixture
def terminal(empty_url: str, installation: Install) -> Terminal:
    """A terminal on a fresh installation with one operator, one tariff, one service and one account."""
    installation(empty_url)
    terminal = Terminal(root.attach, command_database.attach)
    terminal.must("db", "upgrade")
    terminal.must("operator", "create", "acme", "Acme Telephone")
    terminal.must("account", "create", "acme", "--number", "100", "--name", "Ann")
    return terminal


def test_accounts_as_a_table_and_as_json(terminal: Terminal) -> None:
    terminal.must("account", "credit", "100", "20", "--key", "a")
    assert terminal.must("account", "list").out == (
        "account\toperator\tname\tstate\tbalance\tavailable\n100\tacme\tAnn\topen\t20.00 USD\t20.00 USD\n"
    )
    listed = terminal.must("account", "list", "--json").document
    created_at = listed[0].pop("created_at")
    assert created_at.endswith("+00:00")
    money = {"amount": "20.000000", "currency": "USD"}
    nothing = {"amount": "0.000000", "currency": "USD"}
    assert listed == [
        {
            "account": "100",
            "operator": "acme",
            "name": "Ann",
            "state": "open",
            "kind": "prepaid",
            "balance": money,
            "held": nothing,
            "available": money,
            "limit": nothing,
            "closed_at": None,
            "expires_at": None,
        }
    ]


def test_a_payment_counts_once(terminal: Terminal) -> None:
    first = terminal.must("account", "credit", "100", "12.34", "--key", "a", "--json").document
    assert first["balance"] == {"amount": "12.340000", "currency": "USD"}
    assert not first["is_replay"]
    again = terminal.must("account", "credit", "100", "12.34", "--key", "a", "--json").document
    assert again["is_replay"]
    assert again["balance"] == first["balance"]
    changed = terminal.run("account", "credit", "100", "99", "--key", "a")
    assert (changed.code, changed.out) == (1, "")
    assert "key a was used for another payment" in changed.err
    assert "balance 13.34 USD" in terminal.must("account", "credit", "100", "1").out


@pytest.mark.parametrize(("amount", "code"), [("x", 2), ("1.0000001", 2), ("0", 1)])
def test_bad_amounts(terminal: Terminal, amount: str, code: int) -> None:
    answer = terminal.run("account", "credit", "100", amount)
    assert answer.code == code
    assert answer.err.startswith("tollgate: ")


def test_a_dry_run_says_all_and_writes_nothing(terminal: Terminal) -> None:
    rehearsed = terminal.must("account", "credit", "100", "5", "--dry-run")
    assert "balance 5.00 USD" in rehearsed.out
    assert "nothing will be written" in rehearsed.err
    terminal.must("account", "create", "acme", "--number", "200", "-n")
    terminal.must("account", "close", "100", "--reason", "x", "-n")
    terminal.must("operator", "create", "b", "B", "-n")
    assert "--------" in terminal.must("pin", "issue", "100", "-n").out
    shown = terminal.must("account", "show", "100", "--json").document
    assert (shown["balance"]["amount"], shown["state"], shown["pins"]) == ("0.000000", "open", [])
    assert len(terminal.must("account", "list", "--json").document) == 1
    assert len(terminal.must("operator", "list", "--json").document) == 1


def test_an_account_has_a_tariff_of_its_own_or_that_of_the_service(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "rates.csv"
    file.write_text("prefix,destination,price_per_minute\n1,USA,0.05\n")
    terminal.must("tariff", "import", str(file), "--tariff", "business")
    terminal.must("account", "create", "acme", "--number", "200", "--tariff", "business")
    assert terminal.must("account", "show", "200", "--json").document["tariff"] == "business"
    assert terminal.must("account", "show", "100", "--json").document["tariff"] is None
    assert "tariff business" in terminal.must("account", "set", "100", "--tariff", "business").out
    assert "business" in terminal.must("account", "show", "100").out
    terminal.must("account", "set", "100", "--no-tariff", "-n")
    assert terminal.must("account", "show", "100", "--json").document["tariff"] == "business"
    assert terminal.must("account", "set", "100", "--no-tariff", "--json").document["tariff"] is None
    assert "that of the service" in terminal.must("account", "show", "100").out
    done = terminal.must("account", "show", "100", "--json").document["changes"]
    assert [one["what"] for one in done][:2] == [
        "tariff: that of the service, was business",
        "tariff: business, was that of the service",
    ]
    assert done[0]["by"]
    made = terminal.must("account", "show", "200", "--json").document["changes"]
    assert [one["what"] for one in made] == ["account create: limit 0.00, tariff business"]
    assert f"by {made[0]['by']}: account create" in terminal.must("account", "show", "200").out
    looked = terminal.must("person", "accesses", "--account", "100", "--json").document
    assert next(one["reason"] for one in looked if one["action"] == "change") == done[0]["what"]
    assert terminal.run("account", "set", "100", "--tariff", "none").code == 3
    assert terminal.run("account", "set", "300", "--tariff", "business").code == 3
    assert terminal.run("account", "set", "100").code == 2
    assert terminal.run("account", "create", "acme", "--tariff", "none").code == 3


def test_a_pin_is_shown_once(terminal: Terminal) -> None:
    issued = terminal.must("pin", "issue", "100", "--expires", "2099-01-01")
    digits = issued.out.strip()
    assert len(digits) == 8
    assert digits.isdigit()
    assert "not shown again" in issued.err
    for words in (("account", "show", "100"), ("account", "show", "100", "--json"), ("account", "list", "--json")):
        assert digits not in terminal.must(*words).out
    assert terminal.must("account", "show", "100", "--json").document["pins"][0]["expires_at"].startswith("2099-01-01")
    assert terminal.run("pin", "revoke", "100", "--reason", "lost").code == 2
    assert "1 revoked" in terminal.must("pin", "revoke", "100", "--reason", "lost", "--yes").out
    assert terminal.run("pin", "revoke", "100", "--reason", "lost", "--yes").code == 3
    assert terminal.run("pin", "issue", "100", "--expires", "soon").code == 2
    assert terminal.run("pin", "issue", "100", "--expires", "2001-01-01").code == 1


def test_lines_and_codes(terminal: Terminal) -> None:
    assert terminal.must("line", "add", "100", "2125550100").out == f"line {LINE} opens account 100\n"
    secret = "4711"
    terminal.must("code", "set", "100", LINE, keyed=f"{secret}\n")
    terminal.must("account", "create", "acme", "--number", "200")
    taken = terminal.run("line", "add", "200", LINE, "--with-code", keyed=f"{secret}\n")
    assert taken.code == 1
    assert "choose another" in taken.err
    assert secret not in taken.err
    terminal.must("line", "add", "200", LINE, "--with-code", keyed="*79\n")
    rows = terminal.must("line", "list", "--json").document
    assert [(row["account"], row["line"], row["has_code"]) for row in rows] == [
        ("100", LINE, True),
        ("200", LINE, True),
    ]
    assert terminal.run("code", "set", "100", LINE, keyed="12345\n").code == 1
    assert terminal.run("code", "remove", "100", LINE).code == 2
    refused = terminal.run("code", "remove", "100", LINE, "--reason", "x")
    assert (refused.code, "account 200 is on" in refused.err) == (1, True)
    terminal.must("line", "remove", "200", LINE, "--reason", "moved")
    terminal.must("code", "remove", "100", LINE, "--reason", "alone", "--dry-run")
    gone = terminal.must("code", "remove", "100", LINE, "--reason", "alone", "--json").document
    assert gone == {"account": "100", "line": LINE, "has_code": False, "dry_run": False}
    assert terminal.run("code", "remove", "100", LINE, "--reason", "alone").code == 3
    assert terminal.run("line", "remove", "100", LINE).code == 2
    terminal.must("line", "remove", "100", LINE, "--reason", "moved")
    assert terminal.run("line", "remove", "100", LINE, "--reason", "moved").code == 3
    assert terminal.must("line", "list", "--account", "100").out == "account\tline\taccess code\tadded\n"


def test_what_is_no_telephone_number_is_a_wrong_usage(terminal: Terminal) -> None:
    bad = "+15550142000"
    for words in (
        ("line", "add", "100", bad),
        ("line", "remove", "100", bad, "--reason", "moved"),
        ("code", "set", "100", bad),
        ("condition", "set", "100", bad),
        ("bypass", "set", "100", bad),
        ("line", "toll-block", bad, "--note", "asked"),
        ("tier", "show", bad),
        ("person", "accesses", "--line", bad),
    ):
        answer = terminal.run(*words, keyed="1234\n")
        assert (answer.code, answer.out) == (2, ""), (words, answer)
        assert f"'{bad}' is not a telephone number" in answer.err, words


def test_closing_asks_or_is_told(terminal: Terminal) -> None:
    assert terminal.run("account", "close", "100", "--reason", "asked").code == 2
    terminal.must("account", "close", "100", "--reason", "asked", "--yes")
    assert terminal.must("account", "show", "100", "--json").document["state"] == "closed"
    assert terminal.run("account", "credit", "100", "1").code == 1
    assert terminal.run("account", "close", "100", "--reason", "asked", "--yes").code == 1


def test_what_is_not_there_is_exit_code_3(terminal: Terminal) -> None:
    for words in (
        ("account", "show", "999"),
        ("account", "credit", "999", "1"),
        ("account", "create", "nobody"),
        ("line", "add", "999", LINE),
        ("pin", "issue", "999"),
        ("call", "show", "abc"),
        ("call", "explain", "abc"),
        ("profile", "create", "acme", "talk", "--tariff", "none"),
        ("number", "create", "+19005550100", "acme", "none"),
    ):
        answer = terminal.run(*words)
        assert (answer.code, answer.out) == (3, ""), words
        assert answer.err.startswith("tollgate: no ") or "has no" in answer.err


def test_calls_when_there_are_none(terminal: Terminal) -> None:
    assert terminal.must("call", "list", "--json").document == []
    assert (
        terminal.must("call", "list").out
        == "\t".join(("call", "ended", "from", "to", "account", "disposition", "talked s", "charged")) + "\n"
    )
    assert terminal.run("call", "list", "--from", "yesterday").code == 2


def test_a_hostile_name_does_not_reach_the_terminal(terminal: Terminal) -> None:
    terminal.must("account", "create", "acme", "--number", "300", "--name", "x\x1b[2Jy\tz\n")
    assert "x?[2Jy?z?" in terminal.must("account", "list").out
