"""How long a call has been up, also where the wall clock is set in its midst. Pure.

The switch stamps answer and end, and times its deadlines, by its wall clock; nothing else of it can be had. This
process has a clock that only goes on beside it. So the stamps tell the time used, unless the wall was set between them:
then what the wall was set by is taken out again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from runtime.reading import Reading

STEP = timedelta(seconds=0.25)
"""The least change of the wall that is taken for one: reading two clocks on a busy machine errs by less."""
SURE = timedelta(seconds=1)
"""How late at most this process hears an end, for its own time to bear witness against the stamps."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """The answer of a call on this process's own clock, and both clocks when it learnt of it.

    `ordered_s` is when the switch was told to dial, by the same clock; none where another process did.
    """

    answered_s: float
    learnt: Reading
    ordered_s: float | None = None

    def elapsed_ms(self, now_s: float) -> int:
        """Whole milliseconds since the answer."""
        return max(0, int((now_s - self.answered_s) * 1000))


def anchored(answered_at: datetime, now: Reading, ordered_s: float | None) -> Anchor:
    """The anchor of a call that was answered at this moment of the wall.

    Never in the future, and never before the switch was told to dial: so a wall that is wrong, or was set since, counts
    for no more than the time it rang. A process that finds the call up has only the wall to go by.
    """
    age_s = max(0.0, (now.wall_at - answered_at).total_seconds())
    if ordered_s is not None:
        age_s = min(age_s, max(0.0, now.monotonic_s - ordered_s))
    return Anchor(now.monotonic_s - age_s, now, ordered_s)


def ended_at(answered_at: datetime, stamped_at: datetime, anchor: Anchor | None, now: Reading) -> datetime:
    """The end of a call as the wall at its answer would have told it, heard of now; never before the answer.

    The stamps win, with three exceptions: the wall was set while the call was up, and without that the stamps agree
    with the time this process saw go by; the stamps say more than went by since the switch was told to dial, which
    cannot be; they run backwards. A step of another machine's wall that shows in none of these is bounded by what was
    granted.
    """
    if anchor is None:
        return max(answered_at, stamped_at)
    used, seen = stamped_at - answered_at, timedelta(seconds=now.monotonic_s - anchor.answered_s)
    stepped = now.stepped_since(anchor.learnt)
    unstepped = used - stepped
    if abs(stepped) >= STEP and abs(unstepped - seen) < min(SURE, abs(used - seen)):
        used = min(unstepped, seen)  # it was over before this process heard so
    if anchor.ordered_s is not None and used > timedelta(seconds=now.monotonic_s - anchor.ordered_s) + SURE:
        used = seen
    return answered_at + max(timedelta(0), used)
