"""The promises of the price function, held against any tariff, session and balance there may be."""

import dataclasses
import sys
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.pricing import plain, price, quote
from billing.pricing.increments import billed, largest_use
from billing.pricing.parts import Use, price_parts
from billing.pricing.rate import NO_CONTEXT, NOTHING, Context, Rate
from billing.pricing.terms import MaximumRule, Scope, Terms
from billing.rating import (
    Running,
    charge_micros,
    common_time_ms,
    draws,
    draws_to_hold,
    explain,
    hangs_on_start,
    hold_micros,
    largest_grant,
    price_micros,
    refreshed,
    talk_time_ms,
    with_units,
)
from tests.billing.pricing import any_tariff
from tests.billing.pricing.any_tariff import contexts, funds, plain_rates, times_ms

any_rate = any_tariff.rates() | any_tariff.rates(negative=True) | plain_rates
EXAMPLES = 4_000 if "--proof" in sys.argv else 40
caps = times_ms.map(lambda cap: cap + 1)


@settings(max_examples=EXAMPLES)
@given(any_rate, contexts, funds, times_ms, caps, times_ms)
def test_no_use_of_a_grant_costs_more_than_its_hold_nor_the_hold_more_than_the_balance(
    rate: Rate, context: Context, balance: int, wanted: int, cap: int, used: int
) -> None:
    grant = largest_grant(rate, balance, wanted, cap, context)
    assert 0 <= grant.granted_ms <= cap
    assert 0 <= grant.held_micros <= max(balance, 0)
    assert charge_micros(rate, used, grant, context) <= grant.held_micros
    if grant.granted_ms:
        assert charge_micros(rate, grant.granted_ms, grant, context) <= balance


@settings(max_examples=EXAMPLES)
@given(any_rate, contexts, funds, caps)
def test_what_is_quoted_is_granted_and_nothing_more_fits(rate: Rate, context: Context, balance: int, cap: int) -> None:
    quoted = talk_time_ms(rate, balance, cap, context)
    assert largest_grant(rate, balance, quoted, cap, context).granted_ms == quoted
    if quoted >= cap:
        return
    terms = rate.terms or price.PLAIN
    ends = largest_use(rate, terms, billed(rate, terms, quoted + 1))
    one_more = max(quoted + 1, cap if ends is None else ends)
    limit = terms.maximum_charge_micros if terms.maximum_rule is MaximumRule.ENDS else None
    reach = balance if limit is None else min(balance, limit)
    assert hold_micros(rate, one_more, context) > reach


@settings(max_examples=EXAMPLES)
@given(any_rate, contexts, times_ms, times_ms)
def test_a_hold_never_falls_and_covers_every_price(rate: Rate, context: Context, one: int, other: int) -> None:
    less, more = sorted((one, other))
    assert hold_micros(rate, less, context) <= hold_micros(rate, more, context)
    terms = rate.terms or price.PLAIN
    if terms.maximum_charge_micros is None or terms.maximum_rule is MaximumRule.CAPS:
        assert price_micros(rate, less, context) <= hold_micros(rate, more, context)


@settings(max_examples=EXAMPLES)
@given(any_rate, contexts, times_ms, times_ms, times_ms, times_ms)
def test_a_hold_made_while_it_rings_covers_every_answer(
    rate: Rate, context: Context, one: int, other: int, rings_ms: int, late_ms: int
) -> None:
    less, more = sorted((one, other))
    late_ms = min(late_ms, rings_ms)
    ringing = dataclasses.replace(context, rings_ms=rings_ms)
    held_micros = hold_micros(rate, more, ringing)
    assert hold_micros(rate, less, ringing) <= held_micros
    assert context.started_at is not None
    answered = ringing.begun(context.started_at + timedelta(milliseconds=late_ms))
    assert hold_micros(rate, less, answered) <= held_micros
    if not hangs_on_start(rate, more, ringing):
        assert hold_micros(rate, more, answered) == held_micros


@settings(max_examples=EXAMPLES)
@given(any_rate, contexts, funds, times_ms, times_ms, caps)
def test_a_grant_never_shrinks_when_more_is_wanted_or_there_is_more_money(
    rate: Rate, context: Context, balance: int, one: int, other: int, cap: int
) -> None:
    less, more = sorted((one, other))
    small = largest_grant(rate, balance, less, cap, context)
    large = largest_grant(rate, balance, more, cap, context)
    assert small.granted_ms <= large.granted_ms
    assert small.held_micros <= large.held_micros
    richer = largest_grant(rate, max(balance, 0) + more * 10, less, cap, context)
    assert small.granted_ms <= richer.granted_ms


