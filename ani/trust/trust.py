"""Trust of the calling number: what the network showed of it, and what it may open by itself (ANI-8). Pure.

Each piece of evidence is a row of a table; the strictest demand of all rows that apply decides. So a caller who adds
something to his call, true or forged, can only be asked for more.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType


class TrustRefusal(StrEnum):
    """Why a line is not served, whoever calls from it."""

    NOT_TRUSTED = "line-not-trusted"


class Demand(StrEnum):
    """What a caller has to show; each is stricter than the one before it."""

    NUMBER = "number"
    NUMBER_AND_CODE = "number-and-code"
    PIN = "pin"
    REFUSE = "refuse"


class TrustRow(StrEnum):
    """A piece of evidence. The first four tell whose word the number is, and exactly one of them applies."""

    ASSERTED = "asserted"
    ATTESTED = "attested"
    CLAIMED = "claimed"
    ANONYMOUS = "anonymous"
    WITHHELD = "withheld"
    DIVERTED = "diverted"
    SCREENING_FAILED = "screening-failed"
    ATTESTATION_B = "attestation-b"
    ATTESTATION_C = "attestation-c"
    ATTESTATION_FAILED = "attestation-failed"
    PAYPHONE = "payphone"
    PRISON = "prison"
    SHARED_PHONE = "shared-phone"
    CELLULAR = "cellular"


DEFAULT_POLICY: Mapping[TrustRow, Demand] = MappingProxyType(
    {
        TrustRow.ASSERTED: Demand.NUMBER,
        TrustRow.ATTESTED: Demand.NUMBER,
        TrustRow.CLAIMED: Demand.PIN,
        TrustRow.ANONYMOUS: Demand.PIN,
        TrustRow.WITHHELD: Demand.NUMBER,
        TrustRow.DIVERTED: Demand.PIN,
        TrustRow.SCREENING_FAILED: Demand.PIN,
        TrustRow.ATTESTATION_B: Demand.NUMBER,
        TrustRow.ATTESTATION_C: Demand.PIN,
        TrustRow.ATTESTATION_FAILED: Demand.PIN,
        TrustRow.PAYPHONE: Demand.PIN,
        TrustRow.PRISON: Demand.REFUSE,
        TrustRow.SHARED_PHONE: Demand.PIN,
        TrustRow.CELLULAR: Demand.NUMBER,
    }
)
"""What holds where a profile says nothing else."""

_STRICTNESS = tuple(Demand)
_VOUCHED = frozenset({TrustRow.ASSERTED, TrustRow.ATTESTED})
_NOT_VOUCHED = frozenset({TrustRow.SCREENING_FAILED, TrustRow.ATTESTATION_FAILED})
_NOT_VERIFIED = frozenset({"", "missing_identity_hdr", "disabled", "verification not present"})
_VERIFIED = frozenset({"success", "verification passed", "cid_orig_tn_mismatch"})
"""Signature, certificate, chain and age are good. Asterisk says `cid_orig_tn_mismatch` last of all, because it knows
the caller as 000 (`callerid = unset <000>` keeps hostile names out of it): whose number was signed, we compare."""
_ROW_OF_LEVEL = {"A": None, "B": TrustRow.ATTESTATION_B, "C": TrustRow.ATTESTATION_C}
_ROW_OF_LINE_TYPE = {
    6: TrustRow.SHARED_PHONE,
    7: TrustRow.SHARED_PHONE,
    27: TrustRow.PAYPHONE,
    29: TrustRow.PRISON,
    61: TrustRow.CELLULAR,
    62: TrustRow.CELLULAR,
    63: TrustRow.CELLULAR,
    68: TrustRow.SHARED_PHONE,
    70: TrustRow.PAYPHONE,
    78: TrustRow.SHARED_PHONE,
}
"""ANI II digits of the North American plan: 06 and 68 hotel, 07 and 78 coinless, 27 and 70 payphone, 29 prison."""
_REDIRECTED = re.compile(r"[;?]cause=|;(rc|mp|np)=", re.IGNORECASE)
_SCREEN = re.compile(r";\s*screen\s*=\s*\"?(\w+)", re.IGNORECASE)
_VERSTAT = re.compile(r";\s*verstat\s*=\s*\"?([\w-]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What came with a call. `is_trusted` tells that the endpoint may say who calls; nothing else is believed.

    `verify_result` and `attestation` are Asterisk's STIR_SHAKEN(0, ...), empty where it has none. `attested_identity`
    is the number the signature was made for (E.164), empty also where it was made for a call to somebody else.
    """

    is_trusted: bool = False
    is_withheld: bool = False
    is_diverted: bool = False
    screening: str = ""
    verstat: str = ""
    verify_result: str = ""
    attestation: str = ""
    attested_identity: str = field(default="", repr=False)
    line_type: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the caller has to show, the row that says so, and all rows that apply."""

    demand: Demand
    rule: TrustRow
    rows: tuple[TrustRow, ...]

    @property
    def is_vouched(self) -> bool:
        """Whether the network says that the call comes from this line: so it is nobody's invention."""
        return is_vouched(self.rows)


