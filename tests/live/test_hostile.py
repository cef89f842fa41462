"""Hostile callers over real SIP: what they write where a number is expected reaches no decision, no log, no screen."""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from dialplan.lab.lab import Lab
from tests.ivr.town import ANN, CALLING
from tests.live.hostile import EXTENSIONS, MARK, NAMES, OUTRIGHT, USERS
from tests.live.house import House, open_house
from tests.live.observer import Observer
from tests.live.raw_sip import RawCall
from tests.terminal import Terminal

pytestmark = pytest.mark.live

DIALLED = CALLING.encode()
ANONYMOUS = b'"Anonymous" <sip:anonymous@anonymous.invalid>'


@pytest.fixture
def house(lab: Lab, sqlite_url: str, tmp_path: Path) -> Iterator[House]:
    """Ann's line opens her account by its number alone: whoever passes for it talks at her expense."""
    with open_house(lab, sqlite_url, tmp_path) as opened:
        opened.town.account("ann", 5_000_000, line=ANN)
        yield opened


@pytest.fixture
def observer(lab: Lab) -> Iterator[Observer]:
    with Observer(lab.ports.gateway_ami, lab.observer) as watching:
        yield watching


Placed = Callable[[bytes], tuple[bytes, list[bytes]]]
"""From a hostile value to the From header and the other headers that carry it."""

POSITIONS: dict[str, tuple[Mapping[str, bytes], Placed]] = {
    "from-user": (USERS, lambda value: (b"<sip:" + value + b"@127.0.0.1>", [])),
    "asserted-user": (USERS, lambda value: (ANONYMOUS, [b"P-Asserted-Identity: <sip:" + value + b"@127.0.0.1>"])),
    "asserted-tel": (USERS, lambda value: (ANONYMOUS, [b"P-Asserted-Identity: <tel:" + value + b">"])),
    "asserted-whole": (OUTRIGHT, lambda value: (ANONYMOUS, [b"P-Asserted-Identity: " + value])),
    "from-name": (NAMES, lambda value: (b'"' + value + b'" <sip:anonymous@127.0.0.1>', [])),
    "asserted-name": (
        NAMES,
        lambda value: (ANONYMOUS, [b'P-Asserted-Identity: "' + value + b'" <sip:anonymous@127.0.0.1>']),
    ),
    "diversion": (
        USERS,
        lambda value: (ANONYMOUS, [b"Diversion: <sip:" + value + b"@127.0.0.1>;reason=unconditional"]),
    ),
    "privacy": (USERS, lambda value: (ANONYMOUS, [b"Privacy: " + value])),
    "remote-party": (USERS, lambda value: (ANONYMOUS, [b"Remote-Party-ID: <sip:" + value + b"@127.0.0.1>;screen=yes"])),
    "unknown-header": (USERS, lambda value: (ANONYMOUS, [b"X-Note: " + value])),
}


