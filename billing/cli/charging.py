"""`tollgate charging reap`: end what nobody ends."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from billing.cli.account import shown
from runtime.command import (
    AsJson,
    DryRun,
    ExitCode,
    command_group,
    money_document,
    open_engine,
    open_settings,
    print_document,
    print_done,
    print_table,
)

if TYPE_CHECKING:
    from billing.charging.reaping import Reaped

COLUMNS = ("session", "service", "call", "switch", "hold ended", "used", "charged", "freed")


def attach(app: typer.Typer) -> None:
    """Bring `charging reap`."""
    group = command_group(app, "charging", "Charging sessions and the money they hold.")
    group.command("reap", epilog="Example: tollgate charging reap --dry-run")(reap)


def reap(
    after_s: Annotated[
        int | None,
        typer.Option(
            "--after", min=0, help="Calls whose hold ended so many seconds ago; charging.reap_after_s if not said."
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing when there is nothing to end.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> int:
    """End open sessions whose hold ran out and whose end nobody told; exit code 3 when there are none.

    A call is charged for the use that was last reported, a session of another service too; the rest of its hold is free
    again. A call that is up is never touched: its hold ends after the time the switch lets it be up. Gateways do the
    same each minute, and every two seconds for other services, as the web service does.
    """
    from datetime import timedelta

    from billing.calls.reaping.service import reap as reap_calls
    from billing.consumption.service import end_overdue
    from runtime.clock import SystemClock

    settings = open_settings()
    engine, clock = open_engine(settings, dry_run=dry_run), SystemClock()
    after = timedelta(seconds=settings.charging.reap_after_s if after_s is None else after_s)
    ended = [*reap_calls(engine, clock, after), *end_overdue(engine, clock)]
    if as_json:
        print_document({"ended": [_document(one) for one in ended], "dry_run": dry_run})
    elif ended:
        print_table("ended", COLUMNS, [_row(one) for one in ended])
    elif not quiet:
        print_done("there is nothing to end")
    return ExitCode.OK if ended or quiet else ExitCode.NOTHING


def _row(one: "Reaped") -> tuple[object, ...]:
    return (
        one.session_id,
        one.service,
        one.call_id or "",
        one.switch or "",
        one.valid_until_at.isoformat(),
        one.used,
        shown(one.charged_micros, one.currency),
        shown(one.freed_micros, one.currency),
    )


def _document(one: "Reaped") -> dict[str, object]:
    document = asdict(one)
    for name in ("charged", "freed"):
        document[name] = money_document(document.pop(f"{name}_micros"), one.currency)
    del document["currency"]
    return document
