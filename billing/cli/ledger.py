"""`tollgate ledger audit`: do the books agree."""

from dataclasses import asdict

import typer

from runtime.command import (
    AsJson,
    ExitCode,
    command_group,
    open_engine,
    open_settings,
    print_document,
    print_done,
    print_table,
)


def attach(app: typer.Typer) -> None:
    """Bring `ledger audit`."""
    group = command_group(app, "ledger", "The books: double entry, never edited.")
    group.command("audit", epilog="Example: tollgate ledger audit --json")(audit)


def audit(as_json: AsJson = False) -> int:
    """Check that every transfer sums to zero and every balance and hold is what the books say; exit code 1 if not."""
    from billing.ledger.service import audit as audit_books

    findings = audit_books(open_engine(open_settings()))
    if as_json:
        print_document({"ok": not findings, "findings": [asdict(finding) for finding in findings]})
    elif findings:
        rows = [tuple(asdict(finding).values()) for finding in findings]
        print_table("findings", tuple(asdict(findings[0])), rows)
    else:
        print_done("the books agree")
    return ExitCode.FAILED if findings else ExitCode.OK
