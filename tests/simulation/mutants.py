"""Bugs planted in a copy of the product, from unified diffs kept beside this module.

A hunk is found by its text, not by its line numbers, so it stays applicable while the lines around it move.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[2]
PATCHES = tuple(sorted((Path(__file__).parent / "mutations").glob("*.patch")))
PACKAGES = ("runtime", "ani", "billing", "dialplan", "ivr", "migrations", "sounds", "tests/simulation")
_SERVER = "tests/postgres_server.py"
_HUNK = re.compile(r"^@@ .*@@.*$")


class PatchError(Exception):
    """A planted bug has no place in the product as it is: the patch must be renewed."""


def apply(patch: Path, house: Path) -> Path:
    """Change the one file a patch is for, in the tree at `house`; gives that file."""
    lines = patch.read_text(encoding="utf-8").splitlines(keepends=True)
    target = next(line for line in lines if line.startswith("+++ b/")).removeprefix("+++ b/").strip()
    text = (house / target).read_text(encoding="utf-8")
    for old, new in _hunks(lines):
        if text.count(old) != 1:
            raise PatchError(f"{patch.name}: its lines are {text.count(old)} times in {target}")
        text = text.replace(old, new)
    (house / target).write_text(text, encoding="utf-8")
    compile(text, target, "exec")
    return house / target


def _hunks(lines: list[str]) -> list[tuple[str, str]]:
    hunks: list[tuple[list[str], list[str]]] = []
    for line in lines:
        if _HUNK.match(line):
            hunks.append(([], []))
        elif hunks:
            if line[0] in " -":
                hunks[-1][0].append(line[1:])
            if line[0] in " +":
                hunks[-1][1].append(line[1:])
    return [("".join(old), "".join(new)) for old, new in hunks]


def plant(patch: Path, place: Path) -> None:
    """A copy of the product with this bug in it."""
    for package in PACKAGES:
        shutil.copytree(HOUSE / package, place / package, ignore=shutil.ignore_patterns("__pycache__", "en"))
    shutil.copy(HOUSE / _SERVER, place / _SERVER)
    apply(patch, place)


def hunt(place: Path, seed: int, sessions: int, limit_s: float = 1200.0) -> subprocess.CompletedProcess[str]:
    """The simulation of the product at `place`, in a process of its own."""
    command = ("-m", "tests.simulation.run", "--seed", str(seed), "--sessions", str(sessions), "--jobs", "1")
    return subprocess.run(
        [sys.executable, *command],
        cwd=place,
        env={"PYTHONPATH": str(place), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )
