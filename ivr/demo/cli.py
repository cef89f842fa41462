"""`tollgate demo run|up`: what `make demo` and `make up` run."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from runtime.command import AsJson, CommandError, ExitCode, command_group, print_document, print_done, print_record

if TYPE_CHECKING:
    from ivr.demo.run import Result
    from ivr.demo.stage import Plan, Stage
    from ivr.demo.view import View


def attach(app: typer.Typer) -> None:
    """Bring `demo run` and `demo up`."""
    group = command_group(app, "demo", "A gateway with a telephone network around it, on this machine alone.")
    group.command("run", epilog="Example: tollgate demo run")(run)
    group.command("up", epilog="Example: tollgate demo up --bind 192.0.2.10")(up)


Name = Annotated[str, typer.Option(help="Name of its directory below var/: another name runs beside it.")]


def run(name: Name = "demo", as_json: AsJson = False) -> int:
    """Show one prepaid call: identified, age-checked, priced, connected, warned, cut at zero; then the bill.

    Exit code 0 only when the account ended at exactly zero.
    """
    from ivr.demo import run as demo

    with _stage(demo.plan(name)) as stage:
        view = _view()
        result = demo.run(stage, view)
        faults = [*result.faults, *demo.check_books(stage)]
        if as_json:
            print_document(_document(result, faults))
        else:
            _print_bill(result, stage, view)
    if faults:
        raise CommandError("; ".join(faults))
    view.say(f"\n✓ The account ended at exactly zero. Everything is stopped. Kept: {stage.folder}", "bold green")
    return ExitCode.OK


def up(
    bind: Annotated[str, typer.Option(help="Address of this machine at which a softphone may register.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1024, max=65535, help="UDP port of SIP.")] = 5060,
    name: Name = "up",
    as_json: AsJson = False,
) -> int:
    """Keep a gateway and a telephone network up until Ctrl-C, for a softphone to register and call.

    Prints the SIP account, the number to dial, and the PIN; then what happens on each call.
    """
    from ivr.demo import up as demo

    with _stage(demo.plan(name, bind, port)) as stage:
        view = _view()
        door = demo.open_door(stage, view, bind, port)
        if as_json:
            print_document(door.document)
        else:
            for line in door.lines:
                print_done(line)
        demo.watch_calls(stage, view)
    return ExitCode.OK


@contextmanager
def _stage(plan: "Plan") -> "Iterator[Stage]":
    """The stage of this plan; SIGTERM and a closed terminal end it as Ctrl-C does."""
    from dialplan.asterisk.manager_link import ManagerLinkError
    from dialplan.lab.gateway_process import GatewayEndedError
    from dialplan.lab.installation import NoAsteriskError
    from dialplan.lab.instance import InstanceError
    from dialplan.lab.polling import NotSeenError
    from ivr.demo.stage import Stage

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        with Stage(plan) as stage:
            yield stage
    except KeyboardInterrupt:
        raise CommandError("interrupted; everything is stopped", ExitCode.INTERRUPTED) from None
    except (ManagerLinkError, GatewayEndedError, NoAsteriskError, InstanceError, NotSeenError, OSError) as error:
        raise CommandError(f"{error}; everything is stopped") from error


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


def _view() -> "View":
    from rich.console import Console

    from ivr.demo.view import View
    from runtime.clock import SystemClock

    return View(Console(stderr=True), SystemClock())


def _print_bill(result: "Result", stage: "Stage", view: "View") -> None:
    """The bill, the ledger, and the explanation that staff get by their own command."""
    from billing.cli import call

    view.say("\nThe bill", "bold")
    print_record(_bill(result))
    view.say("")
    _print_ledger(stage, result.account.id)
    view.say(f"\n$ tollgate call explain {result.cdr.call_id}", "bold")
    call.explain(result.cdr.call_id)
    view.say(f"\nwhat the caller heard: {result.heard}")
    view.say(f"to ask more: export TOLLGATE_CONFIG={stage.settings_file}; .venv/bin/tollgate call list")


def _bill(result: "Result") -> dict[str, object]:
    from billing.money import format_amount

    cdr, rate, currency = result.cdr, result.kept.rate, result.account.currency
    price = ""
    if rate is not None:
        per_minute = format_amount(rate.price_per_minute_micros, currency)
        price = f"{per_minute} a minute, in steps of {rate.initial_s}/{rate.increment_s} s ({rate.destination})"
    return {
        "from": f"{cdr.ani}, account {result.account.number}",
        "dialled": cdr.dnis,
        "to": f"{cdr.destination} by trunk {cdr.trunk}",
        "price": price,
        "answered": f"{cdr.answered_at:%Y-%m-%d %H:%M:%S.%f} UTC" if cdr.answered_at else "never",
        "talked": f"{cdr.used_ms / 1000:.3f} s",
        "ended by": f"{cdr.disposition}, cause {cdr.hangup_cause}",
        "charged": format_amount(cdr.charged_micros, currency),
        "balance": format_amount(result.account.balance_micros, currency),
    }


def _print_ledger(stage: "Stage", account_id: int) -> None:
    """Both sides of every transfer of the account, the oldest first."""
    from billing.ledger import store
    from billing.money import format_amount
    from runtime.command import print_table
    from runtime.database import reading

    with reading(stage.engine) as conn:
        transfers = sorted({line.transfer_id for line in store.lines_of_account(conn, account_id)})
        lines = [line for transfer in transfers for line in store.lines_of_transfer(conn, transfer)]
    print_table(
        "The ledger",
        ("at", "transfer", "posted on", "amount", "balance after"),
        [
            (
                f"{line.at:%H:%M:%S.%f}",
                f"{line.transfer_id} {line.transfer_kind}",
                f"{line.ledger_kind} {line.owner}",
                format_amount(line.amount_micros, line.currency),
                "" if line.balance_after_micros is None else format_amount(line.balance_after_micros, line.currency),
            )
            for line in lines
        ],
    )


def _document(result: "Result", faults: list[str]) -> dict[str, object]:
    from runtime.command import money_document

    cdr, account = result.cdr, result.account
    return {
        "call": cdr.call_id,
        "disposition": cdr.disposition,
        "used_ms": cdr.used_ms,
        "charged": money_document(cdr.charged_micros, account.currency),
        "balance": money_document(account.balance_micros, account.currency),
        "was_warned": result.was_warned,
        "ring_s": round(result.ring_s, 1),
        "heard": str(result.heard),
        "faults": faults,
    }
