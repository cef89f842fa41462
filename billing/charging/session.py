"""Charging sessions: money is held before it is used, and what was not used is free again (RFC 8506 in miniature).

`initiate -> update* -> terminate`. Every grant is a total since the start and never shrinks; its hold is the price of
all of it. Times are whole milliseconds, money integer micro-units.
"""

import enum
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from billing.charging.sharing import Part, Sharer
from billing.charging.validity import valid_for
from billing.ledger.transfer import ChangedReplayError
from billing.pricing.kept import sold_as_of_text
from billing.rating import (
    NO_CONTEXT,
    VOICE,
    Context,
    Grant,
    Rate,
    billed_ms,
    charge_micros,
    hangs_on_start,
    is_by_month,
    is_part,
    largest_grant,
    price_micros,
)
from runtime.frozen import maker

CALL = "call"
"""The service of a session that is a call's."""
REAPED_NUMBER = -1
"""The number, no client's, of the request under which a session was ended because nothing was heard of it."""
_MILLISECOND = timedelta(milliseconds=1)


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


_OPEN = SessionState.OPEN.value


class UnknownSessionError(LookupError):
    """No charging session or account has this id: the caller lost its place."""


class SupersededRequestError(ChangedReplayError):
    """A request came after one with a higher number was answered. Nothing was done; the later answer holds."""


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

    `valid_for` is how long, beyond the time granted, the hold may live without a word (ringing, and a grace): so
    late it may begin, unless it `begins_now`.
    """

    session_id: str
    account_id: int
    service: str
    rate: Rate
    wanted_ms: int
    cap_ms: int
    minimum_ms: int
    valid_for: timedelta = timedelta(seconds=180)
    begins_now: bool = False
    """It uses its time from this moment on: nothing rings first."""
    destination: str = ""
    """The number, or the code of what is sold: bundles may be for some of them only."""
    access_number: str = ""
    """The number it came in on."""
    asked: str | None = None
    """A fingerprint of the whole request, where another service sent it."""

    @property
    def rings_for(self) -> timedelta:
        """How long it may be until it begins."""
        return timedelta(0) if self.begins_now else self.valid_for


@dataclass(frozen=True, slots=True)
class Update:
    """Let a session use `wanted_ms` in all, asked under this number at this moment; `used_ms` were used by then.

    `began_at` is when it began, where that is known better than by what was used.
    """

    session_id: str
    request_number: int
    wanted_ms: int
    rate: Rate
    at: datetime
    line: Line | None = None
    used_ms: int | None = None
    began_at: datetime | None = None


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
    reported_ms: int = 0
    reported_at: datetime | None = None
    """What it last said it had used, and when; nothing while it is being connected."""
    context: str = ""
    """What else was fixed when it started: `billing.pricing.kept`."""

    def heard(self, used_ms: int | None, at: datetime) -> "Session":
        """It said what it used, if it did; a session never used less than it said before."""
        return (
            self
            if used_ms is None
            else self.extended(self.request_number, self.grant, self.valid_until_at, used_ms, at)
        )

    def extended(
        self, request_number: int, grant: Grant, until_at: datetime, used_ms: int | None, at: datetime
    ) -> "Session":
        """It was heard, and got another grant by this request."""
        reported_ms = self.reported_ms if used_ms is None else max(self.reported_ms, used_ms)
        return session_of(
            (
                self.session_id,
                self.account_id,
                self.service,
                self.state,
                self.tariff_version_id,
                self.rate_prefix,
                request_number,
                grant.granted_ms,
                grant.held_micros,
                grant.final,
                self.cap_ms,
                self.started_at,
                until_at,
                self.used_ms,
                self.charged_micros,
                self.ended_at,
                reported_ms,
                self.reported_at if used_ms is None else at,
                self.context,
            )
        )

    def is_priced_by(self, rate: Rate) -> bool:
        """Whether it was opened with this rate."""
        return (self.tariff_version_id, self.rate_prefix, self.sold_as) == (
            rate.tariff_version_id,
            rate.prefix,
            rate.service,
        )

    @property
    def sold_as(self) -> str:
        """Whose rates of the tariff price it."""
        return self.service if self.service != CALL else sold_as_of_text(self.context) or VOICE

    @property
    def began_at(self) -> datetime | None:
        """When what it last said it had used began; nothing while it is being connected."""
        return None if self.reported_at is None else self.reported_at - self.reported_ms * _MILLISECOND

    @property
    def heard_at(self) -> datetime:
        """When it last said anything."""
        return self.reported_at or self.started_at

    @property
    def valid_for(self) -> timedelta:
        """How long its grant was valid for when it was last heard."""
        return max(timedelta(0), self.valid_until_at - self.heard_at)

    @property
    def is_open(self) -> bool:
        """Whether it holds money."""
        return self.state == _OPEN

    @property
    def grant(self) -> Grant:
        """All it may use."""
        return Grant(self.granted_ms, self.held_micros, self.final)


session_of = maker(Session)
"""A session from the values of its fields."""


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
    used_ms: int | None = None
    """What another service said it had used; none of a call."""

    @property
    def grant(self) -> Grant:
        """What was answered."""
        return Grant(self.granted_ms, self.held_micros, self.final)


@dataclass(frozen=True, slots=True)
class Granted:
    """The answer to a request: the total that may be used; `is_replay` when it was given before.

    `revision` is the account's right after it: a later one means that somebody else started, ended or paid.
    """

    grant: Grant
    is_replay: bool
    revision: int = field(default=0, compare=False)
    is_shared: bool = field(default=False, compare=False)
    """Others held money of the account at that moment."""
    limit: ChargeRefusal | None = field(default=None, compare=False)
    """What made it final other than the money and the session's own cap: the line's month, used up by other calls."""


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


def used_by(session: Session, now: datetime, *, by_time: bool) -> int:
    """What an open session has used by now, as far as is known: what is measured by time goes on since its report."""
    if session.reported_at is None:
        return 0
    if not by_time:
        return min(session.reported_ms, session.granted_ms)
    since_ms = max(0, (now - session.reported_at) // _MILLISECOND)
    return min(session.reported_ms + since_ms, session.granted_ms)


def as_sharer(session: Session, rate: Rate, context: Context, now: datetime, *, by_time: bool) -> Sharer | None:
    """An open session as one who shares its account; none when its time is over, so that it can use no more."""
    used = used_by(session, now, by_time=by_time)
    if session.valid_until_at < now or (by_time and session.reported_at is not None and used >= session.granted_ms):
        return None
    pace_used, pace_ms = 1, 1
    if not by_time:
        pace_used = used
        pace_ms = max(1, ((session.reported_at or now) - session.started_at) // _MILLISECOND)
    return Sharer(
        rate, context, used, session.granted_ms, session.held_micros, session.cap_ms, pace_used, pace_ms, session.final
    )


def valid_until(session: Session, granted: int, now: datetime, used: int | None, *, by_time: bool) -> datetime:
    """How long the grant of a session is valid that was heard now and may use so much; of a call, how long its hold."""
    if session.service != CALL and used is not None:
        return now + valid_for(granted, used, by_time=by_time)
    until_at = session.valid_until_at + (granted - session.granted_ms) * _MILLISECOND
    return until_at if used is None else max(until_at, now + max(0, granted - used) * _MILLISECOND)


def first_grant(
    rate: Rate, part: Part, cap_ms: int, minimum_ms: int, context: Context = NO_CONTEXT
) -> Grant | ChargeRefusal:
    """The first grant for this part of the account's funds, or why there is none.

    Not final where it is held at more than it may come to: once it has begun there may be money for more.
    """
    if cap_ms <= 0 or cap_ms < minimum_ms:
        return ChargeRefusal.SESSION_CAP
    grant = largest_grant(rate, part.funds_micros, max(part.wanted, minimum_ms, 1), cap_ms, context)
    if grant.granted_ms <= 0 or grant.granted_ms < minimum_ms:
        return ChargeRefusal.NO_CREDIT
    if hangs_on_start(rate, grant.granted_ms + 1, context):
        part = replace(part, is_last=False)
    return _unless_more(grant, part, cap_ms)


def next_grant(session: Session, rate: Rate, part: Part, cap_ms: int, context: Context = NO_CONTEXT) -> Grant:
    """A larger grant for the same session, or the one it has, final if more was wanted and is not to be had.

    `part` is what the account has for this session beside its own hold. What is held does not fall where others made
    it cheaper by what they used of the month.
    """
    cap_ms = min(cap_ms, session.cap_ms)
    if part.wanted <= session.granted_ms:
        return Grant(session.granted_ms, session.held_micros, final=session.granted_ms >= cap_ms)
    grant = largest_grant(rate, session.held_micros + part.funds_micros, part.wanted, cap_ms, context)
    if grant.granted_ms <= session.granted_ms:
        return Grant(session.granted_ms, session.held_micros, final=True)
    if grant.held_micros < session.held_micros and is_by_month(rate):
        grant = replace(grant, held_micros=session.held_micros)
    return _unless_more(grant, part, cap_ms)


def _unless_more(grant: Grant, part: Part, cap_ms: int) -> Grant:
    """Final only when there is no more to come for this session."""
    if part.is_last or grant.granted_ms >= cap_ms:
        return grant
    return Grant(grant.granted_ms, grant.held_micros, final=False)


def final_charge(
    rate: Rate, grant: Grant, used_ms: int, context: Context = NO_CONTEXT, spare_micros: int = 0
) -> FinalCharge:
    """What `used_ms` comes to: never more than was granted is billed, never more than was held is charged.

    Where the last grant was a part of an increment, that part is billed, not the whole increment. `spare_micros` is
    what the account has beside all holds, for one whose price may have risen since it was held: by what others used
    of the month.
    """
    used_ms = max(0, used_ms)
    charged_micros = charge_micros(rate, used_ms, grant, context)
    if spare_micros > 0 and not is_part(rate, grant, used_ms):
        price = price_micros(rate, min(used_ms, grant.granted_ms), context)
        charged_micros = min(price, grant.held_micros + spare_micros)
    return _charged(rate, grant, used_ms, charged_micros, context)


def charged_before(rate: Rate, session: Session, context: Context = NO_CONTEXT) -> FinalCharge:
    """What a closed session came to."""
    return _charged(rate, session.grant, session.used_ms or 0, session.charged_micros or 0, context)


def _charged(rate: Rate, grant: Grant, used_ms: int, charged_micros: int, context: Context) -> FinalCharge:
    counted_ms = min(used_ms, grant.granted_ms)
    is_partial = price_micros(rate, counted_ms, context) > charged_micros
    return FinalCharge(used_ms, counted_ms if is_partial else billed_ms(rate, counted_ms, context), charged_micros)
