"""What the host of a virtual machine takes away of its processors, and tests that were disturbed by it.

Live tests measure by the clock what a caller would see. Where the host gives half of the processors to others, a digit
comes late and a call is answered late through no fault of the gateway. So a live test that fails while that happens is
tried again, when it is over; `make test` tells of each. One that fails on processors that are ours has failed.
"""

import os
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from operator import itemgetter
from pathlib import Path

import pytest

TAKEN = 0.03
"""With less than that taken away all live tests pass; with a third and more taken for minutes, seven did not."""
TRIES_MORE = 3
_LOOK_S, _LONGEST_WAIT_S = 3.0, 60.0
_WAITS_IN_ALL_S = 180.0
"""A host that takes much for long is not waited for with every test: the whole has a limit of time too."""
_STEAL_FIELD = 8


def stolen_s() -> float:
    """Seconds of processor the host has given to others while this machine wanted them; see proc(5)."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return int(fields[_STEAL_FIELD]) / os.sysconf("SC_CLK_TCK")


class Watch:
    """The share of all processors that was taken away since it was begun."""

    def __init__(self, read_s: Callable[[], float] = stolen_s, now_s: Callable[[], float] = time.monotonic) -> None:
        self._read_s, self._now_s = read_s, now_s
        self.begin()

    def begin(self) -> None:
        """From now on."""
        self._stolen_s, self._begun_s = self._read_s(), self._now_s()

    def again(self) -> "Watch":
        """Another, begun now."""
        return Watch(self._read_s, self._now_s)

    def taken(self) -> float:
        """From 0 to 1."""
        passed_s = max(self._now_s() - self._begun_s, 1 / os.sysconf("SC_CLK_TCK"))
        return (self._read_s() - self._stolen_s) / passed_s / (os.cpu_count() or 1)


class Calm:
    """Which moments of a measurement the host left alone; to be asked several times a second what it takes."""

    LEFT_ALONE = 0.01

    def __init__(self, read_s: Callable[[], float] = stolen_s) -> None:
        self._read_s = read_s
        self._looks: list[tuple[float, float]] = []

    def look(self, at_s: float) -> None:
        """What is taken by now, by the clock the moments are told by."""
        self._looks.append((at_s, self._read_s()))

    def was(self, begun_s: float, ended_s: float) -> bool:
        """Whether less than a hundredth was taken of all between the looks before and after."""
        first = max(bisect_right(self._looks, begun_s, key=itemgetter(0)) - 1, 0)
        last = min(bisect_left(self._looks, ended_s, key=itemgetter(0)), len(self._looks) - 1)
        (from_s, stolen_before_s), (to_s, stolen_after_s) = self._looks[first], self._looks[last]
        return stolen_after_s - stolen_before_s <= self.LEFT_ALONE * (to_s - from_s) * (os.cpu_count() or 1)


class Disturbed:
    """Whether a test that failed is to be tried again."""

    def __init__(self, watch: Watch, wait_s: Callable[[float], None] = time.sleep) -> None:
        self._watch, self._wait_s = watch, wait_s
        self._left_s = _WAITS_IN_ALL_S

    def __call__(self, fault: BaseException | None) -> bool:
        """Yes if the host took much while it ran; answered when it takes no more, or after a minute.

        Once three minutes were spent on waiting nobody waits any more.
        """
        if fault is None or self._watch.taken() < TAKEN:
            return False
        until_s = max(0.0, self._left_s - _LONGEST_WAIT_S)
        while self._left_s > until_s:
            now = self._watch.again()
            self._wait_s(_LOOK_S)
            self._left_s -= _LOOK_S
            if now.taken() < TAKEN:
                break
        return True


WATCH = Watch()
AGAIN = pytest.mark.flaky(reruns=TRIES_MORE, condition=Disturbed(WATCH))
"""The mark of the tests that are tried again; `flaky` is the library's word."""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Each try is watched from its beginning."""
    WATCH.begin()
