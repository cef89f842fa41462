"""What the bundles of a session cover of it, by what is billed; what they do not cover costs money."""

from collections.abc import Sequence

from billing.pricing.bundles import CALLS, Bundle, CoverRule, Draw
from billing.pricing.increments import billed, largest_use
from billing.pricing.rate import Rate
from billing.pricing.terms import Terms

Stretch = tuple[int, int, Bundle]
"""From, until (in what is billed), and the bundle that covers it."""


def stretches(rate: Rate, terms: Terms, bundles: Sequence[Bundle], total: int) -> list[Stretch]:
    """The covered part of a session of which `total` is billed: one stretch after the other, from the start on."""
    found: list[Stretch] = []
    position = 0
    for one in bundles:
        if position >= total:
            break
        if not one.units:
            continue
        ends = _end(rate, terms, one, position, total)
        if ends > position:
            found.append((position, ends, one))
            position = ends
    return found


def draws(covered: Sequence[Stretch]) -> tuple[Draw, ...]:
    """The units these stretches take from their bundles."""
    return tuple(Draw(one.id, 1 if one.measure == CALLS else ends - begins) for begins, ends, one in covered)


def breaks(rate: Rate, terms: Terms, bundles: Sequence[Bundle]) -> list[int]:
    """The uses after which the price may fall, because a bundle that covers all or nothing covers nothing more."""
    found: list[int] = []
    position = 0
    for one in bundles:
        if not one.units:
            continue
        if one.measure == CALLS:
            break
        if one.rule is CoverRule.WHOLE:
            longest = largest_use(rate, terms, position + one.units)
            if longest is not None:
                found.append(longest)
        else:
            position = _end(rate, terms, one, position, position + one.units)
    return found


def _end(rate: Rate, terms: Terms, one: Bundle, position: int, total: int) -> int:
    """Until where the bundle covers a session, from `position` on."""
    if one.measure == CALLS:
        return total
    reach = position + one.units
    if one.rule is CoverRule.PRO_RATA:
        return min(reach, total)
    if one.rule is CoverRule.WHOLE:
        return total if reach >= total else position
    longest = largest_use(rate, terms, reach)
    if longest is None:
        return total
    return min(max(billed(rate, terms, longest), position), total)
