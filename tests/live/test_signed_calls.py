"""Signed calls (STIR/SHAKEN) as the real switch verifies them, and what a signed number opens by itself (ANI-8)."""

import base64
import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ani.trust import service as trust_service
from ani.trust.trust import Demand, TrustRow
from billing.accounts import service as account_service
from billing.operators import service as operator_service
from dialplan.lab.lab import Lab
from runtime.settings import Settings
from tests.ivr.town import CALLING
from tests.live.house import House, open_house
from tests.live.raw_sip import RawCall
from tests.live.signing import Authority, Signer, certified, encoded, new_authority

pytestmark = pytest.mark.live

OPEN, ASKED = "gone-at-destination", "gone-at-identification"
CALLED = CALLING.removeprefix("+")
OTHER = "12125550399"

# The addresses of loopback are not asked for certificates, nor plain HTTP, but in a laboratory.
_ON_LOOPBACK = """
x5u_deny = 0.0.0.0/0.0.0.0
x5u_permit = 127.0.0.0/255.0.0.0
relax_x5u_port_scheme_restrictions = yes
"""


class SigningLab(Lab):
    """A lab whose gateway trusts the companies of an authority."""

    def __init__(self, authority: Authority) -> None:
        """The certificate lies beside the switch's own configuration."""
        super().__init__(Settings(), f"signed-{os.getpid()}")
        self._authority = authority
        self._trusts(f"{self.gateway.directories.config_dir}/signers.pem")

    def _trusts(self, path: str) -> None:
        switch = self.settings.switch.model_copy(update={"stir_shaken_ca_file": path})
        self.settings = self.settings.model_copy(update={"switch": switch})

    def gateway_files(self) -> dict[str, str]:
        """What is rendered, with the authority and where certificates may lie."""
        rendered = super().gateway_files()
        section = "[verification]\n"
        text = rendered["tollgate-stir-shaken.conf"]
        assert text.count(section) == 1
        rendered["tollgate-stir-shaken.conf"] = text.replace(section, section + _ON_LOOPBACK.lstrip())
        rendered["signers.pem"] = self._authority.pem
        return rendered


Signed = Callable[[str, Signer, Signer], tuple[bytes, ...]]
"""The headers of a call from a line (digits), by a company we trust and by one we do not."""


def _asserted(line: str) -> bytes:
    return f"P-Asserted-Identity: <sip:+{line}@127.0.0.1>".encode()


def _altered(header: bytes, line: str) -> bytes:
    """The claims with another caller under the same signature."""
    start, claims, end = header.decode().split(".", 2)
    told = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    return f"{start}.{encoded(told | {'orig': {'tn': line}})}.{end}".encode()


CASES: dict[str, tuple[Signed, str, TrustRow]] = {
    "not-signed": (lambda line, *_: (), ASKED, TrustRow.CLAIMED),
    "full": (lambda line, good, _: (good.identity(line, CALLED, "A"),), OPEN, TrustRow.ATTESTED),
    "partial": (lambda line, good, _: (good.identity(line, CALLED, "B"),), ASKED, TrustRow.ATTESTATION_B),
    "gateway": (lambda line, good, _: (good.identity(line, CALLED, "C"),), ASKED, TrustRow.ATTESTATION_C),
    "asserted-full": (
        lambda line, good, _: (_asserted(line), good.identity(line, CALLED, "A")),
        OPEN,
        TrustRow.ASSERTED,
    ),
    "asserted-partial": (
        lambda line, good, _: (_asserted(line), good.identity(line, CALLED, "B")),
        OPEN,
        TrustRow.ATTESTATION_B,
    ),
    "asserted-gateway": (
        lambda line, good, _: (_asserted(line), good.identity(line, CALLED, "C")),
        ASKED,
        TrustRow.ATTESTATION_C,
    ),
    "another-number": (
        lambda line, good, _: (good.identity(OTHER, CALLED, "A"),),
        ASKED,
        TrustRow.ATTESTATION_FAILED,
    ),
    "altered-number": (
        lambda line, good, _: (_altered(good.identity(OTHER, CALLED, "A"), line),),
        ASKED,
        TrustRow.ATTESTATION_FAILED,
    ),
    "for-another-call": (
        lambda line, good, _: (good.identity(line, OTHER, "A"),),
        ASKED,
        TrustRow.ATTESTATION_FAILED,
    ),
    "expired": (
        lambda line, good, _: (good.identity(line, CALLED, "A", age_s=60),),
        ASKED,
        TrustRow.ATTESTATION_FAILED,
    ),
    "unknown-authority": (
        lambda line, _, bad: (bad.identity(line, CALLED, "A"),),
        ASKED,
        TrustRow.ATTESTATION_FAILED,
    ),
    # of two signatures the switch verifies one: the claims of the other must not count
    "good-then-forged": (
        lambda line, good, bad: (good.identity(OTHER, CALLED, "A"), bad.identity(line, CALLED, "A")),
        ASKED,
        TrustRow.ATTESTATION_FAILED,
    ),
    "forged-then-good": (
        lambda line, good, bad: (bad.identity(line, CALLED, "A"), good.identity(OTHER, CALLED, "A")),
        ASKED,
        TrustRow.ATTESTATION_FAILED,
    ),
}
"""What is sent, how far the call gets by the number alone, and the last piece of evidence it was judged by."""


