"""`tollgate pin range`: ranges of PINs by operator, site and campaign, and what became of them."""

from typing import TYPE_CHECKING, Annotated

import typer

from billing.cli.account import shown
from runtime.command import (
    AsJson,
    CommandError,
    DryRun,
    ExitCode,
    command_group,
    money_document,
    open_engine,
    open_settings,
    print_document,
    print_done,
    print_table,
    staff_name,
)

if TYPE_CHECKING:
    from billing.pins.pin_range import Period, PinRange, RangeUse

OWNERS = ("range", "site", "campaign", "operator")
OnlyOperator = Annotated[str | None, typer.Option("--operator", help="Only ranges of this operator.")]


def attach(group: typer.Typer) -> None:
    """Bring `pin range`."""
    ranges = command_group(group, "range", "Ranges of PINs: whose they are and when they end.")
    ranges.command(
        "create", epilog="Example: tollgate pin range create acme web --site shop.example --prefix 71 --ends month"
    )(create)
    ranges.command("list", epilog="Example: tollgate pin range list --operator acme")(list_ranges)
    ranges.command("report", epilog="Example: tollgate pin range report --by campaign")(report)


def create(
    operator: Annotated[str, typer.Argument(metavar="OPERATOR", help="Whose range it is.")],
    name: Annotated[str, typer.Argument(metavar="RANGE", help="Name of the range.")],
    site: Annotated[str, typer.Option(help="Site the PINs are given out on.")] = "",
    campaign: Annotated[str, typer.Option(help="Campaign the PINs belong to.")] = "",
    prefix: Annotated[str, typer.Option(help="Digits its PINs begin with, at most four.")] = "",
    ends: Annotated[str, typer.Option(help="When its PINs end: never, month (UTC), days (with --days).")] = "never",
    days: Annotated[int | None, typer.Option(help="Days a PIN holds.")] = None,
    most: Annotated[int | None, typer.Option(help="At most so many PINs; one in 100 of its digits by default.")] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make a range of PINs."""
    from billing.pins import service
    from billing.pins.pin_range import RangeTerms
    from runtime.clock import SystemClock

    terms = RangeTerms(name, site, campaign, prefix, _period(ends), days, most)
    engine = open_engine(open_settings(), dry_run=dry_run)
    made = service.create_range(engine, SystemClock(), operator, terms, by=staff_name())
    if as_json:
        print_document(_document(made))
    else:
        print_done(f"range {made.operator_code}/{made.name}: {made.most} PINs")


def list_ranges(operator: OnlyOperator = None, as_json: AsJson = False) -> None:
    """List ranges and how many PINs are left in each."""
    from billing.pins import service

    found = service.list_ranges(open_engine(open_settings()), operator)
    if as_json:
        print_document([_document(row) for row in found])
        return
    columns = ("operator", "range", "site", "campaign", "prefix", "ends", "issued", "left")
    rows = [
        (row.operator_code, row.name, row.site, row.campaign, row.prefix, _ends(row), row.issued, row.left)
        for row in found
    ]
    print_table("ranges", columns, rows)


def report(
    by: Annotated[str, typer.Option(help="range, site, campaign or operator.")] = "range",
    operator: OnlyOperator = None,
    as_json: AsJson = False,
) -> None:
    """What became of the PINs: issued, in force, used, ended, revoked, and what was charged to their accounts."""
    from billing.pins import service
    from runtime.clock import SystemClock

    if by not in OWNERS:
        raise CommandError(f"--by: one of {', '.join(OWNERS)}", ExitCode.USAGE)
    found = service.report_use(open_engine(open_settings()), SystemClock(), by, operator)
    if as_json:
        print_document([_use_document(by, use) for use in found])
        return
    columns = (by, "issued", "in force", "used", "ended", "revoked", "uses", "last used", "charged")
    rows = [
        (
            use.owner,
            use.issued,
            use.in_force,
            use.used,
            use.ended,
            use.revoked,
            use.uses,
            use.last_used_at,
            shown(use.charged_micros, use.currency),
        )
        for use in found
    ]
    print_table("PINs", columns, rows)


def _period(text: str) -> "Period":
    from billing.pins.pin_range import Period

    try:
        return Period(text)
    except ValueError:
        raise CommandError(f"--ends: one of {', '.join(Period)}", ExitCode.USAGE) from None


def _ends(row: "PinRange") -> str:
    return f"after {row.period_days} days" if row.period_days else row.period


def _document(row: "PinRange") -> dict[str, object]:
    return {
        "operator": row.operator_code,
        "range": row.name,
        "site": row.site,
        "campaign": row.campaign,
        "prefix": row.prefix,
        "ends": row.period,
        "days": row.period_days,
        "most": row.most,
        "issued": row.issued,
        "left": row.left,
    }


def _use_document(by: str, use: "RangeUse") -> dict[str, object]:
    return {
        by: use.owner,
        "issued": use.issued,
        "in_force": use.in_force,
        "used": use.used,
        "ended": use.ended,
        "revoked": use.revoked,
        "uses": use.uses,
        "last_used_at": use.last_used_at,
        "charged": money_document(use.charged_micros, use.currency),
    }
