"""`tollgate condition`, `bypass`, `line toll-block|toll-lift` and `profile mode`: which calls an account pays for."""

from typing import TYPE_CHECKING, Annotated

import typer

from ani.cli_access import keep_who_looked
from billing.conditions.condition import BadConditionError, Mode, SpendPeriod, Terms, joined, read_patterns
from runtime.command import (
    AsJson,
    CommandError,
    DryRun,
    ExitCode,
    Reason,
    command_group,
    open_engine,
    open_keyed,
    open_settings,
    print_document,
    print_done,
    print_table,
    read_secret,
    staff_name,
)

if TYPE_CHECKING:
    from billing.conditions.condition import LineCondition

AccountNumber = Annotated[str, typer.Argument(metavar="ACCOUNT", help="Number of the account.")]
Line = Annotated[str, typer.Argument(metavar="LINE", help="A line: +12125550100, or as dialled at home.")]
Note = Annotated[str, typer.Option("--note", help="Why; kept in the record.")]
COLUMNS = ("account", "line", "allowed", "denied", "long distance only", "hours", "zone", "spend", "per", "set by")


def attach(app: typer.Typer) -> None:
    """Bring these commands."""
    group = command_group(app, "condition", "Conditions: which calls an account pays for from which line.")
    group.command("set", epilog="Example: tollgate condition set 4155550100 +12125550102 --allow +12125550101")(
        set_condition
    )
    group.command("list", epilog="Example: tollgate condition list --account 4155550100")(list_conditions)
    group.command("remove", epilog='Example: tollgate condition remove 4155550100 +12125550102 --reason "grown up"')(
        remove
    )
    codes = command_group(app, "bypass", "Bypass codes: they alone open toll calls on a restricted line.")
    codes.command("set", epilog="Example: tollgate bypass set 4155550100 +12125550102 < code.txt")(set_bypass)
    lines = command_group(app, "line", "Lines: which telephone lines open an account without a PIN.")
    lines.command("toll-block", epilog='Example: tollgate line toll-block +12125550102 --note "asked by letter"')(
        toll_block
    )
    lines.command("toll-lift", epilog='Example: tollgate line toll-lift +12125550102 --note "asked by letter"')(
        toll_lift
    )
    profiles = command_group(app, "profile", "Services: what is asked of a caller, and how long he may talk.")
    profiles.command("mode", epilog="Example: tollgate profile mode acme/talk continue")(set_mode)