@pytest.fixture
def signers() -> Iterator[tuple[Authority, Signer, Signer]]:
    trusted = new_authority("trusted")
    with certified(trusted, new_authority("unknown")) as (good, bad):
        yield trusted, good, bad


@pytest.fixture
def signing_lab(signers: tuple[Authority, Signer, Signer]) -> Iterator[Lab]:
    with SigningLab(signers[0]) as lab:
        yield lab


def line_of(name: str) -> str:
    return f"12125550{301 + list(CASES).index(name)}"


def seen(house: House, lab: Lab, names: list[str], good: Signer, bad: Signer) -> dict[str, tuple[str, str]]:
    """How each call ended, and the last piece of evidence its number was judged by."""
    before = len(house.cdrs())
    ends: dict[str, tuple[str, str]] = {}
    with ExitStack() as stack:
        calls = {}
        for name in names:
            line = line_of(name)
            headers = CASES[name][0](line, good, bad)
            call = RawCall(
                lab.ports.gateway_sip,
                CALLING.encode(),
                from_header=f"<sip:+{line}@127.0.0.1>".encode(),
                headers=headers,
            )
            calls[name] = stack.enter_context(call)
        for name, call in calls.items():
            assert call.wait_final(30.0) == 200, name
        for call in calls.values():
            call.listen(max(0.1, 1.0 / len(calls)))
    for cdr in house.wait_cdrs(before + len(names), 60.0)[: len(names)]:
        judged = next(event for event in house.explain(cdr.call_id).events if event.step == "trust")
        (name,) = [name for name in names if f"+{line_of(name)}" == cdr.ani]
        ends[name] = (cdr.disposition, judged.detail["evidence"][-1])
    return ends


def test_what_a_signature_opens(
    signing_lab: Lab, signers: tuple[Authority, Signer, Signer], sqlite_url: str, tmp_path: Path
) -> None:
    _, good, bad = signers
    with open_house(signing_lab, sqlite_url, tmp_path) as house:
        town = house.town
        account = town.account("ann", 5_000_000)
        for name in CASES:
            line = f"+{line_of(name)}"
            account_service.add_line(town.engine, town.clock, town.pepper, number=account.number, line=line, code=None)
        assert seen(house, signing_lab, list(CASES), good, bad) == {
            name: (end, str(row)) for name, (_, end, row) in CASES.items()
        }
        # and what a profile demands beside the default
        profile = operator_service.find_profile(town.engine, "town", "calling")
        trust_service.set_demand(town.engine, town.clock, profile.id, TrustRow.ATTESTED, Demand.PIN, "test")
        assert seen(house, signing_lab, ["full"], good, bad) == {"full": (ASKED, str(TrustRow.ATTESTED))}
