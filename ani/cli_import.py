"""What the import commands of this room have in common."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ani.importing import Source
from runtime.clock import SystemClock
from runtime.command import CommandError, ExitCode, console, print_document, print_done
from runtime.csv_import import CsvFileError, ImportResult, RejectFile, parse_mapping
from runtime.csv_progress import Progress

LONGEST_SUPPLIER = 40


@dataclass(frozen=True, slots=True)
class Ask:
    """What was asked for, as it was typed."""

    file: Path
    mapping: tuple[str, ...]
    reject_file: Path | None
    home_country: str
    dry_run: bool
    as_json: bool


def run(ask: Ask, load: Callable[[Source], ImportResult]) -> int:
    """Run an import and say what it did; PARTIAL when rows were rejected, USAGE when the file cannot be used."""
    progress = Progress(sys.stderr, SystemClock().monotonic_s)
    rejects = RejectFile(ask.reject_file or RejectFile.beside(ask.file))
    ignored: list[str] = []
    try:
        mapping = parse_mapping(ask.mapping)
        result = load(Source(ask.file, rejects, mapping, ask.home_country, progress, tell_ignored=ignored.extend))
    except CsvFileError as error:
        raise CommandError(str(error), ExitCode.USAGE) from error
    finally:
        progress.end()
    reject_file = str(rejects.path) if result.rejected else None
    say_ignored(ignored)
    if ask.as_json:
        document = {"file": str(ask.file), **asdict(result), "reject_file": reject_file, "dry_run": ask.dry_run}
        print_document(document | {"ignored_columns": ignored})
    else:
        print_done(f"{result.loaded} loaded, {result.unchanged} unchanged, {result.rejected} rejected")
        if reject_file:
            console.print(f"rejected rows: {reject_file}", markup=False, highlight=False, soft_wrap=True)
    return ExitCode.PARTIAL if result.rejected else ExitCode.OK


def say_ignored(names: Sequence[str]) -> None:
    """Name the columns of a file that were not read."""
    if names:
        said = f"columns that are no fields of this import, not read: {', '.join(names)}"
        console.print(said, markup=False, highlight=False, soft_wrap=True)


def check_supplier(name: str) -> str:
    """Who a file is from, as it can be kept; raises CommandError."""
    if not 0 < len(name) <= LONGEST_SUPPLIER or not name.isprintable():
        raise CommandError(f"--source: 1 to {LONGEST_SUPPLIER} characters are needed", ExitCode.USAGE)
    return name
