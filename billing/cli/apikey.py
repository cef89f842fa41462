"""`tollgate apikey`: keys by which other services charge the accounts of an operator."""

from typing import TYPE_CHECKING, Annotated

import typer

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
    print_table,
    staff_name,
)

if TYPE_CHECKING:
    from billing.apikeys.apikey import ApiKey, Scope


def attach(app: typer.Typer) -> None:
    """Bring `apikey`."""
    group = command_group(app, "apikey", "Keys by which other services charge the accounts of an operator.")
    group.command("create", epilog='Example: tollgate apikey create acme --name "data gateway"')(create)
    group.command("list", epilog="Example: tollgate apikey list --json")(list_keys)
    group.command("revoke", epilog='Example: tollgate apikey revoke 0f3c... --reason "left in a log"')(revoke)


def create(
    operator: Annotated[str, typer.Argument(metavar="OPERATOR", help="Whose accounts it may charge.")],
    name: Annotated[str, typer.Option(help="Which service has it; shown in every transfer.")] = "",
    scope: Annotated[
        list[str] | None, typer.Option(help="charging (if none is given), pins or lines; may be repeated.")
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make a key and show it, once: only a hash of it is kept."""
    from billing.apikeys import service
    from runtime.clock import SystemClock

    engine = open_engine(open_settings(), dry_run=dry_run)
    made, text = service.create(engine, SystemClock(), operator, name, staff_name(), _scopes(scope or ["charging"]))
    if as_json:
        print_document(_document(made) | {"key": text})
    else:
        print_done(text)


def list_keys(as_json: AsJson = False) -> None:
    """List keys, never with their secrets."""
    from billing.apikeys import service

    found = service.list_keys(open_engine(open_settings()))
    if as_json:
        print_document([_document(key) for key in found])
        return
    columns = ("key", "operator", "name", "scopes", "created", "by", "revoked")
    rows = [
        (
            key.id,
            key.operator_code,
            key.name,
            " ".join(sorted(key.scopes)),
            key.created_at,
            key.created_by,
            key.revoked_at,
        )
        for key in found
    ]
    print_table("API keys", columns, rows)


def revoke(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Id of the key: the middle part of it.")],
    reason: Reason,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Revoke a key for good; the next request with it is refused."""
    from billing.apikeys import service
    from runtime.clock import SystemClock

    engine = open_engine(open_settings(), dry_run=dry_run)
    service.revoke(engine, SystemClock(), key, staff_name(), reason)
    if as_json:
        print_document({"key": key, "revoked": True})
    else:
        print_done(f"key {key} revoked")


def _scopes(words: list[str]) -> "frozenset[Scope]":
    from billing.apikeys.apikey import Scope

    try:
        return frozenset(Scope(word) for word in words)
    except ValueError:
        raise CommandError(f"--scope: of {', '.join(Scope)}", ExitCode.USAGE) from None


def _document(key: "ApiKey") -> dict[str, object]:
    return {
        "id": key.id,
        "operator": key.operator_code,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "created_at": key.created_at,
        "created_by": key.created_by,
        "revoked_at": key.revoked_at,
    }
