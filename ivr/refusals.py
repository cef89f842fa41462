"""One table of refusals: the code, the prompt the caller hears, the Q.850 cause, and the disposition in the CDR.

The code itself is the log field. A house test holds that every refusal of every room stands here and that its prompt
exists.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from ani.lockout.lockout import LockoutRefusal
from ani.negative.block import NegativeReason
from ani.numbers import NumberRefusal
from ani.qualification.qualification import AgeRefusal
from ani.trust.trust import TrustRefusal
from billing.accounts.account import AccountRefusal, BindRefusal
from billing.cards.card import TopUpRefusal
from billing.charging.session import ChargeRefusal
from billing.conditions.condition import ConditionRefusal
from billing.fraud.rules.fraud import FraudRefusal
from billing.operators.operator import ServiceRefusal
from billing.tariffs.tariff import RateRefusal
from billing.thresholds.threshold import ThresholdRefusal

CALL_REJECTED = 21
NORMAL_CLEARING = 16
UNALLOCATED = 1
NO_ROUTE = 3
TEMPORARY_FAILURE = 41
RESOURCE_UNAVAILABLE = 47


class CallRefusal(StrEnum):
    """Refusals of the call itself, which no other room can give."""

    LINE_NOT_IDENTIFIED = "line-not-identified"
    TOO_MANY_ATTEMPTS = "too-many-attempts"
    NO_ROUTE = "no-route"
    DESTINATION_NOT_VALID = "destination-not-valid"
    DESTINATION_IS_OURS = "destination-is-ours"
    EMERGENCY_NUMBER = "emergency-number"
    TERMS_NOT_ACCEPTED = "terms-not-accepted"
    NO_SWITCH_LINK = "no-switch-link"
    NO_CARD = "no-card"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a refusal means to the caller, to the switch and to the record."""

    prompt: str
    cause: int = CALL_REJECTED


