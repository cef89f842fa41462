"""What `tollgate tariff import` does."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.engine import Engine

from ani.cli_import import say_ignored
from billing.tariffs import service
from billing.tariffs.loading.service import BadRowsError, Loaded, load_file
from billing.tariffs.tariff import ImportRefusal
from runtime import command, database
from runtime.clock import SystemClock
from runtime.command import CommandError, ExitCode
from runtime.csv_import import CsvFileError, RejectFile, parse_mapping
from runtime.csv_progress import Progress

_REFUSALS = {
    ImportRefusal.CURRENCY: "the tariff has another currency; a tariff never changes its currency",
    ImportRefusal.PAST: "--effective-at is in the past; prices never change after the fact",
    ImportRefusal.EMPTY: "no row could be loaded",
    ImportRefusal.UNCHANGED: "the file changes nothing; no version was made",
}


@dataclass(frozen=True, slots=True)
class Ask:
    """What was asked for, as it was typed; empty text where an option was not given."""

    file: Path
    tariff: str
    operator: str | None
    currency: str
    effective_at: str
    mapping: tuple[str, ...]
    reject_file: Path | None
    usual: tuple[str, ...] = ()
    negative: bool = False


def load(ask: Ask, *, whole: bool, dry_run: bool, as_json: bool) -> int:
    """Read the file, load it, say what changed."""
    effective_at = read_moment("--effective-at", ask.effective_at) if ask.effective_at else None
    if not 1 <= len(ask.tariff) <= 40 or not ask.tariff.isprintable():
        raise CommandError("--tariff: 1 to 40 characters are needed", ExitCode.USAGE)
    if ask.currency and re.fullmatch("[A-Za-z]{3}", ask.currency) is None:
        raise CommandError("--currency: three letters of ISO 4217 are needed", ExitCode.USAGE)
    engine = command.open_engine(command.open_settings(), dry_run=dry_run)
    with database.reading(engine) as conn:
        owner = service.find_owner(conn, ask.operator)
    currency = ask.currency.upper() or owner.currency
    wanted = service.TariffImport(owner.id, ask.tariff, currency, effective_at, ask.file.name)
    ignored: list[str] = []
    loaded = _rehearse(engine, ask, wanted, ignored) if dry_run else _load(engine, ask, wanted, ignored, whole=whole)
    say_ignored(ignored)
    if whole and loaded.rejected:
        raise CommandError(f"{loaded.rejected} bad rows: nothing was loaded (--whole)")
    if isinstance(loaded.answer, service.Imported):
        _print_imported(loaded, ignored, dry_run=dry_run, as_json=as_json)
        return ExitCode.PARTIAL if loaded.rejected else ExitCode.OK
    if loaded.answer is not ImportRefusal.UNCHANGED:
        raise CommandError(_REFUSALS[loaded.answer])
    command.console.print(_REFUSALS[loaded.answer])
    return ExitCode.PARTIAL if loaded.rejected else ExitCode.NOTHING


def read_moment(option: str, text: str) -> datetime:
    """A moment of ISO 8601 in UTC; raises CommandError."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise CommandError(f"{option}: not a moment such as 2027-01-01T00:00Z", ExitCode.USAGE) from error


def read_usual(pairs: tuple[str, ...]) -> dict[str, str]:
    """`--set FIELD=VALUE` options; raises CommandError."""
    usual = {}
    known = {column.name for column in service.COLUMNS} - {"prefix"}
    for pair in pairs:
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not (equals and value) or name.lower() not in known:
            raise CommandError(f"--set {pair}: FIELD=VALUE with one of {', '.join(sorted(known))}", ExitCode.USAGE)
        usual[name.lower()] = value
    return usual


def _load(engine: Engine, ask: Ask, wanted: service.TariffImport, ignored: list[str], *, whole: bool) -> Loaded:
    with _reading(ask, wanted.currency, ignored) as (deck, rejects, progress):
        try:
            return load_file(engine, SystemClock(), wanted, deck, rejects, progress, whole=whole)
        except BadRowsError:
            return Loaded(ImportRefusal.EMPTY, 0, 0, rejects.count)


def _rehearse(engine: Engine, ask: Ask, wanted: service.TariffImport, ignored: list[str]) -> Loaded:
    """All in one transaction, which is rolled back."""
    with _reading(ask, wanted.currency, ignored) as (deck, rejects, progress):
        rates = list(deck.rates(rejects, progress))
        answer = service.import_tariff(engine, SystemClock(), wanted, rates)
        return Loaded(answer, len(rates), 0, rejects.count)


@contextmanager
def _reading(ask: Ask, currency: str, ignored: list[str]) -> Iterator[tuple[service.Deck, RejectFile, Progress]]:
    """The deck, its reject file and its progress; says at the end what was rejected, and adds what was `ignored`."""
    progress = Progress(sys.stderr, SystemClock().monotonic_s)
    try:
        mapping = parse_mapping(ask.mapping)
        deck = service.Deck(ask.file, currency, mapping, read_usual(ask.usual), ask.negative, ignored.extend)
        with RejectFile(ask.reject_file or RejectFile.beside(ask.file)) as rejects:
            yield deck, rejects, progress
    except CsvFileError as error:
        raise CommandError(str(error), ExitCode.USAGE) from error
    finally:
        progress.end()
    if rejects.count:
        command.console.print(
            f"{rejects.count} bad rows are in {rejects.path}; until they are mended and loaded with the rest, calls "
            "to their prefixes are priced by a shorter prefix or refused",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def _print_imported(loaded: Loaded, ignored: list[str], *, dry_run: bool, as_json: bool) -> None:
    imported = loaded.answer
    if not isinstance(imported, service.Imported):
        return
    document = {
        "tariff": imported.tariff.name,
        "version": imported.version.number,
        "effective_at": imported.version.effective_at.isoformat(),
        "loaded": loaded.rates,
        "rejected": loaded.rejected,
        **asdict(imported.changes),
        "dry_run": dry_run,
    }
    if loaded.resumed:
        document["resumed_after"] = loaded.resumed
    if as_json:
        command.print_document(document | {"ignored_columns": ignored})
    else:
        command.print_record(document | {"dry_run": "yes" if dry_run else "no"})
