"""What `tollgate rate test` does, also called `tariff test`: the price of a call by the function that bills it."""

import re
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.engine import Connection

from ani.numbers import parse_destination
from billing.accounts import store as account_store
from billing.accounts.account import Account
from billing.allowances import service as allowances
from billing.bundles.offer import show_quantity
from billing.cli.tariff_load import read_moment
from billing.cli.tariff_view import rate_row
from billing.consumption.consumption import STANDARD_TARIFF
from billing.money import AmountError, format_amount, parse_amount
from billing.operators.operator import normal_dnis
from billing.operators.store import profile_for
from billing.plans import store as plan_store
from billing.pricing.terms import Measure
from billing.rating import VOICE, Bundle, Context, Rate, billed_ms, explain, largest_grant, price_micros
from billing.tariffs import service
from billing.tariffs.store import TariffOwner
from billing.tariffs.tariff import BY_NUMBER, RateFieldError, Tariff, read_service
from runtime import command, database
from runtime.clock import SystemClock
from runtime.command import CommandError, ExitCode, money_document
from runtime.faults import NotFoundError

_MOST_UNITS = 2**53
_NOT_SHOWN = frozenset(
    {"rate", "seconds", "billed_seconds", "used_ms", "billed_ms", "units", "billed_units", "cut_by_cap"}
)
_SECONDS = re.compile(r"([0-9]{1,5})(?:\.([0-9]{1,3}))?")
_FULL = re.compile(r"\+[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class Ask:
    """What was asked for, as it was typed; empty text where an option was not given."""

    number: str
    tariff: str
    operator: str | None
    used_ms: int
    balance: str
    cap_s: int
    at: str
    service: str = ""
    """Whose rates; empty for what the access number sells, else voice."""
    units: int | None = None
    access: str = ""
    month_used: int = 0
    included: int = 0
    account: str = ""

    def used(self, rate: Rate) -> int:
        """What is to be priced, in base units of the rate."""
        if scale_of(rate) > 1 or self.units is None:
            return self.used_ms if scale_of(rate) > 1 else 1
        return self.units

    def context(self, rate: Rate, moment: datetime, account: Context | None) -> Context:
        """What is fixed when the session starts: as the account is, or as it was typed."""
        scale = scale_of(rate)
        if account is not None:
            month_used = self.month_used * scale or account.month_used
            return replace(account, is_answered=True, month_used=month_used)
        measure = rate.terms.measure if rate.terms is not None else Measure.TIME
        bundles = (Bundle(0, self.included * scale, measure, name="included units"),) if self.included else ()
        return Context(moment, self.access, is_answered=True, month_used=self.month_used * scale, bundles=bundles)


def read_ms(text: str, longest_s: int) -> int:
    """Milliseconds of a length in seconds as it was typed."""
    found = _SECONDS.fullmatch(text)
    ms = -1 if found is None else int(found[1]) * 1000 + int((found[2] or "").ljust(3, "0"))
    if not 0 <= ms <= longest_s * 1000:
        raise CommandError(f"--seconds: 0 to {longest_s}, with at most three decimals", ExitCode.USAGE)
    return ms


def scale_of(rate: Rate) -> int:
    """Base units in what a person counts in: seconds, bytes, units."""
    return 1000 if rate.terms is None else rate.terms.scale


def price(ask: Ask, *, as_json: bool) -> int:
    """Price the call and print how; exit code 3 when it would be refused."""
    moment = read_moment("--at", ask.at) if ask.at else SystemClock().now()
    funds_micros = _amount(ask.balance) if ask.balance else None
    with database.reading(command.open_engine(command.open_settings())) as conn:
        account = _account(conn, ask.account) if ask.account else None
        owner = service.find_owner(conn, ask.operator or (account.operator_code if account else None))
        tariff, priced_by = _tariff(conn, owner, ask.tariff, account, moment)
        group = _service(ask.service or _sold_at(conn, ask.access))
        e164 = _e164(ask.number, owner.home_country) if group in BY_NUMBER else ask.number.lower()
        answer = service.price_of_number(conn, tariff.id, e164, moment, group)
        fixed = None
        if account is not None and isinstance(answer.answer, Rate):
            fixed = allowances.at_start(conn, moment, account.id, answer.answer, e164, ask.access)
            funds_micros = account.available_micros if funds_micros is None else funds_micros
    document: dict[str, object] = {
        "number": e164,
        "tariff": tariff.name,
        "version": answer.version and answer.version.number,
        "at": moment.isoformat(),
        "considered": [_considered(rate) for rate in answer.considered],
    }
    if account is not None:
        document["priced_by"] = priced_by
    if isinstance(answer.answer, Rate):
        context = ask.context(answer.answer, moment, fixed)
        if account is not None:
            document |= {"account": account.number, "bundles": [_bundle(one) for one in context.bundles]}
        document |= _priced(answer.answer, ask, context)
        if funds_micros is not None:
            document |= _lasting(answer.answer, funds_micros, ask, context)
    else:
        document["refused"] = answer.answer.value
    if as_json:
        command.print_document(document)
    else:
        command.print_record(_for_people(document))
    return ExitCode.OK if isinstance(answer.answer, Rate) else ExitCode.NOTHING


def _priced(rate: Rate, ask: Ask, context: Context) -> dict[str, object]:
    used, scale = ask.used(rate), scale_of(rate)
    billed = billed_ms(rate, used, context)
    counted = {"seconds": used // scale, "billed_seconds": billed // scale, "used_ms": used, "billed_ms": billed}
    if scale == 1:
        counted = {"units": used, "billed_units": billed}
    return {
        "rate": rate_row(rate),
        **counted,
        "price": money_document(price_micros(rate, used, context), rate.currency),
        "why": explain(rate, used, context),
    }


def _lasting(rate: Rate, funds_micros: int, ask: Ask, context: Context) -> dict[str, object]:
    is_time = scale_of(rate) > 1
    cap = ask.cap_s * 1000 if is_time else _MOST_UNITS
    grant = largest_grant(rate, funds_micros, cap, cap, context)
    return {
        "balance": money_document(funds_micros, rate.currency),
        "talk_time_ms" if is_time else "units_that_fit": grant.granted_ms,
        "cut_by_cap": grant.granted_ms == cap,
        "left": money_document(funds_micros - grant.held_micros, rate.currency),
    }


def _for_people(document: dict[str, object]) -> dict[str, object]:
    """The same as lines: the steps of the price one by one, times in minutes."""
    shown: dict[str, object] = {}
    for key, value in document.items():
        if key == "considered" and isinstance(value, list):
            shown[key] = "; ".join(value) + (" (the longest wins)" if len(value) > 1 else "")
        elif key == "bundles" and isinstance(value, list):
            shown[key] = "; ".join(f"{one['name']} ({one['bundle']}), {one['left']}" for one in value) or "none"
        elif key == "why" and isinstance(value, list):
            shown |= {f"why {place}": line for place, line in enumerate(value, start=1)}
        elif key == "talk_time_ms" and isinstance(value, int):
            minutes, rest_ms = divmod(value, 60_000)
            cut = ", the longest call allowed" if document["cut_by_cap"] else ""
            shown["talk time"] = f"{minutes} min {rest_ms // 1000}.{rest_ms % 1000:03d} s{cut}"
        elif key in {"price", "balance", "left"} and isinstance(value, dict):
            shown[key] = f"{value['amount']} {value['currency']}"
        elif key not in _NOT_SHOWN:
            shown[key] = value
    return shown


def _tariff(
    conn: Connection, owner: TariffOwner, name: str, account: Account | None, moment: datetime
) -> tuple[Tariff, str]:
    """The tariff that is named, or whose it is: the account's own, its plan's, or the one sold to all."""
    if name or account is None:
        return service.find_tariff(conn, owner, name or STANDARD_TARIFF), "named" if name else "service"
    of_plan = None if account.tariff_id is not None else plan_store.tariff_of(conn, account.id, moment)
    own_id = account.tariff_id if of_plan is None else of_plan.tariff_id
    own = None if own_id is None else account_store.tariff_name(conn, own_id)
    by = "service" if own is None else "account" if of_plan is None else f"plan {of_plan.plan_code}"
    return service.find_tariff(conn, owner, own or STANDARD_TARIFF), by


def _account(conn: Connection, number: str) -> Account:
    found = account_store.account_by_number(conn, number)
    if found is None:
        raise NotFoundError(f"no account {number}")
    return found


def _bundle(bundle: Bundle) -> dict[str, object]:
    left = show_quantity(bundle.measure, bundle.units)
    return {"bundle": bundle.id, "name": bundle.name, "left": left, "rule": bundle.rule.value}


def _considered(rate: Rate) -> str:
    cost = "blocked" if rate.blocked else format_amount(rate.price_per_minute_micros)
    return " ".join(part for part in (rate.prefix or "*", rate.destination, cost) if part)


def _e164(number: str, home_country: str) -> str:
    dialled = "".join(mark for mark in number if mark not in " -().")
    if _FULL.fullmatch(dialled):
        return dialled
    destination = parse_destination(dialled, home_country)
    if destination is None:
        raise CommandError("NUMBER: not one that can be dialled; write + and the country code", ExitCode.USAGE)
    return destination.e164


def _sold_at(conn: Connection, access: str) -> str:
    """What the service sells that this access number reaches; voice where none does."""
    number = normal_dnis(access)
    profile = None if number is None else profile_for(conn, number)
    return VOICE if profile is None else profile.sells


def _service(text: str) -> str:
    try:
        return read_service(text)
    except RateFieldError as error:
        raise CommandError(f"--{error}", ExitCode.USAGE) from error


def _amount(text: str) -> int:
    try:
        return parse_amount(text)
    except AmountError as error:
        raise CommandError(f"--balance: {error}", ExitCode.USAGE) from error
