"""`tollgate plan`: what is sold to customers for a fee each period, and the run that bills it."""

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from billing.cli.account import amount_of, shown
from billing.cli.moment import moment_of
from runtime.command import (
    AsJson,
    CommandError,
    DryRun,
    ExitCode,
    command_group,
    money_document,
    open_engine,
    open_settings,
    print_document,
    print_done,
    print_record,
    print_table,
    staff_name,
)

if TYPE_CHECKING:
    from billing.plans.accruing.service import Tally
    from billing.plans.plan import Plan, Terms, Version

Code = Annotated[str, typer.Argument(metavar="PLAN", help="Code of the plan.")]
OperatorCode = Annotated[str | None, typer.Option("--operator", help="Operator code; needed if there are several.")]
From = Annotated[str, typer.Option("--from", help="From then on (ISO 8601, UTC if no zone); now.")]
Tariff = Annotated[str | None, typer.Option(help="Tariff that prices its calls; that of the service when not given.")]
Bundle = Annotated[str | None, typer.Option(help="Offer of included units that each period brings.")]
Class = Annotated[str | None, typer.Option("--class", help="Whom it is for: business, residential ...")]
Fee = Annotated[str | None, typer.Option(help="Flat fee of each period: 9.90")]
First = Annotated[str | None, typer.Option(help="A first period that is not whole costs: whole, or pro-rata by days.")]
Short = Annotated[str | None, typer.Option(help="A fee that is not paid: suspend (lapses), or owe (stays due).")]


def attach(app: typer.Typer) -> None:
    """Bring `plan`."""
    group = command_group(app, "plan", "Calling plans: a rate, included units and a flat fee each period.")
    group.command(
        "add", epilog='Example: tollgate plan add gold "Gold" --tariff retail --bundle europe --fee 9.90 --every month'
    )(add)
    group.command("list", epilog="Example: tollgate plan list --class business")(list_plans)
    group.command("show", epilog="Example: tollgate plan show gold --json")(show)
    group.command("change", epilog="Example: tollgate plan change gold --fee 12.90 --from 2027-01-01")(change)
    group.command("remove", epilog='Example: tollgate plan remove gold --note "replaced by platinum"')(remove)
    group.command("bill", epilog="Example: tollgate plan bill --dry-run")(bill)


