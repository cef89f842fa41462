"""`tollgate profile trust`: what a caller's number may open by itself, by what the network shows of it (ANI-8)."""

from typing import Annotated

import typer

from ani.trust.trust import Demand, TrustRow
from runtime.command import (
    AsJson,
    CommandError,
    DryRun,
    ExitCode,
    command_group,
    open_engine,
    open_settings,
    print_document,
    print_done,
    print_table,
    staff_name,
)

Service = Annotated[str, typer.Argument(metavar="OPERATOR/PROFILE", help="The service.")]


def attach(app: typer.Typer) -> None:
    """Bring `profile trust`."""
    profiles = command_group(app, "profile", "Services: what is asked of a caller, and how long he may talk.")
    group = command_group(profiles, "trust", "What a caller's number may open by itself.")
    group.command("show", epilog="Example: tollgate profile trust show acme/talk")(show)
    group.command("set", epilog="Example: tollgate profile trust set acme/talk attestation-b pin")(set_demand)


def show(profile: Service, as_json: AsJson = False) -> None:
    """Show what is demanded for each piece of evidence; the strictest of those that apply to a call decides."""
    from ani.trust import service
    from billing.operators.service import find_profile

    engine = open_engine(open_settings())
    policy = service.policy_of(engine, find_profile(engine, *names_of(profile)).id)
    if as_json:
        rules = {row.value: {"demand": demand, "is_default": not own} for row, (demand, own) in policy.items()}
        print_document({"profile": profile, "rules": rules})
        return
    rows = [(row.value, demand.value, "profile" if own else "default") for row, (demand, own) in policy.items()]
    print_table(f"trust, {profile}", ("evidence", "demand", "set by"), rows)


def set_demand(
    profile: Service,
    evidence: Annotated[TrustRow, typer.Argument(help="What is seen of the number.", show_choices=True)],
    demand: Annotated[Demand, typer.Argument(help="What the caller has to show then.")],
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Demand this of callers where that is seen, from the next call on."""
    from ani.trust import service
    from billing.operators.service import find_profile
    from runtime.clock import SystemClock

    engine = open_engine(open_settings(), dry_run=dry_run)
    found = find_profile(engine, *names_of(profile))
    service.set_demand(engine, SystemClock(), found.id, evidence, demand, staff_name())
    if as_json:
        print_document({"profile": profile, "evidence": evidence, "demand": demand})
    else:
        print_done(f"{profile}: {evidence.value} demands {demand.value}")


def names_of(profile: str) -> tuple[str, str]:
    """Operator and profile of a service as it was typed."""
    operator, slash, name = profile.partition("/")
    if not slash:
        raise CommandError("profile: OPERATOR/PROFILE, such as acme/talk", ExitCode.USAGE)
    return operator, name
