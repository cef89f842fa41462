"""`tollgate operator`, `profile` and `number`: who sells what under which toll number."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from billing.thresholds.threshold import LONGEST_S, STANDARD_LINE_S
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

if TYPE_CHECKING:
    from ani.qualification.proof import Fallback
    from billing.operators.operator import Reach
    from billing.tariffs.tariff import Service
    from billing.thresholds.threshold import FirstThresholds

OperatorCode = Annotated[str, typer.Argument(metavar="OPERATOR", help="Code of the operator.")]
MOST_SECONDS_OF_A_MONTH = 31 * 86_400
_LINE_CAP = "Most a line may talk in all; then it is blocked until that is lifted. 0: no such cap."
LineCap = Annotated[int, typer.Option(min=0, max=LONGEST_S, help=_LINE_CAP)]


def attach(app: typer.Typer) -> None:
    """Bring `operator`, `profile` and `number`."""
    operators = command_group(app, "operator", "Who sells: operators.")
    operators.command("create", epilog='Example: tollgate operator create acme "Acme Telephone" --currency USD')(
        create_operator
    )
    operators.command("list", epilog="Example: tollgate operator list --json")(list_operators)
    operators.command("unidentified", epilog="Example: tollgate operator unidentified acme pin")(set_unidentified)
    profiles = command_group(app, "profile", "Services: what is asked of a caller, and how long he may talk.")
    profiles.command("create", epilog="Example: tollgate profile create acme talk --tariff standard --age-check")(
        create_profile
    )
    profiles.command("set", epilog="Example: tollgate profile set acme hotline --sells premium")(set_profile)
    profiles.command("list", epilog="Example: tollgate profile list")(list_profiles)
    numbers = command_group(app, "number", "Toll numbers: which service a number reaches.")
    numbers.command("create", epilog="Example: tollgate number create +19005550100 acme talk")(create_number)
    numbers.command("list", epilog="Example: tollgate number list")(list_numbers)


def create_operator(
    code: OperatorCode,
    name: Annotated[str, typer.Argument(help="Name for people.")],
    currency: Annotated[str, typer.Option(help="ISO 4217; everything of this operator is in it.")] = "USD",
    country: Annotated[str, typer.Option(help="ISO 3166; numbers without a country code are read in it.")] = "US",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make an operator."""
    from billing.operators import service

    engine = open_engine(open_settings(), dry_run=dry_run)
    made = service.create_operator(engine, code=code, name=name, currency=currency, home_country=country)
    if as_json:
        print_document(_without_id(asdict(made)))
    else:
        print_done(f"operator {made.code} ({made.currency}, {made.home_country})")


def list_operators(as_json: AsJson = False) -> None:
    """List the operators."""
    from billing.operators import service

    found = service.list_operators(open_engine(open_settings()))
    if as_json:
        print_document([_without_id(asdict(operator)) for operator in found])
        return
    rows = [(operator.code, operator.name, operator.currency, operator.home_country) for operator in found]
    print_table("operators", ("code", "name", "currency", "country"), rows)


