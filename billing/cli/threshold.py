"""`tollgate threshold` and `tollgate tier`: how long a line may talk, and its credit tier (ANI-6)."""

import re
from dataclasses import asdict
from typing import Annotated

import typer

from ani.cli_access import keep_who_looked
from runtime.command import (
    AsJson,
    CommandError,
    DryRun,
    ExitCode,
    command_group,
    open_engine,
    open_settings,
    print_document,
    print_done,
    print_table,
    staff_name,
)

Service = Annotated[str, typer.Argument(metavar="OPERATOR/PROFILE", help="The service.")]
Line = Annotated[str, typer.Argument(metavar="LINE", help="A line: +12125550100, or as dialled at home.")]
COLUMNS = ("tier", "session s", "day s", "month s", "line s")
_TIME = re.compile(r"([0-9]{1,7})([smh])")
_SECONDS = {"s": 1, "m": 60, "h": 3600}


def attach(app: typer.Typer) -> None:
    """Bring `threshold` and `tier`."""
    group = command_group(app, "threshold", "Usage thresholds: how long a line may talk, by credit tier.")
    group.command("set", epilog="Example: tollgate threshold set acme/talk --session 31m --month 93m --line 90m")(
        set_thresholds
    )
    group.command("list", epilog="Example: tollgate threshold list acme/talk")(list_thresholds)
    tiers = command_group(app, "tier", "Credit tiers of lines.")
    tiers.command("set", epilog="Example: tollgate tier set +12125550102 gold --source bureau")(set_tier)
    tiers.command("show", epilog="Example: tollgate tier show +12125550102")(show_tier)


def set_thresholds(
    profile: Service,
    tier: Annotated[str, typer.Option(help="For lines of this credit tier; when not given, for all others.")] = "",
    session: Annotated[str, typer.Option(help="Longest call: 31m, 90s, 2h.")] = "",
    day: Annotated[str, typer.Option(help="Longest talk of a line in a day (UTC).")] = "",
    month: Annotated[str, typer.Option(help="Longest talk of a line in a month (UTC).")] = "",
    line: Annotated[str, typer.Option(help="Longest talk of a line in all; then it is blocked.")] = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Set the thresholds of a tier in a service; what is not given does not bind. The profile's caps stay outermost."""
    from billing.cli.trust import names_of
    from billing.operators.service import find_profile
    from billing.thresholds import service
    from billing.thresholds.threshold import Thresholds
    from runtime.clock import SystemClock

    wanted = Thresholds(
        _time("--session", session), _time("--day", day), _time("--month", month), _time("--line", line)
    )
    engine = open_engine(open_settings(), dry_run=dry_run)
    found = find_profile(engine, *names_of(profile))
    service.set_thresholds(engine, SystemClock(), found.id, tier, wanted, staff_name())
    if as_json:
        print_document({"profile": profile, "tier": tier, **asdict(wanted)})
    else:
        print_done(f"{profile}: thresholds of {tier or 'every other tier'} are set")


def list_thresholds(profile: Service, as_json: AsJson = False) -> None:
    """List the thresholds of a service by tier; the empty tier holds where a line's own says nothing."""
    from billing.cli.trust import names_of
    from billing.operators.service import find_profile
    from billing.thresholds import service

    engine = open_engine(open_settings())
    found = service.thresholds_of(engine, find_profile(engine, *names_of(profile)).id)
    rows = [(tier, *asdict(limits).values()) for tier, limits in sorted(found.items())]
    if as_json:
        print_document([{"tier": tier, **asdict(limits)} for tier, limits in sorted(found.items())])
    else:
        print_table(f"thresholds, {profile}", COLUMNS, rows)


def set_tier(
    line: Line,
    tier: Annotated[str, typer.Argument(help="The tier, as thresholds name it.")],
    source: Annotated[str, typer.Option(help="Who says so; at most 40 characters.")],
    note: Annotated[str, typer.Option(help="Kept in the record.")] = "",
    operator: Annotated[
        str, typer.Option(metavar="CODE", help="Whose customer; when not given, of the operator of the line's account.")
    ] = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Give a line a credit tier with an operator; the tiers before it are kept."""
    from billing.thresholds import service
    from runtime.clock import SystemClock

    settings = open_settings()
    ani = _line(line, settings.call.home_country)
    engine = open_engine(settings, dry_run=dry_run)
    by = staff_name()
    service.set_tier(engine, SystemClock(), ani, tier, source=source, by=by, note=note, operator_code=operator)
    if as_json:
        print_document({"line": ani, "tier": tier, "source": source})
    else:
        print_done(f"{ani}: tier {tier}")


def show_tier(line: Line, as_json: AsJson = False) -> None:
    """Show the credit tiers a line has and had, the newest first; who looked is kept."""
    from billing.thresholds import service

    settings = open_settings()
    engine = open_engine(settings)
    ani = _line(line, settings.call.home_country)
    keep_who_looked(settings, engine, [(ani, None)], "tier show")
    found = [asdict(tier) for tier in service.tiers_of(engine, ani)]
    if as_json:
        print_document({"line": ani, "tiers": found})
    elif found:
        print_table(f"tiers of {ani}", tuple(found[0]), [tuple(row.values()) for row in found])
    if not found:
        raise CommandError(f"{ani}: no tier", ExitCode.NOTHING)


def _time(option: str, text: str) -> int | None:
    if not text:
        return None
    found = _TIME.fullmatch(text)
    if found is None:
        raise CommandError(f"{option}: a time such as 31m, 90s or 2h", ExitCode.USAGE)
    return int(found[1]) * _SECONDS[found[2]]


def _line(line: str, home_country: str) -> str:
    from ani.typed_line import typed_line

    return typed_line(line, home_country)
