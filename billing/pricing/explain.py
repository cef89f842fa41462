"""How a price comes about, told a step a line, from the same parts the price is made of."""

import re
from datetime import UTC
from zoneinfo import ZoneInfo

from billing.money import format_amount
from billing.pricing.bundles import CALLS, Draw
from billing.pricing.increments import billed, largest_use
from billing.pricing.parts import Part, Use, price_parts
from billing.pricing.plain import billed_s, price_micros
from billing.pricing.price import PLAIN, draws, is_free, is_plain, price, rounded
from billing.pricing.rate import VOICE, Context, Grant, Rate
from billing.pricing.terms import WHOLE, MaximumRule, Measure, Scope, Terms

_BEGINS = re.compile(r"(?<![^ ])(tier|step) ([0-9]+)(?![^,])")
_PER = {
    (Measure.TIME, 60_000): "minute",
    (Measure.TIME, 1_000): "second",
    (Measure.TIME, 3_600_000): "hour",
    (Measure.BYTES, 1_000_000): "MB",
    (Measure.BYTES, 1_048_576): "MiB",
    (Measure.UNITS, 1): "unit",
    (Measure.TRANSACTION, 1): "transaction",
}


def explain(rate: Rate, used: int, context: Context) -> list[str]:
    """How the price of this use comes about, a step a line."""
    if is_plain(rate, context):
        return _explain_plain(rate, used)
    terms = rate.terms or PLAIN
    lines = [_named(rate)]
    lines.append(_basis(rate, terms))
    if rate.blocked:
        return [*lines, "this destination is blocked: no session, no price"]
    if used <= 0 and is_free(terms, context, used):
        return [*lines, "not used: nothing to pay"]
    if is_free(terms, context, used):
        return [*lines, f"used {_quantity(terms, used)}: within the grace, nothing to pay"]
    total = billed(rate, terms, used)
    lines.append(f"used {_quantity(terms, used)}, billed {_quantity(terms, total)}")
    if terms.calendar is not None and context.started_at is not None:
        local = context.started_at.astimezone(UTC).astimezone(ZoneInfo(terms.calendar.zone))
        lines.append(f"started {local:%a %Y-%m-%d %H:%M:%S} in {terms.calendar.zone}, bands by {terms.band_rule}")
    if terms.tiers:
        lines.append(f"used before in this month {_quantity(terms, context.month_used)}, tiers {terms.volume_rule}")
    parts = price_parts(rate, terms, context, Use(used, total))
    lines += [_part_line(rate, terms, part) for part in parts]
    lines += [_draw_line(terms, context, one) for one in draws(rate, used, context)]
    lines += _after(rate, terms, sum(part.numerator for part in parts))
    return [*lines, f"total {format_amount(price(rate, used, context), rate.currency)}"]


def explain_part(rate: Rate, used: int, context: Context, grant: Grant) -> list[str]:
    """The same where the last grant was a part of an increment: all the money there was, for that part."""
    terms = rate.terms or PLAIN
    whole = format_amount(price(rate, used, context), rate.currency)
    ends = largest_use(rate, terms, billed(rate, terms, grant.granted_ms))
    until = "" if ends is None else f" that ends at {_quantity(terms, ends)} and costs {whole} in all"
    held = format_amount(grant.held_micros, rate.currency)
    return [
        _named(rate),
        _basis(rate, terms),
        f"granted {_quantity(terms, grant.granted_ms)} for {held}, all there was: a part of the increment{until}",
        f"used {_quantity(terms, used)} of that, billed {_quantity(terms, used)}",
        f"total {held}",
    ]


def _explain_plain(rate: Rate, used_ms: int) -> list[str]:
    per_minute = format_amount(rate.price_per_minute_micros, rate.currency)
    lines = [
        _named(rate),
        f"{per_minute} a minute, increments {rate.initial_s}/{rate.increment_s} s, minimum {rate.minimum_s} s",
    ]
    if rate.blocked:
        return [*lines, "this destination is blocked: no call, no price"]
    if used_ms <= 0:
        return [*lines, "not used: nothing to pay"]
    seconds = billed_s(rate, used_ms)
    total = price_micros(rate, used_ms)
    return [
        *lines,
        f"used {in_seconds(used_ms)}, billed {seconds} s",
        f"{seconds} s x {per_minute} / 60 = {format_amount(total - rate.connect_fee_micros, rate.currency)}",
        f"connect fee {format_amount(rate.connect_fee_micros, rate.currency)}",
        f"total {format_amount(total, rate.currency)}",
    ]


def _named(rate: Rate) -> str:
    """Which rate it is; whose, where it is not an ordinary call's."""
    of = "" if rate.service == VOICE else f"{rate.service} "
    name = rate.destination or "no name"
    return f"{of}prefix {rate.prefix or '*'} ({name}), tariff version {rate.tariff_version_id}"


