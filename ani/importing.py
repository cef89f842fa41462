"""Loading a CSV file batch by batch: each batch one short transaction, so that calls go on while it runs.

A run that was cut off is simply run again: what is there already is counted as unchanged.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from sqlalchemy.engine import Connection, Engine

from ani.numbers import LONGEST_E164, NumberRefusal, parse_ani
from runtime.csv_import import (
    BadRowError,
    Column,
    ImportResult,
    Rejected,
    RejectFile,
    Row,
    Tell,
    Watch,
    batches,
    read_rows,
)
from runtime.database import transaction

T = TypeVar("T")

BATCH_ROWS = 5000
_LONGEST_RAW = LONGEST_E164 + 16
_PUNCTUATION = str.maketrans("", "", " -.()")


@dataclass(frozen=True, slots=True)
class Source:
    """A file to import, and how."""

    path: Path
    rejects: RejectFile
    mapping: dict[str, str] = field(default_factory=dict)
    home_country: str = "US"
    watch: Watch | None = None
    batch_rows: int = BATCH_ROWS
    tell_ignored: Tell | None = None


def load_file(
    engine: Engine,
    source: Source,
    columns: Sequence[Column],
    parse: Callable[[dict[str, str]], T],
    write: Callable[[Connection, Sequence[T]], int],
) -> ImportResult:
    """Read the file and `write` it in batches; `write` gives how many rows it changed, the rest are unchanged.

    On a rehearsing engine every batch is rolled back: what it counts as loaded may be a little more than a true run
    would load, as it does not see its own earlier batches. Raises CsvFileError; what was loaded before it stays loaded.
    """
    result = ImportResult()
    rows = read_rows(source.path, columns, source.mapping, parse, source.watch, tell_ignored=source.tell_ignored)
    with source.rejects:
        for batch in batches(rows, source.batch_rows):
            good = [row.value for row in batch if isinstance(row, Row)]
            bad = [row for row in batch if isinstance(row, Rejected)]
            loaded = 0
            if good:
                with transaction(engine) as conn:
                    loaded = write(conn, good)
            for rejected in bad:
                source.rejects.write(rejected)
            result += ImportResult(loaded, len(bad), len(good) - loaded)
    return result


class Once:
    """Tells a key that comes twice in a file with different content, which no second run could settle.

    Keeps some 150 bytes for each row of the file.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._seen: dict[int, int] = {}

    def check(self, key: int, content: object) -> None:
        """Raise BadRowError when the key came before with other content."""
        mark = hash(content)
        if self._seen.setdefault(key, mark) != mark:
            raise BadRowError(f"{self._what} twice in this file, with different content")


def parse_line(text: str, home_country: str) -> tuple[str, str]:
    """E.164 and country of a number people wrote (spaces, hyphens, dots, brackets allowed); raises BadRowError."""
    found = parse_ani(text.translate(_PUNCTUATION), home_country) if len(text) <= _LONGEST_RAW else None
    if found is None or isinstance(found, NumberRefusal):
        raise BadRowError("ani: not a telephone number")
    return found.e164, found.country


def parse_text(fields: dict[str, str], name: str, longest: int, *, needed: bool = False) -> str:
    """A field of at most `longest` characters; raises BadRowError."""
    text = fields[name]
    if len(text) > longest:
        raise BadRowError(f"{name}: {len(text)} characters, at most {longest}")
    if needed and not text:
        raise BadRowError(f"{name}: empty")
    return text
