"""Reading CSV files that people made: header checked, bad rows told apart with their line and reason, good rows kept.

Files are UTF-8 (a byte order mark is passed over), comma separated, quoted as in RFC 4180, with a header row. Columns
are found by name, whatever their case and order. A column nobody asked for is ignored, and told; one that is called
nearly like a missing one is taken for misspelled, and the file refused. Blank lines are passed over.
"""

import csv
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from io import TextIOWrapper
from itertools import islice
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, TextIO, TypeVar

T = TypeVar("T")

HIDDEN = "***"
UNUSED = "-"
"""The field that a column is mapped to which is not to be read, nor taken for another."""
_CLOSE = 0.8
_WATCH_EVERY_ROWS = 1000
_REJECT_HEADER = ("line", "reason")
_LONGEST_SECRET_DIGITS = 9


class CsvFileError(Exception):
    """The whole file, or the way it was asked for, cannot be used; the message says why (usage error)."""


class BadRowError(ValueError):
    """Raised by a row parser: this row is not loaded; the message is the reason and must not show a secret."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column an import knows. What a secret column holds never leaves the parser, and never is in a reject file."""

    name: str
    required: bool = True
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Row(Generic[T]):
    """A good row and the line of the file it begins on (the header is line 1).

    `raw` is the row as it stood, for one that is refused later on; of a file with a secret column it is empty.
    """

    line: int
    value: T
    raw: tuple[str, ...] = field(default=(), compare=False)
    header: tuple[str, ...] = field(default=(), compare=False)

    def refused(self, reason: str) -> "Rejected":
        """The row as one that was not loaded after all."""
        return Rejected(self.line, reason, self.raw, self.header)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A bad row: where it begins, why it is refused, and its cells as they may be shown, under the file's header."""

    line: int
    reason: str
    raw: tuple[str, ...]
    header: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did, in rows."""

    loaded: int = 0
    rejected: int = 0
    unchanged: int = 0

    def __add__(self, other: "ImportResult") -> "ImportResult":
        return ImportResult(
            self.loaded + other.loaded, self.rejected + other.rejected, self.unchanged + other.unchanged
        )


Watch = Callable[[int, int, int], None]
"""Told now and then while a file is read: rows so far, bytes so far, bytes in all."""
Tell = Callable[[Sequence[str]], None]
"""Told which columns of a file are not read, once its header was."""


def parse_mapping(pairs: Sequence[str]) -> dict[str, str]:
    """`--map COLUMN=FIELD` options as {column of the file: field of the import, or UNUSED}; raises CsvFileError."""
    mapping: dict[str, str] = {}
    for pair in pairs:
        column, equals, field = (part.strip() for part in pair.rpartition("="))
        if not (column and equals and field):
            raise CsvFileError(f"--map {pair}: write it as COLUMN=FIELD, the file's column first")
        if column.lower() in mapping:
            raise CsvFileError(f"--map {pair}: the column {column} is mapped twice")
        mapping[column.lower()] = field.lower()
    return mapping


def read_rows(
    path: Path,
    columns: Sequence[Column],
    mapping: Mapping[str, str],
    parse: Callable[[dict[str, str]], T],
    watch: Watch | None = None,
    *,
    skip: int = 0,
    tell_ignored: Tell | None = None,
    further: Iterable[str] = (),
) -> Iterator[Row[T] | Rejected]:
    """Each row of the file, parsed or rejected, in order, but for the first `skip`; memory does not grow with the file.

    `parse` gets every field of `columns` (absent optional ones as ""), white space trimmed and runs of it made one
    space, free of control characters; it returns the value or raises BadRowError. Raises CsvFileError, at the first
    row asked for, when the file cannot be read, lacks a required column, or has one that is nearly called like a field
    it lacks: one of `columns` or of the `further` fields, which are known and left out of `columns`.
    """
    try:
        octets = path.open("rb")
    except OSError as error:
        raise CsvFileError(f"{path}: {error.strerror}") from error
    with octets, TextIOWrapper(octets, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        size = os.fstat(octets.fileno()).st_size
        reader = csv.reader(file, strict=True)
        layout = _read_layout(path, reader, columns, mapping)
        ignored = _ignored(path, layout, mapping, {*layout.names, *further})
        if tell_ignored is not None and ignored:
            tell_ignored([layout.shown_name(name) for name in ignored])
        for count, (line, cells, fault) in enumerate(_records(reader), start=1):
            if watch is not None and count % _WATCH_EVERY_ROWS == 0:
                watch(count, octets.tell(), size)
            if count <= skip:
                continue
            if fault is not None:
                yield layout.reject(line, fault, cells)
                continue
            try:
                yield Row(line, parse(layout.fields(cells)), *layout.shown(cells))
            except BadRowError as error:
                yield layout.reject(line, str(error), cells)


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where each field stands in this file."""

    header: tuple[str, ...]
    positions: Mapping[str, int]
    absent: tuple[str, ...]
    hidden: frozenset[int]
    names: tuple[str, ...]
    pick: Callable[[Sequence[str]], tuple[str, ...]]
    """What stands under these `names`, out of the cells and one empty cell more."""

    def fields(self, cells: Sequence[str]) -> dict[str, str]:
        """The fields of a row; raises BadRowError when the row is not of this layout or not clean text."""
        if len(cells) != len(self.header):
            raise BadRowError(f"{len(cells)} cells, the header has {len(self.header)}")
        # Nearly every row is clean: then one look at the whole of it is enough. Of what is white space, only the plain
        # blank is printable.
        whole = "".join(("|", "|".join(cells), "|"))
        if whole.isprintable() and "  " not in whole and "| " not in whole and " |" not in whole:
            return dict(zip(self.names, self.pick((*cells, "")), strict=True))
        return self._cleaned(cells)

    def _cleaned(self, cells: Sequence[str]) -> dict[str, str]:
        found = dict.fromkeys(self.absent, "")
        for name, position in self.positions.items():
            text = cells[position]
            if not text.isprintable() or "  " in text or text.startswith(" ") or text.endswith(" "):
                text = " ".join(text.split())
                if not text.isprintable():
                    raise BadRowError(f"{name}: {_unclean(text)}")
            found[name] = text
        return found

    def shown(self, cells: Sequence[str]) -> tuple[tuple[str, ...], ...]:
        """Cells and header of a row in which nothing is secret; else nothing."""
        return () if self.hidden else (tuple(cells), self.header)

    def shown_name(self, name: str) -> str:
        """A column's name as it may be shown: a file without a header has its first row there."""
        return HIDDEN if self.hidden and _may_be_secret(name) else name

    def reject(self, line: int, reason: str, cells: Sequence[str]) -> Rejected:
        """The row as it may be shown: secrets hidden, and what may be one in the wrong place."""
        if not self.hidden:
            return Rejected(line, reason, tuple(cells), self.header)
        astray = len(cells) != len(self.header)
        raw = tuple(
            HIDDEN if cell and (astray or at in self.hidden or _may_be_secret(cell)) else cell
            for at, cell in enumerate(cells)
        )
        return Rejected(line, reason, raw, self.header)


