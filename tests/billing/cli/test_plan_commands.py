"""`tollgate plan`, and what `tollgate account` says of plans, as they are typed."""

from collections.abc import Callable

import pytest
from sqlalchemy.engine import Engine

from billing.cli import account, account_plan, bundle, ledger, plan, tariff
from tests.billing.shop import open_shop
from tests.clock import SettableClock
from tests.terminal import Terminal


@pytest.fixture
def terminal(
    installation: Callable[[str], None], sqlite_url: str, sqlite_engine: Engine, clock: SettableClock
) -> Terminal:
    installation(sqlite_url)
    open_shop(sqlite_engine, clock)
    return Terminal(account.attach, account_plan.attach, bundle.attach, ledger.attach, plan.attach, tariff.attach)


def test_a_plan_from_its_making_to_its_end(terminal: Terminal) -> None:
    terminal.must("bundle", "create", "france", "2 minutes", "--prefix", "33")
    terms = ("--tariff", "all", "--bundle", "france", "--fee", "5", "--class", "business")
    wanted = ("plan", "add", "gold", "Gold", *terms)
    assert terminal.must(*wanted, "--dry-run", "--json").document["plan"] == "gold"
    assert terminal.must("plan", "list", "--json").document == []
    assert terminal.must(*wanted).out == "plan gold of shop made\n"
    assert terminal.run(*wanted).code == 1
    assert terminal.must("plan", "list", "--class", "business").out.splitlines()[1].split("\t")[:7] == [
        "shop",
        "gold",
        "Gold",
        "business",
        "all",
        "france",
        "5.00 USD",
    ]
    assert terminal.must("plan", "list", "--class", "residential", "--json").document == []
    made = terminal.must("account", "create", "shop", "--number", "77", "--plan", "gold", "--json").document
    assert (made["kind"], made["plan"]) == ("prepaid", "gold")
    assert terminal.must("plan", "bill").out.startswith("1 accounts: 1 periods begun, 0 fees paid (nothing), 1 not")
    terminal.must("account", "credit", "77", "20", "--key", "k")
    billed = terminal.must("plan", "bill", "--json").document
    assert (billed["paid"], billed["fees"]) == (1, [{"amount": "5.000000", "currency": "USD"}])
    assert terminal.must("plan", "bill", "--quiet").out == ""
    told = terminal.must("account", "plans", "77", "--json").document
    assert [(one["plan"], one["now"]) for one in told["plans"]] == [("gold", True)]
    assert [(one["state"], one["key"]) for one in told["periods"]] == [("paid", "fee:1:1")]
    assert "5.00 USD\tpaid" in terminal.must("account", "plans", "77").out
    assert "plan           gold\n" in terminal.must("account", "show", "77").out
    priced = terminal.must("rate", "test", "+33142685300", "--seconds", "150", "--account", "77", "--json").document
    assert (priced["tariff"], priced["priced_by"], priced["price"]["amount"]) == ("all", "plan gold", "0.500000")
    changed = terminal.must("plan", "change", "gold", "--no-tariff", "--fee", "6", "--json").document["versions"]
    assert [(one["tariff"], one["fee"]["amount"]) for one in changed] == [("all", "5.000000"), (None, "6.000000")]
    assert "6.000000" in terminal.must("plan", "show", "gold").out
    assert terminal.must("plan", "show", "gold", "--json").document["accounts"] == 1
    assert terminal.run("plan", "remove", "gold", "--note", "old").code == 1
    assert "has no plan\n" in terminal.must("account", "set", "77", "--no-plan", "--at-once").out
    assert terminal.must("plan", "remove", "gold", "--note", "old").out == "plan gold of shop removed\n"
    assert terminal.must("ledger", "audit").code == 0


def test_how_an_account_is_paid_for(terminal: Terminal) -> None:
    terminal.must("plan", "add", "line", "Line", "--every", "week", "--zone", "Europe/Berlin")
    made = terminal.must(
        "account", "create", "shop", "--number", "77", "--kind", "periodic", "--limit", "5", "--json"
    ).document
    assert (made["kind"], made["limit"]["amount"]) == ("periodic", "5.000000")
    given = terminal.must("account", "set", "77", "--plan", "line", "--billing-day", "1", "--json").document
    assert (given["plan"], given["billing_day"]) == ("line", 1)
    assert terminal.must("account", "statements", "77", "--json").document == []
    assert terminal.must("account", "statements", "77").out.startswith("number\tfrom")
    assert terminal.must("account", "set", "77", "--limit", "7", "--json").document["kind"] == "periodic"
    out = terminal.must("account", "set", "77", "--kind", "prepaid").out
    assert out == "account 77 is prepaid, and may go to 0.00 USD\n"


@pytest.mark.parametrize(
    "typed",
    [
        ("plan", "add", "Gold", "Gold"),
        ("plan", "add", "gold", ""),
        ("plan", "add", "gold", "Gold", "--every", "year"),
        ("plan", "add", "gold", "Gold", "--fee", "-1"),
        ("plan", "add", "gold", "Gold", "--first", "half"),
        ("plan", "add", "gold", "Gold", "--zone", "Mars"),
        ("plan", "add", "gold", "Gold", "--from", "soon"),
        ("account", "create", "shop", "--kind", "golden"),
        ("account", "create", "shop", "--kind", "postpaid"),
        ("account", "set", "77"),
        ("account", "set", "77", "--tariff", "all", "--plan", "gold"),
        ("account", "set", "77", "--tariff", "all", "--at-once"),
    ],
)
def test_what_cannot_be_is_told(terminal: Terminal, typed: tuple[str, ...]) -> None:
    assert terminal.run(*typed).code == 2
