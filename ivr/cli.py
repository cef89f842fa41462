"""`tollgate gateway`, `tollgate call live|hangup` and `tollgate doctor`: what staff do with calls that are up."""

from typing import TYPE_CHECKING, Annotated

import typer

from ani.cli_access import keep_who_looked
from ivr.demo import cli as demo
from runtime.command import (
    AsJson,
    CommandError,
    DryRun,
    ExitCode,
    Reason,
    command_group,
    open_engine,
    open_pepper,
    open_settings,
    print_document,
    print_done,
    print_table,
    staff_name,
)

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

    from billing.calls.call import LiveCall
    from runtime.settings import Settings

LIVE_COLUMNS = ("call", "state", "from", "to", "account", "seconds", "channel")


def attach(app: typer.Typer) -> None:
    """Bring this room's commands."""
    gateway = command_group(app, "gateway", "The process that answers calls.")
    gateway.command("run")(run)
    calls = command_group(app, "call", "Calls: live, listed, explained, ended.")
    calls.command("live")(live)
    calls.command("hangup")(hangup)
    app.command("doctor")(doctor)
    demo.attach(app)


def run() -> None:
    """Answer calls until told to stop (SIGTERM, SIGINT); calls that are up stay up.

    Example: tollgate gateway run
    """
    from ivr.gateway import run_gateway

    settings = open_settings()
    _require_secrets(settings)
    engine = open_engine(settings)
    try:
        run_gateway(engine, open_pepper(settings, engine), settings)
    except OSError as error:
        raise CommandError(
            f"cannot listen on {settings.agi.host}:{settings.agi.port} (agi.host, agi.port): {error.strerror or error}"
        ) from None


def _require_secrets(settings: "Settings") -> None:
    for name, secret in (("agi.token", settings.agi.token), ("ami.secret", settings.ami.secret)):
        if not secret.get_secret_value():
            raise CommandError(f"{name} is empty: set it in tollgate.toml to the value the switch was rendered with")


def _rows(engine: "Engine") -> "list[LiveCall]":
    from billing.calls import store
    from runtime.database import reading

    with reading(engine) as connection:
        return store.live_calls(connection, None)


def live(as_json: AsJson = False) -> None:
    """The calls that are up now, with the seconds the switch counts. Exit code 75: the switch does not answer.

    Who looked is kept.

    Example: tollgate call live
    """
    from billing.accounts.store import account_numbers
    from ivr.ami.desk import open_desk
    from runtime.database import reading

    settings = open_settings()
    engine = open_engine(settings)
    rows = _rows(engine)
    with reading(engine) as connection:
        numbers = account_numbers(connection, (row.call.account_id for row in rows))
    ami = settings.ami
    with open_desk(ami.host, ami.port, ami.username, ami.secret.get_secret_value()) as desk:
        channels = {channel.get("Uniqueid", ""): channel for channel in desk.channels()}
    keep_who_looked(settings, engine, [(row.call.ani, row.call.account_id) for row in rows], "call live")
    table = []
    for row in (live_call.call for live_call in rows):
        channel = channels.get(row.uniqueid)
        seconds = int(channel.get("Seconds", "0")) if channel else None
        number = numbers.get(row.account_id or 0)
        table.append((row.call_id, row.state, row.ani, row.destination, number, seconds, row.channel))
    if as_json:
        print_document([dict(zip(LIVE_COLUMNS, line, strict=True)) for line in table])
    else:
        print_table("Live calls", LIVE_COLUMNS, table)


def hangup(
    call: Annotated[str, typer.Argument(help="The call's id, or the beginning of it.")],
    reason: Reason,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """End a call that is up; it is charged for the time it was connected. Exit code 75: the switch does not answer.

    Example: tollgate call hangup 0192f3 --reason "stolen card"
    """
    from billing.calls import service
    from billing.calls.call import CallEvent
    from ivr.ami.desk import open_desk
    from ivr.refusals import CALL_REJECTED
    from runtime.clock import SystemClock

    settings = open_settings()
    engine = open_engine(settings, dry_run=dry_run)
    found = [row.call for row in _rows(engine) if row.call.call_id.startswith(call)]
    if len(found) != 1:
        problem = "no live call begins with" if not found else f"{len(found)} live calls begin with"
        raise CommandError(f"{problem} {call!r}", ExitCode.NOTHING if not found else ExitCode.USAGE)
    row, ami = found[0], settings.ami
    with open_desk(ami.host, ami.port, ami.username, ami.secret.get_secret_value()) as desk:
        noted = CallEvent(SystemClock().now(), "staff", "hangup", {"made_by": staff_name(), "reason": reason})
        service.add_events(engine, row.call_id, [noted])
        if dry_run:
            ended = any(channel.get("Uniqueid") == row.uniqueid for channel in desk.channels())
        else:
            ended = desk.hang_up(row.channel, CALL_REJECTED)
    if not ended:
        raise CommandError(f"the switch has no channel for call {row.call_id} any more", ExitCode.NOTHING)
    if as_json:
        print_document({"call": row.call_id, "ended": not dry_run, "dry_run": dry_run})
    else:
        print_done(f"call {row.call_id} {'would end' if dry_run else 'ended'}")


def doctor(as_json: AsJson = False) -> None:
    """Look at everything a call needs, and say what is missing and how to mend it.

    Example: tollgate doctor
    """
    from ivr.doctor import examine

    findings = examine(open_settings())
    if as_json:
        print_document([{"check": one.check, "ok": one.ok, "detail": one.detail} for one in findings])
    else:
        print_table(
            "Doctor", ("check", "result", "detail"), [(f.check, "ok" if f.ok else "FAILED", f.detail) for f in findings]
        )
    if not all(finding.ok for finding in findings):
        raise typer.Exit(ExitCode.FAILED)
