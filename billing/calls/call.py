"""Calls: what is kept of one while it is up, what happened in it, and the CDR that is left (CALL-16)."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from billing.charging.session import ChargeRefusal, Session
from billing.conditions.condition import SpendBound
from billing.ledger.transfer import Funds
from billing.rating import Grant, Rate
from billing.thresholds.threshold import NO_CAPS, LineCaps

_MILLISECOND = timedelta(milliseconds=1)


class CallState(enum.StrEnum):
    """Where a call is."""

    DIALOGUE = "dialogue"
    CONNECTING = "connecting"
    TALKING = "talking"
    ENDED = "ended"


class Disposition(enum.StrEnum):
    """How a call ended, where no refusal says it; a refusal's own value is the disposition of a refused call."""

    ANSWERED = "answered"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    CONGESTION = "congestion"
    UNALLOCATED = "unallocated"
    CALLER_HUNG_UP = "caller-hung-up"
    CAP_REACHED = "cap-reached"
    """As a witness tells it; the CDR names the limit that set the cap."""
    BALANCE_USED_UP = "balance-used-up"
    FAILED = "failed"
    SWITCH_LOST = "switch-lost"


class UnknownCallError(LookupError):
    """No call has this id."""


class CallStateError(Exception):
    """A call that has one charging session was to be given another: the caller lost its place. Nothing was done."""


class AmbiguousCallError(LookupError):
    """Several calls begin with these digits."""


@dataclass(frozen=True, slots=True)
class CallEvent:
    """Something that happened in a call; `detail` is written as JSON and must hold no digits of a secret."""

    at: datetime
    step: str
    outcome: str
    detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewCall:
    """A call that arrived; `ani` is empty when the line is not known."""

    call_id: str
    switch: str
    uniqueid: str
    channel: str
    dnis: str
    ani: str
    arrived_at: datetime
    service_profile_id: int | None = None
    account_id: int | None = None
    events: tuple[CallEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it is kept."""

    call_id: str
    switch: str
    uniqueid: str
    channel: str
    state: str
    dnis: str
    ani: str
    service_profile_id: int | None
    account_id: int | None
    session_id: str | None
    destination: str
    trunk: str
    arrived_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    operator_id: int | None
    month_cap_s: int | None

    @property
    def is_live(self) -> bool:
        """Whether it is not settled yet."""
        return self.state != CallState.ENDED


@dataclass(frozen=True, slots=True)
class LiveCall:
    """A call that is not settled, with its charging session if it has one."""

    call: Call
    session: Session | None


@dataclass(frozen=True, slots=True)
class Authorise:
    """Hold money and talk time for a call, so that it may be connected; `profile_id` is the service it reached.

    `ani` may be empty: then no line's talk time is held. `valid_for` is how long, beyond the time granted, the hold may
    live without a word (ringing, and a grace): it may be answered so late.
    """

    call_id: str
    session_id: str
    account_id: int
    rate: Rate
    destination: str
    trunk: str
    ani: str
    session_cap_ms: int
    month_cap_ms: int
    wanted_ms: int
    minimum_ms: int
    profile_id: int | None
    valid_for: timedelta = timedelta(seconds=180)
    events: tuple[CallEvent, ...] = ()
    access_number: str = ""
    spend: SpendBound | None = None
    """What calls of the account from this line may cost, where its condition says so."""
    caps: LineCaps = NO_CAPS
    """How long the line may talk in this service."""
    limit: enum.StrEnum = ChargeRefusal.SESSION_CAP
    """Which limit `session_cap_ms` is that of."""


@dataclass(frozen=True, slots=True)
class Authorised:
    """The first grant of a call, and the most it may ever get; `is_replay` when it was given before.

    `revision` is the account's right after it, `is_shared` tells that others held some of its money.
    """

    grant: Grant
    cap_ms: int
    is_replay: bool
    revision: int = field(default=0, compare=False)
    is_shared: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class ChargedCall:
    """What an extension needs of a call: its line, which may be unknown, the line's month cap, and its session.

    What it has of its account, and what its line used and holds in its month, as far as they are locked with it.
    """

    ani: str
    month_cap_s: int | None
    session: Session
    funds: Funds | None = None
    line_ms: tuple[int | None, int | None] = (None, None)


@dataclass(frozen=True, slots=True)
class ExtendCall:
    """Let a call last `wanted_ms` in all, asked at this moment; `used_ms` is the time since the answer, `answered_at`.

    Request numbers count up from 1. Without a `rate`, the one the session was opened with is read.
    """

    call_id: str
    request_number: int
    wanted_ms: int
    at: datetime
    rate: Rate | None = None
    used_ms: int | None = None
    answered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Extended:
    """The total that may be used now."""

    grant: Grant
    is_replay: bool


@dataclass(frozen=True, slots=True)
class Settle:
    """The end of a call as a witness tells it; without `answered_at` nothing is charged.

    `trunk` is the one that carried it in the end, when that is not the one it was authorised for.
    """

    call_id: str
    answered_at: datetime | None
    ended_at: datetime
    disposition: str
    hangup_cause: int
    settled_from: str
    events: tuple[CallEvent, ...] = ()
    trunk: str | None = None

    @property
    def used_ms(self) -> int:
        """Whole milliseconds from answer to end; 0 for a call not answered, or whose stamps run backwards."""
        if self.answered_at is None:
            return 0
        return max(0, (self.ended_at - self.answered_at) // _MILLISECOND)


@dataclass(frozen=True, slots=True)
class Cdr:
    """The record of a call: written once, never changed. `hangup_cause` is Q.850."""

    call_id: str
    switch: str
    uniqueid: str
    operator_id: int | None
    service_profile_id: int | None
    account_id: int | None
    dnis: str
    ani: str
    destination: str
    trunk: str
    disposition: str
    hangup_cause: int
    tariff_version_id: int | None
    rate_prefix: str | None
    arrived_at: datetime
    answered_at: datetime | None
    ended_at: datetime
    used_ms: int
    billed_ms: int
    charged_micros: int
    currency: str | None
    balance_after_micros: int | None
    transfer_id: int | None
    settled_from: str


@dataclass(frozen=True, slots=True)
class OverdueSession:
    """An open session whose hold is past its time, with what is needed to ask the switch about the call."""

    session_id: str
    call_id: str
    switch: str
    uniqueid: str
    channel: str
    account_id: int
    granted_ms: int
    valid_until_at: datetime
