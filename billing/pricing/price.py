"""From the parts of a price to an amount of money, for what is billed and for what is held; the one arithmetic.

`price` is what a session costs. `hold` is what must be held so that any use up to there can be paid: it never falls as
use grows, not even where the price does (a better tier for everything, a bundle that covers all or nothing, prices
below zero), and it is enough whenever the session begins, where that is not known yet and the time of day has a price.
Where the price never falls and the start is known the two are the same.
"""

from dataclasses import replace

from billing.money import Rounding, divide, divide_up
from billing.pricing import cover, plain
from billing.pricing.bundles import Draw
from billing.pricing.increments import billed, counted, largest_use, longest_of_nothing
from billing.pricing.parts import EXACT, Part, Use, access_fee_parts, fee_parts, possible_bands, price_parts
from billing.pricing.rate import Context, Rate
from billing.pricing.terms import WHOLE, MaximumRule, Measure, Precision, Scope, Terms, VolumeRule

PLAIN = Terms()
"""What a rate without terms means."""


def is_plain(rate: Rate, context: Context) -> bool:
    """Whether the price is the short formula of per minute, connect fee, minimum and increments."""
    return rate.terms is None and not context.bundles


def price(rate: Rate, used: int, context: Context) -> int:
    """The cost of this use, in micro-units; below zero only where the terms allow prices to be."""
    if is_plain(rate, context):
        return plain.price_micros(rate, used)
    terms = rate.terms or PLAIN
    return _total(rate, terms, context, Use(used, billed(rate, terms, used)))


def unrounded(rate: Rate, used: int, context: Context) -> int:
    """The cost of this use before the total of the month is rounded, up to a micro-unit; the cost, for other scopes."""
    terms = rate.terms
    if terms is not None and terms.precision.scope is Scope.TOTAL:
        rate = replace(rate, terms=replace(terms, precision=Precision()))
    return price(rate, used, context)


def hold(rate: Rate, used: int, context: Context) -> int:
    """What any use up to `used` may cost at most, in micro-units; never falls, never below zero."""
    if is_plain(rate, context):
        return plain.price_micros(rate, used)
    terms = rate.terms or PLAIN
    uses = [used, *(one for one in breaks(rate, terms, context) if 0 <= one < used)]
    return max(0, *(_total(rate, terms, context, Use(one, billed(rate, terms, one)), hold=True) for one in uses))


def hold_of_billed(rate: Rate, use: Use, context: Context) -> int:
    """What is held for a use if just so much of it were billed."""
    return max(0, _total(rate, rate.terms or PLAIN, context, use, hold=True))


def hold_without_time(rate: Rate, used: int, context: Context) -> int:
    """The part of a hold that does not grow with time: fees and the minimum charge."""
    if used <= 0:
        return 0
    terms = rate.terms or PLAIN
    return max(0, _total(rate, terms, context, Use(used, billed(rate, terms, used)), hold=True, timeless=True))


def hangs_on_start(rate: Rate, used: int, context: Context) -> bool:
    """Whether the price of this use depends on when the session begins, of when it may begin yet."""
    terms = rate.terms
    if terms is None or not context.rings_ms:
        return False
    return len(possible_bands(rate, terms, context, Use(used, billed(rate, terms, used)))) > 1


def draws(rate: Rate, used: int, context: Context) -> tuple[Draw, ...]:
    """The included units this use takes, bundle by bundle."""
    terms = rate.terms or PLAIN
    return cover.draws(cover.stretches(rate, terms, context.bundles, billed(rate, terms, used)))


def is_free(terms: Terms, context: Context, used: int) -> bool:
    """Whether nothing at all is charged: not used, or within the grace. Counted as zero is not used."""
    if terms.grace and counted(terms, max(used, 0)) <= terms.grace:
        return True
    if used > 0 and (terms.measure is Measure.TRANSACTION or counted(terms, used) > 0):
        return False
    return not (terms.fee_at_zero and (used > 0 or context.is_answered))