def add(
    code: Code,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name for people.")],
    operator: OperatorCode = None,
    customer_class: Class = None,
    tariff: Tariff = None,
    bundle: Bundle = None,
    fee: Fee = None,
    every: Annotated[str, typer.Option(help="How long a period is: day, week or month.")] = "month",
    zone: Annotated[str, typer.Option(help="Time zone whose midnight begins periods: Europe/Berlin.")] = "UTC",
    first: First = None,
    short: Short = None,
    from_at: From = "",
    until: Annotated[str, typer.Option(help="No period of it begins then or later.")] = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make a plan, in the currency of its operator."""
    from billing.plans import service
    from billing.plans.cycle import Every
    from billing.plans.plan import Plan, PlanError, Terms
    from runtime.clock import SystemClock

    if every not in list(Every):
        raise CommandError(f"--every: one of {', '.join(Every)}", ExitCode.USAGE)
    ends_at = moment_of("--until", until) if until else None
    plan = Plan(0, operator or "", code, "", Every(every), zone, ends_at, ())
    try:
        terms = _changed(Terms(name), None, customer_class, tariff, bundle, fee, first, short)
    except PlanError as error:
        raise CommandError(str(error), ExitCode.USAGE) from None
    from_moment = moment_of("--from", from_at) if from_at else None
    engine = open_engine(open_settings(), dry_run=dry_run)
    made = service.create(engine, SystemClock(), plan, terms, by=staff_name(), from_at=from_moment)
    _say(made, "made", as_json=as_json)


def list_plans(operator: OperatorCode = None, customer_class: Class = None, as_json: AsJson = False) -> None:
    """List plans by their latest terms."""
    from billing.plans import service

    found = service.plans(open_engine(open_settings()), operator, customer_class)
    if as_json:
        print_document([_document(one) for one in found])
        return
    columns = ("operator", "plan", "name", "class", "tariff", "bundle", "fee", "every", "until")
    rows = []
    for one in found:
        terms = one.versions[-1].terms
        fee = shown(terms.fee_micros, one.currency)
        names = (terms.name, terms.customer_class, terms.tariff, terms.offer)
        rows.append((one.operator_code, one.code, *names, fee, one.every, one.ends_at))
    print_table("plans", columns, rows)


def show(code: Code, operator: OperatorCode = None, as_json: AsJson = False) -> None:
    """Show a plan, its terms as they were, are and will be, and how many accounts have it."""
    from billing.plans import service
    from runtime.clock import SystemClock

    found = service.show(open_engine(open_settings()), SystemClock(), operator, code)
    document = _document(found) | {"accounts": found.accounts, "created_by": found.created_by}
    if as_json:
        print_document(document)
        return
    versions = document.pop("versions")
    print_record(document)
    if isinstance(versions, list):
        columns = ("version", "from", "name", "class", "tariff", "bundle", "fee", "first", "short", "made_by")
        rows = [[row[name]["amount"] if name == "fee" else row[name] for name in columns] for row in versions]
        print_table("terms", columns, rows)


def change(
    code: Code,
    operator: OperatorCode = None,
    name: Annotated[str | None, typer.Option(help="Name for people.")] = None,
    customer_class: Class = None,
    tariff: Tariff = None,
    no_tariff: Annotated[bool, typer.Option("--no-tariff", help="Priced by that of the service.")] = False,
    bundle: Bundle = None,
    no_bundle: Annotated[bool, typer.Option("--no-bundle", help="No included units.")] = False,
    fee: Fee = None,
    first: First = None,
    short: Short = None,
    from_at: From = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Change what a plan gives and costs: the rate at once, fee and units with each account's next period."""
    from billing.plans import service
    from runtime.clock import SystemClock

    def changed(before: "Terms") -> "Terms":
        kept = replace(before, tariff=None if no_tariff else before.tariff, offer=None if no_bundle else before.offer)
        return _changed(kept, name, customer_class, tariff, bundle, fee, first, short)

    from_moment = moment_of("--from", from_at) if from_at else None
    engine = open_engine(open_settings(), dry_run=dry_run)
    made = service.change(engine, SystemClock(), operator, code, changed, by=staff_name(), from_at=from_moment)
    _say(made, "changed", as_json=as_json)


def remove(
    code: Code,
    note: Annotated[str, typer.Option(help="Why; kept in the record.")],
    operator: OperatorCode = None,
    at: Annotated[str, typer.Option(help="It ends then, also for the accounts that have it; now, if none has.")] = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """End a plan: it is given to nobody, and no period of it begins. What was paid for runs to its end."""
    from billing.plans import service
    from runtime.clock import SystemClock

    engine = open_engine(open_settings(), dry_run=dry_run)
    moment = moment_of("--at", at) if at else None
    ended = service.remove(engine, SystemClock(), operator, code, by=staff_name(), note=note, at=moment)
    _say(ended, "removed", as_json=as_json)


def bill(
    account: Annotated[str | None, typer.Option(help="Only this account.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing when nothing was due.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> int:
    """Charge the fees that are due, bring the units of each period, make the statements. Run it often, by a timer.

    It may be stopped at any moment and run again, or beside itself: what was done is not done twice. Exit code 4 when
    some accounts could not be billed.
    """
    from billing.plans.accruing import service
    from runtime.clock import SystemClock

    clock = SystemClock()
    engine, said = open_engine(open_settings(), dry_run=dry_run), _Progress(clock.monotonic_s())
    tally = service.bill(engine, clock, by=staff_name(), number=account, told=said)
    said.end()
    if as_json:
        print_document(_tally_document(tally) | {"dry_run": dry_run})
    elif tally.accounts or not quiet:
        fees = ", ".join(shown(micros, currency) for currency, micros in sorted(tally.fees_micros.items())) or "nothing"
        print_done(
            f"{tally.accounts} accounts: {tally.periods} periods begun, {tally.paid} fees paid ({fees}), "
            f"{tally.unpaid} not paid, {tally.lapsed} lapsed, {tally.statements} statements"
        )
    for number in tally.failed:
        print_done(f"account {number} was not billed: look at `tollgate ledger audit`")
    return ExitCode.PARTIAL if tally.failed else ExitCode.OK


def _changed(
    terms: "Terms",
    name: str | None,
    customer_class: str | None,
    tariff: str | None,
    bundle: str | None,
    fee: str | None,
    first: str | None,
    short: str | None,
) -> "Terms":
    """The terms with what was typed in the place of what they say; raises PlanError."""
    from billing.plans.plan import FirstPeriod, Shortage

    for option, typed, words in (("--first", first, list(FirstPeriod)), ("--short", short, list(Shortage))):
        if typed is not None and typed not in words:
            raise CommandError(f"{option}: one of {', '.join(words)}", ExitCode.USAGE)
    return replace(
        terms,
        name=terms.name if name is None else name,
        customer_class=terms.customer_class if customer_class is None else customer_class,
        tariff=tariff or terms.tariff,
        offer=bundle or terms.offer,
        fee_micros=terms.fee_micros if fee is None else amount_of(fee),
        first_period=terms.first_period if first is None else FirstPeriod(first),
        shortage=terms.shortage if short is None else Shortage(short),
    )


def _say(plan: "Plan", done: str, *, as_json: bool) -> None:
    if as_json:
        print_document(_document(plan))
    else:
        print_done(f"plan {plan.code} of {plan.operator_code} {done}")


def _document(plan: "Plan") -> dict[str, object]:
    return {
        "operator": plan.operator_code,
        "plan": plan.code,
        "currency": plan.currency,
        "every": plan.every.value,
        "zone": plan.time_zone,
        "until": plan.ends_at,
        "ended_by": plan.ended_by,
        "versions": [_version_document(one, plan.currency) for one in plan.versions],
    }


def _version_document(version: "Version", currency: str) -> dict[str, object]:
    terms = version.terms
    return {
        "version": version.number,
        "from": version.from_at,
        "name": terms.name,
        "class": terms.customer_class,
        "tariff": terms.tariff,
        "bundle": terms.offer,
        "fee": money_document(terms.fee_micros, currency),
        "first": terms.first_period.value,
        "short": terms.shortage.value,
        "made_at": version.made_at,
        "made_by": version.made_by,
    }


def _tally_document(tally: "Tally") -> dict[str, object]:
    return {
        "accounts": tally.accounts,
        "periods": tally.periods,
        "paid": tally.paid,
        "unpaid": tally.unpaid,
        "lapsed": tally.lapsed,
        "bundles": tally.bundles,
        "statements": tally.statements,
        "fees": [money_document(micros, currency) for currency, micros in sorted(tally.fees_micros.items())],
        "failed": tally.failed,
    }


class _Progress:
    """Says how many accounts are done, on a terminal only, each second."""

    def __init__(self, now_s: float) -> None:
        self._said_s = now_s

    def __call__(self, done: int) -> None:
        """Say it, when it is time."""
        from runtime.clock import SystemClock

        now_s = SystemClock().monotonic_s()
        if sys.stderr.isatty() and now_s - self._said_s >= 1:
            self._said_s = now_s
            sys.stderr.write(f"\r\x1b[K{done} accounts")
            sys.stderr.flush()

    def end(self) -> None:
        """Clear the line."""
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")
