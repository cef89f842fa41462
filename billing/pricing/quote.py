"""How much use money buys: the price function read backwards, so that a quote that was kept can never overdraw.

Nothing is known here about a tariff but what `price.hold` says of it, which never falls; so the most use that fits is
found by halving, whatever the tariff, in at most some thirty prices.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from billing.money import divide_up
from billing.pricing import plain
from billing.pricing.bundles import CoverRule
from billing.pricing.increments import billed, largest_use
from billing.pricing.parts import Use
from billing.pricing.price import PLAIN, hold, hold_of_billed, hold_without_time, is_plain
from billing.pricing.rate import NOTHING, Context, Grant, Rate
from billing.pricing.terms import MaximumRule, Measure, Terms


@dataclass(frozen=True, slots=True)
class Running:
    """A session that is up: its rate, what was used of it so far, and what was fixed when it started."""

    rate: Rate
    used: int
    context: Context


def largest_grant(rate: Rate, funds_micros: int, wanted: int, cap: int, context: Context) -> Grant:
    """The grant for `wanted` in all that the funds can pay and the cap allows; see `billing.rating.largest_grant`."""
    if cap <= 0:
        return NOTHING
    if is_plain(rate, context):
        return plain.largest_grant(rate, funds_micros, wanted, cap)
    terms = rate.terms or PLAIN
    if terms.maximum_charge_micros is not None and terms.maximum_rule is MaximumRule.ENDS:
        funds_micros = min(funds_micros, terms.maximum_charge_micros)
    target = min(_boundary(rate, terms, max(wanted, 1), cap), cap)
    held_micros = hold(rate, target, context)
    if held_micros > funds_micros:
        return _final_unit(rate, funds_micros, target, cap, context)
    spent = held_micros == funds_micros and hold(rate, target + 1, context) > funds_micros
    return Grant(target, held_micros, final=spent or target == cap)


def ends_within(rate: Rate, granted: int) -> bool:
    """Whether so much is granted only as a part of the increment it ends in: the last that the money bought."""
    terms = rate.terms or PLAIN
    ends = largest_use(rate, terms, billed(rate, terms, granted))
    return ends is not None and ends > granted


def common_time_ms(running: Sequence[Running], funds_micros: int, cap_ms: int) -> int:
    """How long all these sessions can go on together until the funds are used up; at most `cap_ms`.

    `funds_micros` is all there is for them, what is held for them already included. One more millisecond of every
    session would not fit (unless the cap says so); 0 when not even what was used can be paid.
    """

    def cost_micros(more_ms: int) -> int:
        return sum(hold(one.rate, one.used + more_ms, one.context) for one in running)

    if cost_micros(cap_ms) <= funds_micros:
        return cap_ms
    low, high = 0, cap_ms
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if cost_micros(middle) <= funds_micros else (low, middle)
    return low


def _boundary(rate: Rate, terms: Terms, wanted: int, cap: int) -> int:
    """The end of what is paid for anyway when `wanted` is."""
    ends = largest_use(rate, terms, billed(rate, terms, wanted))
    return cap if ends is None else max(ends, wanted)


def _most_that_fits(rate: Rate, funds_micros: int, too_much: int, context: Context) -> int:
    """The most use whose hold the funds reach, below one whose hold they do not."""
    low, high = 0, too_much
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if hold(rate, middle, context) <= funds_micros else (low, middle)
    return low


def _final_unit(rate: Rate, funds_micros: int, too_much: int, cap: int, context: Context) -> Grant:
    """The grant when the funds do not reach what is wanted: what fits, and a part of the increment that does not."""
    terms = rate.terms or PLAIN
    if hold(rate, 0, context) > funds_micros:
        return NOTHING
    whole = _most_that_fits(rate, funds_micros, too_much, context)
    part = _rest(rate, terms, funds_micros, whole, context) if terms.takes_rest else 0
    if part:
        return Grant(min(whole + part, cap), funds_micros, final=True)
    return Grant(whole, hold(rate, whole, context), final=True) if whole else NOTHING


def _rest(rate: Rate, terms: Terms, funds_micros: int, whole: int, context: Context) -> int:
    """How much of the next increment the money left buys: fees and the minimum must fit whole, and never all of it."""
    if terms.measure not in {Measure.TIME, Measure.BYTES}:
        return 0
    begun = billed(rate, terms, whole + 1)
    ends = largest_use(rate, terms, begun)
    length = max(whole + 1 if ends is None else ends, whole + 1) - whole
    paid_micros = hold(rate, whole, context)
    fees_micros = hold_without_time(rate, whole + length, context) - hold_without_time(rate, whole, context)
    left_micros = funds_micros - paid_micros - fees_micros
    block_micros = hold(rate, whole + length, context) - paid_micros - fees_micros
    if left_micros < 0 or block_micros <= 0:
        return 0
    part = min(divide_up(left_micros * length, block_micros), length - 1)
    if any(one.rule is CoverRule.PRO_RATA for one in context.bundles):
        part = max(part, _rest_with_units(rate, terms, funds_micros, Use(whole, begun), length, context))
    if rate.minimum_s and not billed(rate, terms, whole):
        least = min(rate.minimum_s * terms.scale, begun)
        if hold_of_billed(rate, Use(whole + 1, least), context) > funds_micros:
            return 0
        part = min(max(part, terms.free + least - whole), length - 1)
    return part


def _rest_with_units(rate: Rate, terms: Terms, funds_micros: int, whole: Use, length: int, context: Context) -> int:
    """How much of the next increment the included units that are left buy, together with the money that is."""
    if any(one.rule is CoverRule.WHOLE for one in context.bundles):
        return 0
    paid = billed(rate, terms, whole.used)

    def fits(part: int) -> bool:
        return hold_of_billed(rate, Use(whole.used + length, min(paid + part, whole.billed)), context) <= funds_micros

    low, high = 0, length
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low if fits(low) else 0
