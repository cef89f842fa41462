"""`tollgate bundle`: included units that are used before money."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from ani.cli_access import keep_who_looked
from billing.cli.account import AccountNumber, amount_of
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
    print_record,
    print_table,
    staff_name,
)

if TYPE_CHECKING:
    from billing.bundles.offer import Given, Offer, Use
    from billing.pricing.bundles import Bundle

LONGEST_PREFIX = 16
LONGEST_LIST = 400
Which = Annotated[str, typer.Argument(metavar="WHICH", help="Number of an account's bundle, or name of an offer.")]
OperatorCode = Annotated[str | None, typer.Option("--operator", help="Operator code; needed if there are several.")]


def attach(app: typer.Typer) -> None:
    """Bring `bundle`."""
    group = command_group(app, "bundle", "Included units of accounts, used before money.")
    group.command(
        "create", epilog='Example: tollgate bundle create europe "300 minutes" --prefix 33 --prefix 44 --period 1m'
    )(create)
    group.command("grant", epilog="Example: tollgate bundle grant 4155550100 europe")(grant)
    group.command("list", epilog="Example: tollgate bundle list --account 4155550100")(list_bundles)
    group.command("show", epilog="Example: tollgate bundle show 7 --json")(show)
    group.command("close", epilog='Example: tollgate bundle close 7 --note "sent back"')(close)


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the offer: small letters, digits, dashes.")],
    units: Annotated[str, typer.Argument(metavar="UNITS", help='"300 minutes", "5 GB", "100 messages", "10 calls".')],
    operator: OperatorCode = None,
    prefix: Annotated[
        list[str] | None, typer.Option(help="Only for destinations, or codes, that begin so; may be repeated.")
    ] = None,
    service: Annotated[
        list[str] | None, typer.Option(help="Only for this service (voice, data ...); may be repeated.")
    ] = None,
    rule: Annotated[
        str, typer.Option(help="pro-rata: to the last unit; blocks: whole increments; whole: all of a call or nothing.")
    ] = "pro-rata",
    priority: Annotated[int, typer.Option(help="Lower is used first; then what expires sooner.")] = 0,
    period: Annotated[str, typer.Option(help="How long it lasts: 30d, 1m; without end when not given.")] = "",
    renews: Annotated[bool, typer.Option("--renews", help="Another period follows, with all units anew.")] = False,
    rolls_over: Annotated[str, typer.Option(help='Most that is carried into the next period: "60 minutes".')] = "",
    price: Annotated[
        str, typer.Option(help="What covered use costs still: per minute, or what the price is for.")
    ] = "0",
    covers_fees: Annotated[bool, typer.Option("--covers-fees", help="No fees where all of a call is covered.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Offer a bundle, to be given to accounts."""
    from billing.bundles import service as bundle_service
    from runtime.clock import SystemClock

    typed = _Typed(name, units, prefix or [], service or [], rule, priority, rolls_over, price, covers_fees=covers_fees)
    offer = _offer(typed, operator or "", period, renews=renews)
    engine = open_engine(open_settings(), dry_run=dry_run)
    made = bundle_service.create(engine, SystemClock(), offer, by=staff_name())
    _print(_offer_document(made), as_json=as_json)


