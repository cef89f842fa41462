"""Which of the sound files that Tollgate plays a switch has: its prompts, and Asterisk's own words."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from sounds.core import CORE_SOUNDS
from sounds.manifest import FOLDER, load_manifest

LANGUAGE = "en"


def needed_sounds() -> frozenset[str]:
    """Every name that may be played, as it is played: `tollgate/goodbye`, `digits/1`, `minutes`."""
    return load_manifest().names | CORE_SOUNDS


def directories_in(data_directory: str) -> tuple[Path, ...]:
    """Where Asterisk looks for sounds of the language, given its `astdatadir`."""
    sounds = Path(data_directory) / "sounds"
    return sounds / LANGUAGE, sounds


def missing_sounds(names: Iterable[str], directories: Sequence[Path]) -> tuple[str, ...] | None:
    """The names without a file, of whatever format, in any of the directories; None when none of these can be read."""
    if not any(_stems(directory) for directory in directories):
        return None
    by_folder: dict[str, set[str]] = {}
    for name in names:
        folder, _, stem = name.rpartition("/")
        by_folder.setdefault(folder, set()).add(stem)
    missing = set()
    for folder, stems in by_folder.items():
        there = set[str]().union(*(_stems(directory / folder) for directory in directories))
        missing |= {f"{folder}/{stem}".removeprefix("/") for stem in stems - there}
    return tuple(sorted(missing))


def some_of(missing: Sequence[str]) -> str:
    """The first few, for a line."""
    return ", ".join(missing[:5]) + (" ..." if len(missing) > 5 else "")


def mend_missing(missing: Iterable[str]) -> str:
    """What to do about them."""
    of_ours = {name.startswith(f"{FOLDER}/") for name in missing}
    ours = "`python -m sounds.build --output DIR` with the `sounds` directory of the switch" if True in of_ours else ""
    core = "install asterisk-core-sounds-en" if False in of_ours else ""
    return "; ".join(one for one in (ours, core) if one)


def _stems(directory: Path) -> set[str]:
    try:
        return {entry.name.partition(".")[0] for entry in directory.iterdir() if entry.exists()}
    except OSError:
        return set()
