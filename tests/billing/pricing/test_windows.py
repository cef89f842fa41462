"""Calendar windows on the wall clock of the tariff, through midnights, holidays and moved clocks."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.pricing.windows import DAY_S, HOLIDAY, NO_BAND, Calendar, Holidays, Window, is_zone
from tests.billing.pricing.any_tariff import calendars, moments

WEEKDAYS = frozenset(range(5))
HOUR_MS = 3_600_000


def epoch_ms(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000


def evening() -> Calendar:
    return Calendar("Europe/Berlin", (Window(WEEKDAYS, 18 * 3600, 8 * 3600, 0),))


@pytest.mark.parametrize(
    ("local", "band"),
    [
        ("2027-03-01T17:59:59+01:00", NO_BAND),  # a Monday
        ("2027-03-01T18:00:00+01:00", 0),
        ("2027-03-02T07:59:59+01:00", 0),
        ("2027-03-02T08:00:00+01:00", NO_BAND),
        ("2027-03-06T07:00:00+01:00", 0),  # Friday's evening runs into Saturday
        ("2027-03-06T19:00:00+01:00", NO_BAND),
        ("2027-03-08T07:00:00+01:00", NO_BAND),  # Sunday has no evening
    ],
)
def test_a_window_that_wraps_belongs_to_the_day_it_begins_on(local: str, band: int) -> None:
    assert evening().band_at(datetime.fromisoformat(local)) == band


def test_a_holiday_is_no_weekday_where_holidays_have_windows() -> None:
    off = Holidays(frozenset({date(2027, 3, 29)}), frozenset({(12, 25)}))
    plain = Calendar("Europe/Berlin", (Window(WEEKDAYS, 0, DAY_S, 0),), off)
    assert plain.band_at(datetime(2027, 3, 29, 10, tzinfo=UTC)) == 0
    known = Calendar("Europe/Berlin", (Window(frozenset({HOLIDAY}), 0, DAY_S, 1), Window(WEEKDAYS, 0, DAY_S, 0)), off)
    assert known.band_at(datetime(2027, 3, 29, 10, tzinfo=UTC)) == 1
    assert known.band_at(datetime(2027, 12, 25, 10, tzinfo=UTC)) == 1
    assert known.band_at(datetime(2027, 3, 30, 10, tzinfo=UTC)) == 0


def test_a_night_is_an_hour_shorter_in_spring_and_longer_in_autumn() -> None:
    night = Calendar("Europe/Berlin", (Window(frozenset(range(7)), 3600, 4 * 3600, 0),))
    spring = night.bands_from(epoch_ms(datetime(2027, 3, 27, 23, tzinfo=UTC)), 8 * HOUR_MS)
    assert spring == [(0, NO_BAND), (HOUR_MS, 0), (3 * HOUR_MS, NO_BAND)]
    autumn = night.bands_from(epoch_ms(datetime(2027, 10, 30, 22, tzinfo=UTC)), 8 * HOUR_MS)
    assert autumn == [(0, NO_BAND), (HOUR_MS, 0), (5 * HOUR_MS, NO_BAND)]


def test_an_hour_that_occurs_twice_counts_twice() -> None:
    twice = Calendar("America/New_York", (Window(frozenset(range(7)), 3600, 2 * 3600, 0),))
    bands = twice.bands_from(epoch_ms(datetime(2027, 11, 7, 4, tzinfo=UTC)), 6 * HOUR_MS)
    assert bands == [(0, NO_BAND), (HOUR_MS, 0), (3 * HOUR_MS, NO_BAND)]


@settings(max_examples=60)
@given(calendars, moments, st.integers(0, 200_000_000), st.lists(st.integers(0, 200_000_000), max_size=30))
def test_every_moment_of_a_stretch_has_its_own_band(
    calendar: Calendar, begins: datetime, length_ms: int, offsets: list[int]
) -> None:
    begins = begins.replace(microsecond=begins.microsecond // 1000 * 1000)
    first_ms = (begins - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    bands = calendar.bands_from(first_ms, length_ms)
    assert bands[0][0] == 0
    assert [place for place, _ in bands] == sorted({place for place, _ in bands})
    assert all(one[1] != other[1] for one, other in pairwise(bands))
    edges = [place + more for place, _ in bands for more in (-1, 0, 1)]
    for offset in (*offsets, *edges):
        if 0 <= offset < length_ms:
            told = [band for place, band in bands if place <= offset][-1]
            assert told == calendar.band_at(begins + timedelta(milliseconds=offset))


def test_zones_are_those_of_the_system() -> None:
    assert is_zone("Europe/Berlin")
    assert not is_zone("Europe/Atlantis")
    assert not is_zone("../etc/passwd")


@pytest.mark.parametrize(
    ("days", "begins", "ends"),
    [([], 0, 1), ([8], 0, 1), ([0], -1, 1), ([0], DAY_S, 1), ([0], 0, DAY_S + 1), ([0], 5, 0)],
)
def test_a_window_that_cannot_be_is_refused(days: list[int], begins: int, ends: int) -> None:
    with pytest.raises(ValueError, match="window"):
        Window(frozenset(days), begins, ends, 0)
