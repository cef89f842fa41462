"""`tollgate fraud`: limits of accounts and services, risky destinations, suspensions."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ani.cli_access import keep_who_looked
from billing.cli.account import AccountNumber, amount_of, shown
from billing.cli.operator import reach_of
from runtime.command import (
    AsJson,
    CommandError,
    DryRun,
    ExitCode,
    Reason,
    command_group,
    open_engine,
    open_settings,
    print_document,
    print_done,
    print_record,
    print_table,
    staff_name,
)

if TYPE_CHECKING:
    from billing.fraud.rules.fraud import Limits, SuspensionReason

Note = Annotated[str, typer.Option(help="Kept in the record.")]
Prefix = Annotated[str, typer.Argument(metavar="PREFIX", help="First digits of an international number: 252")]
Of = Annotated[str, typer.Argument(metavar="WHOM", help="Number of an account, or OPERATOR/PROFILE for a service.")]
OFF = "none"


def attach(app: typer.Typer) -> None:
    """Bring `fraud`."""
    group = command_group(app, "fraud", "Limits against fraud, judged while a call is authorised.")
    group.command("show", epilog="Example: tollgate fraud show 4155550100")(show)
    group.command("suspend", epilog='Example: tollgate fraud suspend 4155550100 --reason chargeback --note "case 9"')(
        suspend
    )
    group.command("lift", epilog='Example: tollgate fraud lift 4155550100 --note "card was good"')(lift)
    group.command("limits", epilog="Example: tollgate fraud limits acme/talk --calls-per-hour 20 --spend-per-day 50")(
        limits
    )
    group.command("list", epilog="Example: tollgate fraud list")(list_destinations)
    group.command("add", epilog="Example: tollgate fraud add 252 --risky --calls-per-hour 30")(add_destination)
    group.command("remove", epilog='Example: tollgate fraud remove 252 --note "fair again"')(remove_destination)


def show(account: AccountNumber, as_json: AsJson = False) -> None:
    """Show an account's own limits, what it did lately, its suspensions and the calls it was refused.

    Who looked is kept.
    """
    from billing.fraud import service
    from runtime.clock import SystemClock

    settings = open_settings()
    engine = open_engine(settings)
    found = service.describe(engine, SystemClock(), account)
    keep_who_looked(settings, engine, [("", found.account.id)], "fraud show")
    if as_json:
        document = {"account": found.account.number, "state": found.account.state}
        rest = {name: asdict(getattr(found, name)) for name in ("limits", "activity")}
        lists = {name: [asdict(row) for row in getattr(found, name)] for name in ("suspensions", "refusals")}
        print_document(document | rest | lists)
        return
    lately, currency = found.activity, found.account.currency
    print_record(
        {
            "account": found.account.number,
            "state": found.account.state,
            "calls that are up": lately.open_calls,
            "calls in the last hour": lately.calls_in_hour,
            "spent in the last hour": shown(lately.spent_in_hour_micros, currency),
            "spent in the last day": shown(lately.spent_in_day_micros, currency),
            **_shown_limits(found.limits, currency),
        }
    )
    for event in found.suspensions:
        print_record({event.action: f"{event.at} by {event.made_by}: {event.reason} {event.note}".rstrip()})
    for refusal in found.refusals:
        print_record({"refused": f"{refusal.at} {refusal.refusal} {refusal.destination} call {refusal.call_id}"})


def suspend(
    account: AccountNumber,
    reason: Reason,
    note: Note = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let an account make no call until it is lifted; a call that is up gets no more than it was granted."""
    from billing.fraud import service
    from runtime.clock import SystemClock

    why = _reason(reason)
    engine = open_engine(open_settings(), dry_run=dry_run)
    found = service.suspend(engine, SystemClock(), account, why, by=staff_name(), note=note)
    _print_state(found.number, found.state, as_json=as_json)


