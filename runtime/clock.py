"""The time of day, asked for in one place so that tests and the simulation can give their own."""

import time
from datetime import UTC, datetime
from typing import Protocol


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
