"""`tollgate call list|show|explain`: the record of calls, from the database."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ani.cli_access import keep_who_looked
from billing.cli.account import shown
from billing.cli.moment import moment_of
from runtime.command import (
    AsJson,
    CommandError,
    command_group,
    money_document,
    open_engine,
    open_settings,
    print_document,
    print_done,
    print_record,
    print_table,
)
from runtime.faults import NotFoundError

if TYPE_CHECKING:
    from billing.calls.call import Call, Cdr
    from billing.calls.explanation import Explanation

CallId = Annotated[str, typer.Argument(metavar="CALL", help="Id of the call, or the digits it begins with.")]
COLUMNS = ("call", "ended", "from", "to", "account", "disposition", "talked s", "charged")


def attach(app: typer.Typer) -> None:
    """Bring `call list`, `call show` and `call explain`."""
    group = command_group(app, "call", "Calls: live, listed, explained, ended.")
    group.command("list", epilog="Example: tollgate call list --account 4155550100 --from 2026-03-01")(list_calls)
    group.command("show", epilog="Example: tollgate call show 0195a1b2 --json")(show)
    group.command("explain", epilog="Example: tollgate call explain 0195a1b2")(explain)


def list_calls(
    account: Annotated[str | None, typer.Option(help="Only calls paid by this account.")] = None,
    line: Annotated[str | None, typer.Option(help="Only calls from this line: +12125550100.")] = None,
    from_at: Annotated[str, typer.Option("--from", help="Ended then or later (ISO 8601, UTC if no zone).")] = "",
    until_at: Annotated[str, typer.Option("--until", help="Ended before.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest first.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List calls that have ended; who looked is kept."""
    from billing.accounts.service import find_account
    from billing.accounts.store import account_numbers
    from billing.calls.store import list_cdrs
    from runtime.database import reading

    settings = open_settings()
    engine = open_engine(settings)
    account_id = find_account(engine, account).id if account else None
    with reading(engine) as conn:
        found = list_cdrs(
            conn,
            limit=limit,
            ended_from_at=moment_of("--from", from_at) if from_at else None,
            ended_before_at=moment_of("--until", until_at) if until_at else None,
            account_id=account_id,
            ani=line,
        )
        numbers = account_numbers(conn, (record.account_id for record in found))
    keep_who_looked(settings, engine, [(record.ani, record.account_id) for record in found], "call list")
    if as_json:
        print_document([_cdr_document(record, numbers) for record in found])
        return
    print_table("calls", COLUMNS, [_cdr_row(record, numbers) for record in found])


def show(call: CallId, as_json: AsJson = False) -> None:
    """Show one call: where it is, or its record when it has ended; who looked is kept."""
    from billing.pricing.explain import in_seconds

    explanation, numbers = _find(call, "show")
    document = _call_document(explanation.call, numbers)
    document["cdr"] = None if explanation.cdr is None else _cdr_document(explanation.cdr, numbers)
    if as_json:
        print_document(document)
        return
    del document["cdr"]
    print_record(document)
    record = explanation.cdr
    if record is not None:
        print_record(
            {
                "disposition": f"{record.disposition} (cause {record.hangup_cause})",
                "talked": f"{in_seconds(record.used_ms)}, billed {in_seconds(record.billed_ms)}",
                "charged": shown(record.charged_micros, record.currency or ""),
                "balance after": ""
                if record.balance_after_micros is None
                else shown(record.balance_after_micros, record.currency or ""),
                "settled from": record.settled_from,
            }
        )


def explain(call: CallId, as_json: AsJson = False) -> None:
    """Tell why a call went and cost as it did: everything kept of it, in the order it happened.

    Who looked is kept.
    """
    explanation, numbers = _find(call, "explain")
    if as_json:
        print_document(_explanation_document(explanation, numbers))
        return
    print_record(_call_document(explanation.call, numbers))
    print_done("")
    for moment in explanation.timeline:
        print_done(f"{moment.at:%Y-%m-%d %H:%M:%S.%f}  {moment.kind:<8}  {moment.text}")
    if explanation.price_steps:
        print_done("")
        for step in explanation.price_steps:
            print_done(step)


