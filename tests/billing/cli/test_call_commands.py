"""What staff read of a call: listed, shown, explained; and the audit of the books after it."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from billing.calls import service
from billing.calls.call import Authorise, Authorised, CallEvent, NewCall, Settle
from billing.cli import root
from billing.operators.store import profile_for
from billing.rating import Rate
from billing.tariffs.store import add_rates, add_version
from runtime.database import create_engine, reading, transaction
from tests.billing.customers import open_account, sell
from tests.clock import SettableClock
from tests.terminal import Terminal

CALL = "0195aaaa0000700080000000000000aa"
LINE = "+12125550100"


@pytest.fixture
def engine(sqlite_url: str) -> Iterator[Engine]:
    """The database the commands read too."""
    engine = create_engine(sqlite_url)
    yield engine
    engine.dispose()


@pytest.fixture
def terminal(engine: Engine, sqlite_url: str, installation: Callable[[str], None], clock: SettableClock) -> Terminal:
    """A terminal where account 100 paid 90 seconds to France and has made one call more, which is still up."""
    installation(sqlite_url)
    terminal = Terminal(root.attach)
    sell(engine)
    open_account(engine, clock, "100")
    terminal.must("account", "credit", "100", "20.00", "--key", "first")
    _talk(engine, clock)
    return terminal


def _talk(engine: Engine, clock: SettableClock) -> None:
    at = clock.now()
    with transaction(engine) as conn:
        profile = profile_for(conn, "19005550100")
        assert profile is not None
        version_id = add_version(conn, profile.tariff_id, at, at, "test").id
        rate = Rate(version_id, "33", "France", "USD", 1_000_000, initial_s=60, increment_s=60)
        add_rates(conn, version_id, [rate])
        arrived = CallEvent(at, "line", "known", {"listed": True})
        service.open_call(
            conn, NewCall(CALL, "gw1", "1.1", "PJSIP/a-1", "19005550100", LINE, at, profile.id, 1, (arrived,))
        )
    wanted = Authorise(
        CALL, "5e55", 1, rate, "+33123456789", "network", LINE, 1_860_000, 5_580_000, 120_000, 5_000, profile.id
    )
    assert isinstance(service.authorise(engine, clock, wanted), Authorised)
    clock.advance(10)
    answered_at = clock.now()
    clock.advance(90)
    service.settle(engine, clock, Settle(CALL, answered_at, clock.now(), "answered", 16, "event"))
    with transaction(engine) as conn:
        up = NewCall("0195bbbb00007000800000000000000b", "gw1", "1.2", "PJSIP/a-2", "19005550100", LINE, clock.now())
        service.open_call(conn, up)


def test_list(terminal: Terminal, clock: SettableClock) -> None:
    ended = f"{clock.now():%Y-%m-%d %H:%M:%S}"
    assert terminal.must("call", "list").out.splitlines() == [
        "call\tended\tfrom\tto\taccount\tdisposition\ttalked s\tcharged",
        f"{CALL}\t{ended}\t{LINE}\t+33123456789\t100\tanswered\t90.000\t2.00 USD",
    ]
    later = (clock.now() + timedelta(seconds=1)).isoformat()
    assert terminal.must("call", "list", "--from", later, "--json").document == []
    assert len(terminal.must("call", "list", "--until", later, "--account", "100", "--json").document) == 1
    assert terminal.must("call", "list", "--line", "+12125550199", "--json").document == []
    assert terminal.run("call", "list", "--account", "999").code == 3


def test_show(terminal: Terminal) -> None:
    shown = terminal.must("call", "show", "0195a", "--json").document
    assert (shown["call"], shown["state"], shown["account"]) == (CALL, "ended", "100")
    assert shown["cdr"]["charged"] == {"amount": "2.000000", "currency": "USD"}
    assert shown["cdr"]["balance_after"] == {"amount": "18.000000", "currency": "USD"}
    assert (shown["cdr"]["used_ms"], shown["cdr"]["billed_ms"]) == (90_000, 120_000)
    assert "charged        2.00 USD" in terminal.must("call", "show", CALL).out
    assert terminal.must("call", "show", "0195b", "--json").document["cdr"] is None
    assert "several calls" in terminal.run("call", "show", "0195").err


def test_explain_tells_the_story_in_order(terminal: Terminal) -> None:
    told = terminal.must("call", "explain", CALL).out
    places = [told.index(words) for words in ("line: known", "initiate 0", "charge", "answered, cause 16")]
    assert places == sorted(places)
    document = terminal.must("call", "explain", CALL, "--json").document
    assert document["grants"][0]["granted_ms"] == 120_000
    assert sorted(line["amount"]["amount"] for line in document["ledger"]) == ["-2.000000", "2.000000"]
    assert document["price"]
    assert document["cdr"]["call"] == CALL


def test_explain_of_a_call_that_is_up(terminal: Terminal) -> None:
    document = terminal.must("call", "explain", "0195b", "--json").document
    assert (document["cdr"], document["grants"], document["price"], document["ledger"]) == (None, [], [], [])


def test_the_audit_finds_what_was_changed_behind_the_ledger(terminal: Terminal, engine: Engine) -> None:
    assert terminal.must("ledger", "audit").out.startswith("the books agree: 2 transfers")
    with transaction(engine) as conn:
        conn.execute(sa.text("UPDATE account SET balance_micros = balance_micros + 1"))
    found = terminal.run("ledger", "audit", "--json")
    assert found.code == 1
    assert not found.document["ok"]
    assert terminal.run("ledger", "audit").out.startswith("check\tsubject")
    with reading(engine) as conn:
        assert conn.execute(sa.text("SELECT count(*) FROM transfer")).scalar_one() == 2


def test_who_looked_at_a_call_is_kept(terminal: Terminal) -> None:
    assert terminal.run("person", "accesses", "--line", LINE).code == 3
    for words in (("list",), ("show", CALL), ("explain", CALL[:5], "--json")):
        terminal.must("call", *words)
    terminal.must("call", "list", "--line", "+12125559999")
    for whose in (("--line", LINE), ("--account", "100")):
        looked = terminal.must("person", "accesses", *whose, "--json").document
        assert [(one["action"], one["reason"]) for one in looked] == [
            ("read", f"call explain {CALL}"),
            ("read", f"call show {CALL}"),
            ("read", "call list"),
        ]
    assert terminal.run("call", "show", "ffff").code == 3
