"""`tollgate account plans` and `statements`: what an account has, what it was charged for it, and its periods' sums."""

from typing import TYPE_CHECKING, Annotated

import typer

from ani.cli_access import keep_who_looked
from billing.cli.account import AccountNumber, shown
from runtime.command import (
    AsJson,
    command_group,
    money_document,
    open_engine,
    open_settings,
    print_document,
    print_table,
)

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

    from billing.accounts.account import Account
    from billing.plans.plan import Assigned, Period
    from billing.plans.statement import Statement


def attach(app: typer.Typer) -> None:
    """Bring `account plans` and `account statements`."""
    group = command_group(app, "account", "Prepaid accounts and the money on them.")
    group.command("plans", epilog="Example: tollgate account plans 4155550100")(plans)
    group.command("statements", epilog="Example: tollgate account statements 4155550100 --json")(statements)


def plans(account: AccountNumber, as_json: AsJson = False) -> None:
    """Show which plans an account had, has and will have, who gave them, and its periods; who looked is kept."""
    from billing.plans import service
    from runtime.clock import SystemClock

    found, engine = _looked_at(account, "account plans")
    known = service.history(engine, SystemClock(), account)
    stretches = [_stretch_document(one, is_current=one == known.current) for one in known.stretches]
    periods = [_period_document(one, found.currency) for one in known.periods]
    if as_json:
        print_document({"account": account, "plans": stretches, "periods": periods})
        return
    columns = ("plan", "from", "until", "billing_day", "set_by", "set_at", "now")
    print_table("plans", columns, [[row[name] for name in columns] for row in stretches])
    rows = [
        (one.begins_at, one.ends_at, shown(one.fee_micros, found.currency), one.state, one.bundle_id)
        for one in known.periods
    ]
    print_table("periods", ("from", "until", "fee", "state", "bundle"), rows)


def statements(
    account: AccountNumber,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the latest first.")] = 24,
    as_json: AsJson = False,
) -> None:
    """Show what each period of an account that is billed by the period came to; who looked is kept."""
    from billing.plans.statement_store import statements as read
    from runtime.database import reading

    found, engine = _looked_at(account, "account statements")
    with reading(engine) as conn:
        made = read(conn, found.id, limit)
    if as_json:
        print_document([_statement_document(one, found.currency) for one in made])
        return
    columns = ("number", "from", "until", "opening", "paid", "charged", "other", "closing")
    rows = [
        (
            one.number,
            one.begins_at,
            one.ends_at,
            *(
                shown(micros, found.currency)
                for micros in (one.opening_micros, one.paid_micros, one.charged_micros, one.other_micros)
            ),
            shown(one.closing_micros, found.currency),
        )
        for one in made
    ]
    print_table("statements", columns, rows)


def _looked_at(number: str, why: str) -> "tuple[Account, Engine]":
    from billing.accounts.service import find_account

    settings = open_settings()
    engine = open_engine(settings)
    found = find_account(engine, number)
    keep_who_looked(settings, engine, [("", found.id)], why)
    return found, engine


def _stretch_document(one: "Assigned", *, is_current: bool) -> dict[str, object]:
    return {
        "plan": one.plan_code,
        "from": one.begins_at,
        "until": one.over_at,
        "billing_day": one.cycle.billing_day or None,
        "every": one.cycle.every.value,
        "set_by": one.set_by,
        "set_at": one.set_at,
        "note": one.note,
        "now": is_current,
    }


def _period_document(one: "Period", currency: str) -> dict[str, object]:
    return {
        "from": one.begins_at,
        "until": one.ends_at,
        "version": one.version,
        "fee": money_document(one.fee_micros, currency),
        "state": one.state.value,
        "key": f"fee:{one.key}" if one.transfer_id is not None else None,
        "bundle": one.bundle_id,
    }


def _statement_document(one: "Statement", currency: str) -> dict[str, object]:
    return {
        "number": one.number,
        "from": one.begins_at,
        "until": one.ends_at,
        "opening": money_document(one.opening_micros, currency),
        "paid": money_document(one.paid_micros, currency),
        "charged": money_document(one.charged_micros, currency),
        "other": money_document(one.other_micros, currency),
        "closing": money_document(one.closing_micros, currency),
        "last_link": one.last_link,
        "link_hash": one.link_hash.hex(),
        "made_at": one.made_at,
        "made_by": one.made_by,
    }
