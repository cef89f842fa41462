"""`tollgate db`: the schema of the database, and the key that goes with it."""

from typing import Annotated

import typer

from runtime.command import (
    AsJson,
    CommandError,
    DryRun,
    ExitCode,
    keep_until_end,
    open_any_engine,
    open_pepper,
    open_settings,
    print_document,
    print_record,
)

database_app = typer.Typer(no_args_is_help=True, help="The database: make it, bring it up to date, look at it.")


def attach(app: typer.Typer) -> None:
    """Add `tollgate db` to the command."""
    app.add_typer(database_app, name="db")


@database_app.command("upgrade", epilog="Example: tollgate db upgrade")
def upgrade(
    revision: Annotated[str, typer.Argument(help="The revision to reach.")] = "head",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make the database, or bring it to this program's revision; also make the key file when there is none."""
    from runtime import database, keys, schema
    from runtime.clock import SystemClock
    from runtime.key_record.service import make_and_note

    found = open_settings()
    path = database.sqlite_file(found.database.url)
    is_new = path is not None and not path.exists()
    if path is not None and not dry_run:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o640)
    url = found.database.url
    if dry_run and is_new:
        url = "sqlite:///:memory:"
    engine = keep_until_end(database.create_engine(url, busy_timeout_s=found.database.busy_timeout_s))
    before = schema.current_revision(engine)
    with database.transaction(database.rehearsing(engine) if dry_run else engine) as connection:
        schema.upgrade(connection, revision)
    head = schema.head_revision() if revision == "head" else revision
    key_file = found.security.pepper_file
    key_made = not key_file.exists()
    if not dry_run and revision == "head":
        key_made = make_and_note(engine, key_file, SystemClock().now())
    elif not dry_run:
        key_made = keys.make_pepper(key_file)
    document = {
        "database": shown_url(found.database.url),
        "before": before,
        "revision": head,
        "key_file": str(key_file),
        "key_made": key_made,
        "dry_run": dry_run,
    }
    print_document(document) if as_json else print_record(document)


@database_app.command("current", epilog="Example: tollgate db current --json")
def current(as_json: AsJson = False) -> None:
    """Show the revision of the database and the one this program needs; exit code 1 when they differ."""
    from runtime import schema

    found = open_settings()
    revision, head = schema.current_revision(open_any_engine(found)), schema.head_revision()
    document = {"database": shown_url(found.database.url), "revision": revision, "needed": head}
    print_document(document) if as_json else print_record(document)
    if revision != head:
        raise typer.Exit(ExitCode.FAILED)


@database_app.command("check", epilog="Example: tollgate db check")
def check(as_json: AsJson = False) -> None:
    """Check revision, tables, the file's integrity and the key file; exit code 1 when something is wrong."""
    from runtime import keys, schema

    found = open_settings()
    engine = open_any_engine(found)
    faults = schema.find_faults(engine)
    try:
        open_pepper(found, engine) if not faults else keys.load_pepper(found.security.pepper_file)
    except keys.KeyFileError as error:
        faults.append(str(error))
    if as_json:
        print_document({"ok": not faults, "faults": faults})
    if faults:
        raise CommandError("\n".join(faults))
    if not as_json:
        print_record({"database": "ok", "key file": "ok"})


def shown_url(url: str) -> str:
    """A database address as it may be shown: without its password."""
    from sqlalchemy import make_url

    return make_url(url).render_as_string(hide_password=True)
