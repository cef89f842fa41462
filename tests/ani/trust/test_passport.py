"""The claims of signed calls: read as they were signed, or not at all."""

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ani.trust.passport import Passport, parse_claims, vouched_number


def claims(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def signed(caller: object = "12125550101", *called: object) -> str:
    return claims(json.dumps({"attest": "A", "dest": {"tn": called}, "iat": 1, "orig": {"tn": caller}}))


def test_claims_are_read() -> None:
    assert parse_claims(signed("12125550101", "19005550100")) == Passport("+12125550101", ("19005550100",))
    assert "2125550101" not in repr(parse_claims(signed("12125550101", "19005550100")))


@pytest.mark.parametrize(
    "encoded",
    [
        "",
        "too-long",
        "a",
        "%",
        "A" * 3000,
        claims("[]"),
        claims("{}"),
        claims('{"orig": 1, "dest": 2}'),
        claims("[" * 1400),
        signed("+12125550101"),
        signed("anonymous"),
        signed("٣٣٣"),
        signed(None),
        claims('{"dest": {"tn": "19005550100"}, "orig": {"tn": "12125550101"}}'),
        claims('{"dest": {"tn": []}, "orig": {"tn": "12125550101"}, "orig": {"tn": "12125550102"}}'),
        claims('{"dest": {"tn": []}, "orig": {"tn": "12125550101", "tn": "12125550102"}}'),
    ],
)
def test_what_is_not_of_the_grammar_is_not_read(encoded: str) -> None:
    assert parse_claims(encoded) is None
    assert vouched_number(encoded, "19005550100") == ""


@pytest.mark.parametrize(
    ("called", "dialled", "vouched"),
    [
        ("19005550100", "19005550100", True),
        ("19005550100", "+19005550100", True),
        ("19005550100", "9005550100", True),
        ("442079460100", "+442079460100", True),
        ("19005550100", "19005550101", False),
        ("19005550100", "", False),
        ("19005550100", "0100", False),
        ("9005550100", "19005550100", False),
        ("9005550100", "+19005550100", False),
        ("19005550100", "+9005550100", False),
        ("4419005550100", "+19005550100", False),
    ],
)
def test_a_signature_counts_for_the_number_that_was_called(called: str, dialled: str, *, vouched: bool) -> None:
    found = vouched_number(signed("12125550101", "12125550777", called), dialled)
    assert found == ("+12125550101" if vouched else "")


@settings(max_examples=50)
@given(st.text(max_size=20) | st.binary(max_size=20).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_nothing_a_caller_sends_breaks_it(hostile: str) -> None:
    assert vouched_number(hostile, "19005550100") == ""
