"""The simulation finds bugs that were planted, and the patches that plant them still fit the product."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.simulation import mutants

QUICK = "keeps_the_hold"
"""The one that is hunted in every run of the tests; the others in `make proof`."""


def test_there_are_fifteen() -> None:
    assert len(mutants.PATCHES) == 15


@pytest.mark.parametrize("patch", mutants.PATCHES, ids=lambda patch: patch.stem)
def test_it_still_fits_the_product(patch: Path, tmp_path: Path) -> None:
    shutil.copytree(mutants.HOUSE / "billing", tmp_path / "billing")
    shutil.copytree(mutants.HOUSE / "ivr", tmp_path / "ivr")
    changed = mutants.apply(patch, tmp_path)
    assert changed.read_text() != (mutants.HOUSE / changed.relative_to(tmp_path)).read_text()


def test_they_are_found(tmp_path: Path, times: Callable[[int, int], int]) -> None:
    hunted = [patch for patch in mutants.PATCHES if patch.stem == QUICK or times(0, 1)]
    unfound = []
    for patch in hunted:
        place = tmp_path / patch.stem
        mutants.plant(patch, place)
        found = mutants.hunt(place, 1, 25_000)
        if found.returncode != 1 or "again: make simulate SEED=" not in found.stdout:
            unfound.append((patch.stem, found.stdout[-2000:], found.stderr[-2000:]))
    assert unfound == []
