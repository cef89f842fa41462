"""Usage thresholds of a line: a session, a day, a month and in all, for each credit tier of a service (ANI-6). Pure.

The caps of the service profile are the outermost: a threshold can only be lower. Days and months are those of UTC.
"""

from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum

LONGEST_S = 366 * 86_400
LONGEST_TIER = 20
STANDARD_LINE_S = 90 * 60
"""What a line may talk in all in a service that staff make without saying otherwise (ANI-6)."""
EVERY_TIER = ""
"""The tier of the thresholds that hold where a line's own tier says nothing."""


class ThresholdRefusal(StrEnum):
    """Why a line may not talk any longer."""

    DAY = "day-cap-reached"
    MONTH = "tier-month-cap-reached"
    LINE = "line-cap-reached"
    SPEND = "tier-spend-cap-reached"


class BadThresholdError(ValueError):
    """A threshold cannot be what was given; the message names it."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Seconds of talk; none does not bind."""

    session_s: int | None = None
    day_s: int | None = None
    month_s: int | None = None
    line_s: int | None = None

    def over(self, other: "Thresholds") -> "Thresholds":
        """These, and where they say nothing the others."""
        mine = {field.name: getattr(self, field.name) for field in fields(self)}
        return Thresholds(**{name: getattr(other, name) if value is None else value for name, value in mine.items()})


@dataclass(frozen=True, slots=True)
class FirstThresholds:
    """The thresholds a service is made with, for every tier; who sets them, and when."""

    thresholds: Thresholds
    set_by: str
    set_at: datetime


@dataclass(frozen=True, slots=True)
class CreditTier:
    """The tier of a line with one operator, from whom, and since when.

    One that was found by rating tells when its score was, and the score where there is one.
    """

    tier: str
    source: str
    note: str
    set_at: datetime
    set_by: str
    score: int | None = None
    scored_at: datetime | None = None
    operator: str = ""
    """The operator's code, where a tier was read; "" for one of before tiers had operators, which binds nobody."""


@dataclass(frozen=True, slots=True)
class Talked:
    """Milliseconds a line talked, calls that are up with all they may last."""

    day_ms: int = 0
    month_ms: int = 0
    line_ms: int = 0


@dataclass(frozen=True, slots=True)
class LineCaps:
    """What binds a line in a service: the thresholds, and the tier they are for."""

    thresholds: Thresholds
    tier: CreditTier | None = None

    @property
    def told(self) -> dict[str, object]:
        """What a call's record says of it: rule, age and source."""
        told: dict[str, object] = {f.name: getattr(self.thresholds, f.name) for f in fields(self.thresholds)}
        if self.tier is not None:
            since = self.tier.set_at.isoformat(timespec="seconds")
            told |= {"tier": self.tier.tier, "since": since, "source": self.tier.source}
        return told


NO_CAPS = LineCaps(Thresholds())


def longest(thresholds: Thresholds, talked: Talked, cap_ms: int) -> tuple[int, ThresholdRefusal | None]:
    """How long a call may be at most, and which threshold makes it shorter than `cap_ms` and the session's.

    Of several the one that leaves least speaks.
    """
    if thresholds.session_s is not None:
        cap_ms = min(cap_ms, thresholds.session_s * 1000)
    bounds = (
        (thresholds.line_s, talked.line_ms, ThresholdRefusal.LINE),
        (thresholds.month_s, talked.month_ms, ThresholdRefusal.MONTH),
        (thresholds.day_s, talked.day_ms, ThresholdRefusal.DAY),
    )
    left = [(max(0, limit_s * 1000 - used_ms), refusal) for limit_s, used_ms, refusal in bounds if limit_s is not None]
    least_ms, refusal = min(left, key=lambda bound: bound[0], default=(cap_ms, None))
    return (least_ms, refusal) if least_ms < cap_ms else (cap_ms, None)


def check_thresholds(tier: str, thresholds: Thresholds) -> None:
    """Raise BadThresholdError unless these can be set."""
    if len(tier) > LONGEST_TIER or not (tier.isprintable() and tier == tier.strip()):
        raise BadThresholdError(f"tier: at most {LONGEST_TIER} characters")
    for field in fields(thresholds):
        value = getattr(thresholds, field.name)
        if value is not None and not 0 <= value <= LONGEST_S:
            raise BadThresholdError(f"{field.name.removesuffix('_s')}: 0 to {LONGEST_S} seconds")
