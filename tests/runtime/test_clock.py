"""Two clocks are read at one moment, and what the wall was set by is told to the microsecond."""

from datetime import datetime, timedelta

from runtime.clock import SystemClock, read_both
from tests.clock import SettableClock


def test_time_that_passes_is_no_step_and_a_wall_that_is_set_is() -> None:
    clock = SettableClock()
    before = read_both(clock)
    clock.advance(100.0)
    assert read_both(clock).stepped_since(before) == timedelta(0)
    clock.set(clock.now() - timedelta(hours=1))
    assert read_both(clock).stepped_since(before) == timedelta(hours=-1)
    clock.set(clock.now() + timedelta(hours=1, seconds=2))
    assert read_both(clock).stepped_since(before) == timedelta(seconds=2)


class Stalling(SettableClock):
    """A clock of a machine that stands still for a second between two looks, the first few times."""

    stalls = 3

    def now(self) -> datetime:
        """The moment, a second after it was asked for."""
        if self.stalls:
            self.stalls -= 1
            self.advance(1.0)
        return super().now()


def test_a_stalled_machine_makes_no_step() -> None:
    clock = Stalling()
    before = read_both(clock)
    assert clock.stalls == 0
    assert read_both(clock).stepped_since(before) == timedelta(0)


def test_the_machines_clocks_go_together() -> None:
    clock = SystemClock()
    before = read_both(clock)
    assert abs(read_both(clock).stepped_since(before)) < timedelta(seconds=0.25)