def set_condition(
    account: AccountNumber,
    line: Line,
    allow: Annotated[str, typer.Option(help="Only these: numbers (+12125550101) and prefixes (33*), by comma.")] = "",
    deny: Annotated[str, typer.Option(help="None of these, written likewise.")] = "",
    long_distance: Annotated[
        bool, typer.Option("--long-distance", help="Only calls out of the line's own area code.")
    ] = False,
    hours: Annotated[str, typer.Option(help='Only then: "mo-fr 08:00-18:00; sa 10:00-12:00".')] = "",
    zone: Annotated[str, typer.Option(help="Time zone of hours, days and months: America/New_York.")] = "UTC",
    spend: Annotated[str, typer.Option(help="All calls from the line together may cost so much: 20.00")] = "",
    per: Annotated[SpendPeriod, typer.Option(help="What the amount is for.")] = SpendPeriod.MONTH,
    note: Note = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let an account pay for calls from one of its lines on these terms only; they replace those before them."""
    from billing.cli.account import amount_of
    from billing.conditions import service
    from runtime.clock import SystemClock

    try:
        terms = Terms(
            read_patterns("--allow", allow),
            read_patterns("--deny", deny),
            long_distance,
            hours,
            zone,
            amount_of(spend) if spend else None,
            per,
            note,
        )
    except BadConditionError as error:
        raise CommandError(str(error), ExitCode.USAGE) from None
    engine = open_engine(open_settings(), dry_run=dry_run)
    ani = service.set_condition(engine, SystemClock(), number=account, line=line, terms=terms, by=staff_name())
    if as_json:
        print_document({"account": account, "line": ani, **_terms_document(terms)})
    else:
        print_done(f"account {account} pays for calls from {ani} on these terms")


def list_conditions(
    account: Annotated[str | None, typer.Option(help="Only lines of this account.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 1000,
    as_json: AsJson = False,
) -> None:
    """List lines that have conditions; any other line of an account may call anywhere. Who looked is kept."""
    from billing.conditions import service

    settings = open_settings()
    engine = open_engine(settings)
    found = service.list_conditions(engine, number=account, limit=limit)
    keep_who_looked(settings, engine, [(one.ani, one.account_id) for one in found], "condition list")
    if as_json:
        print_document([_document(one) for one in found])
        return
    rows = [tuple(_document(one).values())[: len(COLUMNS)] for one in found]
    print_table("conditions", COLUMNS, rows)


def remove(
    account: AccountNumber, line: Line, reason: Reason, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Let a line of an account call anywhere again."""
    from billing.conditions import service
    from runtime.clock import SystemClock

    engine = open_engine(open_settings(), dry_run=dry_run)
    ani = service.end_condition(engine, SystemClock(), number=account, line=line, by=staff_name(), note=reason)
    if as_json:
        print_document({"account": account, "line": ani})
    else:
        print_done(f"calls from {ani} have no condition on account {account}")


def set_bypass(account: AccountNumber, line: Line, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Set the bypass code of an account on a line: asked for, or the first line of stdin; never shown again."""
    from billing.conditions import service
    from runtime.clock import SystemClock

    engine, pepper = open_keyed(dry_run=dry_run)
    code = read_secret("bypass code")
    ani = service.set_bypass(engine, SystemClock(), pepper, number=account, line=line, code=code, by=staff_name())
    if as_json:
        print_document({"account": account, "line": ani, "has_bypass_code": True})
    else:
        print_done(f"account {account} has a bypass code on {ani}")


def toll_block(line: Line, note: Note, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Restrict a line: toll calls from it go out by a bypass code only."""
    from billing.conditions import service
    from runtime.clock import SystemClock

    settings = open_settings()
    ani = _line(line, settings.call.home_country)
    engine = open_engine(settings, dry_run=dry_run)
    is_new = service.block_toll(engine, SystemClock(), ani=ani, by=staff_name(), note=note)
    if as_json:
        print_document({"line": ani, "toll_blocked": True, "changed": is_new})
    else:
        print_done(f"{ani}: {'toll calls are restricted' if is_new else 'was restricted already'}")


def toll_lift(line: Line, note: Note, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Lift the toll restriction of a line."""
    from billing.conditions import service
    from runtime.clock import SystemClock

    settings = open_settings()
    ani = _line(line, settings.call.home_country)
    engine = open_engine(settings, dry_run=dry_run)
    service.lift_toll(engine, SystemClock(), ani=ani, by=staff_name(), note=note)
    if as_json:
        print_document({"line": ani, "toll_blocked": False})
    else:
        print_done(f"{ani}: toll calls are not restricted")


def set_mode(
    profile: Annotated[str, typer.Argument(metavar="OPERATOR/PROFILE", help="The service.")],
    mode: Annotated[Mode, typer.Argument(help="What becomes of a call that no account pays for.")],
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """End calls that no account pays for, or let them go on through the network as they would have without us."""
    from billing.cli.trust import names_of
    from billing.conditions import service
    from billing.operators.service import find_profile
    from runtime.clock import SystemClock

    engine = open_engine(open_settings(), dry_run=dry_run)
    service.set_mode(engine, SystemClock(), find_profile(engine, *names_of(profile)).id, mode, staff_name())
    if as_json:
        print_document({"profile": profile, "mode": mode})
    else:
        print_done(f"{profile}: {mode.value}")


def _document(found: "LineCondition") -> dict[str, object]:
    condition = found.condition
    terms = _terms_document(condition.terms)
    note = terms.pop("note")
    mine = {"set_by": condition.set_by, "note": note, "set_at": condition.set_at, "condition": condition.id}
    return {"account": found.account_number, "line": found.ani, **terms, **mine}


def _terms_document(terms: Terms) -> dict[str, object]:
    return {
        "allowed": joined(terms.allowed),
        "denied": joined(terms.denied),
        "long_distance_only": terms.long_distance_only,
        "hours": terms.hours,
        "zone": terms.zone,
        "spend_limit_micros": terms.spend_limit_micros,
        "spend_period": terms.spend_period.value,
        "note": terms.note,
    }


def _line(line: str, home_country: str) -> str:
    from ani.typed_line import typed_line

    return typed_line(line, home_country)
