"""The rules of a session, without a database."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.charging.session import ChargeRefusal, FinalCharge, Session, final_charge, first_grant, next_grant
from billing.charging.sharing import Part
from billing.rating import Grant, Rate, price_micros

UNIT = 1_000_000
MINUTES = Rate(1, "33", "France", "USD", UNIT, initial_s=60, increment_s=60)
NOW = datetime(2026, 3, 2, tzinfo=UTC)


def session(granted_ms: int, held_micros: int, cap_ms: int = 1_860_000, *, final: bool = False) -> Session:
    return Session(
        "s", 1, "call", "open", 1, "33", 0, granted_ms, held_micros, final, cap_ms, NOW, NOW, None, None, None
    )


@pytest.mark.parametrize(
    ("funds", "wanted", "cap", "minimum", "answer"),
    [
        (10 * UNIT, 60_000, 1_860_000, 5_000, Grant(60_000, UNIT, final=False)),
        (UNIT // 2, 60_000, 1_860_000, 5_000, Grant(30_000, UNIT // 2, final=True)),
        (UNIT // 20, 60_000, 1_860_000, 5_000, ChargeRefusal.NO_CREDIT),
        (0, 60_000, 1_860_000, 0, ChargeRefusal.NO_CREDIT),
        (10 * UNIT, 60_000, 4_999, 5_000, ChargeRefusal.SESSION_CAP),
        (10 * UNIT, 60_000, 0, 0, ChargeRefusal.SESSION_CAP),
        (10 * UNIT, 60_000, 31_000, 5_000, Grant(31_000, UNIT, final=True)),
        (10 * UNIT, 0, 1_860_000, 61_000, Grant(120_000, 2 * UNIT, final=False)),
    ],
)
def test_the_first_grant(funds: int, wanted: int, cap: int, minimum: int, answer: Grant | ChargeRefusal) -> None:
    assert first_grant(MINUTES, Part(funds, wanted, is_last=True), cap, minimum) == answer


@pytest.mark.parametrize(
    ("held", "available", "wanted", "cap", "answer"),
    [
        (session(60_000, UNIT), 9 * UNIT, 120_000, 1_860_000, Grant(120_000, 2 * UNIT, final=False)),
        (session(60_000, UNIT), 9 * UNIT, 30_000, 1_860_000, Grant(60_000, UNIT, final=False)),
        (session(60_000, UNIT), 0, 120_000, 1_860_000, Grant(60_000, UNIT, final=True)),
        (session(60_000, UNIT), UNIT // 2, 120_000, 1_860_000, Grant(90_000, 3 * UNIT // 2, final=True)),
        (session(60_000, UNIT, cap_ms=70_000), 9 * UNIT, 120_000, 70_000, Grant(70_000, 2 * UNIT, final=True)),
        (session(60_000, UNIT), 9 * UNIT, 120_000, 60_000, Grant(60_000, UNIT, final=True)),
    ],
)
def test_a_grant_is_a_total_that_never_shrinks(
    held: Session, available: int, wanted: int, cap: int, answer: Grant
) -> None:
    assert next_grant(held, MINUTES, Part(available, wanted, is_last=True), cap) == answer


@pytest.mark.parametrize(
    ("grant", "used", "charge"),
    [
        (Grant(60_000, UNIT, final=False), 0, FinalCharge(0, 0, 0)),
        (Grant(60_000, UNIT, final=False), -5, FinalCharge(0, 0, 0)),
        (Grant(60_000, UNIT, final=False), 1, FinalCharge(1, 60_000, UNIT)),
        (Grant(60_000, UNIT, final=False), 60_020, FinalCharge(60_020, 60_000, UNIT)),
        (Grant(90_000, 3 * UNIT // 2, final=True), 90_015, FinalCharge(90_015, 90_000, 3 * UNIT // 2)),
        (Grant(90_000, 3 * UNIT // 2, final=True), 59_000, FinalCharge(59_000, 60_000, UNIT)),
    ],
)
def test_what_was_not_granted_is_not_charged(grant: Grant, used: int, charge: FinalCharge) -> None:
    assert final_charge(MINUTES, grant, used) == charge


rates = st.builds(
    Rate,
    st.just(1),
    st.just("33"),
    st.just("France"),
    st.just("USD"),
    st.integers(0, 5 * UNIT),
    st.integers(0, UNIT),
    st.integers(0, 90),
    st.integers(1, 60),
    st.integers(1, 60),
)


@given(rates, st.integers(0, 20 * UNIT), st.lists(st.integers(0, 1_900_000), max_size=6), st.integers(0, 2_000_000))
def test_holds_stay_within_the_funds_and_charges_within_the_holds(
    rate: Rate, funds: int, wishes: list[int], used: int
) -> None:
    first = first_grant(rate, Part(funds, 60_000, is_last=True), 1_860_000, 0)
    if isinstance(first, ChargeRefusal):
        return
    held = session(first.granted_ms, first.held_micros, final=first.final)
    for wanted in wishes:
        grant = next_grant(held, rate, Part(funds - held.held_micros, wanted, is_last=True), 1_860_000)
        assert held.granted_ms <= grant.granted_ms <= 1_860_000
        assert held.held_micros <= grant.held_micros <= funds
        held = session(grant.granted_ms, grant.held_micros, final=grant.final)
    charge = final_charge(rate, held.grant, used)
    assert 0 <= charge.charged_micros <= held.held_micros
    assert charge.charged_micros <= price_micros(rate, used)
    assert (charge.charged_micros > 0) <= (used > 0)