@pytest.mark.parametrize("position", POSITIONS)
def test_no_hostile_identity_reaches_anything(
    house: House, observer: Observer, lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, position: str
) -> None:
    values, place = POSITIONS[position]
    answered = place_all(lab, {name: (DIALLED, *place(value)) for name, value in values.items()})
    # what is no SIP at all goes unanswered; most of it is, and gets as far as the gateway
    assert len(answered) >= len(values) // 2
    for cdr in house.wait_cdrs(len(answered)):
        assert (cdr.ani, cdr.account_id, cdr.charged_micros) == ("", None, 0), house.explain(cdr.call_id).timeline
        told = [moment.text for moment in house.explain(cdr.call_id).timeline]
        assert not any("ssn" in text or "destination" in text for text in told), told
    assert_untouched(house, observer, lab, len(answered))
    monkeypatch.setenv("TOLLGATE_DATABASE__URL", house.town.engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("TOLLGATE_SECURITY__PEPPER_FILE", str(tmp_path / "pepper"))
    assert_fit_for_a_terminal(house)


def test_the_name_of_a_pattern_is_nobodys_number(house: House, lab: Lab) -> None:
    """Asterisk takes a pattern for an extension of that name too: a call, but of no service and of no account."""
    assert place_all(lab, {"pattern": (b"_1900NXXXXXX", ANONYMOUS, [])}) == {"pattern": 200}
    cdr = house.wait_cdrs(1)[0]
    assert (cdr.dnis, cdr.ani, cdr.account_id, cdr.charged_micros) == ("_1900NXXXXXX", "", None, 0)


def test_an_open_parenthesis_swallows_nothing_that_follows(house: House, lab: Lab) -> None:
    """What the network says after a name with one in it is still read: the number, and that nobody may see it."""
    ann = b"P-Asserted-Identity: <sip:%s@127.0.0.1>" % ANN.encode()
    headers = {
        "shown": (DIALLED, b'"(" <sip:anonymous@127.0.0.1>', [ann]),
        "diverted": (DIALLED, b'"((" <sip:anonymous@127.0.0.1>', [ann, b"Diversion: <sip:1@127.0.0.1>"]),
    }
    assert place_all(lab, headers) == {"shown": 200, "diverted": 200}
    cdrs = house.wait_cdrs(2)
    assert [cdr.ani for cdr in cdrs] == [ANN, ANN]
    rows = sorted(
        str(moment.text) for cdr in cdrs for moment in house.explain(cdr.call_id).timeline if "trust" in moment.text
    )
    assert any("diverted" in row for row in rows), rows
    assert any("diverted" not in row for row in rows), rows


def test_no_hostile_request_uri_makes_a_channel(house: House, observer: Observer, lab: Lab) -> None:
    asserted = [b"P-Asserted-Identity: <sip:%s@127.0.0.1>" % ANN.encode()]
    answered = place_all(lab, {name: (value, ANONYMOUS, asserted) for name, value in EXTENSIONS.items()})
    assert answered == {}
    assert observer.events("Newchannel") == []
    assert house.cdrs() == []
    assert_untouched(house, observer, lab, 0)


def place_all(lab: Lab, calls: Mapping[str, tuple[bytes, bytes, list[bytes]]]) -> dict[str, int]:
    """Place all these calls at once, hang up on whatever is answered, and give what was answered with which status."""
    answered = {}
    with ExitStack() as stack:
        placed = {
            name: stack.enter_context(RawCall(lab.ports.gateway_sip, user, from_header=sender, headers=headers))
            for name, (user, sender, headers) in calls.items()
        }
        deadline = time.monotonic() + 4.0
        for name, call in placed.items():
            if call.wait_final(max(deadline - time.monotonic(), 0.01)) == 200:
                answered[name] = call.status
    return answered


def assert_untouched(house: House, observer: Observer, lab: Lab, calls: int) -> None:
    """Nobody but the switch and the gateway has spoken: neither in events, nor in logs, nor in the database."""
    gone = [keys for name, keys in observer.events("UserEvent")]
    assert [keys["UserEvent"] for keys in gone] == ["TollgateGone"] * calls
    assert MARK not in observer.text()
    lines = house.gateway.log_file.read_text(encoding="utf-8").splitlines()
    for line in lines:
        assert isinstance(json.loads(line), dict), line
        assert line.isprintable(), line
        assert MARK not in line
    assert len(house.gateway.log_lines("call")) == calls
    assert house.gateway.log_lines("agi-fault") == []
    for line in lab.gateway.log_file.read_text(encoding="utf-8", errors="replace").splitlines():
        # the switch notes what it refuses, in an object; only its first words, at its start, are plain
        assert line.isprintable(), line
        assert MARK not in line or json.loads(line)["logmsg"]["level"] in {"NOTICE", "WARNING"}, line
    assert not Path("/tmp/TGFORGED").exists()
    assert not lab.installation.outside("/tmp/TGFORGED").exists()


def assert_fit_for_a_terminal(house: House) -> None:
    """What staff see of these calls moves no cursor and sets no title."""
    shell = Terminal()
    seen = shell.must("call", "list").out + shell.must("call", "list", "--json").out
    for cdr in house.cdrs()[:5]:
        seen += shell.must("call", "explain", cdr.call_id).out + shell.must("call", "show", cdr.call_id).out
    assert MARK not in seen
    assert re.sub(r"[\t\n]", "", seen).isprintable()
