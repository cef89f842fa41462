"""`tollgate ledger audit` and `seal`: do the books agree, and was nothing edited."""

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from runtime.command import (
    AsJson,
    DryRun,
    ExitCode,
    command_group,
    open_engine,
    open_pepper,
    open_settings,
    print_document,
    print_done,
    print_table,
    staff_name,
)


def attach(app: typer.Typer) -> None:
    """Bring `ledger audit|seal`."""
    group = command_group(app, "ledger", "The books: double entry, never edited.")
    group.command("audit", epilog="Example: tollgate ledger audit --json")(audit)
    group.command("seal", epilog="Example: tollgate ledger seal --quiet")(seal)


def audit(as_json: AsJson = False) -> int:
    """Prove the books: sums, balances, holds, CDRs, the chain of every transfer, the seals; exit code 1 if unsound."""
    from billing.ledger import service
    from runtime.clock import SystemClock

    settings = open_settings()
    clock = SystemClock()
    engine, said = open_engine(settings), _Progress(clock.monotonic_s())
    findings = service.audit(engine, open_pepper(settings, engine), said, clock.now())
    said.end()
    unsealed = service.unsealed(engine)
    if as_json:
        document = {"ok": not findings, "findings": [asdict(finding) for finding in findings]}
        print_document(document | {"transfers": said.transfers, "unsealed": unsealed})
    elif findings:
        rows = [tuple(asdict(finding).values()) for finding in findings]
        print_table("findings", tuple(asdict(findings[0])), rows)
    else:
        print_done(f"the books agree: {said.transfers} transfers, {unsealed} of them not sealed yet")
    return ExitCode.FAILED if findings else ExitCode.OK


def seal(
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing when there is nothing new.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> int:
    """Seal every transfer since the last seal; exit code 3 when there is nothing new. Keep its hash elsewhere."""
    from billing.ledger import service
    from runtime.clock import SystemClock

    settings = open_settings()
    engine = open_engine(settings, dry_run=dry_run)
    made = service.seal(engine, SystemClock(), open_pepper(settings, engine), staff_name())
    if as_json:
        print_document({"seal": None if made is None else asdict(made), "dry_run": dry_run})
    elif made is not None:
        print_done(f"seal {made.number} {made.hash} of {made.transfers} transfers at {made.at.isoformat()}")
    elif not quiet:
        print_done("nothing new to seal")
    return ExitCode.NOTHING if made is None and not quiet else ExitCode.OK


class _Progress:
    """Says how far an audit is, on a terminal only, each second."""

    def __init__(self, now_s: float) -> None:
        self.transfers = 0
        self._said_s = now_s

    def __call__(self, check: str, done: int, total: int) -> None:
        """Say it, when it is time."""
        from runtime.clock import SystemClock

        if check == "chain of transfers":
            self.transfers = done
        now_s = SystemClock().monotonic_s()
        if sys.stderr.isatty() and now_s - self._said_s >= 1:
            self._said_s = now_s
            sys.stderr.write(f"\r\x1b[K{check}: {done}{f' of {total}' if total else ''}")
            sys.stderr.flush()

    def end(self) -> None:
        """Clear the line."""
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")
