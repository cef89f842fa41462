"""Commands of the lines: `tollgate listing`, `identity`, `negative` and `vendor`."""

from pathlib import Path
from typing import Annotated

import typer

from ani.cli_access import keep_who_looked
from ani.negative.block import NegativeReason, NewBlock
from runtime.command import (
    AsJson,
    CommandError,
    DryRun,
    ExitCode,
    open_engine,
    open_pepper,
    open_settings,
    print_document,
    print_done,
    print_table,
    staff_name,
)

listing_app = typer.Typer(no_args_is_help=True, help="Name and address of lines, from reverse-match suppliers.")
identity_app = typer.Typer(no_args_is_help=True, help="Persons of lines, to check a caller's age against.")
negative_app = typer.Typer(no_args_is_help=True, help="Lines that may not be billed, and why.")

vendor_app = typer.Typer(no_args_is_help=True, help="What was asked of the reverse-match vendor.")

CsvFile = Annotated[Path, typer.Argument(metavar="FILE", help="CSV, UTF-8, with a header row.")]
Supplier = Annotated[str, typer.Option("--source", help="Who the file is from; at most 40 characters.")]
Mapping = Annotated[
    list[str] | None, typer.Option("--map", metavar="COLUMN=FIELD", help="Read FIELD from this column; repeatable.")
]
Rejects = Annotated[
    Path | None, typer.Option("--reject-file", help="Where bad rows go.", show_default="FILE.rejected.csv")
]
Number = Annotated[str, typer.Argument(metavar="NUMBER", help="A line: +16045550123, or as dialled at home.")]


def attach(app: typer.Typer) -> None:
    """Add these commands to the root."""
    app.add_typer(listing_app, name="listing")
    app.add_typer(identity_app, name="identity")
    app.add_typer(negative_app, name="negative")
    app.add_typer(vendor_app, name="vendor")


