"""Charging sessions: money is held before it is used, and what was not used is free again (RFC 8506 in miniature).

`initiate -> update* -> terminate`. Every grant is a total since the start and never shrinks; its hold is the price of
all of it. Times are whole milliseconds, money integer micro-units.
"""

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.rating import Grant, Rate, billed_ms, charge_micros, largest_grant, price_micros


class ChargeRefusal(enum.StrEnum):
    """Why nothing was granted."""

    NO_CREDIT = "no-credit"
    ACCOUNT_CLOSED = "account-closed"
    MONTH_CAP = "month-cap-reached"
    SESSION_CAP = "session-cap-reached"
    SESSION_ENDED = "session-ended"
    CALL_ENDED = "call-ended"


class SessionState(enum.StrEnum):
    """Whether a session holds money."""

    OPEN = "open"
    CLOSED = "closed"


class UnknownSessionError(LookupError):
    """No charging session or account has this id: the caller lost its place."""


class CurrencyMismatchError(Exception):
    """A rate in one currency was to be charged to an account in another: the tariff of the service is wrong."""


@dataclass(frozen=True, slots=True)
class Line:
    """The telephone line whose talk time of a month is held together with the money."""

    ani: str
    month: str
    cap_ms: int


@dataclass(frozen=True, slots=True)
class Initiate:
    """Open a session: `wanted_ms` at first, `cap_ms` at most in all, nothing at all for less than `minimum_ms`.

    `valid_for` is how long, beyond the time granted, the hold may live without a word (ringing, and a grace).
    """

    session_id: str
    account_id: int
    service: str
    rate: Rate
    wanted_ms: int
    cap_ms: int
    minimum_ms: int
    valid_for: timedelta = timedelta(seconds=180)


@dataclass(frozen=True, slots=True)
class Session:
    """A session as it is kept; `request_number` is that of the last request that was granted."""

    session_id: str
    account_id: int
    service: str
    state: str
    tariff_version_id: int
    rate_prefix: str
    request_number: int
    granted_ms: int
    held_micros: int
    final: bool
    cap_ms: int
    started_at: datetime
    valid_until_at: datetime
    used_ms: int | None
    charged_micros: int | None
    ended_at: datetime | None

    @property
    def is_open(self) -> bool:
        """Whether it holds money."""
        return self.state == SessionState.OPEN

    @property
    def grant(self) -> Grant:
        """All it may use."""
        return Grant(self.granted_ms, self.held_micros, self.final)


@dataclass(frozen=True, slots=True)
class Request:
    """The answer a request got, so that a replay gets the same."""

    session_id: str
    number: int
    kind: str
    wanted_ms: int
    granted_ms: int
    held_micros: int
    final: bool
    at: datetime

    @property
    def grant(self) -> Grant:
        """What was answered."""
        return Grant(self.granted_ms, self.held_micros, self.final)


@dataclass(frozen=True, slots=True)
class Granted:
    """The answer to a request: the total that may be used; `is_replay` when it was given before."""

    grant: Grant
    is_replay: bool


@dataclass(frozen=True, slots=True)
class FinalCharge:
    """What a session comes to: the time used and billed, and its price."""

    used_ms: int
    billed_ms: int
    charged_micros: int


@dataclass(frozen=True, slots=True)
class Terminated:
    """How a session ended; the balance is the one right after the charge, or the present one if nothing was charged."""

    used_ms: int
    billed_ms: int
    charged_micros: int
    balance_micros: int
    currency: str
    transfer_id: int | None
    is_replay: bool


def first_grant(rate: Rate, funds_micros: int, wanted_ms: int, cap_ms: int, minimum_ms: int) -> Grant | ChargeRefusal:
    """The first grant for the available funds, or why there is none."""
    if cap_ms <= 0 or cap_ms < minimum_ms:
        return ChargeRefusal.SESSION_CAP
    grant = largest_grant(rate, funds_micros, max(wanted_ms, minimum_ms, 1), cap_ms)
    if grant.granted_ms <= 0 or grant.granted_ms < minimum_ms:
        return ChargeRefusal.NO_CREDIT
    return grant


def next_grant(session: Session, rate: Rate, available_micros: int, wanted_ms: int, cap_ms: int) -> Grant:
    """A larger grant for the same session, or the one it has, final if more was wanted and is not to be had.

    `available_micros` is what the account has beside this session's own hold.
    """
    if wanted_ms <= session.granted_ms:
        return session.grant
    grant = largest_grant(rate, session.held_micros + available_micros, wanted_ms, min(cap_ms, session.cap_ms))
    if grant.granted_ms <= session.granted_ms:
        return Grant(session.granted_ms, session.held_micros, final=True)
    return grant


def final_charge(rate: Rate, grant: Grant, used_ms: int) -> FinalCharge:
    """What `used_ms` comes to: never more than was granted is billed, never more than was held is charged.

    Where the last grant was a part of an increment, that part is billed, not the whole increment.
    """
    used_ms = max(0, used_ms)
    counted_ms = min(used_ms, grant.granted_ms)
    charged_micros = charge_micros(rate, used_ms, grant)
    whole_ms = billed_ms(rate, counted_ms)
    is_partial = price_micros(rate, counted_ms) > charged_micros
    return FinalCharge(used_ms, counted_ms if is_partial else whole_ms, charged_micros)
