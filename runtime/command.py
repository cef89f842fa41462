"""The one command, `tollgate`: it collects the commands of every room and gives them one way to speak and to end.

A room offers `attach(app)` under the entry-point group `tollgate.commands`. Data goes to stdout, everything else to
stderr; `--json` prints one document; the exit code says what happened (see ExitCode).
"""

import enum
import getpass
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import Annotated, Any, NoReturn

import orjson
import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from runtime import database, keys, logs, settings


class ExitCode(enum.IntEnum):
    """What the exit code of every command means."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOTHING = 3
    PARTIAL = 4
    LOCKED = 5
    TEMPORARY = 75
    INTERRUPTED = 130


AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", "-n", help="Do everything, then roll it back; say what would change.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the record.")]

console = Console(stderr=True)
output = Console()


class CommandError(Exception):
    """A command cannot do what was asked; the message says what to do, `code` is the exit code."""

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.code = code


def staff_name() -> str:
    """Who runs this command, for the record: the user of the operating system."""
    return os.environ.get("SUDO_USER") or getpass.getuser()


def open_settings() -> settings.Settings:
    """The settings, with logs set up as they say."""
    found = settings.load_settings()
    logs.set_up_logs(found.log.level, found.log.format)
    return found


def open_engine(found: settings.Settings) -> Engine:
    """An engine on the configured database; refuses a schema that is not the one this program was made for."""
    engine = database.create_engine(found.database.url, busy_timeout_s=found.database.busy_timeout_s)
    from runtime import schema

    schema.require_current(engine)
    return engine


def money_document(micros: int, currency: str) -> dict[str, str]:
    """Money as every JSON document here shows it: a decimal string with six places, and the currency."""
    sign, whole = ("-" if micros < 0 else ""), abs(micros)
    return {"amount": f"{sign}{whole // 1_000_000}.{whole % 1_000_000:06d}", "currency": currency}


def print_document(document: object) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(orjson.dumps(document, default=str, option=orjson.OPT_INDENT_2).decode() + "\n")


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on a terminal, tab-separated lines anywhere else."""
    if not sys.stdout.isatty():
        sys.stdout.write("\t".join(columns) + "\n")
        for row in rows:
            sys.stdout.write("\t".join("" if cell is None else str(cell) for cell in row) + "\n")
        return
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    output.print(table)


def print_record(record: Mapping[str, object]) -> None:
    """One thing, a field a line."""
    width = max((len(name) for name in record), default=0)
    for name, value in record.items():
        sys.stdout.write(f"{name:<{width}}  {'' if value is None else value}\n")


class _DryRunDoneError(Exception):
    """Carries the end of a dry run out of its transaction, so that it is rolled back."""


@contextmanager
def writing(engine: Engine, *, dry_run: bool) -> Iterator[Connection]:
    """A transaction for a command that writes; a dry run walks the same path and rolls it back."""
    try:
        with database.transaction(engine) as connection:
            yield connection
            if dry_run:
                raise _DryRunDoneError
    except _DryRunDoneError:
        console.print("dry run: nothing was written")


def build_app() -> typer.Typer:
    """The command tree, from every room that brings commands."""
    app = typer.Typer(
        name="tollgate",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help="Tollgate: a prepaid telephone gateway.",
    )
    for entry in sorted(entry_points(group="tollgate.commands"), key=lambda entry: entry.name):
        entry.load()(app)
    return app


def main() -> NoReturn:
    """Run the command line; every fault a user can cause ends in one clear line and an exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line and give its exit code."""
    from runtime.schema import SchemaError

    try:
        result: Any = build_app()(list(arguments), standalone_mode=False)
    except CommandError as error:
        return _fail(str(error), error.code)
    except (settings.SettingsError, keys.KeyFileError, SchemaError) as error:
        return _fail(str(error), ExitCode.FAILED)
    except OperationalError as error:
        return _fail(f"database: {error.orig}", ExitCode.TEMPORARY)
    except DBAPIError as error:
        return _fail(f"database: {error.orig}", ExitCode.FAILED)
    except KeyboardInterrupt:
        return _fail("interrupted", ExitCode.INTERRUPTED)
    except Exception as error:  # the outermost edge: usage errors of the vendored Click carry their own exit code
        code = getattr(error, "exit_code", None)
        show = getattr(error, "show", None)
        if code is None or show is None:
            raise
        show()
        return int(code)
    return result if isinstance(result, int) else ExitCode.OK


def _fail(message: str, code: ExitCode) -> int:
    console.print(f"tollgate: {message}", style="red", markup=False, highlight=False, soft_wrap=True)
    return code
