"""What `tollgate tariff test` does: the price of a call by the function that bills it."""

import re
from dataclasses import dataclass

from ani.numbers import parse_destination
from billing.cli.tariff_load import read_moment
from billing.cli.tariff_view import rate_row
from billing.money import AmountError, format_amount, parse_amount
from billing.rating import Rate, billed_ms, explain, largest_grant, price_micros
from billing.tariffs import service
from runtime import command, database
from runtime.clock import SystemClock
from runtime.command import CommandError, ExitCode, money_document

_FULL = re.compile(r"\+[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class Ask:
    """What was asked for, as it was typed; empty text where an option was not given."""

    number: str
    tariff: str
    operator: str | None
    seconds: int
    balance: str
    cap_s: int
    at: str


def price(ask: Ask, *, as_json: bool) -> int:
    """Price the call and print how; exit code 3 when it would be refused."""
    moment = read_moment("--at", ask.at) if ask.at else SystemClock().now()
    funds_micros = _amount(ask.balance) if ask.balance else None
    with database.reading(command.open_engine(command.open_settings())) as conn:
        owner = service.find_owner(conn, ask.operator)
        tariff = service.find_tariff(conn, owner, ask.tariff)
        e164 = _e164(ask.number, owner.home_country)
        answer = service.price_of_number(conn, tariff.id, e164, moment)
    document: dict[str, object] = {
        "number": e164,
        "tariff": tariff.name,
        "version": answer.version and answer.version.number,
        "at": moment.isoformat(),
        "considered": [_considered(rate) for rate in answer.considered],
    }
    if isinstance(answer.answer, Rate):
        document |= _priced(answer.answer, ask.seconds)
        if funds_micros is not None:
            document |= _lasting(answer.answer, funds_micros, ask.cap_s * 1000)
    else:
        document["refused"] = answer.answer.value
    if as_json:
        command.print_document(document)
    else:
        command.print_record(_for_people(document))
    return ExitCode.OK if isinstance(answer.answer, Rate) else ExitCode.NOTHING


def _priced(rate: Rate, seconds: int) -> dict[str, object]:
    return {
        "rate": rate_row(rate),
        "seconds": seconds,
        "billed_seconds": billed_ms(rate, seconds * 1000) // 1000,
        "price": money_document(price_micros(rate, seconds * 1000), rate.currency),
        "why": explain(rate, seconds * 1000),
    }


def _lasting(rate: Rate, funds_micros: int, cap_ms: int) -> dict[str, object]:
    grant = largest_grant(rate, funds_micros, cap_ms, cap_ms)
    return {
        "balance": money_document(funds_micros, rate.currency),
        "talk_time_ms": grant.granted_ms,
        "cut_by_cap": grant.granted_ms == cap_ms,
        "left": money_document(funds_micros - grant.held_micros, rate.currency),
    }


def _for_people(document: dict[str, object]) -> dict[str, object]:
    """The same as lines: the steps of the price one by one, times in minutes."""
    shown: dict[str, object] = {}
    for key, value in document.items():
        if key == "considered" and isinstance(value, list):
            shown[key] = "; ".join(value) + (" (the longest wins)" if len(value) > 1 else "")
        elif key == "why" and isinstance(value, list):
            shown |= {f"why {place}": line for place, line in enumerate(value, start=1)}
        elif key == "talk_time_ms" and isinstance(value, int):
            minutes, rest_ms = divmod(value, 60_000)
            cut = ", the longest call allowed" if document["cut_by_cap"] else ""
            shown["talk time"] = f"{minutes} min {rest_ms // 1000}.{rest_ms % 1000:03d} s{cut}"
        elif key in {"price", "balance", "left"} and isinstance(value, dict):
            shown[key] = f"{value['amount']} {value['currency']}"
        elif key not in {"rate", "seconds", "billed_seconds", "cut_by_cap"}:
            shown[key] = value
    return shown


def _considered(rate: Rate) -> str:
    cost = "blocked" if rate.blocked else format_amount(rate.price_per_minute_micros)
    return " ".join(part for part in (rate.prefix, rate.destination, cost) if part)


def _e164(number: str, home_country: str) -> str:
    dialled = "".join(mark for mark in number if mark not in " -().")
    if _FULL.fullmatch(dialled):
        return dialled
    destination = parse_destination(dialled, home_country)
    if destination is None:
        raise CommandError("NUMBER: not one that can be dialled; write + and the country code", ExitCode.USAGE)
    return destination.e164


def _amount(text: str) -> int:
    try:
        return parse_amount(text)
    except AmountError as error:
        raise CommandError(f"--balance: {error}", ExitCode.USAGE) from error
