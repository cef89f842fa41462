"""Live tests that fail are tried again only while the host took processors away."""

import itertools
import os
from collections.abc import Iterator

import pytest

from tests.host import TAKEN, Calm, Disturbed, Watch, stolen_s

CPUS = os.cpu_count() or 1


def watch(shares: Iterator[float]) -> Watch:
    """Every look comes ten seconds after the one before, of which these shares were taken away."""
    stolen, passed = itertools.accumulate(share * 10 * CPUS for share in shares), itertools.count(0.0, 10.0)
    return Watch(lambda: next(stolen), lambda: next(passed))


def test_the_share_taken_away_is_of_all_processors() -> None:
    assert watch(iter([0.7, 0.25])).taken() == pytest.approx(0.25)
    assert stolen_s() >= 0


def test_what_fails_on_processors_that_are_ours_has_failed() -> None:
    assert not Disturbed(watch(iter([0.5, TAKEN / 2])))(AssertionError())


def test_what_passes_is_not_tried_again() -> None:
    assert not Disturbed(watch(iter([0.0, 0.5])))(None)


def test_it_is_tried_again_when_the_host_takes_no_more() -> None:
    waits: list[float] = []
    # two readings each: of the try that failed, and of each wait
    assert Disturbed(watch(iter([0.0, 0.4, 0.0, 0.4, 0.0, 0.4, 0.0, 0.01])), waits.append)(AssertionError())
    assert len(waits) == 3


def test_it_waits_a_minute_at_most_and_three_in_all() -> None:
    waits: list[float] = []
    disturbed = Disturbed(watch(itertools.cycle([0.4])), waits.append)
    for waited_s in (60.0, 120.0, 180.0, 180.0):
        assert disturbed(AssertionError())
        assert sum(waits) == waited_s


def test_moments_are_calm_between_two_looks_that_see_nothing_taken() -> None:
    stolen = iter([0.0, 0.0, 0.4, 0.4])
    calm = Calm(lambda: next(stolen))
    for at_s in (0.0, 1.0, 2.0, 3.0):
        calm.look(at_s)
    assert all(calm.was(*moments) for moments in ((0.1, 0.9), (2.2, 2.9), (3.0, 3.5)))
    assert not any(calm.was(*moments) for moments in ((1.2, 1.3), (0.9, 1.1), (0.5, 2.5)))
