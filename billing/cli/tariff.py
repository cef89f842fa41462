"""`tollgate tariff`: load price tables, look at them, and see what a call would cost and why."""

from pathlib import Path
from typing import Annotated

import typer

from runtime.command import AsJson, DryRun, command_group

DEFAULT_TARIFF = "standard"
LONGEST_CALL_S = 86_400

OperatorCode = Annotated[str | None, typer.Option("--operator", help="Operator code; needed if there are several.")]

app = typer.Typer(no_args_is_help=True, help="Price tables: import, list, show, test a number.")


def attach(root: typer.Typer) -> None:
    """Bring `tariff` into the command tree."""
    root.add_typer(app, name="tariff")
    command_group(root, "rate", "What a number costs, and why.").command("test")(price_number)


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="CSV: prefix, destination, price_per_minute, increments, ...")],
    *,
    name: Annotated[str, typer.Option("--tariff", help="Tariff; made when it is new.")] = DEFAULT_TARIFF,
    operator: OperatorCode = None,
    currency: Annotated[str, typer.Option(help="ISO 4217; the operator's when not given.")] = "",
    effective_at: Annotated[str, typer.Option(help="When the prices begin (ISO 8601, UTC if no zone); now.")] = "",
    mapping: Annotated[list[str] | None, typer.Option("--map", help="COLUMN=FIELD; may be repeated.")] = None,
    reject_file: Annotated[Path | None, typer.Option(help="Where bad rows go; FILE.rejected.csv.")] = None,
    usual: Annotated[
        list[str] | None, typer.Option("--set", help="FIELD=VALUE for empty cells; may be repeated.")
    ] = None,
    negative: Annotated[bool, typer.Option("--allow-negative", help="Prices below zero are meant.")] = False,
    whole: Annotated[bool, typer.Option("--whole", help="Load nothing unless every row is good.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> int:
    """Load a CSV as the next version of a tariff. Exit code 4: some rows are in the reject file.

    Example: tollgate tariff import rates.csv --tariff standard --effective-at 2027-01-01T00:00Z
    """
    from billing.cli import tariff_load

    ask = tariff_load.Ask(
        file, name, operator, currency, effective_at, tuple(mapping or ()), reject_file, tuple(usual or ()), negative
    )
    return tariff_load.load(ask, whole=whole, dry_run=dry_run, as_json=as_json)


@app.command("list")
def list_all(operator: OperatorCode = None, as_json: AsJson = False) -> int:
    """Tariffs, and the version of each that is in effect.

    Example: tollgate tariff list
    """
    from billing.cli import tariff_view

    return tariff_view.list_tariffs(operator, as_json=as_json)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Tariff.")] = DEFAULT_TARIFF,
    *,
    operator: OperatorCode = None,
    version: Annotated[int | None, typer.Option(help="Number of the version; the one in effect.")] = None,
    rates: Annotated[bool, typer.Option("--rates", help="The rates of the version, not the versions.")] = False,
    prefix: Annotated[str, typer.Option(help="Only rates whose prefix begins so.")] = "",
    as_json: AsJson = False,
) -> int:
    """The versions of a tariff, or the rates of one.

    Example: tollgate tariff show standard --rates --prefix 44
    """
    from billing.cli import tariff_view

    if rates or prefix or version is not None:
        return tariff_view.show_rates(operator, name, version, prefix, as_json=as_json)
    return tariff_view.show_versions(operator, name, as_json=as_json)


@app.command("test")
def price_number(
    number: Annotated[str, typer.Argument(help="+ and country code, or as dialled; or the code of what is sold.")],
    *,
    name: Annotated[str, typer.Option("--tariff", help="Tariff; with --account the one that prices it.")] = "",
    operator: OperatorCode = None,
    service: Annotated[
        str, typer.Option(help="voice, premium, data ...: whose rates; what --access sells when not given.")
    ] = "",
    seconds: Annotated[str, typer.Option(help="Length of the call to price, to the millisecond: 75, 12.5")] = "60",
    units: Annotated[int | None, typer.Option(min=0, help="Bytes or units to price, where no time is.")] = None,
    balance: Annotated[str, typer.Option(help="Also: how long this much money lasts.")] = "",
    cap: Annotated[int, typer.Option(min=1, max=LONGEST_CALL_S, help="Longest call, seconds.")] = LONGEST_CALL_S,
    at: Annotated[str, typer.Option(help="Moment of the call (ISO 8601, UTC if no zone); now.")] = "",
    access: Annotated[str, typer.Option(help="Access number the call came in on, digits.")] = "",
    month_used: Annotated[int, typer.Option(min=0, help="Used before in the month: seconds, bytes or units.")] = 0,
    included: Annotated[int, typer.Option(min=0, help="Units left in a bundle: seconds, bytes or units.")] = 0,
    account: Annotated[str, typer.Option(help="For this account: its bundles, its month, and its money.")] = "",
    as_json: AsJson = False,
) -> int:
    """What a call would cost, why, and how long a balance lasts. Exit code 3: the number may not be called.

    `rate test` and `tariff test` are the same.

    Example: tollgate rate test +442079460000 --seconds 75 --account 4155550100

    Example: tollgate tariff test +442079460000 --seconds 75 --balance 5.00 --at 2027-03-01T17:58+01:00
    """
    from billing.cli import tariff_price

    ask = tariff_price.Ask(
        number,
        name,
        operator,
        tariff_price.read_ms(seconds, LONGEST_CALL_S),
        balance,
        cap,
        at,
        service,
        units,
        access,
        month_used,
        included,
        account,
    )
    return tariff_price.price(ask, as_json=as_json)
