"""Simulated worlds keep their money, on both databases, and are told the same way from the same seed."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.simulation import run
from tests.simulation.world import Told

Times = Callable[[int, int], int]


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    with run.workshop() as made:
        yield made


def test_no_session_loses_money_and_a_seed_tells_the_same_story_again(directory: Path) -> None:
    first = run.play(directory, 14, 120)
    assert isinstance(first, Told), str(first)
    assert first.commits > 300
    assert first.kills > 0
    assert run.play(directory, 14, 120) == first


@pytest.mark.postgres
def test_on_postgresql_too(postgres_url: str, times: Times) -> None:
    told = run.play_on(postgres_url, 5, times(40, 5_000))
    assert isinstance(told, Told), str(told)


def test_many_worlds_on_every_processor(times: Times) -> None:
    sessions = times(60, 1_000_000)
    assert run.simulate(21, sessions, min(os.cpu_count() or 1, sessions // run.WORLD)) == 0