def set_unidentified(
    code: OperatorCode,
    policy: Annotated[str, typer.Argument(metavar="POLICY", help="drop: end the call; pin: ask for a PIN.")],
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Say what becomes of a call whose line nobody could identify, because the vendor could not be asked."""
    from billing.operators import service
    from billing.operators.operator import Unidentified

    try:
        wanted = Unidentified(policy)
    except ValueError:
        raise CommandError(f"policy: one of {', '.join(Unidentified)}", ExitCode.USAGE) from None
    service.set_unidentified(open_engine(open_settings(), dry_run=dry_run), code=code, policy=wanted)
    if as_json:
        print_document({"operator": code, "unidentified": wanted.value, "dry_run": dry_run})
    else:
        print_done(f"operator {code}: a line nobody could identify: {wanted.value}")


def create_profile(
    operator: OperatorCode,
    name: Annotated[str, typer.Argument(help="Name of the service.")],
    tariff: Annotated[str, typer.Option(help="Tariff that prices its calls.")],
    language: Annotated[str, typer.Option(help="Language of the prompts.")] = "en",
    preamble: Annotated[str, typer.Option(help="Prompt that is played first.")] = "welcome",
    age_check: Annotated[bool, typer.Option("--age-check/--no-age-check", help="Ask for proof of age.")] = False,
    minimum_age: Annotated[int, typer.Option(min=0, max=120, help="Years.")] = 18,
    evidence_days: Annotated[int, typer.Option(min=1, help="How long a proof of age holds.")] = 365,
    issue_pin: Annotated[
        bool, typer.Option("--issue-pin/--no-issue-pin", help="Give qualified callers a PIN.")
    ] = False,
    session_cap_s: Annotated[int, typer.Option(min=1, max=86_400, help="Longest call.")] = 1860,
    month_cap_s: Annotated[
        int, typer.Option(min=1, max=MOST_SECONDS_OF_A_MONTH, help="Most a line may talk in a month.")
    ] = 5580,
    line_cap_s: LineCap = STANDARD_LINE_S,
    reach: Annotated[
        str,
        typer.Option(help="How far it calls: home (the operator's country), abroad, everywhere (risky places too)."),
    ] = "home",
    bind_line: Annotated[
        bool, typer.Option("--bind-line/--no-bind-line", help="Callers may bind their line by phone (*2, *3).")
    ] = False,
    pin_range: Annotated[str, typer.Option(help="Range that PINs issued by phone are taken from.")] = "",
    ssn_digits: Annotated[int, typer.Option(help="Of the social security number: 4 or 9.")] = 4,
    fallback: Annotated[str, typer.Option(help="Asked for when that fails: none, birth-date, licence, name.")] = "none",
    sells: Annotated[str, typer.Option(help="Whose rates of the tariff price its calls: voice, premium.")] = "voice",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make a service profile of an operator."""
    from billing.operators import service
    from billing.operators.operator import ProfileTerms

    terms = ProfileTerms(
        language,
        preamble,
        minimum_age,
        age_check,
        evidence_days,
        issue_pin,
        session_cap_s,
        month_cap_s,
        reach_of(reach),
        bind_line,
        pin_range,
        ssn_digits,
        _fallback_of(fallback),
        _service_of(sells),
    )
    engine = open_engine(open_settings(), dry_run=dry_run)
    first = _line_cap(line_cap_s)
    made = service.create_profile(
        engine, operator_code=operator, name=name, tariff_name=tariff, terms=terms, first=first
    )
    if as_json:
        print_document(_without_id(asdict(made)))
    else:
        print_done(f"profile {made.operator_code}/{made.name}, tariff {made.tariff_name}")


def _line_cap(seconds: int) -> "FirstThresholds | None":
    from billing.thresholds.threshold import FirstThresholds, Thresholds
    from runtime.clock import SystemClock

    return FirstThresholds(Thresholds(line_s=seconds), staff_name(), SystemClock().now()) if seconds else None


def set_profile(
    operator: OperatorCode,
    name: Annotated[str, typer.Argument(help="Name of the service.")],
    sells: Annotated[str, typer.Option(help="Whose rates of the tariff price its calls: voice, premium.")],
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Set by which rates of its tariff a service is sold; calls that are up keep their price."""
    from billing.operators import service

    wanted = _service_of(sells)
    service.set_sells(open_engine(open_settings(), dry_run=dry_run), operator, name, wanted)
    if as_json:
        print_document({"operator_code": operator, "name": name, "sells": wanted.value, "dry_run": dry_run})
    else:
        print_done(f"profile {operator}/{name} sells {wanted}")


def _service_of(text: str) -> "Service":
    from billing.tariffs.tariff import RateFieldError, Service, read_service

    try:
        return Service(read_service(text))
    except RateFieldError as error:
        raise CommandError(f"--sells: {error}", ExitCode.USAGE) from None


def _fallback_of(text: str) -> "Fallback":
    from ani.qualification.proof import Fallback

    try:
        return Fallback(text)
    except ValueError:
        raise CommandError(f"fallback: one of {', '.join(Fallback)}", ExitCode.USAGE) from None


def list_profiles(as_json: AsJson = False) -> None:
    """List the service profiles."""
    from billing.operators import service

    found = service.list_profiles(open_engine(open_settings()))
    if as_json:
        print_document([_without_id(asdict(profile)) for profile in found])
        return
    print_table(
        "service profiles",
        (
            "operator",
            "profile",
            "tariff",
            "sells",
            "language",
            "age check",
            "issue pin",
            "session cap s",
            "month cap s",
        ),
        [
            (
                profile.operator_code,
                profile.name,
                profile.tariff_name,
                profile.sells,
                profile.language,
                profile.minimum_age if profile.age_check else "no",
                "yes" if profile.issue_pin else "no",
                profile.session_cap_s,
                profile.month_cap_s,
            )
            for profile in found
        ],
    )


def create_number(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="As the switch delivers it, with or without a plus.")],
    operator: OperatorCode,
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="Service that answers there.")],
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let a toll number reach a service."""
    from billing.operators import service

    engine = open_engine(open_settings(), dry_run=dry_run)
    made = service.create_number(engine, dnis=number, operator_code=operator, profile_name=profile)
    if as_json:
        print_document(asdict(made))
    else:
        print_done(f"number {made.dnis} reaches {made.operator_code}/{made.profile_name}")


def list_numbers(as_json: AsJson = False) -> None:
    """List the toll numbers."""
    from billing.operators import service

    found = service.list_numbers(open_engine(open_settings()))
    if as_json:
        print_document([asdict(number) for number in found])
        return
    rows = [(number.dnis, number.operator_code, number.profile_name) for number in found]
    print_table("toll numbers", ("number", "operator", "profile"), rows)


def reach_of(text: str) -> "Reach":
    """The reach of this name."""
    from billing.operators.operator import Reach

    try:
        return Reach(text)
    except ValueError:
        raise CommandError(f"reach: one of {', '.join(Reach)}", ExitCode.USAGE) from None


def _without_id(document: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in document.items() if name != "id" and not name.endswith("_id")}
