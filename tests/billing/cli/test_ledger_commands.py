"""Staff move money by hand, with a reason, and prove the books."""

from collections.abc import Callable

import pytest

from billing.cli import root
from runtime import command_database
from tests.terminal import Terminal

Install = Callable[[str], None]


@pytest.fixture
def terminal(empty_url: str, installation: Install) -> Terminal:
    """A terminal on a fresh installation with one account, and 20.00 on it."""
    installation(empty_url)
    terminal = Terminal(root.attach, command_database.attach)
    terminal.must("db", "upgrade")
    terminal.must("operator", "create", "acme", "Acme Telephone")
    terminal.must("account", "create", "acme", "--number", "100", "--name", "Ann")
    terminal.must("account", "credit", "100", "20", "--key", "a")
    return terminal


def test_money_is_moved_by_hand_once_for_each_key(terminal: Terminal) -> None:
    for _ in range(2):
        debited = terminal.must("account", "debit", "100", "5", "--reason", "new SIM", "--key", "o1", "--json").document
        assert debited["balance"]["amount"] == "15.000000"
    assert debited["is_replay"]
    terminal.must("account", "refund", "100", "1.50", "--reason", "bad line", "--key", "c9")
    corrected = terminal.must("account", "correct", "100", "0.25", "--down", "--reason", "typing error")
    assert "corrected: balance 16.25 USD" in corrected.out
    changed = terminal.run("account", "debit", "100", "6", "--reason", "new SIM", "--key", "o1")
    assert (changed.code, changed.out) == (1, "")
    assert "o1 was used for something else" in changed.err
    assert "the books agree: 4 transfers, 4 of them not sealed yet" in terminal.must("ledger", "audit").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("debit", "100", "20.01"), "not-available"),
        (("correct", "100", "20.01", "--down"), "not-available"),
        (("refund", "100", "0"), "amount-is-nothing"),
        (("debit", "100", "-1"), ""),
        (("refund", "200", "1"), "200"),
    ],
)
def test_what_cannot_be_moved(terminal: Terminal, arguments: tuple[str, ...], said: str) -> None:
    answer = terminal.run("account", *arguments, "--reason", "x")
    assert answer.code != 0
    assert said in answer.err
    assert "20.00 USD" in terminal.must("account", "show", "100").out


def test_a_reason_is_asked_for(terminal: Terminal) -> None:
    assert terminal.run("account", "debit", "100", "1").code == 2


def test_a_transfer_is_taken_back_by_its_opposite_once(terminal: Terminal) -> None:
    for said in ("reversed", "was reversed before"):
        assert said in terminal.must("ledger", "reverse", "credit:a", "--reason", "cheque bounced").out
    assert "0.00 USD" in terminal.must("account", "show", "100").out
    assert terminal.run("ledger", "reverse", "credit:b", "--reason", "x").code == 3
    assert "not-reversible" in terminal.run("ledger", "reverse", "reversal:1", "--reason", "x").err
    terminal.must("ledger", "audit")


def test_what_was_spent_cannot_be_taken_back(terminal: Terminal) -> None:
    terminal.must("account", "debit", "100", "15", "--reason", "new SIM")
    answer = terminal.run("ledger", "reverse", "credit:a", "--reason", "cheque bounced")
    assert (answer.code, "not-available" in answer.err) == (1, True)


def test_seals(terminal: Terminal) -> None:
    sealed = terminal.must("ledger", "seal", "--json").document["seal"]
    assert (sealed["number"], sealed["transfers"]) == (1, 1)
    assert terminal.run("ledger", "seal").code == 3
    assert terminal.must("ledger", "seal", "--quiet").out == ""
    audited = terminal.must("ledger", "audit", "--json").document
    assert audited == {"ok": True, "findings": [], "transfers": 1, "unsealed": 0}
