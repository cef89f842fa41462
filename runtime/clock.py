"""The time of day, asked for in one place so that tests and the simulation can give their own."""

import time
from datetime import UTC, datetime
from typing import Protocol

from runtime.reading import Reading

TRIES = 5
CLOSE_S = 0.002


class Clock(Protocol):
    """Gives the present moment; never goes through a time zone other than UTC."""

    def now(self) -> datetime:
        """The present moment, aware, UTC, microseconds."""
        ...

    def monotonic_s(self) -> float:
        """Seconds since an arbitrary start, never going back."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present moment, aware, UTC, microseconds."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """Seconds since an arbitrary start, never going back."""
        return time.monotonic()


def read_both(clock: Clock) -> Reading:
    """Both clocks at one moment, to 2 ms; on a machine so busy that this fails five times, as near as it came.

    The monotonic clock is read after the wall: an anchor made of these is never too early, and paid time never cut.
    """
    best, best_gap_s = None, 0.0
    for _ in range(TRIES):
        before_s, wall_at, after_s = clock.monotonic_s(), clock.now(), clock.monotonic_s()
        gap_s = after_s - before_s
        if best is None or gap_s < best_gap_s:
            best, best_gap_s = Reading(wall_at, after_s), gap_s
        if gap_s <= CLOSE_S:
            break
    assert best is not None  # noqa: S101  (one try at least)
    return best