def lift(
    account: AccountNumber,
    note: Annotated[str, typer.Option(help="Why it is lifted; kept in the record.")],
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """End a suspension."""
    from billing.fraud import service
    from runtime.clock import SystemClock

    engine = open_engine(open_settings(), dry_run=dry_run)
    found = service.lift(engine, SystemClock(), account, by=staff_name(), note=note)
    _print_state(found.number, found.state, as_json=as_json)


def limits(
    whom: Of,
    calls_per_hour: Annotated[str | None, typer.Option(help="Calls authorised within an hour.")] = None,
    concurrent_calls: Annotated[str | None, typer.Option(help="Calls up at once.")] = None,
    spend_per_call: Annotated[str | None, typer.Option(help="Most one call may cost.")] = None,
    spend_per_hour: Annotated[str | None, typer.Option(help="Most the calls of an hour may cost.")] = None,
    spend_per_day: Annotated[str | None, typer.Option(help="Most the calls of a day may cost.")] = None,
    cooldown_s: Annotated[str | None, typer.Option(help="No call for so long after a recharge.")] = None,
    suspend_after: Annotated[str | None, typer.Option(help="So many refusals within an hour suspend it.")] = None,
    reach: Annotated[str | None, typer.Option(help="How far it calls: home, abroad, everywhere.")] = None,
    note: Note = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Show or change limits: what is not named stays, `none` takes one away. An account's own count before others."""
    from dataclasses import replace

    from billing.fraud import service
    from runtime.clock import SystemClock

    given: dict[str, str | None] = {
        "calls_per_hour": calls_per_hour,
        "concurrent_calls": concurrent_calls,
        "spend_per_call_micros": spend_per_call,
        "spend_per_hour_micros": spend_per_hour,
        "spend_per_day_micros": spend_per_day,
        "cooldown_s": cooldown_s,
        "suspend_after": suspend_after,
        "reach": reach,
    }
    changes = {name: _limit(name, text) for name, text in given.items() if text is not None}
    engine, clock, by = open_engine(open_settings(), dry_run=dry_run), SystemClock(), staff_name()
    operator, is_service, profile = whom.partition("/")
    kept = service.profile_limits(engine, operator, profile) if is_service else service.account_limits(engine, whom)
    wanted: Limits = replace(kept, **changes)  # type: ignore[arg-type]  # each is what its field takes
    if changes and is_service:
        service.set_profile_limits(engine, clock, operator, profile, wanted, by=by, note=note)
    elif changes:
        service.set_account_limits(engine, clock, whom, wanted, by=by, note=note)
    if as_json:
        print_document({"of": whom, "limits": asdict(wanted), "dry_run": dry_run})
    else:
        print_record({"limits of": whom, **_shown_limits(wanted, "")})


def list_destinations(as_json: AsJson = False) -> None:
    """List the prefixes that are risky or counted."""
    from billing.fraud import service

    found = service.destinations(open_engine(open_settings()))
    if as_json:
        print_document([asdict(row) for row in found])
        return
    rows = [(row.prefix, "yes" if row.is_risky else "no", row.calls_per_hour, row.set_by, row.note) for row in found]
    print_table("destinations", ("prefix", "risky", "calls an hour", "set by", "note"), rows)


def add_destination(
    prefix: Prefix,
    risky: Annotated[bool, typer.Option("--risky", help="Only accounts that reach everywhere may call it.")] = False,
    calls_per_hour: Annotated[
        int | None, typer.Option(min=0, help="Calls of all accounts together within an hour.")
    ] = None,
    note: Note = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """List a destination as risky, or bound how often it is called, or both."""
    from billing.fraud import service
    from runtime.clock import SystemClock

    if not risky and calls_per_hour is None:
        raise CommandError("say --risky, or --calls-per-hour, or both", ExitCode.USAGE)
    service.list_destination(
        open_engine(open_settings(), dry_run=dry_run),
        SystemClock(),
        prefix,
        is_risky=risky,
        calls_per_hour=calls_per_hour,
        by=staff_name(),
        note=note,
    )
    if as_json:
        print_document({"prefix": prefix, "is_risky": risky, "calls_per_hour": calls_per_hour, "dry_run": dry_run})
    else:
        print_done(f"prefix {prefix} listed")


def remove_destination(
    prefix: Prefix,
    note: Annotated[str, typer.Option(help="Why; kept in the record.")],
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Take a destination off the list."""
    from billing.fraud import service
    from runtime.clock import SystemClock

    engine = open_engine(open_settings(), dry_run=dry_run)
    service.unlist_destination(engine, SystemClock(), prefix, by=staff_name(), note=note)
    if as_json:
        print_document({"prefix": prefix, "dry_run": dry_run})
    else:
        print_done(f"prefix {prefix} is not listed any more")


def _reason(text: str) -> "SuspensionReason":
    from billing.fraud.rules.fraud import SuspensionReason

    try:
        return SuspensionReason(text)
    except ValueError:
        raise CommandError(f"--reason: one of {', '.join(SuspensionReason)}", ExitCode.USAGE) from None


def _limit(name: str, text: str) -> object:
    """The value of a limit as it was typed; `none` is no limit."""
    if text == OFF:
        return None
    if name == "reach":
        return reach_of(text)
    if name.endswith("_micros"):
        return amount_of(text)
    if not (text.isascii() and text.isdigit()):
        raise CommandError(f"--{name.replace('_', '-')}: a whole number, or {OFF}", ExitCode.USAGE)
    return int(text)


def _shown_limits(found: "Limits", currency: str) -> dict[str, object]:
    return {
        name.removesuffix("_micros").removesuffix("_s").replace("_", " "): shown(value, currency).strip()
        if name.endswith("_micros")
        else value
        for name, value in asdict(found).items()
        if value is not None
    }


def _print_state(number: str, state: str, *, as_json: bool) -> None:
    if as_json:
        print_document({"account": number, "state": state})
    else:
        print_done(f"account {number} is {state}")
