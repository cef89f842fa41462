"""The one price function: what quotes, reserves, announces, bills and explains a session is here and nowhere else.

A rate is a price with increments ("60/6": one block of 60 s, then 6 s each), and whatever its terms add: see
`billing.pricing.terms`. Use is in base units of what the rate measures: milliseconds, bytes or units; money in
micro-units; all are integers. What a price depends on beside the use (when the session started, the access number, the
account's month, its bundles) is the session's `Context`, fixed when it starts: the same for quote, hold and charge.
"""

from billing.pricing import explain as _explain
from billing.pricing import price as _price
from billing.pricing import quote as _quote
from billing.pricing.bundles import Bundle, Draw, in_order, renewed
from billing.pricing.increments import billed as _billed
from billing.pricing.plain import billed_s
from billing.pricing.quote import Running, common_time_ms
from billing.pricing.rate import NO_CONTEXT, NOTHING, VOICE, Context, Grant, Rate
from billing.pricing.terms import Scope, Terms
from billing.pricing.units import draws_to_hold, refreshed, with_units

__all__ = [
    "NOTHING",
    "NO_CONTEXT",
    "VOICE",
    "Bundle",
    "Context",
    "Draw",
    "Grant",
    "Rate",
    "Running",
    "Terms",
    "billed_ms",
    "charge_micros",
    "common_time_ms",
    "draws",
    "draws_to_hold",
    "explain",
    "hangs_on_start",
    "hold_micros",
    "in_order",
    "is_by_month",
    "is_part",
    "largest_grant",
    "price_micros",
    "refreshed",
    "renewed",
    "talk_time_ms",
    "unrounded_micros",
    "with_units",
]


def billed_ms(rate: Rate, used_ms: int, context: Context = NO_CONTEXT) -> int:
    """The use that is billed for the use there was: begun increments, at least the minimum; 0 for none."""
    del context
    if rate.terms is None:
        return billed_s(rate, used_ms) * 1000
    return _billed(rate, rate.terms, used_ms)


def price_micros(rate: Rate, used_ms: int, context: Context = NO_CONTEXT) -> int:
    """What this use costs, rounded as the terms say, else up to a micro-unit.

    Never falls as use grows, unless a better tier is for everything, a bundle covers all or nothing, or prices are
    below zero. Raises ValueError when the price depends on the time of day and the context does not know the start.
    """
    return _price.price(rate, used_ms, context)


def unrounded_micros(rate: Rate, used_ms: int, context: Context = NO_CONTEXT) -> int:
    """What this use adds to a month whose total alone is rounded: its price up to a micro-unit."""
    return _price.unrounded(rate, used_ms, context)


def hold_micros(rate: Rate, used_ms: int, context: Context = NO_CONTEXT) -> int:
    """The most that any use up to `used_ms` costs, whenever it begins of when it may: what is held for it.

    Never falls, never below the price.
    """
    return _price.hold(rate, used_ms, context)


def hangs_on_start(rate: Rate, used_ms: int, context: Context) -> bool:
    """Whether what this use costs depends on when the session begins, which is not known yet; the hold covers each."""
    return _price.hangs_on_start(rate, used_ms, context)


def largest_grant(rate: Rate, funds_micros: int, wanted_ms: int, cap_ms: int, context: Context = NO_CONTEXT) -> Grant:
    """The grant for `wanted_ms` of use in total that `funds_micros` can pay and `cap_ms` allows.

    Whole increments that cover what is wanted, where the funds reach. Where they do not: the most that fits and, pro
    rata, a part of the next increment (never all of it), for which *all* the funds are held, so that the account ends
    at exactly zero; unless the terms say that such a rest stays. The initial block may be given in part; fees and the
    minimum must fit whole, else nothing is granted. A grant cut by the cap, or by a maximum charge that ends the call,
    or that leaves no money, is final. It never shrinks when more is wanted.
    """
    return _quote.largest_grant(rate, funds_micros, wanted_ms, cap_ms, context)


def charge_micros(rate: Rate, used_ms: int, grant: Grant, context: Context = NO_CONTEXT) -> int:
    """What `used_ms` under `grant` costs: use beyond the grant is not charged, nor more than was held."""
    return min(_price.price(rate, min(used_ms, grant.granted_ms), context), grant.held_micros)


def talk_time_ms(rate: Rate, funds_micros: int, cap_ms: int, context: Context = NO_CONTEXT) -> int:
    """The time that may be announced for these funds: exactly what would be granted to somebody who wants all of it."""
    return _quote.largest_grant(rate, funds_micros, cap_ms, cap_ms, context).granted_ms


def draws(rate: Rate, used_ms: int, context: Context) -> tuple[Draw, ...]:
    """The included units this use takes from the bundles of the context."""
    return _price.draws(rate, used_ms, context)


def explain(rate: Rate, used_ms: int, context: Context = NO_CONTEXT, grant: Grant | None = None) -> list[str]:
    """How the price of `used_ms` comes about, a step a line; of a part of an increment, where only that was granted."""
    if grant is not None and is_part(rate, grant, used_ms) and price_micros(rate, used_ms, context) > grant.held_micros:
        return _explain.explain_part(rate, used_ms, context, grant)
    return _explain.explain(rate, used_ms, context)


def is_by_month(rate: Rate) -> bool:
    """Whether what the account used in the month changes the price."""
    terms = rate.terms
    return terms is not None and (bool(terms.tiers) or terms.precision.scope is Scope.TOTAL)


def is_part(rate: Rate, grant: Grant, used_ms: int) -> bool:
    """Whether the use reaches into an increment of which only a part was granted: the last that the money bought."""
    if not _quote.ends_within(rate, grant.granted_ms):
        return False
    return billed_ms(rate, min(used_ms, grant.granted_ms)) == billed_ms(rate, grant.granted_ms)
