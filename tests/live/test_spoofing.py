"""The spoofing matrix: what a caller sends, from where, and what his number opens by itself (ANI-8)."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from ani.trust import service as trust_service
from ani.trust.trust import Demand, TrustRow
from billing.accounts import service as account_service
from billing.operators import service as operator_service
from dialplan.lab.lab import Lab
from tests.ivr.town import CALLING
from tests.live.house import House, open_house
from tests.live.raw_sip import RawCall

pytestmark = pytest.mark.live

ANYONE = b"<sip:anonymous@127.0.0.1>"
CLAIMS = b"<sip:LINE@127.0.0.1>"
ASSERTS = b"P-Asserted-Identity: <sip:LINE@127.0.0.1>"
SIGNED = b"Identity: eyJhbGciOiJFUzI1NiJ9.eyJhdHRlc3QiOiJBIn0.c2lnbmVk;info=<https://127.0.0.1/a.pem>;alg=ES256"
OPEN, ASKED, REFUSED = "gone-at-destination", "gone-at-identification", "line-not-trusted"

FROM_THE_TRUNK: Mapping[str, tuple[bytes, tuple[bytes, ...], str]] = {
    "asserted": (ANYONE, (ASSERTS,), OPEN),
    "asserted-by-two": (ANYONE, (ASSERTS, b"P-Asserted-Identity: <tel:LINE>"), OPEN),
    "asserted-by-two-in-one": (ANYONE, (ASSERTS + b", <tel:LINE>",), OPEN),
    "asserted-withheld": (ANYONE, (ASSERTS, b"Privacy: id"), OPEN),
    "asserted-cellular": (ANYONE + b";isup-oli=62", (ASSERTS,), OPEN),
    "history-of-one": (ANYONE, (ASSERTS, b"History-Info: <sip:+19005550100@127.0.0.1>;index=1"), OPEN),
    "claimed": (CLAIMS, (), ASKED),
    "claimed-and-preferred": (CLAIMS, (b"P-Preferred-Identity: <sip:LINE@127.0.0.1>",), ASKED),
    "claimed-with-forged-signature": (CLAIMS, (SIGNED,), ASKED),
    "claimed-with-verstat": (b"<sip:LINE;verstat=TN-Validation-Passed@127.0.0.1>", (), ASKED),
    "diversion": (ANYONE, (ASSERTS, b"Diversion: <sip:+12125550199@h>;reason=unknown"), ASKED),
    "history-of-two": (
        ANYONE,
        (ASSERTS, b"History-Info: <sip:+12125550199@h>;index=1,<sip:+19005550100@h>;index=1.1"),
        ASKED,
    ),
    "history-in-two-headers": (
        ANYONE,
        (ASSERTS, b"History-Info: <sip:+12125550199@h>;index=1", b"History-Info: <sip:+19005550100@h>;index=1.1"),
        ASKED,
    ),
    "history-too-long": (ANYONE, (ASSERTS, b"History-Info: <sip:" + b"1" * 1500 + b"@h>;index=1"), ASKED),
    "screening-failed": (ANYONE, (ASSERTS, b"Remote-Party-ID: <sip:LINE@h>;screen=no"), ASKED),
    "validation-failed": (ANYONE, (b"P-Asserted-Identity: <sip:LINE;verstat=TN-Validation-Failed@h>",), ASKED),
    "payphone": (ANYONE + b";isup-oli=27", (ASSERTS,), ASKED),
    "prison": (ANYONE + b";isup-oli=29", (ASSERTS,), REFUSED),
    # one of two may be the caller's own, passed on: whichever comes first, none is believed
    "asserted-otherwise-too": (ANYONE, (ASSERTS, b"P-Asserted-Identity: <tel:+12125550199>"), ASKED),
    "asserted-otherwise-before": (ANYONE, (b"P-Asserted-Identity: <sip:+12125550199@h>", ASSERTS), ASKED),
    "asserted-otherwise-in-one": (ANYONE, (ASSERTS + b", <tel:+12125550199>",), ASKED),
    "asserted-and-anonymous": (ANYONE, (ASSERTS, b"P-Asserted-Identity: <sip:anonymous@h>"), ASKED),
    "asserted-thrice": (ANYONE, (ASSERTS, ASSERTS, b"P-Asserted-Identity: <tel:+12125550199>"), ASKED),
    "asserted-and-nothing": (ANYONE, (ASSERTS, b"P-Asserted-Identity: ,"), ASKED),
    "asserted-and-too-long": (ANYONE, (ASSERTS, b"P-Asserted-Identity: <sip:" + b"1" * 1500 + b"@h>"), ASKED),
    # the network says that there is no number, so what else the caller says of it is not read
    "claimed-beside-no-number": (CLAIMS, (b"P-Asserted-Identity: <sip:anonymous@127.0.0.1>",), ASKED),
    "claimed-by-remote-party": (ANYONE, (b"Remote-Party-ID: <sip:LINE@h>;screen=yes",), ASKED),
}
"""What is sent, each from a line of its own that opens an account; and how far it gets by the number alone."""


def line_of(name: str) -> str:
    """The line a row of the matrix is about."""
    return f"+12125550{201 + list(FROM_THE_TRUNK).index(name)}"


@pytest.fixture
def house(lab: Lab, sqlite_url: str, tmp_path: Path) -> Iterator[House]:
    with open_house(lab, sqlite_url, tmp_path) as opened:
        with_lines(opened)
        yield opened


def with_lines(house: House) -> None:
    """One account that all lines of the matrix open."""
    town = house.town
    account = town.account("ann", 5_000_000)
    for name in FROM_THE_TRUNK:
        account_service.add_line(
            town.engine, town.clock, town.pepper, number=account.number, line=line_of(name), code=None
        )


def told(template: bytes, name: str) -> bytes:
    return template.replace(b"LINE", line_of(name).encode())


def ended(house: House, lab: Lab, names: list[str], *, refused: tuple[str, ...] = ()) -> dict[str, str]:
    """How each call ends whose caller hears the first question and hangs up; all of them side by side."""
    before = len(house.cdrs())
    with ExitStack() as stack:
        calls = {}
        for name in names:
            sender, headers, _ = FROM_THE_TRUNK[name]
            calls[name] = stack.enter_context(
                RawCall(
                    lab.ports.gateway_sip,
                    CALLING.encode(),
                    from_header=told(sender, name),
                    headers=[told(header, name) for header in headers],
                )
            )
        for name, call in calls.items():
            assert call.wait_final(30.0) == 200, name
        for call in calls.values():
            call.listen(min(0.5, max(0.1, 2.0 / len(calls))))
        for name in refused:
            assert calls[name].wait_ended()
    cdrs = house.wait_cdrs(before + len(names), 60.0)[: len(names)]
    assert all(any(event.step == "trust" for event in house.explain(cdr.call_id).events) for cdr in cdrs)
    by_line = {cdr.ani: cdr.disposition for cdr in cdrs if cdr.ani}
    no_line = {cdr.disposition for cdr in cdrs if not cdr.ani} or {ASKED}
    assert len(no_line) == 1
    return {name: by_line.get(line_of(name), *no_line) for name in names}


def test_what_the_trunk_sends(house: House, lab: Lab) -> None:
    seen = ended(house, lab, list(FROM_THE_TRUNK), refused=("prison",))
    assert seen == {name: end for name, (*_, end) in FROM_THE_TRUNK.items()}
    # and what a profile demands beside the default
    town = house.town
    profile = operator_service.find_profile(town.engine, "town", "calling")
    for demand, end in ((Demand.NUMBER_AND_CODE, ASKED), (Demand.REFUSE, REFUSED)):
        trust_service.set_demand(town.engine, town.clock, profile.id, TrustRow.ASSERTED, demand, "test")
        refused = ("asserted",) if end == REFUSED else ()
        assert ended(house, lab, ["asserted"], refused=refused) == {"asserted": end}


def test_nothing_an_untrusted_endpoint_sends_opens_an_account(lab: Lab, sqlite_url: str, tmp_path: Path) -> None:
    with open_house(lab, sqlite_url, tmp_path, SWITCH__TRUNK="another") as house:
        with_lines(house)
        seen = ended(house, lab, [name for name in FROM_THE_TRUNK if name != "prison"])
        assert set(seen.values()) == {ASKED}, seen
        assert {cdr.account_id for cdr in house.cdrs()} == {None}
