"""`tollgate negative report`: blocked lines by reason, and the calls that were refused for them."""

from dataclasses import astuple, fields
from typing import Annotated

import typer

from billing.cli.moment import moment_of
from runtime.command import AsJson, command_group, open_engine, open_settings, print_document, print_table


def attach(app: typer.Typer) -> None:
    """Bring `negative report`."""
    group = command_group(app, "negative", "Lines that may not be billed, and why.")
    group.command("report", epilog="Example: tollgate negative report --from 2026-03-01 --until 2026-04-01")(report)


def report(
    from_at: Annotated[str, typer.Option("--from", help="From then on (ISO 8601, UTC if no zone).")] = "",
    until_at: Annotated[str, typer.Option("--until", help="Until before.")] = "",
    as_json: AsJson = False,
) -> None:
    """Count blocks and refused calls by reason; what is blocked is counted as it is now."""
    from billing.blocks import service
    from billing.blocks.block_report import Period, ReasonCount
    from runtime.clock import SystemClock

    period = Period(
        moment_of("--from", from_at) if from_at else None, moment_of("--until", until_at) if until_at else None
    )
    names = tuple(field.name for field in fields(ReasonCount))
    rows = [astuple(row) for row in service.report(open_engine(open_settings()), SystemClock(), period)]
    if as_json:
        print_document({"reasons": [dict(zip(names, row, strict=True)) for row in rows]})
    else:
        print_table("Blocked lines", tuple(name.replace("_", " ") for name in names), rows)
