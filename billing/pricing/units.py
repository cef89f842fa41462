"""Which included units a session has to hold for its grant, and what it may yet have of its bundles.

A session that is open may find fewer units than when it started, because others took them, or more, because others gave
them back. Neither may change the price of what it was granted: what was quoted, held and will be billed is one price.
"""

from collections.abc import Mapping
from dataclasses import replace

from billing.pricing import cover
from billing.pricing.bundles import Bundle, Draw
from billing.pricing.increments import billed
from billing.pricing.price import PLAIN, breaks, draws
from billing.pricing.rate import Context, Rate


def draws_to_hold(rate: Rate, granted: int, context: Context) -> tuple[Draw, ...]:
    """The units of each bundle that any use up to `granted` may take: what is held with the grant."""
    most: dict[int, int] = {}
    for used in _places(rate, granted, context):
        for draw in draws(rate, used, context):
            most[draw.bundle_id] = max(most.get(draw.bundle_id, 0), draw.units)
    return tuple(Draw(bundle_id, units) for bundle_id, units in most.items())


def with_units(context: Context, units: Mapping[int, int]) -> Context:
    """The context with so many units of its bundles, none of those not named.

    With those that are held for a grant, no use of the grant has another price or takes other units than it had.
    """
    return replace(context, bundles=tuple(replace(one, units=units.get(one.id, 0)) for one in context.bundles))


def refreshed(rate: Rate, granted: int, context: Context, free: Mapping[int, int]) -> Context:
    """The context of a session, whose bundles have the units it holds, with those that are free now.

    Free units of a bundle count only where all of the grant keeps its price: a session that went on to the next bundle,
    or to money, does not go back.
    """
    for place, one in enumerate(context.bundles):
        more = free.get(one.id, 0)
        if more:
            grown = _replaced(context, place, replace(one, units=one.units + more))
            if _covers_the_same(rate, granted, context, grown):
                context = grown
    return context


def _replaced(context: Context, place: int, bundle: Bundle) -> Context:
    bundles = (*context.bundles[:place], bundle, *context.bundles[place + 1 :])
    return replace(context, bundles=bundles)


def _covers_the_same(rate: Rate, granted: int, one: Context, other: Context) -> bool:
    terms = rate.terms or PLAIN
    places = {*_places(rate, granted, one), *_places(rate, granted, other)}
    return all(
        _covered(rate, billed(rate, terms, used), one) == _covered(rate, billed(rate, terms, used), other)
        for used in places
    )


def _covered(rate: Rate, total: int, context: Context) -> list[tuple[int, int, int]]:
    found = cover.stretches(rate, rate.terms or PLAIN, context.bundles, total)
    return [(begins, ends, one.id) for begins, ends, one in found]


def _places(rate: Rate, granted: int, context: Context) -> list[int]:
    """The uses up to the grant where what is covered may begin to fall, and the grant itself."""
    return [granted, *(one for one in breaks(rate, rate.terms or PLAIN, context) if 0 <= one < granted)]
