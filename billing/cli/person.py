"""`tollgate person`: what is kept of a person, shown, erased, and who looked at it."""

from typing import Annotated

import typer

from billing.people.person import Kept
from runtime.command import (
    AsJson,
    CommandError,
    DryRun,
    ExitCode,
    Reason,
    Yes,
    command_group,
    confirm,
    open_engine,
    open_pepper,
    open_settings,
    print_document,
    print_table,
    staff_name,
)

Line = Annotated[str, typer.Option("--line", help="A line: +12125550100, or as dialled at home.")]
AccountNumber = Annotated[str, typer.Option("--account", help="Number of an account.")]


def attach(app: typer.Typer) -> None:
    """Bring `person`."""
    group = command_group(app, "person", "What is kept of a person: shown, erased, and who looked at it.")
    group.command("export", epilog='Example: tollgate person export --line +12125550100 --reason "he asked"')(export)
    group.command("erase", epilog='Example: tollgate person erase --line +12125550100 --reason "he asked" --yes')(erase)
    group.command("accesses", epilog="Example: tollgate person accesses --line +12125550100")(accesses)


def export(
    reason: Reason, line: Line = "", account: AccountNumber = "", dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Show everything kept of a person, as JSON for him to take away or as a summary; that it was shown is kept.

    Keyed hashes are left out: nobody can read them. With --dry-run it is not kept, and only told how much there is.
    """
    from billing.people import service
    from runtime.clock import SystemClock

    settings = open_settings()
    engine = open_engine(settings, dry_run=dry_run)
    pepper = open_pepper(settings, engine)
    asked = service.Asked(line, account, staff_name(), reason)
    found = service.export(engine, SystemClock(), pepper, asked, settings.call.home_country)
    if as_json:
        kept = [_document(one, dry_run=dry_run) for one in found if one.rows]
        print_document({"line": line, "account": account, "kept": kept, "dry_run": dry_run})
        return
    rows = [(one.table, len(one.rows), _on_erase(one.on_erase.value, one.why_kept)) for one in found if one.rows]
    print_table("kept (--json shows it)", ("table", "rows", "when erased"), rows)


def erase(
    reason: Reason,
    line: Line = "",
    account: AccountNumber = "",
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Remove what need not be kept of a person; bills stay, and it says what else and why. Can be run again."""
    from billing.people import service
    from runtime.clock import SystemClock

    if not dry_run:
        confirm(f"erase what is kept of {' and '.join(part for part in (line, account) if part)} for good?", yes=yes)
    settings = open_settings()
    engine = open_engine(settings, dry_run=dry_run)
    pepper = open_pepper(settings, engine)
    asked = service.Asked(line, account, staff_name(), reason)
    done = [one for one in service.erase(engine, SystemClock(), pepper, asked, settings.call.home_country) if one.rows]
    if as_json:
        tables = [{"table": one.table, "rows": one.rows, "done": one.done, "why_kept": one.why_kept} for one in done]
        print_document({"line": line, "account": account, "dry_run": dry_run, "tables": tables})
        return
    print_table(
        "erased", ("table", "rows", "done"), [(one.table, one.rows, _on_erase(one.done, one.why_kept)) for one in done]
    )


def accesses(
    line: Line = "",
    account: AccountNumber = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many, the newest.")] = 1000,
    as_json: AsJson = False,
) -> None:
    """List who was shown a person's data or erased it, when and why."""
    from billing.people import service

    settings = open_settings()
    engine = open_engine(settings)
    pepper = open_pepper(settings, engine)
    found = service.accesses(engine, pepper, line, account, settings.call.home_country, limit)
    if as_json:
        print_document(
            [{"at": one.at, "by": one.by, "action": one.action.value, "reason": one.reason} for one in found]
        )
    else:
        rows = [(one.at, one.by, one.action.value, one.reason) for one in found]
        print_table("who looked", ("when", "who", "what", "why"), rows)
    if not found:
        raise CommandError("nobody looked", ExitCode.NOTHING)


def _document(kept: Kept, *, dry_run: bool) -> dict[str, object]:
    return {
        "table": kept.table,
        "on_erase": kept.on_erase.value,
        "why_kept": kept.why_kept,
        "rows": len(kept.rows) if dry_run else list(kept.rows),
    }


def _on_erase(done: str, why_kept: str) -> str:
    return f"{done}: {why_kept}" if why_kept else done
