"""The one price function: what quotes, reserves, announces, bills and explains a call is here and nowhere else.

Time is bought in begun increments: the initial block, then increments counted after it ("60/6": one block of 60 s, then
6 s each), and never less than the minimum. Usage is in milliseconds, money in micro-units; both are integers.
"""

from dataclasses import dataclass

from billing.money import divide_up, format_amount


@dataclass(frozen=True, slots=True)
class Rate:
    """What one prefix of one tariff version costs; raises ValueError for a rate that could not be billed."""

    tariff_version_id: int
    prefix: str
    destination: str
    currency: str
    price_per_minute_micros: int
    connect_fee_micros: int = 0
    minimum_s: int = 0
    initial_s: int = 1
    increment_s: int = 1
    blocked: bool = False

    def __post_init__(self) -> None:
        if self.initial_s < 1 or self.increment_s < 1 or self.minimum_s < 0:
            raise ValueError("increments are at least one second, a minimum is not negative")
        if self.price_per_minute_micros < 0 or self.connect_fee_micros < 0:
            raise ValueError("a price is not negative")


@dataclass(frozen=True, slots=True)
class Grant:
    """Time that may be used and the money held for it; `final` when nothing more can follow it as things stand."""

    granted_ms: int
    held_micros: int
    final: bool


NOTHING = Grant(0, 0, final=True)


def billed_ms(rate: Rate, used_ms: int) -> int:
    """The time that is billed for the time used: begun increments, at least the minimum; 0 for no use."""
    return _billed_s(rate, used_ms) * 1000


def price_micros(rate: Rate, used_ms: int) -> int:
    """Connect fee + billed seconds x price / 60, the total rounded up to a micro-unit; 0 for no use. Never falls."""
    if used_ms <= 0:
        return 0
    return rate.connect_fee_micros + divide_up(_billed_s(rate, used_ms) * rate.price_per_minute_micros, 60)


def largest_grant(rate: Rate, funds_micros: int, wanted_ms: int, cap_ms: int) -> Grant:
    """The grant for `wanted_ms` of use in total that `funds_micros` can pay and `cap_ms` allows.

    Whole increments that cover what is wanted, where the funds reach. Where they do not: the whole increments that
    fit and, pro rata, a part of the next one (never all of it), for which *all* the funds are held, so that the account
    ends at exactly zero. The initial block may be given in part; the connect fee and the minimum must fit whole, else
    nothing is granted. A grant cut by the cap, or that leaves no money, is final. It never shrinks when more is wanted.
    """
    if cap_ms <= 0:
        return NOTHING
    target_ms = min(_boundary_ms(rate, wanted_ms), cap_ms)
    held_micros = price_micros(rate, target_ms)
    if held_micros > funds_micros:
        return _final_unit(rate, funds_micros, cap_ms)
    spent = held_micros == funds_micros and price_micros(rate, target_ms + 1) > funds_micros
    return Grant(target_ms, held_micros, final=spent or target_ms == cap_ms)


def charge_micros(rate: Rate, used_ms: int, grant: Grant) -> int:
    """What `used_ms` under `grant` costs: use beyond the grant is not charged, nor more than was held."""
    return min(price_micros(rate, min(used_ms, grant.granted_ms)), grant.held_micros)


def talk_time_ms(rate: Rate, funds_micros: int, cap_ms: int) -> int:
    """The time that may be announced for these funds: exactly what would be granted to somebody who wants all of it."""
    return largest_grant(rate, funds_micros, cap_ms, cap_ms).granted_ms


def explain(rate: Rate, used_ms: int) -> list[str]:
    """How the price of `used_ms` comes about, a step a line."""
    per_minute = format_amount(rate.price_per_minute_micros, rate.currency)
    lines = [
        f"prefix {rate.prefix} ({rate.destination or 'no name'}), tariff version {rate.tariff_version_id}",
        f"{per_minute} a minute, increments {rate.initial_s}/{rate.increment_s} s, minimum {rate.minimum_s} s",
    ]
    if rate.blocked:
        return [*lines, "this destination is blocked: no call, no price"]
    if used_ms <= 0:
        return [*lines, "not used: nothing to pay"]
    seconds = _billed_s(rate, used_ms)
    total = price_micros(rate, used_ms)
    return [
        *lines,
        f"used {used_ms} ms, billed {seconds} s",
        f"{seconds} s x {per_minute} / 60 = {format_amount(total - rate.connect_fee_micros, rate.currency)}",
        f"connect fee {format_amount(rate.connect_fee_micros, rate.currency)}",
        f"total {format_amount(total, rate.currency)}",
    ]


def _billed_s(rate: Rate, used_ms: int) -> int:
    if used_ms <= 0:
        return 0
    over_ms = used_ms - rate.initial_s * 1000
    seconds = rate.initial_s
    if over_ms > 0:
        seconds += divide_up(over_ms, rate.increment_s * 1000) * rate.increment_s
    return max(seconds, rate.minimum_s)


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
