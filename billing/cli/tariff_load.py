"""What `tollgate tariff import` does."""

import re
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from billing.rating import Rate
from billing.tariffs import service
from billing.tariffs.tariff import ImportRefusal
from runtime import command, database
from runtime.clock import SystemClock
from runtime.command import CommandError, ExitCode
from runtime.csv_import import CsvFileError, ImportResult, Progress, RejectFile, parse_mapping

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
    rates, result = _read(ask, currency)
    if whole and result.rejected:
        raise CommandError(f"{result.rejected} bad rows: nothing was loaded (--whole)")
    wanted = service.TariffImport(owner.id, ask.tariff, currency, effective_at, ask.file.name)
    imported = service.import_tariff(engine, SystemClock(), wanted, rates)
    if isinstance(imported, service.Imported):
        _print_imported(imported, result, dry_run=dry_run, as_json=as_json)
        return ExitCode.PARTIAL if result.rejected else ExitCode.OK
    if imported is not ImportRefusal.UNCHANGED:
        raise CommandError(_REFUSALS[imported])
    command.console.print(_REFUSALS[imported])
    return ExitCode.PARTIAL if result.rejected else ExitCode.NOTHING


def read_moment(option: str, text: str) -> datetime:
    """A moment of ISO 8601 in UTC; raises CommandError."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise CommandError(f"{option}: not a moment such as 2027-01-01T00:00Z", ExitCode.USAGE) from error


def _read(ask: Ask, currency: str) -> tuple[list[Rate], ImportResult]:
    progress = Progress(sys.stderr, SystemClock().monotonic_s)
    try:
        with RejectFile(ask.reject_file or RejectFile.beside(ask.file)) as rejects:
            rates, result = service.read_tariff_file(ask.file, parse_mapping(ask.mapping), currency, rejects, progress)
    except CsvFileError as error:
        raise CommandError(str(error), ExitCode.USAGE) from error
    finally:
        progress.end()
    if result.rejected:
        command.console.print(
            f"{result.rejected} bad rows are in {rejects.path}; until they are mended and loaded with the rest, calls "
            "to their prefixes are priced by a shorter prefix or refused",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    return rates, result


def _print_imported(imported: service.Imported, result: ImportResult, *, dry_run: bool, as_json: bool) -> None:
    document = {
        "tariff": imported.tariff.name,
        "version": imported.version.number,
        "effective_at": imported.version.effective_at.isoformat(),
        "loaded": result.loaded,
        "rejected": result.rejected,
        **asdict(imported.changes),
        "dry_run": dry_run,
    }
    if as_json:
        command.print_document(document)
    else:
        command.print_record(document | {"dry_run": "yes" if dry_run else "no"})
