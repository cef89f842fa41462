"""`tollgate account`: prepaid accounts and the money on them."""

from typing import TYPE_CHECKING, Annotated

import typer

from ani.cli_access import keep_who_looked, staff_of
from runtime.command import (
    AsJson,
    CommandError,
    DryRun,
    ExitCode,
    Reason,
    Yes,
    command_group,
    confirm,
    money_document,
    open_engine,
    open_pepper,
    open_settings,
    print_document,
    print_done,
    print_record,
    print_table,
    staff_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy.engine import Connection, Engine

    from ani.access.service import Staff
    from billing.accounts.account import Account, AccountKind, AccountLine, IssuedPin
    from runtime.clock import Clock

Kind = Annotated[str | None, typer.Option(help="prepaid, postpaid (up to --limit), or periodic (with statements).")]
BillingDay = Annotated[
    int | None, typer.Option(help="Day periods begin on: 1 to 31 of months, 1 (Monday) to 7 of weeks.")
]
AccountNumber = Annotated[str, typer.Argument(metavar="ACCOUNT", help="Number of the account.")]


def attach(app: typer.Typer) -> None:
    """Bring `account`."""
    group = command_group(app, "account", "Prepaid accounts and the money on them.")
    group.command("create", epilog='Example: tollgate account create acme --name "Ann Example"')(create)
    group.command("credit", epilog="Example: tollgate account credit 4155550100 20.00 --key receipt-117")(credit)
    group.command("show", epilog="Example: tollgate account show 4155550100 --json")(show)
    group.command("set", epilog="Example: tollgate account set 4155550100 --tariff business")(set_terms)
    group.command("list", epilog="Example: tollgate account list --operator acme")(list_accounts)
    group.command("close", epilog='Example: tollgate account close 4155550100 --reason "asked for it" --yes')(close)


def create(
    operator: Annotated[str, typer.Argument(metavar="OPERATOR", help="Operator the customer buys from.")],
    name: Annotated[str, typer.Option(help="Name for people.")] = "",
    number: Annotated[str | None, typer.Option(help="Number of the account; ten random digits when not given.")] = None,
    limit: Annotated[str, typer.Option(help="How far below zero it may go; prepaid is zero.")] = "0",
    tariff: Annotated[str | None, typer.Option(help="Tariff of its own; that of its plan or service if none.")] = None,
    kind: Kind = None,
    plan: Annotated[str | None, typer.Option(help="Calling plan, from now on.")] = None,
    billing_day: BillingDay = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Open an account without money."""
    from billing.accounts import service
    from billing.accounts.account import AccountKind, kind_conflict
    from runtime.clock import SystemClock

    limit_micros, wanted, clock = amount_of(limit), _kind(kind), SystemClock()
    conflict = None if wanted is None else kind_conflict(wanted, limit_micros)
    if conflict is not None:
        raise CommandError(conflict, ExitCode.USAGE)
    settings = open_settings()
    engine = open_engine(settings, dry_run=dry_run)
    made = service.create_account(
        engine,
        clock,
        operator_code=operator,
        name=name,
        number=number,
        limit_micros=limit_micros,
        tariff=tariff,
        by=staff_of(settings, engine),
        is_periodic=wanted is AccountKind.PERIODIC,
        then=_given_plan(plan, billing_day, clock),
    )
    if as_json:
        print_document(_document(made) | {"plan": plan})
    else:
        print_done(f"account {made.number} ({made.currency})")


def credit(
    account: AccountNumber,
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="Decimal, in the account's currency: 20.00")],
    key: Annotated[
        str | None, typer.Option(help="Name of this payment: the same key again changes nothing. Random if not given.")
    ] = None,
    note: Annotated[str, typer.Option(help="Kept with the transfer.")] = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Pay money into an account, once for each key."""
    from billing.accounts import service as account_service
    from billing.ledger import service
    from billing.ledger.transfer import ChangedReplayError, CreditRefusal, TransferError
    from runtime import ids
    from runtime.clock import SystemClock

    micros, payment = amount_of(amount), key or ids.new_id()
    engine = open_engine(open_settings(), dry_run=dry_run)
    found = account_service.find_account(engine, account)
    try:
        answer = service.credit(engine, SystemClock(), account, micros, payment, staff_name(), note)
    except ChangedReplayError:
        raise CommandError(f"key {payment} was used for another payment: nothing was changed") from None
    except TransferError as error:
        raise CommandError(f"--key or --note: {error}", ExitCode.USAGE) from None
    if isinstance(answer, CreditRefusal):
        raise CommandError(f"account {account} was not credited: {answer}")
    if as_json:
        document = {"account": account, "key": payment, "credited": money_document(micros, found.currency)}
        balance = money_document(answer.balance_micros, found.currency)
        print_document(document | {"balance": balance, "is_replay": answer.is_replay, "dry_run": dry_run})
    else:
        done = "was credited before" if answer.is_replay else "credited"
        print_done(f"account {account} {done}: balance {shown(answer.balance_micros, found.currency)}, key {payment}")


def show(account: AccountNumber, as_json: AsJson = False) -> None:
    """Show an account, its lines, its PINs (never their digits) and what staff changed of it; who looked is kept."""
    from ani.access.service import changes
    from billing.accounts import service
    from billing.accounts.own_tariff.service import name_of
    from billing.plans.service import history
    from runtime.clock import SystemClock
    from runtime.database import reading

    settings = open_settings()
    engine = open_engine(settings)
    found, lines, pins = service.describe_account(engine, account)
    keep_who_looked(settings, engine, [("", found.id), *((line.ani, found.id) for line in lines)], "account show")
    tariff, clock = name_of(engine, found), SystemClock()
    with reading(engine) as conn:
        changed = changes(conn, open_pepper(settings, engine), found.id)
    now, current = clock.now(), history(engine, clock, account).current
    plan = None if current is None else current.plan_code
    if as_json:
        line_documents = [_line_document(line) for line in lines]
        shown_pins = [_pin_document(pin, now) for pin in pins]
        done = [{"at": one.at, "by": one.by, "what": one.reason} for one in changed]
        parts = {"tariff": tariff, "plan": plan, "lines": line_documents, "pins": shown_pins, "changes": done}
        print_document(_document(found) | parts)
        return
    print_record(
        {
            "account": found.number,
            "operator": found.operator_code,
            "name": found.name,
            "state": found.state,
            "balance": shown(found.balance_micros, found.currency),
            "held by calls": shown(found.held_micros, found.currency),
            "available": shown(found.available_micros, found.currency),
            "kind": found.kind,
            "limit": shown(found.limit_micros, found.currency),
            "plan": plan,
            "tariff": tariff or "that of the service, unless its plan has one",
            "opened": found.created_at,
            "closed": found.closed_at,
            "ends": found.expires_at,
        }
    )
    for line in lines:
        print_record({"line": f"{line.ani}{' with access code' if line.has_code else ''}"})
    for pin in pins:
        until = f" until {pin.expires_at}" if pin.expires_at else ""
        of = f" of {pin.range_name}" if pin.range_name else ""
        word = "valid" if pin.is_valid(now) else "not valid"
        print_record({"pin": f"{pin.id}{of} issued {pin.issued_at}{until} {word}, used {pin.uses} times"})
    for one in changed:
        print_record({"change": f"{one.at:%Y-%m-%d %H:%M:%S} by {one.by}: {one.reason}"})


def set_terms(
    account: AccountNumber,
    tariff: Annotated[str | None, typer.Option(help="Tariff of its own, before that of its plan.")] = None,
    no_tariff: Annotated[bool, typer.Option("--no-tariff", help="That of its plan or the service again.")] = False,
    kind: Kind = None,
    limit: Annotated[str | None, typer.Option(help="How far below zero it may go.")] = None,
    plan: Annotated[str | None, typer.Option(help="Calling plan, from the next period of the one it has.")] = None,
    no_plan: Annotated[bool, typer.Option("--no-plan", help="No plan, after the period it is in.")] = False,
    at_once: Annotated[bool, typer.Option("--at-once", help="The plan changes now; the running period ends.")] = False,
    billing_day: BillingDay = None,
    note: Annotated[str, typer.Option(help="Kept with the plan.")] = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Set by what an account is priced, how it is paid for, or its plan; what is up keeps its price.

    Who did it is kept. One of the three at a time: --tariff, --kind with --limit, or --plan.
    """
    is_money, is_plan = kind is not None or limit is not None, plan is not None or no_plan
    if (tariff is not None) + no_tariff + is_money + (plan is not None) + no_plan != 1:
        raise CommandError("give one of --tariff, --no-tariff, --kind or --limit, --plan, --no-plan", ExitCode.USAGE)
    if not is_plan and (at_once or note or billing_day is not None):
        raise CommandError("--at-once, --billing-day and --note go with --plan", ExitCode.USAGE)
    settings = open_settings()
    engine = open_engine(settings, dry_run=dry_run)
    staff = staff_of(settings, engine)
    if is_plan:
        document, said = _set_plan(engine, account, plan, billing_day, note, at_once=at_once)
    elif is_money:
        document, said = _set_limit(engine, account, kind, limit, staff)
    else:
        document, said = _set_tariff(engine, account, tariff, staff)
    if as_json:
        print_document({"account": account} | document | {"dry_run": dry_run})
    else:
        print_done(f"account {account} {said}")


def _set_tariff(engine: "Engine", account: str, tariff: str | None, staff: "Staff") -> tuple[dict[str, object], str]:
    from billing.accounts.own_tariff import service

    service.set_tariff(engine, account, tariff, staff)
    return {"tariff": tariff}, f"is priced by {'that of the service' if tariff is None else f'tariff {tariff}'}"


def _set_limit(
    engine: "Engine", account: str, kind: str | None, limit: str | None, staff: "Staff"
) -> tuple[dict[str, object], str]:
    from billing.accounts.own_limit import service

    limit_micros = None if limit is None else amount_of(limit)
    changed = service.set_limit(engine, account, kind=_kind(kind), limit_micros=limit_micros, by=staff)
    money = money_document(changed.limit_micros, changed.currency)
    said = f"is {changed.kind}, and may go to {shown(-changed.limit_micros, changed.currency)}"
    return {"kind": changed.kind.value, "limit": money}, said


def _set_plan(
    engine: "Engine", account: str, plan: str | None, billing_day: int | None, note: str, *, at_once: bool
) -> tuple[dict[str, object], str]:
    from billing.plans import service
    from runtime.clock import SystemClock

    wish = service.Wish(plan, at_once, billing_day)
    made = service.set_plan(engine, SystemClock(), account, wish, by=staff_name(), note=note)
    if made is None:
        return {"plan": None}, "has no plan" if at_once else "has no plan after this period"
    until = made.cycle.next_after(made.begins_at)
    document: dict[str, object] = {"plan": plan, "from": made.begins_at, "billing_day": made.cycle.billing_day or None}
    return document, f"has plan {plan} from {made.begins_at:%Y-%m-%d %H:%M}, next billed {until:%Y-%m-%d %H:%M} UTC"


def _given_plan(
    plan: str | None, billing_day: int | None, clock: "Clock"
) -> "Callable[[Connection, Account], object] | None":
    """What gives a new account its plan."""
    from billing.plans import service

    if plan is None:
        return None
    wish = service.Wish(plan, at_once=True, billing_day=billing_day)
    return lambda conn, made: service.give(conn, clock.now(), made, wish, by=staff_name())


def _kind(typed: str | None) -> "AccountKind | None":
    from billing.accounts.account import AccountKind

    if typed is not None and typed not in list(AccountKind):
        raise CommandError(f"--kind: one of {', '.join(AccountKind)}", ExitCode.USAGE)
    return None if typed is None else AccountKind(typed)


def list_accounts(
    operator: Annotated[str | None, typer.Option(help="Only accounts of this operator.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 1000,
    as_json: AsJson = False,
) -> None:
    """List accounts with their names and balances; who looked is kept."""
    from billing.accounts import service

    settings = open_settings()
    engine = open_engine(settings)
    found = service.list_accounts(engine, operator_code=operator, limit=limit)
    keep_who_looked(settings, engine, [("", account.id) for account in found], "account list")
    if as_json:
        print_document([_document(account) for account in found])
        return
    rows = [
        (
            account.number,
            account.operator_code,
            account.name,
            account.state,
            shown(account.balance_micros, account.currency),
            shown(account.available_micros, account.currency),
        )
        for account in found
    ]
    print_table("accounts", ("account", "operator", "name", "state", "balance", "available"), rows)


def close(
    account: AccountNumber, reason: Reason, yes: Yes = False, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Close an account for good; what is left on it stays in the ledger. That it was shown is kept."""
    from billing.accounts import service
    from runtime.clock import SystemClock

    if not dry_run:
        confirm(f"close account {account} for good?", yes=yes)
    settings = open_settings()
    engine = open_engine(settings, dry_run=dry_run)
    closed = service.close_account(engine, SystemClock(), number=account, by=staff_name(), note=reason)
    keep_who_looked(settings, open_engine(settings), [("", closed.id)], "account close")
    if as_json:
        print_document(_document(closed))
    else:
        print_done(f"account {account} closed with {shown(closed.balance_micros, closed.currency)} on it")


def amount_of(text: str) -> int:
    """Micro-units of an amount as it was typed."""
    from billing.money import AmountError, parse_amount

    try:
        return parse_amount(text)
    except AmountError as error:
        raise CommandError(f"amount: {error}", ExitCode.USAGE) from None


def shown(micros: int, currency: str) -> str:
    """Money for people."""
    from billing.money import format_amount

    return format_amount(micros, currency)


def _document(account: "Account") -> dict[str, object]:
    return {
        "account": account.number,
        "operator": account.operator_code,
        "name": account.name,
        "state": account.state,
        "kind": account.kind,
        "balance": money_document(account.balance_micros, account.currency),
        "held": money_document(account.held_micros, account.currency),
        "available": money_document(account.available_micros, account.currency),
        "limit": money_document(account.limit_micros, account.currency),
        "created_at": account.created_at,
        "closed_at": account.closed_at,
        "expires_at": account.expires_at,
    }


def _line_document(line: "AccountLine") -> dict[str, object]:
    return {"line": line.ani, "has_code": line.has_code, "added_at": line.added_at}


def _pin_document(pin: "IssuedPin", now: "datetime") -> dict[str, object]:
    return {
        "id": pin.id,
        "issued_at": pin.issued_at,
        "expires_at": pin.expires_at,
        "revoked_at": pin.revoked_at,
        "range": pin.range_name,
        "uses": pin.uses,
        "last_used_at": pin.last_used_at,
        "is_valid": pin.is_valid(now),
    }
