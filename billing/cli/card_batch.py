"""`tollgate card batch`: cards by the batch, from the plan to the print file and the inventory."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from billing.cli.account import amount_of, shown
from billing.cli.moment import moment_of
from runtime.command import (
    AsJson,
    CommandError,
    DryRun,
    ExitCode,
    Reason,
    Yes,
    command_group,
    confirm,
    console,
    money_document,
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
    from billing.cards.batch import Inventory
    from billing.cards.card import CardState

BatchName = Annotated[str, typer.Argument(metavar="BATCH", help="Name of the batch.")]
FirstSerial = Annotated[str, typer.Option("--from", help="Only from this serial number on.")]
LastSerial = Annotated[str, typer.Option("--to", help="Only up to this serial number.")]


def attach(group: typer.Typer) -> None:
    """Bring `card batch`."""
    batch = command_group(group, "batch", "Batches of cards of one class.")
    batch.command("create", epilog="Example: tollgate card batch create acme spring --cards 1000 --face 10.00")(create)
    batch.command("export", epilog="Example: tollgate card batch export spring cards.age --recipient age1...")(export)
    batch.command("list", epilog="Example: tollgate card batch list --operator acme")(list_batches)
    batch.command("show", epilog="Example: tollgate card batch show spring")(show)
    batch.command("activate", epilog='Example: tollgate card batch activate spring --reason "sold to kiosk 7"')(
        activate
    )
    batch.command("void", epilog='Example: tollgate card batch void spring --reason "parcel lost" --yes')(void)


def create(
    operator: Annotated[str, typer.Argument(metavar="OPERATOR", help="Whose cards they are.")],
    name: BatchName,
    cards: Annotated[int, typer.Option(min=1, help="How many.")],
    face: Annotated[str, typer.Option(help="What each is worth, in the operator's currency: 10.00")],
    card_class: Annotated[str, typer.Option("--class", help="Name of their class.")] = "standard",
    tariff: Annotated[str | None, typer.Option(help="Prices their calls, in place of the service's tariff.")] = None,
    pins_of: Annotated[str | None, typer.Option("--range", help="Range of PINs they are drawn from.")] = None,
    valid_until: Annotated[str, typer.Option(help="Moment all of them end (ISO 8601, UTC if no zone).")] = "",
    valid_days: Annotated[int | None, typer.Option(help="Days each is good for after its first use.")] = None,
    virtual: Annotated[
        bool, typer.Option("--virtual/--plastic", help="Without plastic: `tollgate card issue` gives out each.")
    ] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Plan a batch; its cards are made when it is exported, virtual ones when they are issued."""
    from billing.cards import service
    from billing.cards.batch import CardClass
    from runtime.clock import SystemClock

    until = moment_of("--valid-until", valid_until) if valid_until else None
    wanted = CardClass(card_class, amount_of(face), tariff, until, valid_days)
    engine = open_engine(open_settings(), dry_run=dry_run)
    made = service.create_batch(
        engine,
        SystemClock(),
        operator_code=operator,
        name=name,
        card_class=wanted,
        cards=cards,
        range_name=pins_of,
        is_virtual=virtual,
        by=staff_name(),
    )
    if as_json:
        face_value = money_document(made.card_class.face_micros, made.currency)
        print_document({"batch": made.name, "cards": made.cards, "face_value": face_value, "dry_run": dry_run})
    else:
        print_done(f"batch {made.name}: {made.cards} cards of {shown(made.card_class.face_micros, made.currency)}")


