"""`tollgate route`: which trunk carries which destination."""

from typing import Annotated

import typer

from runtime import command
from runtime.command import AsJson, CommandError, DryRun, ExitCode

Prefix = Annotated[str, typer.Argument(help='Digits a number begins with, country code first; "*" for every number.')]

app = typer.Typer(no_args_is_help=True, help="Routes: which trunk carries which destination.")


def attach(root: typer.Typer) -> None:
    """Bring `route` into the command tree."""
    root.add_typer(app, name="route")


@app.command()
def add(
    prefix: Prefix,
    trunk: Annotated[str, typer.Argument(help="Endpoint of the switch.")],
    *,
    rank: Annotated[int, typer.Option(min=1, max=999, help="Of several trunks, the lowest is tried first.")] = 1,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> int:
    """Add a route, or change the rank of one. Exit code 3: it was there already.

    Example: tollgate route add 44 network --rank 2
    """
    from dialplan.routes import service
    from dialplan.routes.route import Route, RouteFieldError, check_trunk, read_prefix

    try:
        route = Route(check_trunk(trunk), read_prefix(prefix), rank)
    except RouteFieldError as error:
        raise CommandError(str(error), ExitCode.USAGE) from error
    change = service.add_route(command.open_engine(command.open_settings(), dry_run=dry_run), route)
    if as_json:
        command.print_document({**_row(route.prefix, trunk, rank), "change": change.value, "dry_run": dry_run})
    else:
        command.print_done(f"route {prefix} by {trunk}, rank {rank}: {change.value}")
    return ExitCode.NOTHING if change is service.RouteChange.UNCHANGED else ExitCode.OK


@app.command("list")
def list_all(
    number: Annotated[str, typer.Option(help="Only the routes this number takes, in order.")] = "",
    as_json: AsJson = False,
) -> int:
    """All routes, or those of a number. Exit code 3: there is none.

    Example: tollgate route list --number +442079460000
    """
    from dialplan.routes import service
    from dialplan.routes.route import RouteTable, find_routes

    routes = service.list_routes(command.open_engine(command.open_settings()))
    if number:
        routes = list(find_routes(RouteTable(routes), number))
    rows = [_row(route.prefix, route.trunk, route.rank) for route in routes]
    if as_json:
        command.print_document(rows)
    elif rows:
        command.print_table("Routes", tuple(rows[0]), [tuple(row.values()) for row in rows])
    return ExitCode.OK if rows else ExitCode.NOTHING


@app.command()
def remove(
    prefix: Prefix,
    trunk: Annotated[
        str | None, typer.Argument(help="Endpoint of the switch; all of the prefix when not given.")
    ] = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> int:
    """Remove a route, or all routes of a prefix. Exit code 3: there was none.

    Example: tollgate route remove 44 network
    """
    from dialplan.routes import service
    from dialplan.routes.route import RouteFieldError, read_prefix

    try:
        digits = read_prefix(prefix)
    except RouteFieldError as error:
        raise CommandError(str(error), ExitCode.USAGE) from error
    removed = service.remove_routes(command.open_engine(command.open_settings(), dry_run=dry_run), digits, trunk)
    if as_json:
        command.print_document({"prefix": prefix, "trunk": trunk, "removed": removed, "dry_run": dry_run})
    else:
        command.print_done(f"routes removed: {removed}")
    return ExitCode.OK


def _row(prefix: str, trunk: str, rank: int) -> dict[str, object]:
    from dialplan.routes.route import EVERY_NUMBER

    return {"prefix": prefix or EVERY_NUMBER, "trunk": trunk, "rank": rank}
