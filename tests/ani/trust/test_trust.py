"""Evidence, rows and verdicts: nothing that is added to a call makes it open more."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ani.trust.trust import (
    DEFAULT_POLICY,
    Demand,
    Evidence,
    TrustRow,
    is_diverted,
    judge,
    rows_of,
    screening_of,
    verstat_of,
)

ANN, OTHER = "+12125550101", "+12125550199"
STRICTNESS = tuple(Demand)
SIGNED = {"verify_result": "success", "attestation": "A"}


def demand(evidence: Evidence, *, ani: str = ANN, is_asserted: bool = False, attested: str = "") -> Demand:
    evidence = replace(evidence, attested_identity=attested)
    return judge(rows_of(evidence, ani, is_asserted=is_asserted), {}).demand


@pytest.mark.parametrize(
    ("evidence", "asserted", "attested", "demanded"),
    [
        (Evidence(is_trusted=True), True, "", Demand.NUMBER),
        (Evidence(is_trusted=True), False, "", Demand.PIN),
        (Evidence(is_trusted=True, is_withheld=True), True, "", Demand.NUMBER),
        (Evidence(is_trusted=True, is_diverted=True), True, "", Demand.PIN),
        (Evidence(is_trusted=True, screening="no"), True, "", Demand.PIN),
        (Evidence(is_trusted=True, screening="yes"), True, "", Demand.NUMBER),
        (Evidence(is_trusted=True, verstat="tn-validation-failed"), True, "", Demand.PIN),
        (Evidence(is_trusted=True, verstat="tn-validation-passed"), False, "", Demand.PIN),
        (Evidence(is_trusted=True, line_type=29), True, "", Demand.REFUSE),
        (Evidence(is_trusted=True, line_type=27), True, "", Demand.PIN),
        (Evidence(is_trusted=True, line_type=62), True, "", Demand.NUMBER),
        (Evidence(is_trusted=True, **SIGNED), False, ANN, Demand.NUMBER),  # type: ignore[arg-type]  # words only
        (Evidence(is_trusted=True, **SIGNED), False, OTHER, Demand.PIN),  # type: ignore[arg-type]  # words only
        (Evidence(is_trusted=True, **SIGNED), True, OTHER, Demand.PIN),  # type: ignore[arg-type]  # words only
        (Evidence(**SIGNED), False, ANN, Demand.PIN),  # type: ignore[arg-type]  # words only
        (Evidence(is_trusted=True, verify_result="success", attestation="B"), False, ANN, Demand.PIN),
        (Evidence(is_trusted=True, verify_result="success", attestation="B"), True, ANN, Demand.NUMBER),
        (Evidence(is_trusted=True, verify_result="success", attestation="C"), True, ANN, Demand.PIN),
        (Evidence(is_trusted=True, verify_result="missing_identity_hdr"), True, "", Demand.NUMBER),
        (Evidence(is_trusted=True, verify_result="cert_not_trusted", attestation="A"), True, ANN, Demand.PIN),
    ],
)
def test_what_a_number_opens(evidence: Evidence, *, asserted: bool, attested: str, demanded: Demand) -> None:
    assert demand(evidence, is_asserted=asserted, attested=attested) is demanded


@given(
    st.lists(st.sampled_from(list(TrustRow)), min_size=1, unique=True),
    st.sampled_from(list(TrustRow)),
    st.dictionaries(st.sampled_from(list(TrustRow)), st.sampled_from(list(Demand))),
)
def test_more_evidence_never_opens_more(rows: list[TrustRow], more: TrustRow, policy: dict[TrustRow, Demand]) -> None:
    before, after = judge(tuple(rows), policy), judge((*rows, more), policy)
    assert STRICTNESS.index(after.demand) >= STRICTNESS.index(before.demand)
    assert after.demand is policy.get(after.rule, DEFAULT_POLICY[after.rule])


@pytest.mark.parametrize(
    ("diversion", "history", "diverted"),
    [
        ("", "", False),
        ("", ",", False),
        ("1", "", True),
        ("", "<sip:+19005550100@n>;index=1,", False),
        ("", "<sip:+12125550199@n?Reason=SIP%3Bcause%3D302>;index=1,<sip:+19005550100@n>;index=1.1", True),
        ("", "<sip:+19005550100@n;cause=302>;index=1", True),
        ("", "<sip:+19005550100@n>;index=1;mp=1", True),
        ("", "too-long,too-long", True),
    ],
)
def test_diversion_is_seen(diversion: str, history: str, *, diverted: bool) -> None:
    assert is_diverted(diversion, history) is diverted


def test_words_of_the_headers() -> None:
    assert screening_of('"Ann" <sip:+12125550101@n>;party=calling;screen=NO;privacy=off') == "no"
    assert screening_of("<sip:+12125550101@n>") == ""
    assert verstat_of("<sip:+12125550101;verstat=TN-Validation-Failed@n>") == "tn-validation-failed"
    both = "<sip:+12125550101;verstat=TN-Validation-Passed@n>,<tel:+12125550101;verstat=TN-Validation-Failed>"
    assert verstat_of(both) == "tn-validation-failed"
