"""Conditions of a line of an account: where, how far, when and for how much it may call (ACC-2). Pure.

A call that meets the condition is paid by the account. What becomes of one that does not is the service's mode: it is
ended, or it goes on through the network as it would have without us (CALL-13).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from billing.pricing.notation import RateFieldError, read_days, read_hours
from billing.pricing.windows import DAY_S, Calendar, Window, is_zone

LONGEST_LIST = 1000
LONGEST_HOURS = 200
LARGEST_SPEND_MICROS = 10**15
_PATTERN = re.compile(r"\+?([0-9]{1,15})(\*?)")
_BYPASS_CODE = re.compile(r"[0-9]{1,8}")


class ConditionRefusal(StrEnum):
    """Why an account does not pay for a call from this line."""

    DESTINATION = "condition-destination"
    LOCAL_CALL = "condition-local-call"
    HOURS = "condition-hours"
    SPEND_LIMIT = "condition-spend-limit"
    TOLL_BLOCKED = "line-toll-blocked"
    WRONG_BYPASS_CODE = "bypass-code-wrong"
    LOCKED = "locked-out"


class Mode(StrEnum):
    """What a service does with a call that no account pays for."""

    TERMINATE = "terminate"
    CONTINUE = "continue"


class SpendPeriod(StrEnum):
    """What a spending limit is for; a day and a month are those of the condition's time zone."""

    CALL = "call"
    DAY = "day"
    MONTH = "month"
    TOTAL = "total"


class BadConditionError(ValueError):
    """A field of a condition cannot be what was given; the message names it and says what it takes."""


@dataclass(frozen=True, slots=True)
class Terms:
    """A condition as it is set. Lists hold whole numbers (`12125550101`) and prefixes (`33*`); an empty one is no rule.

    `hours` are such as `mo-fr 08:00-18:00; sa 10:00-12:00` in `zone`. The limit is in micro-units of the account.
    """

    allowed: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    long_distance_only: bool = False
    hours: str = ""
    zone: str = "UTC"
    spend_limit_micros: int | None = None
    spend_period: SpendPeriod = SpendPeriod.CALL
    note: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """The condition in force on a line of an account; who set it and when."""

    id: int
    terms: Terms
    set_at: datetime
    set_by: str

    @property
    def told(self) -> dict[str, object]:
        """What a call's record says of it: rule, age and source."""
        return {"condition": self.id, "since": self.set_at.isoformat(timespec="seconds"), "source": self.set_by}


@dataclass(frozen=True, slots=True)
class LineCondition:
    """A condition with the account and the line it is on, as staff see it."""

    account_id: int
    account_number: str
    ani: str
    condition: Condition


@dataclass(frozen=True, slots=True)
class LineTerms:
    """A line as an account has it: its row, its condition if it has one."""

    account_line_id: int
    condition: Condition | None


@dataclass(frozen=True, slots=True)
class SpendBound:
    """What calls of this account from this line may cost in all since a moment; none is each call by itself."""

    limit_micros: int
    since_at: datetime | None


@dataclass(frozen=True, slots=True)
class TollBlock:
    """The toll restriction of a line: who set it and when."""

    id: int
    ani: str
    note: str
    blocked_at: datetime
    blocked_by: str

    @property
    def told(self) -> dict[str, object]:
        """What a call's record says of it."""
        return {
            "toll_block": self.id,
            "since": self.blocked_at.isoformat(timespec="seconds"),
            "source": self.blocked_by,
        }


@dataclass(frozen=True, slots=True)
class Unmet:
    """A call that no account pays for: the rule that says so, and what is to be noted of it."""

    refusal: ConditionRefusal
    told: dict[str, object]


def spend_bound(condition: Condition | None, now: datetime) -> SpendBound | None:
    """What binds the spending of a call that begins now."""
    if condition is None or condition.terms.spend_limit_micros is None:
        return None
    terms, limit_micros = condition.terms, condition.terms.spend_limit_micros
    local = now.astimezone(ZoneInfo(terms.zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    since = {
        SpendPeriod.CALL: None,
        SpendPeriod.DAY: local.astimezone(UTC),
        SpendPeriod.MONTH: local.replace(day=1).astimezone(UTC),
        SpendPeriod.TOTAL: condition.set_at,
    }
    return SpendBound(limit_micros, since[terms.spend_period])


def read_patterns(field: str, text: str) -> tuple[str, ...]:
    """The numbers and prefixes of a list, as they are kept; raises BadConditionError."""
    found = []
    for part in text.replace(",", " ").split():
        pattern = _PATTERN.fullmatch(part)
        if pattern is None:
            raise BadConditionError(f"{field}: {part!r} is neither a number (+12125550101) nor a prefix (+33*)")
        found.append(pattern[1] + pattern[2])
    return tuple(found)


def read_calendar(hours: str, zone: str) -> Calendar:
    """The hours as windows; raises BadConditionError."""
    windows = []
    for item in hours.split(";"):
        words = item.split()
        try:
            begins_s, ends_s = read_hours(words[1]) if len(words) == 2 else (0, DAY_S)
            if len(words) not in {1, 2}:
                raise RateFieldError("")
            windows.append(Window(read_days(words[0]), begins_s, ends_s, 0))
        except RateFieldError:
            raise BadConditionError("hours: such as 'mo-fr 08:00-18:00; sa 10:00-12:00' are needed") from None
    return Calendar(zone, tuple(windows))


def check_terms(terms: Terms) -> None:
    """Raise BadConditionError unless these can be a condition's."""
    for field, patterns in (("allow", terms.allowed), ("deny", terms.denied)):
        if len(joined(patterns)) > LONGEST_LIST:
            raise BadConditionError(f"{field}: at most {LONGEST_LIST} characters")
    if not is_zone(terms.zone):
        raise BadConditionError("zone: a name such as America/New_York is needed")
    if len(terms.hours) > LONGEST_HOURS or len(terms.note) > 400:
        raise BadConditionError(f"hours: at most {LONGEST_HOURS} characters; note: at most 400")
    if terms.hours:
        read_calendar(terms.hours, terms.zone)
    if terms.spend_limit_micros is not None and not 0 <= terms.spend_limit_micros <= LARGEST_SPEND_MICROS:
        raise BadConditionError(f"spend: 0 to {LARGEST_SPEND_MICROS // 10**6}")


def joined(patterns: Iterable[str]) -> str:
    """A list as it is kept and shown."""
    return " ".join(patterns)


def is_bypass_code(keyed: str) -> bool:
    """One to eight digits."""
    return keyed.isascii() and _BYPASS_CODE.fullmatch(keyed) is not None


def matches(patterns: tuple[str, ...], digits: str) -> bool:
    """Whether a number in digits is on a list."""
    return any(digits.startswith(pattern[:-1]) if pattern.endswith("*") else digits == pattern for pattern in patterns)
