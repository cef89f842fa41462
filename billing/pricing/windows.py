"""Calendar windows: which band of a tariff holds at which moment, by the clock on the wall where the tariff is at home.

Daylight saving is the time zone's: a window from 18:00 begins when the clocks show 18:00 and is an hour shorter or
longer when they are moved inside it. A local time that does not occur is passed over; one that occurs twice counts
twice. Zones are read from the system's time zone files, once for each zone and process.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

NO_BAND = -1
DAY_S = 86_400
_DAY_MS = DAY_S * 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL = _EPOCH.toordinal()
_DAYS_KEPT = 2_000
_MILLISECOND = timedelta(milliseconds=1)

HOLIDAY = 7
"""The number of a holiday among the days of the week, of which Monday is 0."""


@dataclass(frozen=True, slots=True)
class Window:
    """On these days (Monday 0 to Sunday 6, holiday 7), from one second of the day until another, holds a band.

    A window that ends no later than it begins runs into the next day; it belongs to the day it begins on.
    """

    days: frozenset[int]
    begins_s: int
    ends_s: int
    band: int

    def __post_init__(self) -> None:
        if not self.days or not self.days <= set(range(8)):
            raise ValueError("a window is on days of the week or holidays")
        if not (0 <= self.begins_s < DAY_S and 0 < self.ends_s <= DAY_S):
            raise ValueError("a window begins and ends within a day")

    @property
    def wraps(self) -> bool:
        """Whether it runs into the next day."""
        return self.ends_s <= self.begins_s


@dataclass(frozen=True, slots=True)
class Holidays:
    """Days that count as holidays: dates, and days of every year as (month, day)."""

    dates: frozenset[date] = frozenset()
    yearly: frozenset[tuple[int, int]] = frozenset()

    def __contains__(self, day: date) -> bool:
        return day in self.dates or (day.month, day.day) in self.yearly


@dataclass(frozen=True, slots=True)
class Calendar:
    """Windows in a time zone, the first that fits holds. A holiday is no day of the week where a window names holidays.

    Raises zoneinfo.ZoneInfoNotFoundError (a KeyError) for an unknown zone when it is first asked.
    """

    zone: str
    windows: tuple[Window, ...]
    holidays: Holidays = Holidays()
    _days: dict[int, tuple[tuple[int, int], ...]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def band_at(self, moment: datetime) -> int:
        """The band at a moment, NO_BAND outside all windows."""
        return self.bands_from((moment - _EPOCH) // _MILLISECOND, 1)[0][1]

    def bands_from(self, begins_ms: int, length_ms: int) -> list[tuple[int, int]]:
        """(offset in ms, band) from a moment (ms since 1970) on, each until the next; the first has offset 0."""
        ends_ms = begins_ms + max(length_ms, 1)
        found: list[tuple[int, int]] = []
        for number in range(begins_ms // _DAY_MS, (ends_ms - 1) // _DAY_MS + 1):
            day_ms = number * _DAY_MS
            for second, band in self._day(number):
                at_ms = day_ms + second * 1000
                if at_ms >= ends_ms:
                    break
                if at_ms <= begins_ms:
                    found = [(0, band)]
                elif found[-1][1] != band:
                    found.append((at_ms - begins_ms, band))
        return found

    def _day(self, number: int) -> tuple[tuple[int, int], ...]:
        """(second of the UTC day, band) of each change, from second 0; a memo that forgets when it is full."""
        known = self._days.get(number)
        if known is None:
            if len(self._days) >= _DAYS_KEPT:
                self._days.clear()
            known = self._days[number] = self._read_day(number)
        return known

    def _read_day(self, number: int) -> tuple[tuple[int, int], ...]:
        zone = _zone(self.zone)
        begins = _EPOCH + timedelta(days=number)
        changes: list[tuple[int, int]] = []
        for second in sorted({0, *self._edges(begins, zone)}):
            band = self._band((begins + timedelta(seconds=second)).astimezone(zone))
            if not changes or changes[-1][1] != band:
                changes.append((second, band))
        return tuple(changes)

    def _edges(self, begins: datetime, zone: ZoneInfo) -> Iterator[int]:
        """Every second of the UTC day at which the band may change: edges of windows, midnights, moved clocks."""
        edges = {0} | {edge for one in self.windows for edge in (one.begins_s, one.ends_s % DAY_S)}
        ordinal = begins.toordinal()
        for local_day in (ordinal - 1, ordinal, ordinal + 1):
            midnight = datetime.fromordinal(local_day).replace(tzinfo=zone)
            for edge in edges:
                for fold in (0, 1):
                    local = (midnight + timedelta(seconds=edge)).replace(fold=fold)
                    second = int((local.astimezone(UTC) - begins).total_seconds())
                    if 0 < second < DAY_S:
                        yield second
        yield from _moved_clocks(begins, zone)

    def _band(self, local: datetime) -> int:
        today = local.date()
        second = local.hour * 3600 + local.minute * 60 + local.second
        kinds = self._kinds(today)
        kinds_before = self._kinds(today - timedelta(days=1))
        for window in self.windows:
            if window.wraps:
                fits = (window.begins_s <= second and window.days & kinds) or (
                    second < window.ends_s and window.days & kinds_before
                )
            else:
                fits = window.begins_s <= second < window.ends_s and window.days & kinds
            if fits:
                return window.band
        return NO_BAND

    def _kinds(self, day: date) -> frozenset[int]:
        if day in self.holidays and any(HOLIDAY in window.days for window in self.windows):
            return frozenset((HOLIDAY,))
        return frozenset((day.weekday(),))


def _moved_clocks(begins: datetime, zone: ZoneInfo) -> Iterator[int]:
    """The seconds of the UTC day at which the zone's distance from UTC changes."""

    def offset(second: int) -> timedelta | None:
        return (begins + timedelta(seconds=second)).astimezone(zone).utcoffset()

    for hour_s in range(0, DAY_S, 3600):
        low, high = hour_s, hour_s + 3600
        if offset(low) == offset(high):
            continue
        before = offset(low)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if offset(middle) == before else (low, middle)
        if high < DAY_S:
            yield high


def is_zone(name: str) -> bool:
    """Whether the system knows a time zone of this name."""
    try:
        _zone(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
