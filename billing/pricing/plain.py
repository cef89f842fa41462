"""The price of a rate without terms: per minute, connect fee, minimum and increments; the short way through.

It comes to what the general arithmetic comes to for the same rate, some ten times faster.
"""

from billing.money import divide_up
from billing.pricing.rate import NOTHING, Grant, Rate, grant_of


def billed_s(rate: Rate, used_ms: int) -> int:
    """The seconds that are billed for this use."""
    if used_ms <= 0:
        return 0
    over_ms = used_ms - rate.initial_s * 1000
    seconds = rate.initial_s
    if over_ms > 0:
        seconds += divide_up(over_ms, rate.increment_s * 1000) * rate.increment_s
    return max(seconds, rate.minimum_s)


def price_micros(rate: Rate, used_ms: int) -> int:
    """Connect fee + billed seconds x price / 60, the total rounded up to a micro-unit; 0 for no use."""
    if used_ms <= 0:
        return 0
    return rate.connect_fee_micros + divide_up(billed_s(rate, used_ms) * rate.price_per_minute_micros, 60)


def largest_grant(rate: Rate, funds_micros: int, wanted_ms: int, cap_ms: int) -> Grant:
    """What `quote.largest_grant` promises, by formula."""
    target_ms = min(_boundary_ms(rate, wanted_ms), cap_ms)
    held_micros = price_micros(rate, target_ms)
    if held_micros > funds_micros:
        return _final_unit(rate, funds_micros, cap_ms)
    spent = held_micros == funds_micros and price_micros(rate, target_ms + 1) > funds_micros
    return grant_of((target_ms, held_micros, spent or target_ms == cap_ms))


def _boundary_ms(rate: Rate, wanted_ms: int) -> int:
    """The end of the whole increment that covers `wanted_ms`, or of what the minimum pays anyway if that is later."""
    paid_s = rate.initial_s
    if rate.minimum_s > paid_s:
        paid_s += (rate.minimum_s - paid_s) // rate.increment_s * rate.increment_s
    over_ms = wanted_ms - paid_s * 1000
    if over_ms <= 0:
        return paid_s * 1000
    return (paid_s + divide_up(over_ms, rate.increment_s * 1000) * rate.increment_s) * 1000


def _final_unit(rate: Rate, funds_micros: int, cap_ms: int) -> Grant:
    """The grant when the funds do not reach what is wanted; so some use has a price, and not all of it fits."""
    for_time_micros = funds_micros - rate.connect_fee_micros
    if for_time_micros < 0:
        return NOTHING
    affordable_s = for_time_micros * 60 // rate.price_per_minute_micros
    if affordable_s < rate.minimum_s:
        return NOTHING
    if affordable_s < rate.initial_s:
        whole_ms, block_ms, paid_micros = 0, rate.initial_s * 1000, rate.connect_fee_micros
    else:
        whole_s = affordable_s - (affordable_s - rate.initial_s) % rate.increment_s
        whole_ms, block_ms, paid_micros = whole_s * 1000, rate.increment_s * 1000, price_micros(rate, whole_s * 1000)
    left_micros = funds_micros - paid_micros
    block_micros = price_micros(rate, whole_ms + block_ms) - paid_micros
    part_ms = min(divide_up(left_micros * block_ms, block_micros), block_ms - 1)
    granted_ms = min(max(whole_ms + part_ms, rate.minimum_s * 1000 if whole_ms == 0 else 0), cap_ms)
    return Grant(granted_ms, funds_micros, final=True) if granted_ms > 0 else NOTHING
