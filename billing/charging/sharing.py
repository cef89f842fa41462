"""How sessions that share an account divide what is left of it, so that they end together (CHG-7).

All that is still available would last all of them for one common time. Whoever asks for more gets what the others do
not need to get there; so nobody is starved, no grant is taken back, and the last pieces end at the same moment. While
there is plenty, grants are what was asked for; as the end comes near they shrink to half of what is left for each, so
that a newcomer finds something, and what is left for no more than one grant is given whole: the final unit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from billing.money import divide_up
from billing.rating import Context, Rate, hold_micros, largest_grant, price_micros

MOMENT_MS = 20
"""Who has his last piece and ends so near the common end has arrived: what rounding left goes to those who yet ask."""


@dataclass(frozen=True, slots=True)
class Sharer:
    """A session as it stands at this moment: what it used, what it was granted, and what is held for that.

    It uses `pace_used` more (milliseconds, bytes or units) in `pace_ms`; a `pace_used` of 0 is not known. A `final` one
    asks for no more until something changes.
    """

    rate: Rate
    context: Context
    used: int
    granted: int
    held_micros: int
    cap: int
    pace_used: int = 1
    pace_ms: int = 1
    final: bool = False

    def used_after(self, time_ms: int) -> int:
        """What it will have used, if nobody ends it, but for its cap."""
        return max(self.granted, min(self.cap, self.used + time_ms * self.pace_used // self.pace_ms))

    def needs_micros(self, time_ms: int) -> int:
        """What must be held beyond the present hold so that it may go on for so long."""
        return max(0, smooth_micros(self.rate, self.used_after(time_ms), self.context) - self.held_micros)

    def has_arrived(self, time_ms: int) -> bool:
        """Whether it was granted its last piece, and that lasts for so long, but for a moment."""
        return self.final and (self.used_after(time_ms) - self.granted) * self.pace_ms <= MOMENT_MS * self.pace_used


@dataclass(frozen=True, slots=True)
class Part:
    """What one session may take now: up to so much use in all, paid from so much of what is available.

    `is_last`: it will find no more, as things stand.
    """

    funds_micros: int
    wanted: int
    is_last: bool


def share(available_micros: int, mine: Sharer, others: Sequence[Sharer], wanted: int) -> Part:
    """The part of what is available that `mine` may have when it wants `wanted` in all, beside all `others`.

    The parts never add up to more than there is, whoever asks first. A session that does not tell how fast it goes
    gets half of what there is, so long as others run and that buys anything.
    """
    ahead = wanted - mine.used
    if not others or ahead <= 0:
        return Part(available_micros, wanted, is_last=True)
    if not mine.pace_used:
        half_micros = available_micros // 2
        grant = largest_grant(mine.rate, mine.held_micros + half_micros, wanted, mine.cap, mine.context)
        if grant.granted_ms > mine.granted:
            return Part(half_micros, wanted, is_last=False)
        return Part(available_micros, wanted, is_last=True)
    ahead_ms = divide_up(ahead * mine.pace_ms, mine.pace_used)
    time_ms = common_time_ms(available_micros, (mine, *others), 2 * ahead_ms)
    asking = [one for one in others if not one.has_arrived(time_ms)]
    if len(asking) < len(others):
        others = asking
        time_ms = common_time_ms(available_micros, (mine, *others), 2 * ahead_ms)
    funds_micros = available_micros - sum(one.needs_micros(time_ms) for one in others)
    if time_ms <= ahead_ms:
        return Part(funds_micros, wanted, is_last=True)
    reach = max(time_ms, ahead_ms) // 2 * mine.pace_used // mine.pace_ms
    return Part(funds_micros, mine.used + min(ahead, max(reach, 1)), is_last=True)


def common_time_ms(available_micros: int, sharers: Sequence[Sharer], most_ms: int) -> int:
    """How long all of these can go on together until nothing is available any more; at most `most_ms`."""

    def fits(time_ms: int) -> bool:
        left_micros = available_micros
        for one in sharers:
            left_micros -= one.needs_micros(time_ms)
            if left_micros < 0:
                return False
        return True

    if fits(most_ms):
        return most_ms
    low, high = 0, most_ms
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def smooth_micros(rate: Rate, used: int, context: Context) -> int:
    """The price with the increment that is begun counted pro rata, as a final unit is; never above the price.

    A rate with terms is counted by whole increments: its sessions end together but for one of them.
    """
    if rate.terms is not None or context.bundles:
        return hold_micros(rate, used, context)
    if used <= 0:
        return 0
    begins, length = 0, rate.initial_s * 1000
    paid_micros = rate.connect_fee_micros
    if used > length:
        increment = rate.increment_s * 1000
        begins = length + (used - length) // increment * increment
        length, paid_micros = increment, price_micros(rate, begins)
    block_micros = price_micros(rate, begins + length) - paid_micros
    return paid_micros + divide_up(block_micros * (used - begins), length)
