"""`tollgate card`: prepaid cards one by one; batches of them are in `card_batch`."""

from typing import TYPE_CHECKING, Annotated

import typer

from ani.cli_access import keep_who_looked
from billing.cli import card_batch
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
    print_record,
    print_table,
    staff_name,
)

if TYPE_CHECKING:
    from datetime import datetime

    from billing.cards.card import Card, CardEvent

Serial = Annotated[str, typer.Argument(metavar="SERIAL", help="The number printed for everybody to see.")]


def attach(app: typer.Typer) -> None:
    """Bring `card` and `card batch`."""
    group = command_group(app, "card", "Prepaid cards: a serial number for all to see, and a PIN.")
    group.command("issue", epilog="Example: tollgate card issue online-2027")(issue)
    group.command("show", epilog="Example: tollgate card show 000001-0000042")(show)
    group.command("void", epilog='Example: tollgate card void 000001-0000042 --reason "stolen" --yes')(void)
    card_batch.attach(group)


def issue(
    batch: Annotated[str, typer.Argument(metavar="BATCH", help="A virtual batch.")],
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Issue a virtual card, active at once, and print its PIN: shown this once and kept only as a hash."""
    from billing.cards.printing import service
    from runtime.clock import SystemClock

    engine, pepper = open_keyed(dry_run=dry_run)
    made, digits = service.issue_card(engine, SystemClock(), pepper, name=batch, by=staff_name())
    if dry_run:
        digits = "--------"
    if as_json:
        print_document({"serial": made.serial, "pin": digits, "expires_at": made.expires_at, "dry_run": dry_run})
        return
    print_done(f"{made.serial} {digits}")
    console.print("write it down: it is not shown again", highlight=False)


def show(serial: Serial, as_json: AsJson = False) -> None:
    """Show a card and what became of it, never its PIN; who looked is kept once it has a holder."""
    from billing.accounts.service import find_account
    from billing.cards import service
    from runtime.clock import SystemClock

    settings = open_settings()
    engine = open_engine(settings)
    found, events = service.describe_card(engine, serial)
    if found.account_number:
        keep_who_looked(settings, engine, [("", find_account(engine, found.account_number).id)], "card show")
    document = _document(found, SystemClock().now())
    if as_json:
        print_document(document | {"events": [event_document(event) for event in events]})
        return
    print_record(document)
    print_table("history", EVENT_COLUMNS, [(event.at, event.state, event.made_by, event.note) for event in events])


def void(serial: Serial, reason: Reason, yes: Yes = False, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Make a card void for good: its PIN opens nothing, and the account that it made is closed."""
    from billing.cards import service
    from runtime.clock import SystemClock

    if not dry_run:
        confirm(f"make card {serial} void for good?", yes=yes)
    engine = open_engine(open_settings(), dry_run=dry_run)
    found = service.void_card(engine, SystemClock(), serial=serial, by=staff_name(), note=reason)
    if as_json:
        print_document(_document(found, SystemClock().now()))
    else:
        print_done(f"card {serial} is void")


EVENT_COLUMNS = ("at", "state", "by", "note")


def event_document(event: "CardEvent") -> dict[str, object]:
    """A change of cards as JSON."""
    return {
        "state": event.state,
        "at": event.at,
        "made_by": event.made_by,
        "note": event.note,
        "cards": event.cards,
    }


def _document(card: "Card", now: "datetime") -> dict[str, object]:
    return {
        "serial": card.serial,
        "batch": card.batch_name,
        "state": card.state(now),
        "expires_at": card.expires_at,
        "account": card.account_number,
        "first_used_at": card.first_used_at,
        "last_used_at": card.last_used_at,
        "uses": card.uses,
    }
