"""`tollgate line` and `tollgate code`: the lines of an account, and the access codes where several share a line."""

from typing import Annotated

import typer

from ani.cli_access import keep_who_looked
from runtime.command import (
    AsJson,
    DryRun,
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

AccountNumber = Annotated[str, typer.Argument(metavar="ACCOUNT", help="Number of the account.")]
Line = Annotated[str, typer.Argument(metavar="LINE", help="A line: +12125550100, or as dialled at home.")]


def attach(app: typer.Typer) -> None:
    """Bring `line` and `code`."""
    lines = command_group(app, "line", "Lines: which telephone lines open an account without a PIN.")
    lines.command("add", epilog="Example: tollgate line add 4155550100 +12125550100")(add)
    lines.command("remove", epilog='Example: tollgate line remove 4155550100 +12125550100 --reason "moved"')(remove)
    lines.command("list", epilog="Example: tollgate line list --account 4155550100")(list_lines)
    codes = command_group(app, "code", "Access codes: which account is meant on a shared line.")
    codes.command("set", epilog="Example: tollgate code set 4155550100 +12125550100 < code.txt")(set_code)
    codes.command("remove", epilog='Example: tollgate code remove 4155550100 +12125550100 --reason "shared no more"')(
        remove_code
    )


def add(
    account: AccountNumber,
    line: Line,
    with_code: Annotated[
        bool, typer.Option("--with-code", help="Also set an access code: it is asked for, or read from stdin.")
    ] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let a line open an account; accounts that share a line each need an access code."""
    from billing.accounts import service
    from runtime.clock import SystemClock

    engine, pepper = open_keyed(dry_run=dry_run)
    code = read_secret("access code") if with_code else None
    ani = service.add_line(engine, SystemClock(), pepper, number=account, line=line, code=code)
    if as_json:
        print_document({"account": account, "line": ani, "has_code": with_code})
    else:
        print_done(f"line {ani} opens account {account}{' with its access code' if with_code else ''}")


def remove(
    account: AccountNumber, line: Line, reason: Reason, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Take a line off an account."""
    from billing.accounts import service
    from runtime.clock import SystemClock

    engine = open_engine(open_settings(), dry_run=dry_run)
    ani = service.remove_line(engine, SystemClock(), number=account, line=line, by=staff_name(), note=reason)
    if as_json:
        print_document({"account": account, "line": ani})
    else:
        print_done(f"line {ani} no longer opens account {account}")


def list_lines(
    account: Annotated[str | None, typer.Option(help="Only lines of this account.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 1000,
    as_json: AsJson = False,
) -> None:
    """List lines and the accounts they open; who looked is kept."""
    from billing.accounts import service

    settings = open_settings()
    engine = open_engine(settings)
    found = service.list_lines(engine, number=account, limit=limit)
    keep_who_looked(settings, engine, [(row.ani, row.account_id) for row in found], "line list")
    if as_json:
        print_document(
            [
                {"account": row.account_number, "line": row.ani, "has_code": row.has_code, "added_at": row.added_at}
                for row in found
            ]
        )
        return
    rows = [(row.account_number, row.ani, "yes" if row.has_code else "no", row.added_at) for row in found]
    print_table("lines", ("account", "line", "access code", "added"), rows)


def set_code(account: AccountNumber, line: Line, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Set the access code of an account on a line: asked for, or the first line of stdin; never shown again."""
    from billing.accounts.codes import service
    from runtime.clock import SystemClock

    engine, pepper = open_keyed(dry_run=dry_run)
    ani = service.set_code(engine, SystemClock(), pepper, number=account, line=line, code=read_secret("access code"))
    if as_json:
        print_document({"account": account, "line": ani, "has_code": True})
    else:
        print_done(f"account {account} has an access code on {ani}")


def remove_code(
    account: AccountNumber, line: Line, reason: Reason, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Let a line open an account without an access code again; refused while other accounts are on the line."""
    from billing.accounts.codes import service
    from runtime.clock import SystemClock

    engine = open_engine(open_settings(), dry_run=dry_run)
    ani = service.remove_code(engine, SystemClock(), number=account, line=line, by=staff_name(), note=reason)
    if as_json:
        print_document({"account": account, "line": ani, "has_code": False, "dry_run": dry_run})
    else:
        print_done(f"line {ani} opens account {account} without an access code")
