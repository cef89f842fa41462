"""Talk time of a line in a month (ANI-6)."""

from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(1024)
def month_of(moment: datetime) -> str:
    """The month, as YYYY-MM in UTC, that a call begun at `moment` counts for, however long it lasts."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return f"{utc.year:04d}-{utc.month:02d}"


def left_ms(cap_ms: int, used_ms: int, held_ms: int) -> int:
    """What may still be held, never below zero."""
    return max(0, cap_ms - used_ms - held_ms)
