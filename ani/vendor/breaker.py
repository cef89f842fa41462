"""When a vendor that fails is left alone for a while. Pure: the moments are monotonic seconds it is told."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """How many failures in a row open it, and for how long."""

    failures: int
    open_s: float


@dataclass(frozen=True, slots=True)
class Breaker:
    """Closed while the vendor answers. After too many failures in a row it is open for a time, then lets one try in.

    What that one meets closes it, or opens it anew; a try that never comes back is forgotten after the same time.
    """

    rules: BreakerRules
    failed: int = 0
    open_until_s: float | None = None

    def admit(self, now_s: float) -> "Breaker | None":
        """The breaker with this question let in; none when it is not."""
        if self.open_until_s is None:
            return self
        if now_s < self.open_until_s:
            return None
        return Breaker(self.rules, self.failed, now_s + self.rules.open_s)

    def answered(self) -> "Breaker":
        """After an answer."""
        return Breaker(self.rules)

    def failing(self, now_s: float) -> "Breaker":
        """After a failure."""
        failed = self.failed + 1
        is_open = failed >= self.rules.failures
        return Breaker(self.rules, failed, now_s + self.rules.open_s if is_open else None)