def _may_be_secret(cell: str) -> bool:
    """True for few digits: nine are a whole social security number, ten a telephone number."""
    return 0 < sum(mark.isdigit() for mark in cell) <= _LONGEST_SECRET_DIGITS


def _unclean(text: str) -> str:
    return "not UTF-8" if any("\ud800" <= mark <= "\udfff" for mark in text) else "control character"


def _read_layout(path: Path, reader: Any, columns: Sequence[Column], mapping: Mapping[str, str]) -> _Layout:
    try:
        header = tuple(" ".join(cell.split()) for cell in next(reader, []))
    except csv.Error as error:
        raise CsvFileError(f"{path}: the header is not CSV: {error}") from error
    if not any(header):
        raise CsvFileError(f"{path}: no header row")
    names = [name.lower() for name in header]
    known = {column.name for column in columns}
    secret = {column.name for column in columns if column.secret}
    # A file without a header has its first row there.
    shown_header = ", ".join(HIDDEN if secret and _may_be_secret(cell) else cell for cell in header)
    for column_name, wanted in mapping.items():
        if wanted not in known | {UNUSED}:
            raise CsvFileError(f"--map {column_name}={wanted}: no such field; fields are {', '.join(sorted(known))}")
        if column_name.lower() not in names:
            raise CsvFileError(f"--map {column_name}={wanted}: the file has no such column; it has {shown_header}")
    positions: dict[str, int] = {}
    for at, name in enumerate(names):
        # A field that another column was mapped to is not also taken from the column that bears its name.
        wanted = mapping.get(name, "" if name in mapping.values() else name)
        if wanted not in known:
            continue
        if wanted in positions:
            raise CsvFileError(f"{path}: two columns for {wanted}")
        positions[wanted] = at
    missing = [column.name for column in columns if column.required and column.name not in positions]
    if missing:
        raise CsvFileError(
            f"{path}: no column for {', '.join(missing)}; the header has {shown_header} (use --map COLUMN=FIELD)"
        )
    hidden: frozenset[int] = frozenset()
    if secret:
        shown = {at for field, at in positions.items() if field not in secret}
        hidden = frozenset(range(len(header))) - shown
    absent = tuple(sorted(known - positions.keys()))
    fields = (*positions, *absent)
    places = [*positions.values(), *(len(header) for _ in absent)]
    # The first is named twice, so that a single one too gives a tuple.
    pick = itemgetter(places[0], *places)
    return _Layout(header, positions, absent, hidden, fields[:1] + fields, pick)


