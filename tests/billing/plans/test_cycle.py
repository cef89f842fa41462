"""When periods begin: month ends, leap years, clocks that are moved."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.plans.cycle import Cycle, CycleError, Every, day_of

ZONES = ("UTC", "America/New_York", "Europe/Berlin", "Africa/Cairo", "America/Sao_Paulo", "Asia/Kathmandu")
MOMENTS = st.datetimes(datetime(1999, 1, 1), datetime(2037, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001  # hypothesis wants them bare


@st.composite
def cycles(draw: st.DrawFn) -> Cycle:
    every = draw(st.sampled_from(list(Every)))
    days = {Every.DAY: (0, 0), Every.WEEK: (1, 7), Every.MONTH: (1, 31)}[every]
    return Cycle(every, draw(st.integers(*days)), draw(st.sampled_from(ZONES)))


def test_a_month_without_the_day_begins_on_its_last() -> None:
    cycle, at = Cycle(Every.MONTH, 31), datetime(2023, 12, 31, tzinfo=UTC)
    found = []
    for _ in range(5):
        at = cycle.next_after(at)
        found.append((at.month, at.day))
    assert found == [(1, 31), (2, 29), (3, 31), (4, 30), (5, 31)]
    assert Cycle(Every.MONTH, 29).next_after(datetime(2025, 1, 29, tzinfo=UTC)) == datetime(2025, 2, 28, tzinfo=UTC)


def test_midnight_is_that_of_the_zone() -> None:
    berlin = Cycle(Every.MONTH, 1, "Europe/Berlin")
    assert berlin.next_after(datetime(2026, 3, 1, tzinfo=UTC)) == datetime(2026, 3, 31, 22, tzinfo=UTC)
    assert berlin.next_after(datetime(2026, 3, 31, 22, tzinfo=UTC)) == datetime(2026, 4, 30, 22, tzinfo=UTC)
    monday = Cycle(Every.WEEK, 1, "America/New_York")
    assert monday.next_after(datetime(2026, 3, 2, 5, tzinfo=UTC)) == datetime(2026, 3, 9, 4, tzinfo=UTC)


def test_a_midnight_that_is_passed_over_is_the_moment_it_is_passed_over_at() -> None:
    # Brazil moved its clocks from midnight to one o'clock on 2018-11-04.
    cycle = Cycle(Every.DAY, 0, "America/Sao_Paulo")
    begins = cycle.next_after(datetime(2018, 11, 3, 12, tzinfo=UTC))
    assert begins == datetime(2018, 11, 4, 3, tzinfo=UTC)
    assert begins.astimezone(ZoneInfo("America/Sao_Paulo")).hour == 1
    assert cycle.next_after(begins) == datetime(2018, 11, 5, 2, tzinfo=UTC)


@settings(max_examples=200, deadline=None)
@given(cycle=cycles(), at=MOMENTS)
def test_periods_follow_each_other_without_gap_or_overlap(cycle: Cycle, at: datetime) -> None:
    longest = {Every.DAY: 1, Every.WEEK: 7, Every.MONTH: 31}[cycle.every]
    begins = cycle.next_after(at)
    assert at < begins <= at + timedelta(days=longest, hours=2)
    ends = cycle.next_after(begins)
    assert cycle.next_after(ends - timedelta(microseconds=1)) == ends
    local = begins.astimezone(ZoneInfo(cycle.time_zone))
    assert local.hour in {0, 1}
    if cycle.every is Every.WEEK:
        assert local.isoweekday() == cycle.billing_day
    if cycle.every is Every.MONTH:
        assert local.day == cycle.billing_day or (local + timedelta(days=1)).day == 1
    least = {Every.DAY: 1, Every.WEEK: 7, Every.MONTH: 28}[cycle.every]
    assert timedelta(days=least, hours=-2) <= ends - begins <= timedelta(days=longest, hours=2)


@settings(max_examples=200, deadline=None)
@given(cycle=cycles(), at=MOMENTS)
def test_days_that_are_left_are_a_part_of_the_period(cycle: Cycle, at: datetime) -> None:
    left, whole = cycle.days_left(at)
    assert 1 <= left <= whole <= 31
    assert cycle.days_left(cycle.next_after(at)) == (cycle.days_left(cycle.next_after(at))[1],) * 2


@settings(max_examples=100, deadline=None)
@given(every=st.sampled_from(list(Every)), zone=st.sampled_from(ZONES), at=MOMENTS)
def test_without_a_billing_day_the_first_period_is_whole(every: Every, zone: str, at: datetime) -> None:
    cycle = Cycle(every, day_of(every, at, zone), zone)
    left, whole = cycle.days_left(at)
    assert left == whole


@pytest.mark.parametrize(
    ("every", "day", "zone"),
    [
        (Every.DAY, 1, "UTC"),
        (Every.WEEK, 0, "UTC"),
        (Every.WEEK, 8, "UTC"),
        (Every.MONTH, 32, "UTC"),
        (Every.MONTH, 1, "Mars/Olympus"),
        (Every.MONTH, 1, "../etc"),
    ],
)
def test_what_cannot_be_a_cycle_is_told(every: Every, day: int, zone: str) -> None:
    with pytest.raises(CycleError):
        Cycle(every, day, zone)