def grant(
    account: AccountNumber,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the offer.")],
    expires_at: Annotated[str, typer.Option(help="When it ends (ISO 8601, UTC if no zone), not with its period.")] = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Give an account a bundle, for what begins from now on."""
    from billing.bundles import service
    from billing.cli.tariff_load import read_moment
    from runtime.clock import SystemClock

    ends_at = read_moment("--expires-at", expires_at) if expires_at else None
    engine, clock = open_engine(open_settings(), dry_run=dry_run), SystemClock()
    given = service.grant(engine, clock, account, name, by=staff_name(), expires_at=ends_at)
    _print(_given_document(given, given.state(clock.now())), as_json=as_json)


def list_bundles(
    account: Annotated[str, typer.Option(help="The bundles of this account, not the offers.")] = "",
    operator: Annotated[str | None, typer.Option(help="Only this operator's offers.")] = None,
    as_json: AsJson = False,
) -> None:
    """List what is offered, or what an account has; who looked at an account is kept."""
    from billing.accounts.service import find_account
    from billing.bundles import service
    from runtime.clock import SystemClock

    settings, clock = open_settings(), SystemClock()
    engine = open_engine(settings)
    if account:
        keep_who_looked(settings, engine, [("", find_account(engine, account).id)], "bundle list")
        found = service.bundles(engine, clock, account)
        documents = [_given_document(one, one.state(clock.now())) for one in found]
        columns = ("bundle", "name", "state", "left", "held", "for", "expires_at")
    else:
        documents = [_offer_document(one) for one in service.offers(engine, operator)]
        columns = ("operator", "name", "units", "for", "period", "renews", "closed_at")
    if as_json:
        print_document(documents)
    else:
        print_table("Bundles", columns, [[one[column] for column in columns] for one in documents])


def show(which: Which, operator: OperatorCode = None, as_json: AsJson = False) -> None:
    """Show a bundle of an account with the sessions that used it, or an offer; who looked at an account is kept."""
    from billing.accounts.service import find_account
    from billing.bundles import service
    from runtime.clock import SystemClock

    settings, clock = open_settings(), SystemClock()
    engine = open_engine(settings)
    if not which.isdigit():
        _print(_offer_document(service.show_offer(engine, operator, which)), as_json=as_json)
        return
    given, uses = service.show(engine, clock, int(which))
    keep_who_looked(settings, engine, [("", find_account(engine, given.account_number).id)], "bundle show")
    document = _given_document(given, given.state(clock.now()))
    if as_json:
        print_document(document | {"uses": [_use_document(given, use) for use in uses]})
        return
    print_record(document)
    columns = ("session", "held", "used")
    print_table("Used by", columns, [[_use_document(given, use)[column] for column in columns] for use in uses])


def close(
    which: Which,
    note: Annotated[str, typer.Option(help="Why; kept in the record.")],
    operator: OperatorCode = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """End a bundle of an account, or stop an offer. Sessions that are up keep what they hold."""
    from billing.bundles import service
    from runtime.clock import SystemClock

    engine, clock, by = open_engine(open_settings(), dry_run=dry_run), SystemClock(), staff_name()
    if which.isdigit():
        given = service.close(engine, clock, int(which), by=by, note=note)
        document = _given_document(given, given.state(clock.now()))
    else:
        document = _offer_document(service.close_offer(engine, clock, operator, which, by=by, note=note))
    if as_json:
        print_document(document)
    else:
        print_done(f"bundle {which} closed")


@dataclass(frozen=True, slots=True)
class _Typed:
    """What a bundle is to be, as it was typed."""

    name: str
    units: str
    prefixes: list[str]
    services: list[str]
    rule: str
    priority: int
    rolls_over: str
    price: str
    covers_fees: bool


def _offer(typed: _Typed, operator: str, period: str, *, renews: bool) -> "Offer":
    from billing.allowances.period import PeriodError, check_period
    from billing.bundles.offer import Offer, OfferError
    from billing.tariffs.tariff import RateFieldError

    try:
        return Offer(operator, typed.name, _bundle(typed), check_period(period), renews)
    except (OfferError, PeriodError, RateFieldError, ValueError) as error:
        raise CommandError(str(error), ExitCode.USAGE) from error


def _bundle(typed: _Typed) -> "Bundle":
    from billing.bundles.offer import OfferError, read_quantity
    from billing.pricing.bundles import Bundle, CoverRule
    from billing.tariffs.tariff import read_service

    prefixes = tuple(one.removeprefix("+").lower() for one in typed.prefixes)
    if any(not one or len(one) > LONGEST_PREFIX or not one.isprintable() or " " in one for one in prefixes):
        raise OfferError(f"--prefix: 1 to {LONGEST_PREFIX} digits or letters")
    if typed.rule not in list(CoverRule):
        raise OfferError(f"--rule: one of {', '.join(CoverRule)}")
    measure, count = read_quantity(typed.units)
    rolled_measure, rolled = read_quantity(typed.rolls_over) if typed.rolls_over else (measure, 0)
    if rolled_measure != measure:
        raise OfferError("--rolls-over: counted as the units are")
    services = tuple(read_service(one) for one in typed.services)
    if len(" ".join(prefixes)) > LONGEST_LIST or len(" ".join(services)) > LONGEST_LIST // 2:
        raise OfferError("--prefix, --service: too many")
    return Bundle(
        0,
        count,
        measure,
        CoverRule(typed.rule),
        typed.priority,
        services=services,
        prefixes=prefixes,
        price_micros=amount_of(typed.price),
        covers_fees=typed.covers_fees,
        rolls_over=rolled,
        name=typed.name,
    )


def _print(document: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        print_document(document)
    else:
        print_record(document)


def _offer_document(offer: "Offer") -> dict[str, object]:
    from billing.bundles.offer import show_quantity

    bundle = offer.bundle
    return {
        "operator": offer.operator_code,
        "name": offer.name,
        "units": show_quantity(bundle.measure, bundle.units),
        "for": _for(offer.bundle.services, offer.bundle.prefixes),
        "rule": bundle.rule.value,
        "priority": bundle.priority,
        "price": _amount(bundle.price_micros),
        "covers_fees": bundle.covers_fees,
        "period": offer.period or None,
        "renews": offer.renews,
        "rolls_over": show_quantity(bundle.measure, bundle.rolls_over),
        "closed_at": offer.closed_at,
    }


def _given_document(given: "Given", state: str) -> dict[str, object]:
    from billing.bundles.offer import show_quantity

    bundle = given.bundle
    return {
        "bundle": bundle.id,
        "account": given.account_number,
        "name": bundle.name,
        "state": state,
        "left": show_quantity(bundle.measure, bundle.units),
        "held": show_quantity(bundle.measure, given.held),
        "of": show_quantity(bundle.measure, given.period_units),
        "left_units": bundle.units,
        "held_units": given.held,
        "measure": bundle.measure,
        "for": _for(bundle.services, bundle.prefixes),
        "rule": bundle.rule.value,
        "priority": bundle.priority,
        "price": _amount(bundle.price_micros),
        "covers_fees": bundle.covers_fees,
        "rolls_over": show_quantity(bundle.measure, bundle.rolls_over),
        "renews": given.renews,
        "begins_at": given.begins_at,
        "expires_at": bundle.expires_at,
        "next": given.next_id,
        "granted_by": given.granted_by,
        "closed_at": given.closed_at,
    }


def _use_document(given: "Given", use: "Use") -> dict[str, object]:
    from billing.bundles.offer import show_quantity

    measure = given.bundle.measure
    return {
        "session": use.session_id,
        "held": show_quantity(measure, use.held),
        "used": show_quantity(measure, use.used),
        "used_units": use.used,
    }


def _amount(micros: int) -> str:
    from billing.money import format_amount

    return format_amount(micros)


def _for(services: tuple[str, ...], prefixes: tuple[str, ...]) -> str:
    said = [" ".join(services), " ".join(prefixes)]
    return " to ".join(one or "all" for one in said) if any(said) else "all"
