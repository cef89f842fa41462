"""The commands of the billing room, brought to the one command."""

import typer

from billing.cli import (
    account,
    account_plan,
    adjust,
    apikey,
    blocks,
    bundle,
    call,
    card,
    charging,
    condition,
    credit,
    fraud,
    key,
    ledger,
    line,
    operator,
    person,
    pin,
    plan,
    tariff,
    terms,
    threshold,
    trust,
)

NOUNS = (
    account,
    account_plan,
    apikey,
    adjust,
    blocks,
    bundle,
    call,
    card,
    charging,
    credit,
    condition,
    fraud,
    key,
    ledger,
    line,
    operator,
    person,
    pin,
    plan,
    tariff,
    terms,
    threshold,
    trust,
)


def attach(app: typer.Typer) -> None:
    """Bring this room's commands."""
    for noun in NOUNS:
        noun.attach(app)