def in_seconds(ms: int) -> str:
    """A time for people."""
    seconds, rest_ms = divmod(ms, 1000)
    return f"{seconds}.{rest_ms:03d}".rstrip("0") + " s" if rest_ms else f"{seconds} s"


def _note(terms: Terms, note: str) -> str:
    """Where a price is from; tiers and steps are named by what they begin after."""
    return _BEGINS.sub(lambda found: f"{found[1]} from {_quantity(terms, int(found[2]))}", note)


def _basis(rate: Rate, terms: Terms) -> str:
    unit = {Measure.TIME: "s", Measure.BYTES: "bytes"}.get(terms.measure, "units")
    said = [f"{format_amount(rate.price_per_minute_micros, rate.currency)} a {_per(terms)}"]
    if terms.measure is not Measure.TRANSACTION:
        said.append(f"increments {rate.initial_s}/{rate.increment_s} {unit} {terms.increment_rule}")
        said.append(f"minimum {rate.minimum_s} {unit}")
    if terms.free:
        said.append(f"the first {_quantity(terms, terms.free)} free")
    if terms.grace:
        said.append(f"nothing up to {_quantity(terms, terms.grace)}")
    if terms.sub_second is not None:
        said.append(f"seconds rounded {terms.sub_second.value}")
    if terms.whole > 1:
        said.append(f"then up to whole {_quantity(terms, terms.whole)}")
    return ", ".join(said)


def _per(terms: Terms) -> str:
    return _PER.get((terms.measure, terms.per)) or _quantity(terms, terms.per)


def _quantity(terms: Terms, quantity: int) -> str:
    if terms.measure is Measure.TIME:
        return in_seconds(quantity)
    return f"{quantity} {'bytes' if terms.measure is Measure.BYTES else 'units'}"


def _draw_line(terms: Terms, context: Context, draw: Draw) -> str:
    bundle = next(one for one in context.bundles if one.id == draw.bundle_id)
    named = f"bundle {bundle.name} ({bundle.id})" if bundle.name else f"bundle {bundle.id}"
    if bundle.measure == CALLS:
        return f"{named} gives 1 call of {bundle.units}, rule {bundle.rule.value}"
    gives, left = _quantity(terms, draw.units), _quantity(terms, bundle.units)
    return f"{named} gives {gives} of {left}, rule {bundle.rule.value}"


def _part_line(rate: Rate, terms: Terms, part: Part) -> str:
    denominator = terms.per * WHOLE**5
    micros = rounded(terms.precision, part.numerator, denominator) if terms.precision.scope is Scope.PART else None
    exact = _decimal(part.numerator, denominator) if micros is None else format_amount(micros)
    amount = f"{exact} {rate.currency}"
    note = f" ({_note(terms, part.note)})" if part.note else ""
    if part.kind in {"use", "included", "access"}:
        share = "" if part.share == WHOLE else f" x {_percent(part.share)}"
        each = f"{format_amount(part.price_micros)}{share} a {_per(terms)}"
        return f"{part.kind}{note}: {_quantity(terms, part.quantity)} x {each} = {amount}"
    if part.kind == "access share":
        return f"access number{note}: {_percent(part.share)} of the use = {amount}"
    if part.kind in {"fee after", "step fee"}:
        return f"{part.kind} {_quantity(terms, int(part.note))}: {amount}"
    return f"{part.kind}{note}: {amount}"


def _after(rate: Rate, terms: Terms, numerator: int) -> list[str]:
    """Mark-up, least and most charge, and the rounding, where there are any."""
    lines = []
    if terms.markup:
        marked = _decimal(numerator * (WHOLE + terms.markup) // WHOLE, terms.per * WHOLE**5)
        lines.append(f"mark-up {_percent(terms.markup)}: {marked} {rate.currency}")
    if terms.minimum_charge_micros:
        lines.append(f"at least {format_amount(terms.minimum_charge_micros, rate.currency)}")
    if terms.maximum_charge_micros is not None:
        then = "then the call ends" if terms.maximum_rule is MaximumRule.ENDS else "the rest is not charged"
        lines.append(f"at most {format_amount(terms.maximum_charge_micros, rate.currency)}, {then}")
    precision = terms.precision
    if precision.multiple_micros > 1 or precision.scope is not Scope.RECORD:
        step = format_amount(precision.multiple_micros)
        lines.append(f"rounded {precision.mode.value} to {step} for each {precision.scope}")
    return lines


def _percent(share: int) -> str:
    whole, part = divmod(abs(share), 100)
    return f"{'-' if share < 0 else ''}{whole}{f'.{part:02d}'.rstrip('0') if part else ''} %"


def _decimal(numerator: int, denominator: int) -> str:
    """The amount of micro-units with up to three more places, cut off."""
    sign = "-" if numerator < 0 else ""
    nanos = abs(numerator) * 1000 // denominator
    whole, part = divmod(nanos, 10**9)
    return f"{sign}{whole}.{f'{part:09d}'.rstrip('0').ljust(2, '0')}"
