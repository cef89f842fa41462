"""`tollgate pin`: PINs, shown once when they are issued."""

from typing import Annotated

import typer

from billing.cli import pin_outside, pin_range
from billing.cli.moment import moment_of
from runtime.command import (
    AsJson,
    DryRun,
    Reason,
    Yes,
    command_group,
    confirm,
    console,
    open_engine,
    open_keyed,
    open_settings,
    print_document,
    print_done,
    staff_name,
)

AccountNumber = Annotated[str, typer.Argument(metavar="ACCOUNT", help="Number of the account.")]


def attach(app: typer.Typer) -> None:
    """Bring `pin`."""
    group = command_group(app, "pin", "PINs: eight digits that open an account from any line.")
    group.command("issue", epilog="Example: tollgate pin issue 4155550100 --expires 2027-01-01")(issue)
    group.command("revoke", epilog='Example: tollgate pin revoke 4155550100 --reason "card lost" --yes')(revoke)
    pin_range.attach(group)
    pin_outside.attach(group)


def issue(
    account: AccountNumber,
    expires: Annotated[
        str, typer.Option(help="When it ends (ISO 8601, UTC if no zone); never, or as the range says, if not given.")
    ] = "",
    pins_of: Annotated[str, typer.Option("--range", help="Range of PINs it is taken from.")] = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Issue a new PIN and print it: it is shown this once and kept only as a hash."""
    from billing.accounts import service
    from runtime.clock import SystemClock

    expires_at = moment_of("--expires", expires) if expires else None
    engine, pepper = open_keyed(dry_run=dry_run)
    found = service.find_account(engine, account)
    digits = service.issue_pin(engine, SystemClock(), pepper, found.id, expires_at=expires_at, range_name=pins_of)
    expires_at = expires_at if dry_run else service.describe_account(engine, account)[2][0].expires_at
    if dry_run:
        digits = "--------"
    if as_json:
        print_document({"account": account, "pin": digits, "expires_at": expires_at})
    else:
        print_done(digits)
        console.print("write it down: it is not shown again", highlight=False)


def revoke(
    account: AccountNumber,
    reason: Reason,
    pin_id: Annotated[int | None, typer.Option("--id", help="Only this one; `account show` lists them.")] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Revoke the PINs of an account for good, or one of them."""
    from billing.accounts import service
    from runtime.clock import SystemClock

    if not dry_run:
        confirm(f"revoke {'this PIN' if pin_id else 'every PIN'} of account {account}?", yes=yes)
    engine = open_engine(open_settings(), dry_run=dry_run)
    revoked = service.revoke_pins(engine, SystemClock(), number=account, by=staff_name(), note=reason, pin_id=pin_id)
    if as_json:
        print_document({"account": account, "revoked": revoked})
    else:
        print_done(f"account {account}: {revoked} revoked")