@settings(max_examples=EXAMPLES)
@given(any_rate, times_ms, times_ms)
def test_what_is_billed_never_falls_and_largest_use_is_its_inverse(rate: Rate, used: int, limit: int) -> None:
    terms = rate.terms or price.PLAIN
    assert billed(rate, terms, used) <= billed(rate, terms, used + 1)
    ends = largest_use(rate, terms, limit)
    if ends is not None:
        assert billed(rate, terms, ends) <= limit < billed(rate, terms, ends + 1)


@settings(max_examples=EXAMPLES)
@given(plain_rates, funds, times_ms, caps, times_ms)
def test_a_rate_without_terms_comes_to_the_same_by_the_general_way(
    rate: Rate, balance: int, wanted: int, cap: int, used: int
) -> None:
    same = dataclasses.replace(rate, terms=Terms())
    assert price_micros(same, used) == plain.price_micros(rate, used)
    assert hold_micros(same, used) == plain.price_micros(rate, used)
    assert billed(same, Terms(), used) == plain.billed_s(rate, used) * 1000
    assert largest_grant(same, balance, wanted, cap) == largest_grant(rate, balance, wanted, cap)


@settings(max_examples=EXAMPLES)
@given(any_tariff.rates(), contexts, times_ms)
def test_the_reasons_end_with_the_price_and_the_bundles_give_what_they_cover(
    rate: Rate, context: Context, used: int
) -> None:
    lines = explain(rate, used, context)
    assert lines[-1].startswith(("total ", "not used", "used "))
    terms = rate.terms or price.PLAIN
    total = billed(rate, terms, used)
    given_units = [one.units for one in draws(rate, used, context)]
    assert all(units > 0 for units in given_units)
    parts = price_parts(rate, terms, context, Use(used, total)) if used else []
    assert sum(part.quantity for part in parts if part.kind in {"use", "included"}) == (total if used else 0)


@settings(max_examples=EXAMPLES)
@given(any_tariff.rates(), contexts, times_ms)
def test_the_total_of_a_month_is_rounded_once(rate: Rate, context: Context, used: int) -> None:
    terms = rate.terms or price.PLAIN
    if terms.precision.scope is Scope.TOTAL and terms.maximum_charge_micros is None:
        before = price.rounded(terms.precision, context.month_micros)
        assert (before + price_micros(rate, used, context)) % terms.precision.multiple_micros == 0


@settings(max_examples=EXAMPLES)
@given(st.lists(st.tuples(any_rate, contexts, times_ms), min_size=1, max_size=3), funds, caps)
def test_sessions_that_share_an_account_end_together(
    sessions: list[tuple[Rate, Context, int]], balance: int, cap: int
) -> None:
    running = [Running(rate, used, context) for rate, context, used in sessions]

    def cost(more_ms: int) -> int:
        return sum(hold_micros(rate, used + more_ms, context) for rate, context, used in sessions)

    together = common_time_ms(running, balance, cap)
    assert together == 0 or cost(together) <= balance
    assert together == cap or cost(together + 1) > balance


def test_nothing_is_granted_for_no_money_and_no_cap() -> None:
    rate = Rate(1, "44", "", "USD", 1, terms=Terms())
    assert largest_grant(rate, 0, 1, 100) == NOTHING
    assert largest_grant(rate, 10, 1, 0) == NOTHING
    assert quote.largest_grant(rate, -1, 1, 100, NO_CONTEXT) == NOTHING


@settings(max_examples=EXAMPLES)
@given(
    any_rate,
    contexts,
    funds,
    st.lists(times_ms, min_size=4, max_size=4),
    caps,
    st.lists(times_ms, min_size=9, max_size=9),
)
def test_units_that_come_and_go_do_not_change_the_price_of_what_was_granted(
    rate: Rate, context: Context, balance: int, wanted: list[int], cap: int, free: list[int]
) -> None:
    context = dataclasses.replace(
        context, bundles=tuple(dataclasses.replace(one, id=place) for place, one in enumerate(context.bundles))
    )
    used, granted, held_micros = wanted.pop(), 0, 0
    for place, total in enumerate(sorted(wanted)):
        grant = largest_grant(rate, held_micros + balance, total, cap, context)
        if grant.granted_ms <= granted:
            continue
        granted, held_micros = grant.granted_ms, grant.held_micros
        held = {draw.bundle_id: draw.units for draw in draws_to_hold(rate, granted, context)}
        kept = with_units(context, held)
        later = refreshed(rate, granted, kept, {one: free[3 * place + one] for one in range(3)})
        for use in {min(used, granted), granted}:
            for other in (kept, later):
                assert price_micros(rate, use, other) == price_micros(rate, use, context)
                assert draws(rate, use, other) == draws(rate, use, context)
            assert all(draw.units <= held[draw.bundle_id] for draw in draws(rate, use, later))
        assert all(held.get(one.id, 0) <= one.units for one in later.bundles)
        context = later