def _find(id_or_prefix: str, why: str) -> "tuple[Explanation, dict[int, str]]":
    from billing.accounts.store import account_numbers
    from billing.calls import service
    from billing.calls.call import AmbiguousCallError
    from billing.calls.store import find_call
    from runtime.database import reading

    settings = open_settings()
    engine = open_engine(settings)
    try:
        with reading(engine) as conn:
            call = find_call(conn, id_or_prefix)
            numbers = account_numbers(conn, () if call is None else (call.account_id,))
    except AmbiguousCallError:
        raise CommandError(f"several calls begin with {id_or_prefix}: give more of the id") from None
    if call is None:
        raise NotFoundError(f"no call {id_or_prefix}")
    keep_who_looked(settings, engine, [(call.ani, call.account_id)], f"call {why} {call.call_id}")
    return service.explain(engine, call.call_id), numbers


def _call_document(call: "Call", numbers: dict[int, str]) -> dict[str, object]:
    return {
        "call": call.call_id,
        "state": call.state,
        "switch": call.switch,
        "channel": call.channel,
        "uniqueid": call.uniqueid,
        "from": call.ani,
        "dialled": call.dnis,
        "to": call.destination,
        "trunk": call.trunk,
        "account": numbers.get(call.account_id or 0),
        "arrived_at": call.arrived_at,
        "answered_at": call.answered_at,
        "ended_at": call.ended_at,
    }


def _cdr_document(record: "Cdr", numbers: dict[int, str]) -> dict[str, object]:
    currency = record.currency or ""
    after = record.balance_after_micros
    return {
        "call": record.call_id,
        "switch": record.switch,
        "uniqueid": record.uniqueid,
        "account": numbers.get(record.account_id or 0),
        "dialled": record.dnis,
        "from": record.ani,
        "to": record.destination,
        "trunk": record.trunk,
        "disposition": record.disposition,
        "hangup_cause": record.hangup_cause,
        "rate_prefix": record.rate_prefix,
        "arrived_at": record.arrived_at,
        "answered_at": record.answered_at,
        "ended_at": record.ended_at,
        "used_ms": record.used_ms,
        "billed_ms": record.billed_ms,
        "charged": money_document(record.charged_micros, currency) if currency else None,
        "balance_after": None if after is None else money_document(after, currency),
        "settled_from": record.settled_from,
    }


def _cdr_row(record: "Cdr", numbers: dict[int, str]) -> tuple[object, ...]:
    return (
        record.call_id,
        f"{record.ended_at:%Y-%m-%d %H:%M:%S}",
        record.ani,
        record.destination,
        numbers.get(record.account_id or 0),
        record.disposition,
        f"{record.used_ms // 1000}.{record.used_ms % 1000:03d}",
        shown(record.charged_micros, record.currency) if record.currency else "",
    )


def _explanation_document(explanation: "Explanation", numbers: dict[int, str]) -> dict[str, object]:
    currency = "" if explanation.rate is None else explanation.rate.currency
    return {
        "call": _call_document(explanation.call, numbers),
        "timeline": [asdict(moment) for moment in explanation.timeline],
        "price": explanation.price_steps,
        "grants": [
            {
                "number": request.number,
                "kind": request.kind,
                "at": request.at,
                "wanted_ms": request.wanted_ms,
                "granted_ms": request.granted_ms,
                "held": money_document(request.held_micros, currency),
                "final": request.final,
            }
            for request in explanation.requests
        ],
        "ledger": [
            {
                "at": line.at,
                "transfer": line.transfer_kind,
                "account": f"{line.ledger_kind} {line.owner}",
                "amount": money_document(line.amount_micros, line.currency),
            }
            for line in explanation.ledger_lines
        ],
        "cdr": None if explanation.cdr is None else _cdr_document(explanation.cdr, numbers),
    }