def export(
    name: BatchName,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The print file; must not be there yet.")],
    recipient: Annotated[
        list[str], typer.Option(help="Public key of who may read it, of age or ssh; may be repeated.")
    ],
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make the cards of a batch and its encrypted print file: once, for the PINs are nowhere else."""
    from billing.cards.printing import service
    from runtime.clock import SystemClock

    engine, pepper = open_keyed(dry_run=dry_run)
    asked = service.Export(name, file, tuple(recipient), staff_name())
    done = service.export_batch(engine, SystemClock(), pepper, asked, _say_progress, rehearse=dry_run)
    if as_json:
        print_document({"batch": name, "cards": done.cards, "file": str(file), "dry_run": dry_run})
    else:
        print_done(f"batch {name}: {done.cards} cards in {file}; activate them when they are sold")


def list_batches(
    operator: Annotated[str | None, typer.Option(help="Only batches of this operator.")] = None, as_json: AsJson = False
) -> None:
    """The inventory: every batch with its cards by state, and what is left on those that were used."""
    from billing.cards import service
    from runtime.clock import SystemClock

    found = service.list_batches(open_engine(open_settings()), SystemClock(), operator)
    if as_json:
        print_document([_document(inventory) for inventory in found])
        return
    columns = ("batch", "operator", "class", "face", "planned", *_states(), "left on them")
    print_table("cards", columns, [_row(inventory) for inventory in found])


def show(name: BatchName, as_json: AsJson = False) -> None:
    """Show a batch, its cards by state, and its history."""
    from billing.cards import service
    from runtime.clock import SystemClock

    inventory, events = service.describe_batch(open_engine(open_settings()), SystemClock(), name)
    history = [
        {"state": event.state, "cards": event.cards, "at": event.at, "made_by": event.made_by, "note": event.note}
        for event in events
    ]
    if as_json:
        print_document(_document(inventory) | {"events": history})
        return
    print_record(_record(inventory))
    columns = ("at", "state", "cards", "by", "note")
    rows = [(event.at, event.state, event.cards, event.made_by, event.note) for event in events]
    print_table("history", columns, rows)


def activate(
    name: BatchName,
    reason: Reason,
    first: FirstSerial = "",
    last: LastSerial = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Activate the cards of a batch, or a range of serial numbers: from now on their PINs can be used."""
    from billing.cards.card import CardState

    _change(name, CardState.ACTIVATED, (first, last), reason, dry_run=dry_run, as_json=as_json)


def void(
    name: BatchName,
    reason: Reason,
    first: FirstSerial = "",
    last: LastSerial = "",
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make the unused cards of a batch void for good, or a range of them; used ones one by one (`card void`)."""
    from billing.cards.card import CardState

    if not dry_run:
        confirm(f"make the unused cards of batch {name} void for good?", yes=yes)
    _change(name, CardState.VOID, (first, last), reason, dry_run=dry_run, as_json=as_json)


def _change(name: str, to: "CardState", serials: tuple[str, str], reason: str, *, dry_run: bool, as_json: bool) -> None:
    from billing.cards import service
    from runtime.clock import SystemClock

    if any(serials) and not all(serials):
        raise CommandError("--from and --to are given together", ExitCode.USAGE)
    engine = open_engine(open_settings(), dry_run=dry_run)
    changed = service.change_batch(
        engine,
        SystemClock(),
        name=name,
        to=to,
        serials=serials if all(serials) else None,
        by=staff_name(),
        note=reason,
    )
    if as_json:
        print_document({"batch": name, "state": to, "cards": changed, "dry_run": dry_run})
    else:
        print_done(f"batch {name}: {changed} cards {to}")
    if not changed:
        raise CommandError(f"batch {name} has no card that could be {to}", ExitCode.NOTHING)


def _say_progress(made: int, total: int) -> None:
    if made % 10_000 == 0:
        console.print(f"{made} of {total} cards", highlight=False)


def _states() -> tuple[str, ...]:
    from billing.cards.card import CardState

    return tuple(CardState)


def _row(inventory: "Inventory") -> tuple[object, ...]:
    batch = inventory.batch
    return (
        batch.name,
        batch.operator_code,
        batch.card_class.name,
        shown(batch.card_class.face_micros, batch.currency),
        batch.cards,
        *_counts(inventory).values(),
        shown(inventory.left_micros, batch.currency),
    )


def _counts(inventory: "Inventory") -> dict[str, int]:
    from billing.cards.card import CardState

    return {state.value: inventory.count(state) for state in CardState}


def _record(inventory: "Inventory") -> dict[str, object]:
    batch = inventory.batch
    exported = "" if batch.exported_at is None else f"{batch.exported_at} by {batch.exported_by} to {batch.exported_to}"
    return {
        "batch": batch.name,
        "operator": batch.operator_code,
        "class": batch.card_class.name,
        "kind": "virtual" if batch.is_virtual else "plastic",
        "face value": shown(batch.card_class.face_micros, batch.currency),
        "tariff": batch.card_class.tariff_name or "of the service",
        "range": batch.range_name,
        "valid until": batch.card_class.valid_until_at,
        "valid days": batch.card_class.valid_days,
        "planned": batch.cards,
        **_counts(inventory),
        "left on them": shown(inventory.left_micros, batch.currency),
        "created": f"{batch.created_at} by {batch.created_by}",
        "exported": exported,
    }


def _document(inventory: "Inventory") -> dict[str, object]:
    batch = inventory.batch
    return {
        "batch": batch.name,
        "operator": batch.operator_code,
        "class": batch.card_class.name,
        "virtual": batch.is_virtual,
        "face_value": money_document(batch.card_class.face_micros, batch.currency),
        "tariff": batch.card_class.tariff_name,
        "range": batch.range_name,
        "valid_until": batch.card_class.valid_until_at,
        "valid_days": batch.card_class.valid_days,
        "planned": batch.cards,
        "cards": _counts(inventory),
        "left": money_document(inventory.left_micros, batch.currency),
        "created_at": batch.created_at,
        "created_by": batch.created_by,
        "exported_at": batch.exported_at,
        "exported_by": batch.exported_by,
        "exported_to": batch.exported_to,
    }
