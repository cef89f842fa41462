"""`tollgate bundle`, and `tollgate rate test` for an account, as they are typed."""

from collections.abc import Callable

import pytest
from sqlalchemy.engine import Engine

from billing.cli import account, bundle, tariff
from tests.billing.shop import open_shop
from tests.clock import SettableClock
from tests.terminal import Terminal


@pytest.fixture
def terminal(
    installation: Callable[[str], None], sqlite_url: str, sqlite_engine: Engine, clock: SettableClock
) -> Terminal:
    installation(sqlite_url)
    open_shop(sqlite_engine, clock)
    made = Terminal(account.attach, bundle.attach, tariff.attach)
    made.must("account", "create", "shop", "--number", "77")
    made.must("account", "credit", "77", "2", "--key", "k")
    return made


def test_a_bundle_from_offer_to_end(terminal: Terminal) -> None:
    wanted = ("bundle", "create", "france", "2 minutes", "--prefix", "+33", "--service", "voice")
    terms = ("--period", "1m", "--renews", "--rolls-over", "30 seconds", "--price", "0.1")
    assert terminal.must(*wanted, *terms, "--dry-run", "--json").document["for"] == "voice to 33"
    assert terminal.must("bundle", "list", "--json").document == []
    made = terminal.must(*wanted, *terms, "--json").document
    assert (made["units"], made["price"], made["rolls_over"]) == ("2 minutes", "0.10", "30 seconds")
    assert terminal.run(*wanted).code == 1
    given = terminal.must("bundle", "grant", "77", "france", "--json").document
    assert (given["left"], given["held"], given["state"]) == ("2 minutes", "0 minutes", "open")
    listed = terminal.must("bundle", "list", "--account", "77").out.splitlines()
    assert listed[1].startswith("1\tfrance\topen\t2 minutes\t0 minutes\tvoice to 33\t")
    assert terminal.must("bundle", "show", "france", "--json").document["name"] == "france"
    assert terminal.must("bundle", "show", "1", "--json").document["uses"] == []
    assert "granted_by" in terminal.must("bundle", "show", "1").out
    assert terminal.must("bundle", "close", "1", "--note", "sent back").out == "bundle 1 closed\n"
    assert terminal.must("bundle", "list", "--account", "77", "--json").document[0]["state"] == "closed"
    assert terminal.must("bundle", "close", "france", "--note", "old", "--json").document["closed_at"]
    assert terminal.run("bundle", "grant", "77", "france").code == 1
    assert terminal.run("bundle", "grant", "78", "france").code == 3


@pytest.mark.parametrize(
    "typed",
    [
        ("France", "2 minutes"),
        ("france", "2"),
        ("france", "0 minutes"),
        ("france", "2 minutes", "--rule", "some"),
        ("france", "2 minutes", "--prefix", ""),
        ("france", "2 minutes", "--service", "chess"),
        ("france", "2 minutes", "--period", "soon"),
        ("france", "2 minutes", "--renews"),
        ("france", "2 minutes", "--rolls-over", "2 calls"),
        ("france", "2 minutes", "--price", "-1"),
    ],
)
def test_what_cannot_be_offered_is_told(terminal: Terminal, typed: tuple[str, ...]) -> None:
    assert terminal.run("bundle", "create", *typed).code == 2


def test_a_rate_is_tested_for_an_account_with_its_bundle(terminal: Terminal) -> None:
    terminal.must("bundle", "create", "france", "2 minutes", "--prefix", "33")
    terminal.must("bundle", "grant", "77", "france")
    asked = ("+33142685300", "--tariff", "all", "--seconds", "150", "--account", "77")
    priced = terminal.must("rate", "test", *asked, "--json").document
    assert priced["price"]["amount"] == "0.500000"
    assert priced["talk_time_ms"] == 240_000
    assert priced["bundles"] == [{"bundle": 1, "name": "france", "left": "2 minutes", "rule": "pro-rata"}]
    assert "bundle france (1) gives 120 s of 120 s, rule pro-rata" in priced["why"]
    assert priced == terminal.must("tariff", "test", *asked, "--json").document | {"at": priced["at"]}
    shown = terminal.must("rate", "test", *asked).out
    assert "bundles     france (1), 2 minutes\n" in shown
    assert "talk time   4 min 0.000 s\n" in shown
    assert "why 4" in shown
    assert terminal.run("rate", "test", *asked[:-1], "78").code == 3
