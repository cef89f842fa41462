"""From use to what is billed, and back: grace, free use, sub-second rounding, increments, minimum, whole minutes.

All quantities are base units (milliseconds, bytes, units). `billed` never falls as use grows, and `largest_use` is its
inverse: the most use that is billed no more than a limit.
"""

from billing.money import Rounding, divide, divide_up
from billing.pricing.rate import Rate
from billing.pricing.terms import IncrementRule, Measure, Terms

_LONGEST_OF_A_SECOND_MS = {Rounding.UP: 0, Rounding.DOWN: 999, Rounding.HALF_UP: 499}


def counted(terms: Terms, used: int) -> int:
    """The use as the terms count it: whole seconds where they round what is below a second."""
    if terms.sub_second is None or terms.measure is not Measure.TIME:
        return used
    return divide(used, 1000, terms.sub_second) * 1000


def billed(rate: Rate, terms: Terms, used: int) -> int:
    """What is billed for this use: 0 for none, for free use, and within the grace."""
    if used <= 0:
        return 0
    if terms.measure is Measure.TRANSACTION:
        return 1
    use = counted(terms, used)
    if use <= terms.grace or use <= terms.free:
        return 0
    use -= terms.free
    scale = terms.scale
    total = max(_in_increments(terms.increment_rule, use, rate.initial_s * scale, rate.increment_s * scale), 1)
    total = max(total, rate.minimum_s * scale)
    return divide_up(total, terms.whole) * terms.whole


def largest_use(rate: Rate, terms: Terms, limit: int) -> int | None:
    """The most use of which no more than `limit` is billed; None when it is without end."""
    if terms.measure is Measure.TRANSACTION:
        return None if limit >= 1 else 0
    scale = terms.scale
    limit -= limit % terms.whole
    use = 0
    if limit > 0 and limit >= rate.minimum_s * scale:
        use = _largest_in_increments(terms.increment_rule, limit, rate.initial_s * scale, rate.increment_s * scale)
    return _uncounted(terms, max(use + terms.free, terms.grace))


def longest_of_nothing(terms: Terms) -> int:
    """The most use that counts as none."""
    return _uncounted(terms, 0)


def next_start(rate: Rate, terms: Terms, position: int) -> int:
    """Where the first increment begins that begins no earlier than `position` of what is billed."""
    if position <= 0:
        return 0
    initial, increment = rate.initial_s * terms.scale, rate.increment_s * terms.scale
    if position <= initial:
        return initial
    if terms.increment_rule is IncrementRule.FROM_ZERO:
        return divide_up(position, increment) * increment
    return initial + divide_up(position - initial, increment) * increment


def _in_increments(rule: IncrementRule, use: int, initial: int, increment: int) -> int:
    over = use - initial
    if rule is IncrementRule.FROM_ZERO:
        return divide_up(use, increment) * increment if over > 0 else initial
    if rule is IncrementRule.BEGUN:
        return initial + (over // increment + 1) * increment if over >= 0 else initial
    return initial + divide_up(over, increment) * increment if over > 0 else initial


def _largest_in_increments(rule: IncrementRule, limit: int, initial: int, increment: int) -> int:
    over = limit - initial
    if over < 0:
        return 0
    if rule is IncrementRule.FROM_ZERO:
        return max(initial, limit - limit % increment)
    return limit - over % increment - (1 if rule is IncrementRule.BEGUN else 0)


def _uncounted(terms: Terms, use: int) -> int:
    """The most that `counted` does not make more than `use`."""
    if terms.sub_second is None or terms.measure is not Measure.TIME:
        return use
    seconds = use // 1000
    if terms.sub_second is Rounding.HALF_EVEN:
        return seconds * 1000 + (499 if seconds % 2 else 500)
    return seconds * 1000 + _LONGEST_OF_A_SECOND_MS[terms.sub_second]
