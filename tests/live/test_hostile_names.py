"""Hostile caller names over real SIP beside a good number: the call is that number's, and the name is nowhere."""

import re
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest

from billing.accounts import service as account_service
from dialplan.lab.lab import Lab
from tests.live.hostile import CALLER_NAMES, MARK
from tests.live.house import House, open_house
from tests.live.observer import Observer
from tests.live.test_hostile import ANONYMOUS, DIALLED, assert_untouched, place_all

pytestmark = pytest.mark.live

UNREADABLE = frozenset({"10-kB", "2-kB", "1-kB", "200-emoji", "control", "tabs", "right-to-left"})
"""In the header that says whose line it is, what is too long or not printable leaves nothing to be believed: the line
is taken for unknown, and its caller asked for a PIN."""
NO_SIP = frozenset({"nul"})
"""With these in it, that header makes the message one that the switch does not take."""


@pytest.fixture
def house(lab: Lab, sqlite_url: str, tmp_path: Path) -> Iterator[House]:
    with open_house(lab, sqlite_url, tmp_path) as opened:
        yield opened


@pytest.fixture
def observer(lab: Lab) -> Iterator[Observer]:
    with Observer(lab.ports.gateway_ami, lab.observer) as watching:
        yield watching


def test_a_hostile_name_changes_nothing(
    house: House, observer: Observer, lab: Lab, tmp_path: Path, times: Callable[[int, int], int]
) -> None:
    """In From, which says nothing about the line, and in P-Asserted-Identity, which does."""
    names = dict(list(CALLER_NAMES.items())[: times(12, 100)])
    lines = {
        (where, name): f"+1212557{at:04d}" for at, (where, name) in enumerate(product(("from", "asserted"), names))
    }
    account = house.town.account("ann", 5_000_000)
    for line in lines.values():
        town = house.town
        account_service.add_line(town.engine, town.clock, town.pepper, number=account.number, line=line)
    calls = {}
    for (where, name), line in lines.items():
        address, named = b"<sip:%s@127.0.0.1>" % line.encode(), b'"%s" ' % names[name]
        sender = named + b"<sip:anonymous@127.0.0.1>" if where == "from" else ANONYMOUS
        asserted = b"P-Asserted-Identity: " + (address if where == "from" else named + address)
        calls[f"{where} {name}"] = (DIALLED, sender, [asserted])
    answered = place_all(lab, calls)
    assert calls.keys() - answered.keys() == {f"asserted {name}" for name in NO_SIP & names.keys()}
    cdrs = house.wait_cdrs(len(answered))
    unknown = {("asserted", name) for name in UNREADABLE | NO_SIP}
    assert {cdr.ani for cdr in cdrs} - {""} == {line for whose, line in lines.items() if whose not in unknown}
    assert [cdr.account_id for cdr in cdrs if not cdr.ani] == [None] * len(UNREADABLE & names.keys())
    # who hangs up at once may be gone before his account is looked for
    assert {cdr.account_id for cdr in cdrs if cdr.ani} <= {account.id, None}
    assert_untouched(house, observer, lab, len(answered))
    for path in tmp_path.glob("tollgate.db*"):
        assert MARK.encode() not in path.read_bytes(), path
    told = [str(moment.text) for cdr in cdrs for moment in house.explain(cdr.call_id).timeline]
    assert max(map(len, told)) < 1000
    assert all(re.sub(r"\s", "", text).isprintable() for text in told)