REFUSALS: Mapping[StrEnum, Outcome] = MappingProxyType(
    {
        NumberRefusal.WITHHELD: Outcome("number-withheld"),
        NumberRefusal.MALFORMED: Outcome("number-malformed"),
        NegativeReason.SUBSCRIBER: Outcome("line-blocked-by-subscriber"),
        NegativeReason.OPERATOR: Outcome("line-blocked-by-operator"),
        NegativeReason.MINOR: Outcome("line-minor"),
        NegativeReason.WRONG_PARTY: Outcome("line-wrong-party"),
        NegativeReason.OVER_THRESHOLD: Outcome("line-over-threshold"),
        NegativeReason.INACTIVE: Outcome("line-inactive"),
        NegativeReason.COLLECTIONS: Outcome("line-in-collections"),
        NegativeReason.DISPUTE: Outcome("line-in-dispute"),
        NegativeReason.CHARGEBACK: Outcome("line-chargeback"),
        TrustRefusal.NOT_TRUSTED: Outcome("line-not-trusted"),
        LockoutRefusal.LOCKED: Outcome("locked-out"),
        AgeRefusal.NOT_PROVEN: Outcome("age-not-proven"),
        AgeRefusal.LOCKED: Outcome("locked-out"),
        AccountRefusal.WRONG_PIN: Outcome("pin-wrong"),
        AccountRefusal.WRONG_CODE: Outcome("access-code-wrong"),
        AccountRefusal.LOCKED: Outcome("locked-out"),
        AccountRefusal.CLOSED: Outcome("account-closed"),
        AccountRefusal.SUSPENDED: Outcome("account-suspended"),
        AccountRefusal.EXPIRED: Outcome("account-expired"),
        BindRefusal.ALREADY: Outcome("line-bound-already"),
        BindRefusal.TAKEN: Outcome("line-taken"),
        BindRefusal.NOT_BOUND: Outcome("line-not-bound"),
        BindRefusal.NOT_ASSERTED: Outcome("line-not-asserted"),
        TopUpRefusal.WRONG: Outcome("voucher-wrong"),
        TopUpRefusal.LOCKED: Outcome("locked-out"),
        TopUpRefusal.FAILED: Outcome("recharge-failed"),
        FraudRefusal.SUSPENDED: Outcome("account-suspended"),
        FraudRefusal.ABROAD: Outcome("destination-abroad"),
        FraudRefusal.RISKY: Outcome("destination-blocked"),
        FraudRefusal.CONCURRENT_CALLS: Outcome("account-busy"),
        FraudRefusal.CALLS_PER_HOUR: Outcome("too-many-calls"),
        FraudRefusal.COOLING_DOWN: Outcome("recharge-cooling-down"),
        FraudRefusal.VELOCITY: Outcome("congestion", RESOURCE_UNAVAILABLE),
        FraudRefusal.SPEND_PER_CALL: Outcome("spend-cap-reached"),
        FraudRefusal.SPEND_PER_HOUR: Outcome("spend-cap-reached"),
        FraudRefusal.SPEND_PER_DAY: Outcome("spend-cap-reached"),
        ServiceRefusal.UNKNOWN_NUMBER: Outcome("service-unknown", UNALLOCATED),
        RateRefusal.BLOCKED: Outcome("destination-blocked"),
        RateRefusal.UNPRICED: Outcome("destination-not-priced"),
        ChargeRefusal.NO_CREDIT: Outcome("no-credit"),
        ChargeRefusal.ACCOUNT_CLOSED: Outcome("account-closed"),
        ChargeRefusal.MONTH_CAP: Outcome("month-cap-reached"),
        ChargeRefusal.SESSION_CAP: Outcome("session-cap-reached"),
        ChargeRefusal.SESSION_ENDED: Outcome("apology", TEMPORARY_FAILURE),
        ChargeRefusal.CALL_ENDED: Outcome("apology", TEMPORARY_FAILURE),
        ConditionRefusal.DESTINATION: Outcome("not-from-this-line"),
        ConditionRefusal.LOCAL_CALL: Outcome("not-from-this-line"),
        ConditionRefusal.HOURS: Outcome("not-at-this-time"),
        ConditionRefusal.SPEND_LIMIT: Outcome("spend-cap-reached"),
        ConditionRefusal.TOLL_BLOCKED: Outcome("line-toll-blocked"),
        ConditionRefusal.WRONG_BYPASS_CODE: Outcome("bypass-code-wrong"),
        ConditionRefusal.LOCKED: Outcome("locked-out"),
        ThresholdRefusal.DAY: Outcome("day-cap-reached"),
        ThresholdRefusal.MONTH: Outcome("month-cap-reached"),
        ThresholdRefusal.LINE: Outcome("line-cap-reached"),
        ThresholdRefusal.SPEND: Outcome("spend-cap-reached"),
        CallRefusal.LINE_NOT_IDENTIFIED: Outcome("line-not-identified"),
        CallRefusal.TOO_MANY_ATTEMPTS: Outcome("too-many-attempts"),
        CallRefusal.NO_ROUTE: Outcome("congestion", NO_ROUTE),
        CallRefusal.NO_SWITCH_LINK: Outcome("apology", TEMPORARY_FAILURE),
        CallRefusal.NO_CARD: Outcome("nothing-keyed"),
        CallRefusal.DESTINATION_NOT_VALID: Outcome("destination-not-valid", UNALLOCATED),
        CallRefusal.DESTINATION_IS_OURS: Outcome("destination-blocked"),
        CallRefusal.TERMS_NOT_ACCEPTED: Outcome("terms-not-accepted"),
        CallRefusal.EMERGENCY_NUMBER: Outcome("emergency-number", NO_ROUTE),
    }
)


def outcome_of(refusal: StrEnum) -> Outcome:
    """What this refusal means; raises KeyError for one that is not in the table."""
    return REFUSALS[refusal]


THANKS = "thank-you"
"""What a caller hears whose conversation no limit ended."""
_PROMPTS_OF_END = {
    **{str(refusal): outcome.prompt for refusal, outcome in REFUSALS.items()},
    "balance-used-up": "balance-used-up",
    "cap-reached": "session-cap-reached",
}


def prompt_of_end(disposition: str) -> str:
    """What a caller hears whose conversation ended so: the limit's own prompt where a limit ended it."""
    return _PROMPTS_OF_END.get(disposition, THANKS)


WRONG_ENTRIES: frozenset[StrEnum] = frozenset(
    {
        AccountRefusal.WRONG_PIN,
        AccountRefusal.WRONG_CODE,
        AgeRefusal.NOT_PROVEN,
        CallRefusal.DESTINATION_NOT_VALID,
        TopUpRefusal.WRONG,
        ConditionRefusal.WRONG_BYPASS_CODE,
    }
)
"""Refusals after which the same question may be asked again."""