def amount(
    terms: Terms, context: Context, parts: list[Part], *, cap: bool, has_minimum: bool, hold: bool = False
) -> int:
    """The money the parts come to: mark-up, least charge, rounding and most charge, in this order.

    To `hold`: as much as it may come to, whatever else is added to a month whose total is rounded.
    """
    precision = terms.precision
    denominator = terms.per * EXACT
    if precision.scope is not Scope.PART:
        exact = sum([part.numerator for part in parts])
        if terms.markup:
            exact = exact * (WHOLE + terms.markup) // WHOLE
    else:
        exact = _marked_up_by_part(terms, parts)
    if has_minimum:
        exact = max(exact, terms.minimum_charge_micros * denominator)
    most = terms.maximum_charge_micros if cap else None
    if most is not None:
        exact = min(exact, most * denominator)
    if precision.scope is Scope.TOTAL and hold:
        total = _most_of_total(precision, divide_up(exact, denominator))
    elif precision.scope is Scope.TOTAL:
        before = context.month_micros
        total = rounded(precision, before + divide_up(exact, denominator)) - rounded(precision, before)
    else:
        total = rounded(precision, exact, denominator)
    return total if most is None else min(total, most)


def rounded(precision: Precision, numerator: int, denominator: int = 1) -> int:
    """An amount as the terms round amounts, in micro-units."""
    multiple = precision.multiple_micros
    return divide(numerator, denominator * multiple, precision.mode) * multiple


def _most_of_total(precision: Precision, micros: int) -> int:
    """The most that so much may add to a rounded total, whatever was in it before.

    Half even, an odd number of whole multiples adds one more where it lifts a half that was let go to one that is not.
    """
    multiple = precision.multiple_micros
    whole, rest = divmod(micros, multiple)
    is_lifted = precision.mode is Rounding.HALF_EVEN and multiple % 2 == 0 and whole % 2 == 1
    return (whole + (1 if rest or is_lifted else 0)) * multiple


def _marked_up_by_part(terms: Terms, parts: list[Part]) -> int:
    """The sum with the mark-up, each part rounded, over per x EXACT."""
    denominator = terms.per * EXACT
    total = sum(rounded(terms.precision, part.numerator, denominator) for part in parts)
    if terms.markup:
        total += rounded(terms.precision, total * terms.markup, WHOLE)
    return total * denominator


def _total(rate: Rate, terms: Terms, context: Context, use: Use, *, hold: bool = False, timeless: bool = False) -> int:
    is_used = use.billed > 0 or (use.used > 0 and counted(terms, use.used) > 0)
    if not is_used or terms.grace:
        if is_free(terms, context, use.used):
            return 0
        if not is_used:
            return amount(terms, context, fee_parts(rate, terms, Use(0, 0)), cap=True, has_minimum=False, hold=hold)
    if timeless:
        parts = [*access_fee_parts(terms, context), *fee_parts(rate, terms, use)]
    else:
        parts = price_parts(rate, terms, context, use, hold=hold)
    has_minimum = terms.minimum_charge_micros > 0 and (timeless or any(part.kind == "use" for part in parts))
    cap = not hold or terms.maximum_rule is MaximumRule.CAPS
    return amount(terms, context, parts, cap=cap, has_minimum=has_minimum, hold=hold)


def breaks(rate: Rate, terms: Terms, context: Context) -> list[int]:
    """The uses after which the price may fall."""
    found = cover.breaks(rate, terms, context.bundles) if context.bundles else []
    if terms.tiers and terms.volume_rule is VolumeRule.TOP:
        for one in terms.tiers:
            # The last use that is billed by the tier before.
            last = largest_use(rate, terms, one.begins - context.month_used)
            found += [] if last is None else [last]
    if any(one.covers_fees for one in context.bundles):
        # Use that is not billed is not covered either, and its fees are charged; more use may have them covered.
        free = largest_use(rate, terms, 0)
        found += [longest_of_nothing(terms), *([] if free is None else [free])]
    return found
