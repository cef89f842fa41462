"""What is known when a call arrives, and what follows from it before the caller is asked for anything. Pure."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, StrEnum, auto

from ani.negative.block import NegativeReason
from ani.numbers import Ani, NumberRefusal
from billing.accounts.account import LineAccount
from billing.charging.session import ChargeRefusal
from billing.operators.operator import ServiceProfile, ServiceRefusal
from ivr.refusals import CallRefusal


@dataclass(frozen=True, slots=True)
class Ring:
    """A call as the switch announced it: all of it is the caller's or the network's word, checked by nobody yet."""

    call_id: str
    switch: str
    uniqueid: str
    channel: str
    dnis: str
    asserted_identity: str = field(repr=False)
    claimed_identity: str = field(repr=False)
    at: datetime
    withholds_number: bool = False


@dataclass(frozen=True, slots=True)
class Arrival:
    """What the databases say of the number dialled and of the line that calls."""

    profile: ServiceProfile | None
    line: Ani | NumberRefusal
    asserted: bool
    listed: bool = False
    block: NegativeReason | None = None
    locked: StrEnum | None = None
    accounts: tuple[LineAccount, ...] = ()
    month_left_ms: int = 0


class Identification(Enum):
    """How the account that pays is found."""

    LINE = auto()
    ACCESS_CODE = auto()
    PIN = auto()


@dataclass(frozen=True, slots=True)
class Plan:
    """The call may go on: who sells, on which line (empty: not known), and how the account is found."""

    profile: ServiceProfile
    ani: str
    country: str
    by: Identification
    session_cap_ms: int
    month_left_ms: int
    account: LineAccount | None = None
    shown_number: str = ""


def receive(arrival: Arrival) -> Plan | StrEnum:
    """The plan for a call, or the refusal, in the order that tells the caller least about other people (ANI-1 to 6).

    A line opens an account by its number alone only where the network asserts the number; a number the caller merely
    claims leads to the PIN, because anybody can claim one (ANI-8). A lock-out bars entries, not a line that needs none.
    """
    profile = arrival.profile
    if profile is None:
        return ServiceRefusal.UNKNOWN_NUMBER
    line = arrival.line
    if isinstance(line, NumberRefusal):
        if profile.age_check:
            return line
        return _plan(profile, "", profile.home_country, Identification.PIN, profile.month_cap_s * 1000, None)
    refusal = _line_refusal(arrival, profile)
    if refusal is not None:
        return refusal
    by, account = _identification(arrival)
    if by is not Identification.LINE and arrival.locked is not None:
        return arrival.locked
    plan = _plan(profile, line.e164, line.country, by, arrival.month_left_ms, account)
    return replace(plan, shown_number=line.e164 if arrival.asserted else "")


def _line_refusal(arrival: Arrival, profile: ServiceProfile) -> StrEnum | None:
    if arrival.block is not None:
        return arrival.block
    if profile.age_check and not arrival.listed and not arrival.accounts:
        return CallRefusal.LINE_NOT_IDENTIFIED
    return ChargeRefusal.MONTH_CAP if arrival.month_left_ms <= 0 else None


def _identification(arrival: Arrival) -> tuple[Identification, LineAccount | None]:
    if not arrival.asserted or not arrival.accounts:
        return Identification.PIN, None
    if len(arrival.accounts) == 1 and not arrival.accounts[0].has_code:
        return Identification.LINE, arrival.accounts[0]
    return Identification.ACCESS_CODE, None


def _plan(
    profile: ServiceProfile,
    ani: str,
    country: str,
    by: Identification,
    month_left_ms: int,
    account: LineAccount | None,
) -> Plan:
    return Plan(profile, ani, country, by, profile.session_cap_s * 1000, month_left_ms, account)
