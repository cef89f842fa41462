"""The report of blocked lines: for each reason what was blocked, lifted and refused (ANI-5)."""

from dataclasses import dataclass
from datetime import datetime

from ani.negative.block import NegativeReason


@dataclass(frozen=True, slots=True)
class Period:
    """From one moment until before another; none is without bound."""

    from_at: datetime | None = None
    before_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """Of one reason: lines blocked now; blocks made and lifted, and calls refused or ended, in the period."""

    reason: NegativeReason
    lines_blocked: int
    made: int
    lifted: int
    calls: int
    lines_that_called: int
