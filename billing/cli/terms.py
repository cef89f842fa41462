"""`tollgate profile terms`: what a caller must agree to each time (AGE-6)."""

from typing import Annotated

import typer

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
    staff_name,
)


def attach(app: typer.Typer) -> None:
    """Bring `profile terms`."""
    profiles = command_group(app, "profile", "Services: what is asked of a caller, and how long he may talk.")
    group = command_group(profiles, "terms", "What a caller must agree to each time.")
    group.command("show", epilog="Example: tollgate profile terms show acme/talk")(show)
    group.command("set", epilog='Example: tollgate profile terms set acme/talk "You must be of legal age."')(set_terms)
    group.command("end", epilog="Example: tollgate profile terms end acme/talk")(end)


def show(profile: Service, as_json: AsJson = False) -> None:
    """Show every version of the terms; the one that callers are asked for is marked."""
    from billing.agreements import service
    from billing.operators.service import find_profile

    engine = open_engine(open_settings())
    found = find_profile(engine, *names_of(profile))
    versions = service.versions(engine, found.id)
    rows = [
        (
            one.version,
            "yes" if one.version == found.terms_version else "",
            one.made_at.isoformat(timespec="seconds"),
            one.made_by,
            one.prompt,
            one.text_sha256,
            one.text,
        )
        for one in versions
    ]
    columns = ("version", "asked", "made", "by", "prompt", "sha256", "text")
    if as_json:
        print_document({"profile": profile, "terms": [dict(zip(columns, row, strict=True)) for row in rows]})
    else:
        print_table(f"terms, {profile}", columns, rows)


def set_terms(
    profile: Service,
    text: Annotated[str, typer.Argument(help="The wording, as the prompt says it.")],
    prompt: Annotated[str, typer.Option(help="The prompt by which it is heard.")] = "terms-of-service",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Ask callers to agree to this wording from the next call on."""
    from billing.agreements import service
    from billing.operators.service import find_profile
    from runtime.clock import SystemClock

    engine = open_engine(open_settings(), dry_run=dry_run)
    found = find_profile(engine, *names_of(profile))
    terms = service.set_terms(engine, SystemClock(), found.id, text=text, prompt=prompt, made_by=staff_name())
    if as_json:
        print_document({"profile": profile, "version": terms.version, "sha256": terms.text_sha256})
    else:
        print_done(f"{profile}: version {terms.version} of the terms is asked for ({terms.text_sha256[:12]})")


def end(profile: Service, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Ask callers to agree to nothing from the next call on; the versions stay."""
    from billing.agreements import service
    from billing.operators.service import find_profile

    engine = open_engine(open_settings(), dry_run=dry_run)
    service.ask_nothing(engine, find_profile(engine, *names_of(profile)).id)
    if as_json:
        print_document({"profile": profile, "version": None})
    else:
        print_done(f"{profile}: no terms are asked for")
