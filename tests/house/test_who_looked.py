"""Who is shown something of a person is kept (AGE-5): every command has its place in one of two tables."""

from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from ani.access.tables import personal_access
from ani.lockout.lockout import Limits
from billing.accounts import service as account_service
from billing.calls import service as call_service
from billing.calls.call import NewCall, Settle
from billing.cards.card import serial_of
from billing.cards.tables import card
from ivr.ami import desk
from runtime.clock import SystemClock
from runtime.database import create_engine, reading, transaction
from runtime.keys import Pepper
from tests.house.test_commands import COMMANDS
from tests.terminal import Terminal

LINE = "+12125550100"
CALL = "0195aaaa0000700080000000000000aa"
CALL_UP = "0195aaaa0000700080000000000000bb"
SHOWS_PEOPLE = {
    "account close": ("100", "--reason", "moved", "--yes", "--dry-run", "--json"),
    "account list": (),
    "account plans": ("100",),
    "account show": ("100",),
    "account statements": ("100",),
    "bundle list": ("--account", "100"),
    "bundle show": ("1",),
    "call explain": (CALL,),
    "call list": (),
    "call live": (),
    "call show": (CALL,),
    "card show": ("SERIAL",),
    "condition list": (),
    "fraud show": ("100",),
    "line list": (),
    "listing show": (LINE,),
    "negative export": ("blocked.csv",),
    "negative list": (),
    "negative show": (LINE,),
    "person export": ("--line", LINE, "--reason", "person export"),
    "pin usage": ("acme",),
    "tier show": (LINE,),
    "vendor show": (LINE,),
}
"""Prints a line, a name, or what one holder has or did; with the arguments that make it."""
NOBODYS = """
apikey list, asterisk check, asterisk render, bundle create, card batch list, card batch show, charging reap,
config check, config env, config show, credit list, db check, db current, db upgrade, demo run, demo up, doctor,
fraud limits, fraud list, gateway run, key list, ledger audit, ledger seal, listing imports, negative report,
number list, operator list, person accesses, pin range list, pin range report, plan list, plan show, profile list,
profile terms show, profile trust show, rate test, route list, tariff list, tariff show, tariff test, threshold list,
vendor report, web run
"""
"""Settings, prices, counts, files: no row of these is about one person."""
WRITERS = """
account correct, account create, account credit, account debit, account refund, account set, apikey create, apikey
revoke, bundle close, bundle grant, bypass set, call hangup, card batch activate, card batch create, card batch
export, card batch void, card issue, card void, code remove, code set, condition remove, condition set, credit bind,
credit set, fraud add, fraud lift, fraud remove, fraud suspend, identity import, key add, key retire, key rotate,
ledger reverse, line add, line remove, line toll-block, line toll-lift, listing import, negative block, negative
import, negative unblock, number create, operator create, operator unidentified, person erase, pin import, pin issue,
pin range create, pin revoke, plan add, plan bill, plan change, plan remove, profile create, profile mode, profile set,
profile terms end, profile terms set, profile trust set, route add, route remove, tariff import, threshold set, tier set
"""
"""These say no more than what was typed, what became of it and what is left; who and why stands beside what changed."""
SHOWS_NOBODY = frozenset(" ".join(words.split()) for words in f"{NOBODYS},{WRITERS}".split(","))


def test_every_command_has_its_place() -> None:
    places = (SHOWS_PEOPLE.keys(), SHOWS_NOBODY)
    assert set(COMMANDS) == set().union(*places), "say in this file whether the command shows somebody"
    assert sum(map(len, places)) == len(COMMANDS), "in two places"


class _Desk:
    """A desk at a switch that knows no channel."""

    def channels(self) -> list[dict[str, str]]:
        return []


@pytest.fixture
def terminal(
    sqlite_url: str, installation: Callable[[str], None], pepper: Pepper, monkeypatch: pytest.MonkeyPatch
) -> Terminal:
    """A terminal where there is something to show of a person for every command."""
    installation(sqlite_url)
    monkeypatch.setattr(desk, "open_desk", lambda *_: nullcontext(_Desk()))
    terminal = Terminal()
    Path("lines.csv").write_text(f"ani,first_name,last_name\n{LINE},Ann,Ash\n")
    Path("pins.csv").write_text("key,pin,account,range\nk1,51000042,100,mail\n")
    for words in (
        "operator create acme Acme",
        "account create acme --number 100 --name Ann",
        f"line add 100 {LINE}",
        f"condition set 100 {LINE} --allow 33*",
        "listing import lines.csv --source acme",
        f"negative block {LINE} --reason minor",
        f"tier set {LINE} gold --source bureau",
        "bundle create europe 300_minutes --operator acme",
        "bundle grant 100 europe",
        "pin range create acme mail --prefix 51",
        "pin import pins.csv --operator acme",
        "card batch create acme online --cards 2 --face 5 --virtual",
    ):
        terminal.must(*(word.replace("_", " ") for word in words.split()))
    serial_pin = terminal.must("card", "issue", "online").out.split()
    engine = create_engine(sqlite_url)
    account_service.check_pin(engine, SystemClock(), pepper, Limits(5, 10, 60), LINE, serial_pin[1])
    at = datetime(2026, 3, 1, tzinfo=UTC)
    with transaction(engine) as conn:
        call_service.open_call(conn, NewCall(CALL, "gw1", "1.1", "PJSIP/a-1", "19005550100", LINE, at))
        call_service.open_call(conn, NewCall(CALL_UP, "gw1", "1.2", "PJSIP/a-2", "19005550100", LINE, at))
    call_service.settle(engine, SystemClock(), Settle(CALL, None, at, "busy", 17, "test"))
    engine.dispose()
    return terminal


def test_who_looked_is_kept(terminal: Terminal, sqlite_url: str) -> None:
    engine = create_engine(sqlite_url)
    for words, arguments in SHOWS_PEOPLE.items():
        answer = terminal.run(*words.split(), *(_serial(engine) if one == "SERIAL" else one for one in arguments))
        assert answer.code in {0, 3}, (words, answer)
        assert _kept(engine)[-1].startswith(words), words
    engine.dispose()
    under_line, under_account = _under(terminal, "--line", LINE), _under(terminal, "--account", "100")
    assert under_line == {"line list", "tier show", "vendor show", "listing show", "account show", "condition list"} | {
        words for words in SHOWS_PEOPLE if words.startswith(("negative ", "call ", "person "))
    }
    assert under_account >= SHOWS_PEOPLE.keys() - under_line - {"card show"}
    assert {"account show", "line list", "condition list"} <= under_account


def _under(terminal: Terminal, *whose: str) -> set[str]:
    """The commands that are found under this name."""
    looked = terminal.must("person", "accesses", *whose, "--json").document
    return {" ".join(one["reason"].split()[:2]) for one in looked}


def _kept(engine: Engine) -> list[str]:
    """Why somebody looked, each once, in the order in which it was first kept."""
    with reading(engine) as conn:
        return list(dict.fromkeys(conn.scalars(sa.select(personal_access.c.reason).order_by(personal_access.c.id))))


def _serial(engine: Engine) -> str:
    with reading(engine) as conn:
        return serial_of(
            *conn.execute(sa.select(card.c.batch_id, card.c.number).order_by(card.c.number).limit(1)).one()
        )
