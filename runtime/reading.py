"""A moment on two clocks. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Reading:
    """One moment on both clocks: the wall, which can be set, and the one that only goes on."""

    wall_at: datetime
    monotonic_s: float

    def stepped_since(self, before: "Reading") -> timedelta:
        """By how much the wall was set since then; what a time service slews moves both clocks, and is no step."""
        return (self.wall_at - before.wall_at) - timedelta(seconds=self.monotonic_s - before.monotonic_s)