def _ignored(path: Path, layout: _Layout, mapping: Mapping[str, str], known: Iterable[str]) -> list[str]:
    """The columns that nobody asked for; raises CsvFileError for one nearly called like a field that is missing.

    A field that the file has, or that another column was mapped to, is not missing.
    """
    missing = set(known) - layout.positions.keys()
    ignored = []
    for name in layout.header:
        lower = name.lower()
        if not name or lower in mapping or lower in layout.positions or lower in _REJECT_HEADER:
            continue
        meant = get_close_matches(lower, missing, n=1, cutoff=_CLOSE)
        if meant:
            raise CsvFileError(
                f"{path}: there is no column {layout.shown_name(name)}; {meant[0]} is meant? Write it so, or use "
                f"--map COLUMN={meant[0]}, or --map COLUMN={UNUSED} for a column that is not to be read"
            )
        ignored.append(name)
    return ignored


def _records(reader: Any) -> Iterator[tuple[int, list[str], str | None]]:
    """Line, cells, fault (none if the row is CSV) of each row that is not blank."""
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, [], f"not CSV: {error}"
            continue
        if any(map(str.strip, cells)):
            yield line, cells, None


def batches(rows: Iterator[T], size: int) -> Iterator[list[T]]:
    """The rows in lists of at most `size`."""
    while batch := list(islice(rows, size)):
        yield batch


class RejectFile:
    """A CSV of the rejected rows (line, reason, then the row), made when the first one comes, readable by its owner.

    Mended, it can be imported itself. A reject file of an earlier run is replaced, or removed when nothing is
    rejected; any other file of that name is left alone and CsvFileError raised.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._file: TextIO | None = None
        self._writer: Any = None

    def go_on(self, kept_bytes: int) -> None:
        """Take up the file of a run that was cut off, as it was when it had `kept_bytes`; raises CsvFileError."""
        try:
            descriptor = os.open(self.path, os.O_WRONLY)
            os.ftruncate(descriptor, kept_bytes)
            os.lseek(descriptor, 0, os.SEEK_END)
        except OSError as error:
            raise CsvFileError(
                f"{self.path}: the rejected rows of the run that was cut off: {error.strerror}"
            ) from error
        self._file = os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="")
        self._writer = csv.writer(self._file)

    def flushed_bytes(self) -> int:
        """How long the file is, all that was written being in it."""
        if self._file is None:
            return 0
        self._file.flush()
        return os.fstat(self._file.fileno()).st_size

    @staticmethod
    def beside(path: Path) -> Path:
        """Where the reject file of `path` is when nobody says otherwise."""
        return path.with_name(f"{path.name}.rejected.csv")

    def __enter__(self) -> "RejectFile":
        if self._file is not None:
            return self
        try:
            with self.path.open(encoding="utf-8", errors="replace") as earlier:
                begins = earlier.readline()
            if not begins.startswith(",".join(_REJECT_HEADER)):
                raise CsvFileError(f"{self.path}: is there and is not a reject file; name another with --reject-file")
            self.path.unlink()
        except FileNotFoundError:
            pass
        except OSError as error:
            raise CsvFileError(f"{self.path}: {error.strerror}") from error
        return self

    def write(self, rejected: Rejected) -> None:
        """Add one row."""
        if self._file is None:
            self._open(rejected.header)
        self.count += 1
        self._writer.writerow((rejected.line, rejected.reason, *rejected.raw))

    def _open(self, header: Sequence[str]) -> None:
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise CsvFileError(f"{self.path}: {error.strerror}") from error
        self._file = os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="")
        self._writer = csv.writer(self._file)
        # A mended reject file may be imported again: its own two columns are not doubled.
        self._writer.writerow((*_REJECT_HEADER, *(f"earlier {n}" if n in _REJECT_HEADER else n for n in header)))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
