"""Conditions, judged: where, how far, when; and what is left of a spending limit."""

from datetime import UTC, datetime

import pytest

from ani.numbers import Destination, is_long_distance
from billing.conditions.condition import (
    BadConditionError,
    Condition,
    ConditionRefusal,
    SpendBound,
    SpendPeriod,
    Terms,
    check_terms,
    read_patterns,
    spend_bound,
)
from billing.conditions.judgement import judge

LINE = "+12125550101"
MONDAY_NOON = datetime(2026, 3, 2, 17, tzinfo=UTC)
"""12:00 in New York."""


@pytest.mark.parametrize(
    ("terms", "number", "refusal"),
    [
        (Terms(), "+33142685300", None),
        (Terms(allowed=("12125550101", "33*")), "+12125550101", None),
        (Terms(allowed=("12125550101", "33*")), "+33142685300", None),
        (Terms(allowed=("12125550101", "33*")), "+12125550102", ConditionRefusal.DESTINATION),
        (Terms(allowed=("1*",), denied=("1900*",)), "+19005551234", ConditionRefusal.DESTINATION),
        (Terms(denied=("44*",)), "+442079460000", ConditionRefusal.DESTINATION),
        (Terms(denied=("44*",)), "+33142685300", None),
        (Terms(long_distance_only=True), "+12125550102", ConditionRefusal.LOCAL_CALL),
        (Terms(long_distance_only=True), "+13035550102", None),
        (Terms(hours="mo-fr 08:00-18:00", zone="America/New_York"), "+33142685300", None),
        (Terms(hours="mo-fr 08:00-12:00", zone="America/New_York"), "+33142685300", ConditionRefusal.HOURS),
        (Terms(hours="sa,su; mo 18:00-07:00", zone="UTC"), "+33142685300", ConditionRefusal.HOURS),
        (Terms(hours="mo 17:00-18:00"), "+33142685300", None),
    ],
)
def test_what_meets_a_condition(terms: Terms, number: str, refusal: ConditionRefusal | None) -> None:
    check_terms(terms)
    assert judge(terms, LINE, Destination(number, ""), MONDAY_NOON) is refusal


@pytest.mark.parametrize(
    ("line", "destination", "is_long"),
    [
        ("+12125550101", "+12125559999", False),
        ("+12125550101", "+18005550100", True),
        ("+12125550101", "+442079460000", True),
        ("+442079460000", "+442079461111", False),
        ("+442079460000", "+441614960000", True),
        ("+447700900123", "+447700900456", True),
        ("+33142685300", "+33142685311", False),
    ],
)
def test_long_distance(line: str, destination: str, *, is_long: bool) -> None:
    assert is_long_distance(line, destination) is is_long


def test_lists_as_people_write_them() -> None:
    assert read_patterns("allow", "+12125550101, 33*  44*") == ("12125550101", "33*", "44*")
    for wrong in ("abc", "3*3", "+", "*", "12 34-5"):
        with pytest.raises(BadConditionError):
            read_patterns("allow", wrong)


@pytest.mark.parametrize(
    "terms",
    [
        Terms(hours="someday"),
        Terms(hours="mo 08:00"),
        Terms(hours="mo 08:00-18:00 more"),
        Terms(zone="Nowhere/City"),
        Terms(spend_limit_micros=-1),
        Terms(allowed=("1" * 15,) * 80),
    ],
)
def test_terms_that_cannot_be(terms: Terms) -> None:
    with pytest.raises(BadConditionError):
        check_terms(terms)


@pytest.mark.parametrize(
    ("period", "since_at"),
    [
        (SpendPeriod.CALL, None),
        (SpendPeriod.DAY, datetime(2026, 3, 2, 5, tzinfo=UTC)),
        (SpendPeriod.MONTH, datetime(2026, 3, 1, 5, tzinfo=UTC)),
        (SpendPeriod.TOTAL, datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_since_when_spending_counts(period: SpendPeriod, since_at: datetime | None) -> None:
    terms = Terms(zone="America/New_York", spend_limit_micros=5, spend_period=period)
    condition = Condition(1, terms, datetime(2026, 1, 1, tzinfo=UTC), "ann")
    assert spend_bound(condition, MONDAY_NOON) == SpendBound(5, since_at)
    assert spend_bound(Condition(1, Terms(), MONDAY_NOON, "ann"), MONDAY_NOON) is None
