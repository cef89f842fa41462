"""The commands of the billing room, brought to the one command."""

import typer

from billing.cli import account, adjust, apikey, call, card, fraud, ledger, line, operator, pin, tariff, trust


def attach(app: typer.Typer) -> None:
    """Bring this room's commands."""
    for noun in (account, apikey, adjust, call, card, fraud, ledger, line, operator, pin, tariff, trust):
        noun.attach(app)
