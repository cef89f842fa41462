"""`tollgate pin import` and `usage`: PINs of an outside allocation system, and what became of them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ani.cli_access import keep_who_looked
from billing.cli.account import shown
from billing.cli.moment import moment_of
from runtime.command import (
    AsJson,
    DryRun,
    money_document,
    open_engine,
    open_pepper,
    open_settings,
    print_document,
    print_table,
    staff_name,
)

if TYPE_CHECKING:
    from datetime import datetime

    from billing.pins.allocation import AllocationUse


def attach(group: typer.Typer) -> None:
    """Bring `pin import` and `pin usage`."""
    group.command("import", epilog="Example: tollgate pin import pins.csv --operator acme --range mail")(import_pins)
    group.command("usage", epilog="Example: tollgate pin usage acme --used-since 2027-01-01 --json")(usage)


def import_pins(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV: key, pin; account, range, expires_at.")],
    operator: Annotated[str, typer.Option(help="Whose PINs they are.")],
    pins_of: Annotated[str, typer.Option("--range", help="Range of rows that name none.")] = "",
    mapping: Annotated[list[str] | None, typer.Option("--map", help="COLUMN=FIELD; may be repeated.")] = None,
    reject_file: Annotated[Path | None, typer.Option(help="Where bad rows go; beside the file by default.")] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> int:
    """Take over PINs that an outside system made: each once under its key, so a file may be run again."""
    from ani import cli_import
    from billing.pins.allocating import pin_file, service
    from runtime.clock import SystemClock

    settings, clock = open_settings(), SystemClock()
    engine = open_engine(settings, dry_run=dry_run)
    pepper = open_pepper(settings, engine)
    whose = pin_file.Owner(service.operator_id_of(engine, operator), pins_of, staff_name())
    ask = cli_import.Ask(file, tuple(mapping or ()), reject_file, settings.call.home_country, dry_run, as_json)
    return cli_import.run(ask, lambda what: pin_file.import_pins(engine, clock, pepper, what, whose))


def usage(
    operator: Annotated[str, typer.Argument(metavar="OPERATOR", help="Whose allocations.")],
    pins_of: Annotated[str | None, typer.Option("--range", help="Only of this range.")] = None,
    used_since: Annotated[str, typer.Option(help="Only PINs used at or after this moment (ISO 8601).")] = "",
    after: Annotated[int, typer.Option(min=0, help="Only after the allocation of this id.")] = 0,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100_000,
    as_json: AsJson = False,
) -> None:
    """What became of the PINs of an outside system, to be handed back to it; never their digits. Who looked is kept."""
    from billing.pins.allocating import service
    from runtime.clock import SystemClock

    since = moment_of("--used-since", used_since) if used_since else None
    settings = open_settings()
    engine = open_engine(settings)
    whose = service.operator_id_of(engine, operator)
    found = service.list_uses(engine, whose, after_id=after, limit=limit, range_name=pins_of, used_since_at=since)
    keep_who_looked(settings, engine, [("", use.account_id) for use in found], "pin usage")
    now = SystemClock().now()
    if as_json:
        print_document([_document(use, now) for use in found])
        return
    columns = ("id", "key", "account", "range", "state", "uses", "first used", "last used", "balance")
    rows = [
        (
            use.id,
            use.key,
            use.account_number,
            use.range_name,
            use.state(now),
            use.uses,
            use.first_used_at,
            use.last_used_at,
            shown(use.balance_micros, use.currency),
        )
        for use in found
    ]
    print_table("allocations", columns, rows)


def _document(use: "AllocationUse", now: "datetime") -> dict[str, object]:
    return {
        "id": use.id,
        "key": use.key,
        "account": use.account_number,
        "range": use.range_name,
        "site": use.site,
        "campaign": use.campaign,
        "state": use.state(now),
        "at": use.at,
        "expires_at": use.expires_at,
        "revoked_at": use.revoked_at,
        "first_used_at": use.first_used_at,
        "last_used_at": use.last_used_at,
        "uses": use.uses,
        "balance": money_document(use.balance_micros, use.currency),
    }
