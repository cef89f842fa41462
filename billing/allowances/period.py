"""How long a bundle lasts before it expires or its next period begins: days, or months of the calendar (UTC)."""

import calendar
import re
from datetime import UTC, datetime, timedelta

_PERIOD = re.compile(r"(?P<count>[1-9][0-9]{0,3})(?P<unit>[dm])")
_MONTHS = 12


class PeriodError(ValueError):
    """A text is not a period."""


def check_period(text: str) -> str:
    """The text itself, when it is one ("30d", "1m", "" for no end); raises PeriodError."""
    if text and _PERIOD.fullmatch(text) is None:
        raise PeriodError("a period is a number of days or months: 30d, 1m")
    return text


def end_of(begins_at: datetime, period: str) -> datetime | None:
    """When a period that begins then is over: so many days later, or on the same day of a later month or its last."""
    found = _PERIOD.fullmatch(period)
    if found is None:
        return None
    count = int(found["count"])
    if found["unit"] == "d":
        return begins_at + timedelta(days=count)
    begins_at = begins_at.astimezone(UTC)
    years, month = divmod(begins_at.month - 1 + count, _MONTHS)
    year = begins_at.year + years
    day = min(begins_at.day, calendar.monthrange(year, month + 1)[1])
    return begins_at.replace(year=year, month=month + 1, day=day)
