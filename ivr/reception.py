"""What is known when a call arrives, and what follows from it before the caller is asked for anything. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, StrEnum, auto

from ani.lockout.lockout import UNKNOWN_WAY, Lock, LockoutRefusal, Way
from ani.negative.block import Block
from ani.numbers import Ani, NumberRefusal
from ani.reverse_match.listing import Listing, Standing
from ani.trust.trust import Demand, Evidence, TrustRefusal, TrustRow, Verdict
from ani.vendor.vendor import VendorOutcome
from billing.accounts.account import LineAccount
from billing.charging.session import ChargeRefusal
from billing.conditions.condition import ConditionRefusal, Mode, TollBlock
from billing.operators.operator import ServiceProfile, ServiceRefusal, Unidentified
from billing.thresholds.threshold import NO_CAPS, LineCaps
from ivr.refusals import CallRefusal

NO_EVIDENCE = Evidence()
ONLY_CLAIMED = Verdict(Demand.PIN, TrustRow.CLAIMED, (TrustRow.CLAIMED,))


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
    evidence: Evidence = NO_EVIDENCE

    @property
    def withholds_number(self) -> bool:
        """Whether the destination must not see the caller's number."""
        return self.evidence.is_withheld


@dataclass(frozen=True, slots=True)
class Arrival:
    """What the databases say of the number dialled and of the line that calls."""

    profile: ServiceProfile | None
    line: Ani | NumberRefusal
    asserted: bool
    listed: bool = False
    listing: Listing | None = None
    standing: Standing = Standing.MISSING
    vendor: VendorOutcome = VendorOutcome.NO_VENDOR
    block: Block | None = None
    lock: Lock | None = None
    accounts: tuple[LineAccount, ...] = ()
    month_left_ms: int = 0
    trust: Verdict = ONLY_CLAIMED
    trust_told: Mapping[str, object] = field(default_factory=dict)
    mode: Mode = Mode.TERMINATE
    toll_block: TollBlock | None = None
    caps: LineCaps = NO_CAPS
    way: Way = UNKNOWN_WAY


class Identification(Enum):
    """How the account that pays is found."""

    LINE = auto()
    ACCESS_CODE = auto()
    PIN = auto()
    NOBODY = auto()
    """No account has this line: the call goes on through the network."""


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
    continues: bool = False
    """A call that no account pays for goes on through the network, which knows whose line it is (CALL-13)."""
    toll_block: TollBlock | None = None
    caps: LineCaps = NO_CAPS
    way: Way = UNKNOWN_WAY
    spend_cap_micros: int = 0
    """Most a call of this customer may cost, by his credit tier; 0: no such cap."""


def receive(arrival: Arrival) -> Plan | StrEnum:
    """The plan for a call, or the refusal, in the order that tells the caller least about other people (ANI-1 to 6).

    What a line's number opens by itself is the verdict on its trust: a number the caller merely claims leads to the
    PIN, because anybody can claim one (ANI-8). A lock-out bars entries, not a line that needs none.
    """
    profile = arrival.profile
    if profile is None:
        return ServiceRefusal.UNKNOWN_NUMBER
    line = arrival.line
    refusal = _line_refusal(arrival, profile)
    if refusal is not None:
        return refusal
    if isinstance(line, NumberRefusal):
        plan = _plan(profile, "", profile.home_country, Identification.PIN, profile.month_cap_s * 1000, None)
        return replace(plan, way=arrival.way)
    shown_number = line.e164 if _is_the_callers(arrival) else ""
    continues = arrival.mode is Mode.CONTINUE and bool(shown_number) and TrustRow.WITHHELD not in arrival.trust.rows
    by, account = _identification(arrival)
    if continues and not arrival.accounts:
        if arrival.toll_block is not None:
            return ConditionRefusal.TOLL_BLOCKED
        by = Identification.NOBODY
    if by in {Identification.ACCESS_CODE, Identification.PIN} and arrival.lock is not None:
        return LockoutRefusal.LOCKED
    plan = _plan(profile, line.e164, line.country, by, arrival.month_left_ms, account)
    return replace(
        plan,
        shown_number=shown_number,
        continues=continues,
        toll_block=arrival.toll_block,
        caps=arrival.caps,
        way=arrival.way,
    )


def needs_vendor(arrival: Arrival) -> bool:
    """Whether a vendor is to be asked whose line this is: where the service must know it and the listings do not say.

    Nobody is asked for a call that is refused anyway, nor for a line that staff bound to an account, unless its listing
    has not been validated for long: lines change hands (ANI-4).
    """
    profile = arrival.profile
    if profile is None or not profile.age_check or not isinstance(arrival.line, Ani):
        return False
    if arrival.block is not None or arrival.trust.demand is Demand.REFUSE or arrival.month_left_ms <= 0:
        return False
    if arrival.standing is Standing.OLD:
        return True
    return arrival.standing is not Standing.HELD and not arrival.accounts


def told(arrival: Arrival, outcome: VendorOutcome, listing: Listing | None) -> Arrival:
    """The arrival once the vendor was asked. Where there is no vendor, an old listing is better than none."""
    if outcome is VendorOutcome.NO_VENDOR:
        return arrival
    return replace(arrival, vendor=outcome, listing=listing or arrival.listing, listed=listing is not None)


def _is_unanswered(arrival: Arrival) -> bool:
    return arrival.vendor is not VendorOutcome.NO_VENDOR and not arrival.vendor.is_answer


def _is_the_callers(arrival: Arrival) -> bool:
    """Whether the number may be shown as that of whoever speaks."""
    rows = arrival.trust.rows
    return arrival.asserted and TrustRow.DIVERTED not in rows and TrustRow.ATTESTATION_FAILED not in rows


def _line_refusal(arrival: Arrival, profile: ServiceProfile) -> StrEnum | None:
    is_known = isinstance(arrival.line, Ani)
    if isinstance(arrival.line, NumberRefusal) and profile.age_check:
        return arrival.line
    if arrival.block is not None:
        return arrival.block.reason
    if arrival.trust.demand is Demand.REFUSE:
        return TrustRefusal.NOT_TRUSTED
    if is_known and profile.age_check and not arrival.listed and not arrival.accounts:
        asks_pin = _is_unanswered(arrival) and profile.unidentified is Unidentified.PIN
        if not asks_pin:
            return CallRefusal.LINE_NOT_IDENTIFIED
    return ChargeRefusal.MONTH_CAP if is_known and arrival.month_left_ms <= 0 else None


def _identification(arrival: Arrival) -> tuple[Identification, LineAccount | None]:
    """By the number alone only where nothing says that the line may be another's by now."""
    demand = arrival.trust.demand
    if arrival.vendor is not VendorOutcome.NO_VENDOR and not arrival.listed:
        return Identification.PIN, None
    changed_at = arrival.listing.changed_hands_at if arrival.listing else None
    if changed_at is not None and any(one.since_at and one.since_at < changed_at for one in arrival.accounts):
        return Identification.PIN, None
    if not arrival.accounts or demand not in {Demand.NUMBER, Demand.NUMBER_AND_CODE}:
        return Identification.PIN, None
    if len(arrival.accounts) == 1 and not arrival.accounts[0].has_code:
        if demand is Demand.NUMBER_AND_CODE:
            return Identification.PIN, None
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