@listing_app.command("import", epilog="Example: tollgate listing import lines.csv --source acme --map Phone=ani")
def listing_import(
    file: CsvFile,
    source: Supplier,
    mapping: Mapping = None,
    reject_file: Rejects = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> int:
    """Load listings: ani with name or first_name and last_name; the rest if there is. Goes on where it was cut off.

    Further columns: address (or street, city, region), postal_code, country, line_type, effective_on, ends_on.
    """
    from ani import cli_import
    from ani.reverse_match import service
    from runtime.clock import SystemClock

    supplier = cli_import.check_supplier(source)
    settings = open_settings()
    engine = open_engine(settings, dry_run=dry_run)
    ask = cli_import.Ask(file, tuple(mapping or ()), reject_file, settings.call.home_country, dry_run, as_json)
    return cli_import.run(ask, lambda what: service.import_listings(engine, SystemClock(), what, supplier))


@listing_app.command("imports", epilog="Example: tollgate listing imports --limit 5")
def listing_imports(
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many, the newest.")] = 20,
    as_json: AsJson = False,
) -> int:
    """List the files that were loaded; one without an end was cut off, and goes on when it is loaded again."""
    from ani import cli_print
    from ani.reverse_match.loading import service as loading

    cli_print.print_imports(loading.imports(open_engine(open_settings()), limit), as_json=as_json)
    return ExitCode.OK


@listing_app.command("show", epilog="Example: tollgate listing show +16045550123 --json")
def listing_show(number: Number, as_json: AsJson = False) -> int:
    """Show whose line a number is and was; who looked is kept."""
    from ani import cli_print
    from ani.reverse_match import service

    settings = open_settings()
    engine = open_engine(settings)
    ani = _line(number, settings.call.home_country)
    keep_who_looked(settings, engine, [(ani, None)], "listing show")
    documents = [cli_print.listing_document(found) for found in service.listings_of(engine, ani)]
    if as_json:
        print_document({"ani": ani, "listings": documents})
    elif documents:
        print_table(f"Listings of {ani}", tuple(documents[0]), [tuple(row.values()) for row in documents])
    if not documents:
        raise CommandError(f"{ani}: no listing", ExitCode.NOTHING)
    return ExitCode.OK


@identity_app.command("import", epilog="Example: tollgate identity import persons.csv --source bureau")
def identity_import(
    file: CsvFile,
    source: Supplier,
    mapping: Mapping = None,
    reject_file: Rejects = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> int:
    """Load persons: ani, birth_on (YYYY-MM-DD), and ssn_last_four or ssn, or else last_name; digits are hashed.

    Further columns: first_name, last_name, licence_state, licence. Can be run again.
    """
    from ani import cli_import
    from ani.qualification import service
    from runtime.clock import SystemClock

    supplier = cli_import.check_supplier(source)
    settings = open_settings()
    engine = open_engine(settings, dry_run=dry_run)
    pepper = open_pepper(settings, engine)
    ask = cli_import.Ask(file, tuple(mapping or ()), reject_file, settings.call.home_country, dry_run, as_json)
    return cli_import.run(ask, lambda what: service.import_identities(engine, SystemClock(), pepper, what, supplier))


@negative_app.command("import", epilog="Example: tollgate negative import blocked.csv --dry-run")
def negative_import(
    file: CsvFile,
    mapping: Mapping = None,
    reject_file: Rejects = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> int:
    """Load the blocks of a file: ani, reason; note, until, ends_calls if there is. Can be run again.

    A row with blocked_at is taken over as it stands: blocked_by, lifted_at, lifted_by, lift_note too. A block that was
    lifted stays lifted, and who took it over is kept.
    """
    from ani import cli_import
    from ani.negative.loading import service
    from runtime.clock import SystemClock

    settings = open_settings()
    engine = open_engine(settings, dry_run=dry_run)
    ask = cli_import.Ask(file, tuple(mapping or ()), reject_file, settings.call.home_country, dry_run, as_json)
    pepper = open_pepper(settings, engine)
    return cli_import.run(ask, lambda what: service.import_blocks(engine, SystemClock(), pepper, what, staff_name()))


@negative_app.command("export", epilog="Example: tollgate negative export blocked.csv")
def negative_export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV to write; `negative import` reads it.")],
    with_past: Annotated[bool, typer.Option("--all", help="Those lifted or run out as well.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the blocked lines to a file, with who made and lifted each block; that they were read is kept."""
    from ani.negative.loading import service
    from runtime.clock import SystemClock

    settings = open_settings()
    engine = open_engine(settings)
    try:
        written = service.export_blocks(
            engine,
            SystemClock(),
            file,
            with_past=with_past,
            before_shown=lambda lines: keep_who_looked(
                settings, engine, [(line, None) for line in lines], "negative export"
            ),
        )
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}", ExitCode.USAGE) from error
    if as_json:
        print_document({"file": str(file), "written": written})
    else:
        print_done(f"{written} written to {file}")


@negative_app.command("list", epilog="Example: tollgate negative list --reason chargeback")
def negative_list(
    reason: Annotated[NegativeReason | None, typer.Option("--reason", help="Only these.")] = None,
    with_past: Annotated[bool, typer.Option("--all", help="Those lifted or run out as well.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many, the newest.")] = 1000,
    as_json: AsJson = False,
) -> int:
    """List blocked lines, newest first; who looked is kept."""
    from ani import cli_print
    from ani.negative import service
    from runtime.clock import SystemClock

    settings = open_settings()
    engine = open_engine(settings)
    found = service.list_blocks(engine, SystemClock(), reason=reason, with_past=with_past, limit=limit)
    keep_who_looked(settings, engine, [(block.ani, None) for block in found], "negative list")
    cli_print.print_blocks("Blocks", found, as_json=as_json)
    return ExitCode.OK


@negative_app.command("show", epilog="Example: tollgate negative show +16045550123")
def negative_show(number: Number, as_json: AsJson = False) -> int:
    """Show every block a line has or had; who looked is kept."""
    from ani import cli_print
    from ani.negative import service
    from runtime.clock import SystemClock

    settings = open_settings()
    engine = open_engine(settings)
    ani = _line(number, settings.call.home_country)
    keep_who_looked(settings, engine, [(ani, None)], "negative show")
    found = service.list_blocks(engine, SystemClock(), ani=ani, with_past=True)
    if as_json or found:
        cli_print.print_blocks(f"Blocks of {ani}", found, as_json=as_json)
    if not found:
        raise CommandError(f"{ani}: never blocked", ExitCode.NOTHING)
    return ExitCode.OK


@negative_app.command(
    "block",
    epilog="Example: tollgate negative block +16045550123 --reason in-dispute --note 'case 12' --until 2027-01-31",
)
def negative_block(
    number: Number,
    reason: Annotated[NegativeReason, typer.Option("--reason", help="Why the line may not be billed.")],
    note: Annotated[str, typer.Option("--note", help="Kept in the record.")] = "",
    until: Annotated[
        str, typer.Option("--until", help="A date (its begin, UTC) or a moment such as 2027-01-31T18:00Z.")
    ] = "",
    end_calls: Annotated[
        bool, typer.Option("--end-calls", help="Also end calls from the line that are up, within a second or two.")
    ] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> int:
    """Block a line."""
    from ani.negative import service
    from ani.negative.block import parse_until
    from runtime.clock import SystemClock

    try:
        expires_at = parse_until(until) if until else None
    except (ValueError, OverflowError):
        raise CommandError("--until: a date (2027-01-31) or a moment (2027-01-31T18:00Z)", ExitCode.USAGE) from None
    settings = open_settings()
    wanted = NewBlock(_line(number, settings.call.home_country), reason, note, expires_at, end_calls)
    is_new = service.block(open_engine(settings, dry_run=dry_run), SystemClock(), wanted, staff_name())
    if as_json:
        print_document({"ani": wanted.ani, "reason": reason.value, "blocked": is_new, "dry_run": dry_run})
    else:
        print_done(f"{wanted.ani}: {'blocked' if is_new else 'was blocked already'} ({reason.value})")
    return ExitCode.OK if is_new else ExitCode.NOTHING


@negative_app.command("unblock", epilog="Example: tollgate negative unblock +16045550123 --note 'paid on 3 May'")
def negative_unblock(
    number: Number,
    note: Annotated[str, typer.Option("--note", help="Why; kept in the record.")],
    reason: Annotated[NegativeReason | None, typer.Option("--reason", help="Lift only this block.")] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> int:
    """Lift the blocks of a line."""
    from ani.negative import service
    from runtime.clock import SystemClock

    settings = open_settings()
    ani = _line(number, settings.call.home_country)
    engine = open_engine(settings, dry_run=dry_run)
    lifted = [found.reason.value for found in service.unblock(engine, SystemClock(), ani, staff_name(), note, reason)]
    if as_json:
        print_document({"ani": ani, "lifted": lifted, "dry_run": dry_run})
    if not lifted:
        raise CommandError(f"{ani}: no such block is in force", ExitCode.NOTHING)
    if not as_json:
        print_done(f"{ani}: lifted {', '.join(lifted)}")
    return ExitCode.OK


@vendor_app.command("show", epilog="Example: tollgate vendor show +16045550123 --json")
def vendor_show(number: Number, as_json: AsJson = False) -> int:
    """Show what was asked of a line, the newest first; who looked is kept."""
    from ani import cli_print
    from ani.vendor import service

    settings = open_settings()
    engine = open_engine(settings)
    ani = _line(number, settings.call.home_country)
    keep_who_looked(settings, engine, [(ani, None)], "vendor show")
    found = service.queries_of(engine, ani)
    if as_json or found:
        cli_print.print_queries(ani, found, as_json=as_json)
    if not found:
        raise CommandError(f"{ani}: nobody was asked", ExitCode.NOTHING)
    return ExitCode.OK


@vendor_app.command("report", epilog="Example: tollgate vendor report --limit 7")
def vendor_report(
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many days.")] = 31,
    as_json: AsJson = False,
) -> int:
    """Requests and cost of each day (UTC)."""
    from ani import cli_print
    from ani.vendor import service

    cli_print.print_days(service.days(open_engine(open_settings()), limit), as_json=as_json)
    return ExitCode.OK


def _line(number: str, home_country: str) -> str:
    from ani.typed_line import typed_line

    return typed_line(number, home_country)
