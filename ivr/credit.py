"""What the credit tier of a line's customer leaves of a plan (AGE-4)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from billing.thresholds import store as threshold_store
from billing.thresholds.threshold import EVERY_TIER, CreditTier, LineCaps, Thresholds
from billing.tiers import service
from billing.tiers.tier import TierRule
from ivr.back_office import BackOffice, Shelf
from ivr.reception import Plan
from runtime import database


async def within_tier(office: BackOffice, note: Callable[..., None], call_id: str, plan: Plan) -> Plan:
    """The plan with the caps of the tier the customer is in now; the same where the service rates nobody."""
    if not plan.profile.credit_check or not plan.ani:
        return plan
    found = await office.with_vendor(_rate, call_id, plan)
    if found is None:
        return plan
    rule, tier, caps = found
    note(
        "credit",
        tier.tier,
        rule=f"rank {rule.rank}, score of {rule.minimum_score} or more",
        reason=tier.note,
        spend_cap_micros=rule.spend_cap_micros,
        **caps.told,
    )
    return replace(plan, caps=caps, spend_cap_micros=rule.spend_cap_micros)


def _rate(shelf: Shelf, call_id: str, plan: Plan) -> tuple[TierRule, CreditTier, LineCaps] | None:
    fresh_for = timedelta(days=shelf.settings.vendor.credit_days)
    profile = plan.profile
    found = service.rate(shelf.engine, shelf.clock, shelf.vendors, profile.operator_id, plan.ani, call_id, fresh_for)
    if found is None:
        return None
    rule, tier = found
    with database.reading(shelf.engine) as connection:
        limits = threshold_store.thresholds(connection, profile.id)
    own = limits.get(tier.tier, Thresholds()).over(limits.get(EVERY_TIER, Thresholds()))
    return rule, tier, LineCaps(own, tier)
