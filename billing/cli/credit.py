"""`tollgate credit`: who comes into which credit tier, by score and payment history (AGE-4)."""

from typing import Annotated

import typer

from billing.cli.account import amount_of
from billing.cli.trust import Service, names_of
from runtime.command import (
    AsJson,
    DryRun,
    command_group,
    open_engine,
    open_settings,
    print_document,
    print_done,
    print_table,
)

Code = Annotated[str, typer.Argument(metavar="OPERATOR", help="Code of the operator.")]
COLUMNS = ("tier", "rank", "minimum_score", "spend_cap_micros")


def attach(app: typer.Typer) -> None:
    """Bring `credit`."""
    group = command_group(app, "credit", "Rating: who comes into which credit tier.")
    group.command("set", epilog="Example: tollgate credit set acme gold --rank 2 --minimum-score 650")(set_rule)
    group.command("list", epilog="Example: tollgate credit list acme")(list_rules)
    group.command("bind", epilog="Example: tollgate credit bind acme/talk")(bind)


def set_rule(
    operator: Code,
    tier: Annotated[str, typer.Argument(metavar="TIER", help="The tier, as thresholds name it.")],
    rank: Annotated[int, typer.Option(help="The higher, the better; each tier its own.")],
    minimum_score: Annotated[int, typer.Option(min=0, max=1000, help="Least credit score.")] = 0,
    spend_cap: Annotated[str, typer.Option(help="Most a call may cost; 0: no such cap.")] = "0",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Say who comes into a tier, from the next rating on."""
    from billing.tiers import service
    from billing.tiers.tier import TierRule

    wanted = TierRule(0, tier, rank, minimum_score, amount_of(spend_cap))
    made = service.put_rule(open_engine(open_settings(), dry_run=dry_run), operator_code=operator, rule=wanted)
    if as_json:
        print_document({"operator": operator, "tier": made.tier, "rank": made.rank})
    else:
        print_done(f"{operator}: tier {made.tier}, rank {made.rank}")


def list_rules(operator: Code, as_json: AsJson = False) -> None:
    """List the rules of an operator, the lowest tier first."""
    from billing.tiers import service

    found = service.list_rules(open_engine(open_settings()), operator)
    rows = [(one.tier, one.rank, one.minimum_score, one.spend_cap_micros) for one in found]
    if as_json:
        print_document({"operator": operator, "rules": [dict(zip(COLUMNS, row, strict=True)) for row in rows]})
    else:
        print_table(f"tiers of {operator}", COLUMNS, rows)


def bind(
    profile: Service,
    off: Annotated[bool, typer.Option("--off", help="No longer.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Rate the callers of a service, and hold them to their tier, from the next call on."""
    from billing.operators.service import find_profile
    from billing.tiers import service

    engine = open_engine(open_settings(), dry_run=dry_run)
    service.bind_service(engine, find_profile(engine, *names_of(profile)).id, is_on=not off)
    if as_json:
        print_document({"profile": profile, "rated": not off})
    else:
        print_done(f"{profile}: callers are {'no longer' if off else 'now'} rated")
