"""Which credit tier the customer of a line comes into (AGE-4). Pure."""

from dataclasses import dataclass
from datetime import timedelta

from billing.thresholds.threshold import CreditTier

GOOD_PAYMENTS = 3
PAYMENT_DAYS = timedelta(days=90)
CHARGEBACK_DAYS = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class TierRule:
    """Who comes into a tier of an operator: the higher its rank, the better. A spend cap of 0 is none."""

    operator_id: int
    tier: str
    rank: int
    minimum_score: int
    spend_cap_micros: int


@dataclass(frozen=True, slots=True)
class History:
    """What the customer did: payments within 90 days, chargebacks within a year."""

    payments: int
    chargebacks: int


NOTHING = History(0, 0)


def tier_for(rules: list[TierRule], score: int | None, history: History) -> tuple[TierRule, str]:
    """The tier, and why. The score picks it, none picks the lowest; each chargeback is one tier less, good payments
    without any chargeback one more. Raises ValueError for an operator without tiers.
    """
    ranked = sorted(rules, key=lambda rule: rule.rank)
    if not ranked:
        raise ValueError("no tiers")
    fitting = [at for at, rule in enumerate(ranked) if score is not None and rule.minimum_score <= score]
    at = max(fitting, default=0)
    reasons = ["no score known" if score is None else f"score {score}"]
    if history.chargebacks:
        at -= history.chargebacks
        reasons.append(f"{history.chargebacks} chargebacks within a year")
    elif history.payments >= GOOD_PAYMENTS:
        at += 1
        reasons.append(f"{history.payments} payments within 90 days, no chargeback")
    return ranked[min(max(at, 0), len(ranked) - 1)], ", ".join(reasons)


def tier_after(
    rules: list[TierRule], held: CreditTier, history: History, since: History
) -> tuple[TierRule, str] | None:
    """The tier after what the customer did `since` he came into the one he has, and why; none where it is the same.

    Who was rated is rated again by the same score. A tier that staff set, or that was found before scores were kept, is
    one less for each chargeback since, and no better for payments. Raises ValueError when there is no such tier.
    """
    if since == NOTHING or (held.scored_at is None and not since.chargebacks):
        return None
    if held.scored_at is not None:
        rule, reason = tier_for(rules, held.score, history)
    else:
        ranked = sorted(rules, key=lambda rule: rule.rank)
        at = [rule.tier for rule in ranked].index(held.tier)
        rule = ranked[max(at - since.chargebacks, 0)]
        reason = f"{held.tier} by {held.set_by}, {since.chargebacks} chargebacks since"
    return None if rule.tier == held.tier else (rule, reason)
