"""A clock for tests: it stands still until it is set or moved."""

from datetime import UTC, datetime, timedelta


class SettableClock:
    """A `runtime.clock.Clock` that shows what it was told."""

    def __init__(self, moment: datetime = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)) -> None:
        self._moment = moment
        self._monotonic_s = 0.0

    def now(self) -> datetime:
        """The moment it was set to."""
        return self._moment

    def monotonic_s(self) -> float:
        """Seconds it was moved since it was made."""
        return self._monotonic_s

    def set(self, moment: datetime) -> None:
        """Show this moment, which must know its time zone."""
        if moment.tzinfo is None:
            raise ValueError("a moment without a time zone")
        self._moment = moment.astimezone(UTC)

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self._moment += timedelta(seconds=seconds)
        self._monotonic_s += seconds