def is_vouched(rows: Iterable[TrustRow]) -> bool:
    """Whether these rows say that the network vouches for the line; no profile's demands change that."""
    found = set(rows)
    return bool(found & _VOUCHED) and not found & _NOT_VOUCHED


@dataclass(frozen=True, slots=True)
class OwnRule:
    """What a service demands otherwise than the default, since when, and who said so."""

    demand: Demand
    set_at: datetime
    set_by: str


def told(verdict: Verdict, own: Mapping[TrustRow, OwnRule]) -> dict[str, object]:
    """What a call's record says of a verdict: rule, evidence, and the rule's age and source."""
    told: dict[str, object] = {"rule": verdict.rule, "evidence": list(verdict.rows), "source": "default"}
    rule = own.get(verdict.rule)
    if rule is not None:
        told |= {"source": rule.set_by, "since": rule.set_at.isoformat(timespec="seconds")}
    return told


def judge(rows: tuple[TrustRow, ...], policy: Mapping[TrustRow, Demand]) -> Verdict:
    """The strictest demand of these rows; the policy's word before the default's. At least one row is needed."""
    demands = {row: policy.get(row, DEFAULT_POLICY[row]) for row in rows}
    rule = max(rows, key=lambda row: _STRICTNESS.index(demands[row]))
    return Verdict(demands[rule], rule, rows)


def rows_of(evidence: Evidence, ani: str, *, is_asserted: bool) -> tuple[TrustRow, ...]:
    """The rows that apply to a line (E.164, empty when there is none).

    An attestation counts for the number it was made for and no other, and lifts a claimed number only where it came in
    by a trusted endpoint: a signature can be copied from another call.
    """
    stir = _attestation(evidence, ani)
    rows = [_source(evidence, ani, stir, is_asserted=is_asserted)]
    if evidence.is_withheld:
        rows.append(TrustRow.WITHHELD)
    if evidence.is_diverted:
        rows.append(TrustRow.DIVERTED)
    if evidence.screening == "no" or "failed" in evidence.verstat:
        rows.append(TrustRow.SCREENING_FAILED)
    level_row = TrustRow.ATTESTATION_FAILED if stir == "failed" else _ROW_OF_LEVEL.get(stir)
    rows += [row for row in (level_row, _ROW_OF_LINE_TYPE.get(evidence.line_type)) if row is not None]
    return tuple(rows)


def is_diverted(diversion: str, history_info: str) -> bool:
    """Whether a call was sent on by somebody before it came to us (RFC 5806, RFC 7044).

    A History-Info with one entry that names no reason is only the number dialled.
    """
    entries = [entry for entry in history_info.split(",") if entry.strip()]
    return bool(diversion) or len(entries) > 1 or any(_REDIRECTED.search(entry) for entry in entries)


def screening_of(remote_party_id: str) -> str:
    """The word of the `screen` parameter of a Remote-Party-ID, in small letters; empty when there is none."""
    found = _SCREEN.search(remote_party_id)
    return found[1].lower() if found else ""


def verstat_of(identity: str) -> str:
    """The `verstat` parameter of an identity header (3GPP TS 24.229), in small letters; empty when there is none.

    Of several identities, the one that failed.
    """
    found = [word.lower() for word in _VERSTAT.findall(identity)]
    return next((word for word in found if "failed" in word), found[0] if found else "")


def _source(evidence: Evidence, ani: str, stir: str, *, is_asserted: bool) -> TrustRow:
    if not ani:
        return TrustRow.ANONYMOUS
    if is_asserted:
        return TrustRow.ASSERTED
    return TrustRow.ATTESTED if stir == "A" and evidence.is_trusted else TrustRow.CLAIMED


def _attestation(evidence: Evidence, ani: str) -> str:
    """The level A, B or C of what was verified; `failed` when it was not, or for another number; empty for none."""
    result = evidence.verify_result.strip().lower()
    if result in _NOT_VERIFIED:
        return ""
    level = evidence.attestation.strip().upper()
    is_good = result in _VERIFIED and level in _ROW_OF_LEVEL and evidence.attested_identity == ani != ""
    return level if is_good else "failed"
