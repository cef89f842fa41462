"""Rating the customer of a line, and the rules staff make for it (AGE-4)."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy.engine import Engine

from ani.vendor.service import VendorDesk
from ani.vendor.vendor import Purpose
from billing.operators import store as operator_store
from billing.thresholds import store as threshold_store
from billing.thresholds.threshold import CreditTier
from billing.tiers import store
from billing.tiers.tier import NOTHING, TierRule, tier_after, tier_for
from runtime.clock import Clock
from runtime.database import reading, transaction
from runtime.faults import NotFoundError, StaffError

BY_RULE = "rule"
PAYMENT_HISTORY = "payment history"
NOT_REACHED = "vendor not reached"
LONGEST_SOURCE = 40


Rated = tuple[TierRule, CreditTier]


def rate(
    engine: Engine,
    clock: Clock,
    desk: VendorDesk | None,
    operator_id: int,
    ani: str,
    call_id: str,
    fresh_for: timedelta,
) -> Rated | None:
    """The tier of the line's customer with an operator; none for one without rules.

    What was set is used for `fresh_for`, whoever set it, unless a chargeback or a payment since then changes it: then
    that is kept, by the score known, without asking anybody. After that time the vendor is asked anew, outside any
    transaction, and the outcome kept with its reason. Where it cannot be asked, the tier stays as it was, or is the
    lowest; that is not kept, so the next call asks again.
    """
    with reading(engine) as conn:
        rules = store.rules_of(conn, operator_id)
        held = threshold_store.current_tier(conn, operator_id, ani)
    if not rules:
        return None
    by_tier = {rule.tier: rule for rule in rules}
    known = (by_tier[held.tier], held) if held and held.tier in by_tier else None
    if known is not None and clock.now() - (known[1].scored_at or known[1].set_at) <= fresh_for:
        return _up_to_date(engine, clock, operator_id, ani, rules, known)
    score, source, is_sure = None, PAYMENT_HISTORY, True
    if desk is not None and desk.serves(Purpose.CREDIT):
        asked = desk.ask(Purpose.CREDIT, ani, call_id, lambda vendor, left_s: vendor.credit_score(ani, left_s))
        score, source, is_sure = asked.answer, asked.vendor, asked.outcome.is_answer
    now = clock.now()
    if not is_sure:
        if known is not None:
            return _up_to_date(engine, clock, operator_id, ani, rules, known)
        return rules[0], CreditTier(rules[0].tier, NOT_REACHED, "", now, BY_RULE)
    with transaction(engine) as conn:
        rule, reason = tier_for(rules, score, store.history_of(conn, operator_id, ani, now))
        tier = CreditTier(rule.tier, source[:LONGEST_SOURCE], reason, now, BY_RULE, score, now)
        threshold_store.add_tier(conn, operator_id, ani, tier)
    return rule, tier


def _up_to_date(engine: Engine, clock: Clock, operator_id: int, ani: str, rules: list[TierRule], known: Rated) -> Rated:
    """The tier that is known, or the one that what the customer did since has made of it."""
    now, held = clock.now(), known[1]
    with reading(engine) as conn:
        since = store.history_since(conn, operator_id, ani, held.set_at)
        history = store.history_of(conn, operator_id, ani, now) if since != NOTHING else NOTHING
    found = tier_after(rules, held, history, since)
    if found is None:
        return known
    rule, reason = found
    tier = replace(held, tier=rule.tier, note=reason, set_at=now, set_by=BY_RULE)
    with transaction(engine) as conn:
        threshold_store.add_tier(conn, operator_id, ani, tier)
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
