"""The one command, `tollgate`: it collects the commands of every room and gives them one way to speak and to end.

A room offers `attach(app)` under the entry-point group `tollgate.commands`. Data goes to stdout, everything else to
stderr; `--json` prints one document; the exit code says what happened (see ExitCode). Nothing heavy is imported
before a command runs: rooms import their services inside their commands.
"""

import enum
import getpass
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import entry_points, version
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import orjson
import typer
from rich.console import Console

from runtime.faults import BadInputError, BusyError, NotFoundError, StaffError

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

    from runtime.keys import Pepper
    from runtime.settings import Settings


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
_engines: "list[Engine]" = []


class CommandError(Exception):
    """A command cannot do what was asked; the message says what to do, `code` is the exit code."""

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.code = code


def command_group(app: typer.Typer, name: str, help_text: str) -> typer.Typer:
    """The group of commands of this name; rooms that bring commands on one noun share it."""
    for group in app.registered_groups:
        if group.name == name and group.typer_instance is not None:
            return group.typer_instance
    made = typer.Typer(no_args_is_help=True, help=help_text)
    app.add_typer(made, name=name)
    return made


def read_secret(what: str) -> str:
    """A secret from the keyboard, unseen, or the first line of standard input; never from the command line."""
    if sys.stdin.isatty():
        return str(typer.prompt(what, hide_input=True, confirmation_prompt=True, err=True))
    return sys.stdin.readline().strip()


def confirm(question: str, *, yes: bool) -> None:
    """Ask before what cannot be taken back; a script says --yes."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandError("there is nobody to ask here: add --yes", ExitCode.USAGE)
    typer.confirm(question, abort=True, err=True)


def staff_name() -> str:
    """Who runs this command, for the record: the user of the operating system."""
    return os.environ.get("SUDO_USER") or getpass.getuser()


def open_settings() -> "Settings":
    """The settings, with logs set up as they say."""
    from runtime import logs, settings

    found = settings.load_settings()
    logs.set_up_logs(found.log.level, found.log.format)
    return found


def open_engine(found: "Settings", *, dry_run: bool = False) -> "Engine":
    """An engine on the configured database; refuses a schema that is not the one this program was made for.

    In a dry run every transaction of the services is walked through and rolled back.
    """
    from runtime import database, schema

    engine = open_any_engine(found)
    schema.require_current(engine)
    if dry_run:
        console.print("dry run: nothing will be written", highlight=False)
        return database.rehearsing(engine)
    return engine


def open_pepper(found: "Settings", engine: "Engine") -> "Pepper":
    """The keys of the keyed hashes; refuses a key file that does not fit the database."""
    from runtime import keys
    from runtime.key_record.service import require_keys

    pepper = keys.load_pepper(found.security.pepper_file)
    require_keys(engine, pepper)
    return pepper


def open_keyed(*, dry_run: bool = False) -> "tuple[Engine, Pepper]":
    """The database, and the keys that its secrets stand under."""
    settings = open_settings()
    engine = open_engine(settings, dry_run=dry_run)
    return engine, open_pepper(settings, engine)


def open_any_engine(found: "Settings") -> "Engine":
    """An engine on the configured database, whatever its revision; refuses to make an SQLite file by looking at it."""
    from runtime import database, schema

    path = database.sqlite_file(found.database.url)
    if path is not None and not path.exists():
        raise schema.SchemaError(f"there is no database at {path}: run `tollgate db upgrade`")
    return keep_until_end(database.create_engine(found.database.url, busy_timeout_s=found.database.busy_timeout_s))


def keep_until_end(engine: "Engine") -> "Engine":
    """The engine, whose connections are closed when the command has ended."""
    _engines.append(engine)
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
            sys.stdout.write("\t".join(_cell(cell) for cell in row) + "\n")
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(*(escape(_cell(cell)) for cell in row))
    Console().print(table)


def print_record(record: Mapping[str, object]) -> None:
    """One thing, a field a line."""
    width = max((len(name) for name in record), default=0)
    for name, value in record.items():
        sys.stdout.write(f"{name:<{width}}  {_cell(value)}".rstrip() + "\n")


def print_done(line: str) -> None:
    """What was done, for a person: one line on stdout, whatever stands in it."""
    sys.stdout.write(_cell(line) + "\n")


def _cell(value: object) -> str:
    """One cell on one line; control characters of a hostile name never reach a terminal."""
    text = "" if value is None else str(value)
    return text if text.isprintable() else "".join(mark if mark.isprintable() else "?" for mark in text)


def build_app() -> typer.Typer:
    """The command tree, from every room that brings commands."""
    app = typer.Typer(
        name="tollgate",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help="Tollgate: a prepaid telephone gateway.",
        epilog="Exit codes: 0 done, 1 failed, 2 usage, 3 not found or nothing to do, 4 some rows rejected, "
        "5 already running, 75 try again later, 130 interrupted.",
    )
    app.callback()(_root)
    for entry in sorted(entry_points(group="tollgate.commands"), key=lambda entry: entry.name):
        attach: Callable[[typer.Typer], None] = entry.load()
        attach(app)
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"tollgate {version('tollgate')}\n")
        raise typer.Exit


def _root(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Tollgate: a prepaid telephone gateway."""


def main() -> NoReturn:
    """Run the command line; every fault a user can cause ends in one clear line and an exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str], app: Callable[..., object] | None = None) -> int:
    """Run one command line (of the whole program, unless told otherwise) and give its exit code."""
    try:
        result: Any = (app or build_app())(list(arguments), standalone_mode=False)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _fail("interrupted", ExitCode.INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FAILED
    except Exception as error:  # the outermost edge: faults a user can cause become a line, all others go on
        code = _explain(error)
        if code is None:
            raise
        return code
    finally:
        while _engines:
            _engines.pop().dispose()
    return result if isinstance(result, int) else ExitCode.OK


def _explain(error: Exception) -> int | None:
    """Say what went wrong in one line; gives the exit code, or none for a fault that is our own."""
    if isinstance(error, CommandError):
        return _fail(str(error), error.code)
    if isinstance(error, StaffError):
        codes = {NotFoundError: ExitCode.NOTHING, BusyError: ExitCode.TEMPORARY, BadInputError: ExitCode.USAGE}
        return _fail(
            str(error), next((code for kind, code in codes.items() if isinstance(error, kind)), ExitCode.FAILED)
        )
    if isinstance(error, typer.Abort):
        return _fail("not done", ExitCode.FAILED)
    code, show = getattr(error, "exit_code", None), getattr(error, "show", None)
    if code is not None and show is not None:  # usage errors of the Click that Typer carries
        show()
        return int(code)
    if "sqlalchemy" in sys.modules:
        from runtime.database_faults import explain_fault

        fault = explain_fault(error)
        if fault is not None:
            return _fail(f"database: {fault.line}", ExitCode.TEMPORARY if fault.may_pass else ExitCode.FAILED)
    return None


def _fail(message: str, code: ExitCode) -> int:
    shown = "\n".join(_cell(line) for line in message.split("\n"))
    console.print(f"tollgate: {shown}", style="red", markup=False, highlight=False, soft_wrap=True)
    return code
