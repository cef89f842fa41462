"""Rating the customer of a line, and the rules staff make for it (AGE-4)."""

from datetime import timedelta

from sqlalchemy.engine import Engine

from ani.vendor.service import VendorDesk
from ani.vendor.vendor import Purpose
from billing.operators import store as operator_store
from billing.thresholds import store as threshold_store
from billing.thresholds.threshold import CreditTier
from billing.tiers import store
from billing.tiers.tier import TierRule, tier_for
from runtime.clock import Clock
from runtime.database import reading, transaction
from runtime.faults import NotFoundError, StaffError

BY_RULE = "rule"
PAYMENT_HISTORY = "payment history"
NOT_REACHED = "vendor not reached"
LONGEST_SOURCE = 40


def rate(
    engine: Engine,
    clock: Clock,
    desk: VendorDesk | None,
    operator_id: int,
    ani: str,
    call_id: str,
    fresh_for: timedelta,
) -> tuple[TierRule, CreditTier] | None:
    """The tier of the line's customer; none for an operator without rules.

    What was set is used for `fresh_for`, whoever set it; then the vendor is asked anew, outside any transaction, and
    the outcome kept with its reason. Where it cannot be asked, the tier stays as it was, or is the lowest; that is not
    kept, so the next call asks again.
    """
    with reading(engine) as conn:
        rules = store.rules_of(conn, operator_id)
        held = threshold_store.current_tier(conn, ani)
    if not rules:
        return None
    by_tier = {rule.tier: rule for rule in rules}
    known = by_tier.get(held.tier) if held else None
    if held is not None and known is not None and clock.now() - held.set_at <= fresh_for:
        return known, held
    score, source, is_sure = None, PAYMENT_HISTORY, True
    if desk is not None and desk.has_vendor:
        asked = desk.ask(Purpose.CREDIT, ani, call_id, lambda vendor, left_s: vendor.credit_score(ani, left_s))
        score, source, is_sure = asked.answer, asked.vendor, asked.outcome.is_answer
    now = clock.now()
    if not is_sure:
        rule = known or rules[0]
        return rule, held if held and known else CreditTier(rule.tier, NOT_REACHED, "", now, BY_RULE)
    with transaction(engine) as conn:
        rule, reason = tier_for(rules, score, store.history_of(conn, operator_id, ani, now))
        tier = CreditTier(rule.tier, source[:LONGEST_SOURCE], reason, now, BY_RULE)
        threshold_store.add_tier(conn, ani, tier)
    return rule, tier


def put_rule(engine: Engine, *, operator_code: str, rule: TierRule) -> TierRule:
    """Make or change the rule of a tier (its `operator_id` is found by the code).

    Raises NotFoundError, and StaffError when another tier has this rank or a number is negative.
    """
    if min(rule.minimum_score, rule.spend_cap_micros) < 0 or not 0 < len(rule.tier) <= 20:
        raise StaffError("score and spend cap: not below zero; tier: 1 to 20 characters")
    with transaction(engine) as conn:
        found = operator_store.operator_named(conn, operator_code)
        if found is None:
            raise NotFoundError(f"no operator {operator_code}")
        made = TierRule(found.id, rule.tier, rule.rank, rule.minimum_score, rule.spend_cap_micros)
        if any(one.rank == made.rank and one.tier != made.tier for one in store.rules_of(conn, found.id)):
            raise StaffError(f"rank {made.rank}: another tier of {operator_code} has it")
        store.put_rule(conn, made)
        return made


def list_rules(engine: Engine, operator_code: str) -> list[TierRule]:
    """The rules of an operator, the lowest tier first; raises NotFoundError."""
    with reading(engine) as conn:
        found = operator_store.operator_named(conn, operator_code)
        if found is None:
            raise NotFoundError(f"no operator {operator_code}")
        return store.rules_of(conn, found.id)


def bind_service(engine: Engine, profile_id: int, *, is_on: bool) -> None:
    """Let callers of a service be rated from the next call on, or no longer."""
    with transaction(engine) as conn:
        store.set_credit_check(conn, profile_id, is_on=is_on)
