"""When a call that is up needs more money, a warning, or its end: the client side of credit control (RFC 8506), pure.

The switch holds the deadline; the meter only says when to ask for more and when to speak. All times are milliseconds
since the called party answered.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class MeterPolicy:
    """How early to extend, how much to ask for, and when to warn (remaining seconds, falling)."""

    grant_ms: int
    extend_before_ms: int
    warn_at_ms: tuple[int, ...]
    retry_ms: int = 1000

    @property
    def margin_ms(self) -> int:
        """How long before the end of the grant more is asked for; early enough that no warning comes too late."""
        return max([self.extend_before_ms, *(at + self.retry_ms for at in self.warn_at_ms)])

    @property
    def first_grant_ms(self) -> int:
        """What to ask for before the call is connected: so much that nothing is due at the moment of the answer."""
        return self.grant_ms if self.grant_ms > self.margin_ms else self.grant_ms + self.margin_ms


@dataclass(frozen=True, slots=True)
class Meter:
    """What is known of one answered call."""

    granted_ms: int
    final: bool
    request_number: int
    warned_ms: int | None = None
    asked_again_ms: int = 0

    def extended(self, granted_ms: int, *, final: bool, not_before_ms: int = 0) -> "Meter":
        """After more was granted (or the same, and that was all); new time may be warned of anew.

        Sessions that share an account get small pieces near its end: no more is asked for before `not_before_ms`.
        """
        warned_ms = self.warned_ms if granted_ms == self.granted_ms else None
        return Meter(granted_ms, final, self.request_number + 1, warned_ms, not_before_ms)

    def failed(self, elapsed_ms: int, policy: MeterPolicy) -> "Meter":
        """After asking for more failed: ask again a little later, until the grant is over."""
        return replace(self, asked_again_ms=elapsed_ms + policy.retry_ms)

    def warned_at(self, threshold_ms: int) -> "Meter":
        """After this warning was given: earlier (longer) ones are out of date and are never given after it."""
        return replace(self, warned_ms=threshold_ms)


@dataclass(frozen=True, slots=True)
class Extend:
    """Ask for time up to `wanted_ms` under this request number."""

    request_number: int
    wanted_ms: int


@dataclass(frozen=True, slots=True)
class Warn:
    """Tell the payer that so much time is left."""

    threshold_ms: int
    remaining_ms: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do until so many milliseconds after the answer; None: nothing ever again."""

    until_ms: int | None


def look_again(meter: Meter, elapsed_ms: int, policy: MeterPolicy) -> Extend | None:
    """What to ask when the account changed: more, if there was none; else, once, only to tell what was used so far."""
    if elapsed_ms >= meter.granted_ms:
        return None
    if meter.final:
        return Extend(meter.request_number + 1, meter.granted_ms + policy.grant_ms)
    return Extend(1, meter.granted_ms) if meter.request_number == 0 else None


def next_step(meter: Meter, elapsed_ms: int, policy: MeterPolicy) -> Extend | Warn | Wait:
    """The one thing to do now, or until when there is nothing to do."""
    remaining_ms = meter.granted_ms - elapsed_ms
    if remaining_ms <= 0:
        return Wait(None)
    if not meter.final:
        due_ms = max(meter.granted_ms - policy.margin_ms, meter.asked_again_ms)
        if elapsed_ms >= due_ms:
            return Extend(meter.request_number + 1, meter.granted_ms + policy.grant_ms)
        return Wait(due_ms)
    last_ms = meter.granted_ms if meter.warned_ms is None else meter.warned_ms
    open_ms = [at for at in policy.warn_at_ms if at < last_ms]
    reached = [at for at in open_ms if remaining_ms <= at]
    if reached:
        return Warn(min(reached), remaining_ms)
    return Wait(meter.granted_ms - max(open_ms)) if open_ms else Wait(None)
