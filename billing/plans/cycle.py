"""When the periods of a plan begin: midnight of a day, weekday or day of the month, by the clocks of the time zone.

A month without the billing day begins its period on its last day; a midnight that is passed over when clocks are moved
is the moment they are moved at, one that comes twice counts at its first time.
"""

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

LAST_DAY_OF_WEEK = 7
LAST_DAY_OF_MONTH = 31
_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)


class CycleError(ValueError):
    """Something typed is not what periods can have; the message says which."""


class Every(StrEnum):
    """How long a period is."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Cycle:
    """Periods of one length: `billing_day` is 1 to 31 of months, 1 (Monday) to 7 of weeks, 0 of days.

    Raises CycleError for a billing day or a time zone that there is not.
    """

    every: Every
    billing_day: int = 0
    time_zone: str = "UTC"

    def __post_init__(self) -> None:
        least, most = {Every.DAY: (0, 0), Every.WEEK: (1, LAST_DAY_OF_WEEK), Every.MONTH: (1, LAST_DAY_OF_MONTH)}[
            self.every
        ]
        if not least <= self.billing_day <= most:
            days = f"{least} to {most}" if most else "none"
            raise CycleError(f"billing day of periods of a {self.every}: {days}")
        check_zone(self.time_zone)

    def next_after(self, moment: datetime) -> datetime:
        """The first boundary of periods after a moment, in UTC."""
        return self._boundary_after(moment)[1]

    def days_left(self, moment: datetime) -> tuple[int, int]:
        """The days from a moment to the next boundary, its own day counted whole, and those of the whole period."""
        boundary_on, _ = self._boundary_after(moment)
        whole = (boundary_on - self._preceding(boundary_on)).days
        left = (boundary_on - moment.astimezone(ZoneInfo(self.time_zone)).date()).days
        return min(max(left, 1), whole), whole

    def _boundary_after(self, moment: datetime) -> tuple[date, datetime]:
        zone = ZoneInfo(self.time_zone)
        on = moment.astimezone(zone).date()
        while True:
            on = self._following(on)
            at = datetime(on.year, on.month, on.day, tzinfo=zone).astimezone(UTC)
            if at > moment:
                return on, at

    def _following(self, on: date) -> date:
        """The first day after this one that periods begin on."""
        if self.every is Every.DAY:
            return on + _DAY
        if self.every is Every.WEEK:
            return on + timedelta(days=(self.billing_day - on.isoweekday() - 1) % LAST_DAY_OF_WEEK + 1)
        in_month = _day_of(on.year, on.month, self.billing_day)
        return in_month if in_month > on else _day_of(on.year + on.month // 12, on.month % 12 + 1, self.billing_day)

    def _preceding(self, boundary_on: date) -> date:
        """The day the period that ends on this one began on."""
        if self.every is Every.MONTH:
            before = boundary_on.replace(day=1) - _DAY
            return _day_of(before.year, before.month, self.billing_day)
        return boundary_on - (_DAY if self.every is Every.DAY else _WEEK)


def day_of(every: Every, moment: datetime, time_zone: str) -> int:
    """The billing day of periods whose first begins then."""
    on = moment.astimezone(ZoneInfo(time_zone)).date()
    return {Every.DAY: 0, Every.WEEK: on.isoweekday(), Every.MONTH: on.day}[every]


def check_zone(name: str) -> None:
    """Raise CycleError unless this names a time zone of the system (IANA: Europe/Berlin, UTC)."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise CycleError("time zone: one of the system's, such as Europe/Berlin or UTC") from None


def _day_of(year: int, month: int, day: int) -> date:
    return date(year, month, min(day, calendar.monthrange(year, month)[1]))
