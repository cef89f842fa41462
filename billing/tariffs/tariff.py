"""Price tables: which rate a number has, what a row of a tariff file means, and how two versions differ."""

import enum
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter

from billing.money import format_amount
from billing.pricing.lookup import RateTable
from billing.pricing.notation import LONGEST_INCREMENT_S, RateFieldError, read_price, read_terms, read_yes_no
from billing.pricing.terms import WHOLE, MaximumRule, Measure, Terms
from billing.rating import VOICE, Rate

LONGEST_CODE = 16
"""Characters of a prefix: fifteen digits of an E.164 number, or the code of what a service sells."""

LARGEST_INCREMENT = 2**31 - 1
"""The largest block of bytes or units, and the largest minimum of them."""

PRICED_FIELDS = ("disconnect_fee", "timed_fees", "steps", "bands", "tiers", "surcharges")
"""Fields of terms in which an amount may be below zero where that was asked for."""

__all__ = [
    "BY_NUMBER",
    "Changes",
    "ImportRefusal",
    "RateFieldError",
    "RateRefusal",
    "RateTable",
    "Service",
    "Tariff",
    "Version",
    "compare",
    "find_rate",
    "read_rate",
    "read_service",
    "version_in_effect",
]

_TERMS = attrgetter(*(field.name for field in fields(Rate) if field.name != "tariff_version_id"))
_PREFIX = re.compile(r"\+?([0-9]{1,15})")
_CODE = re.compile(r"\*|[A-Za-z0-9][A-Za-z0-9._-]{0,15}")
_INCREMENTS = re.compile(r"([0-9]{1,10})(?:/([0-9]{1,10}))?")
_WHOLE = re.compile(r"[0-9]{1,10}")


class Service(enum.StrEnum):
    """What a group of rates is for; each has prefixes of its own."""

    VOICE = "voice"
    DATA = "data"
    AIRTIME = "airtime"
    PREMIUM = "premium"
    MESSAGE = "message"
    PAGE = "page"
    CONTENT = "content"
    EVENT = "event"
    UNIT = "unit"
    TRANSACTION = "transaction"


_SERVICES = {"": VOICE, **{one.value: one.value for one in Service}}
BY_NUMBER = frozenset({Service.VOICE, Service.PREMIUM, Service.AIRTIME})
"""Services whose rates are found by the number called; the others are found by the code of what is sold."""


class RateRefusal(enum.StrEnum):
    """Why a number has no price."""

    BLOCKED = "destination-blocked"
    UNPRICED = "destination-not-priced"


class ImportRefusal(enum.StrEnum):
    """Why a tariff file was not loaded as a new version."""

    CURRENCY = "currency-differs"
    PAST = "effective-in-the-past"
    EMPTY = "no-good-row"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Tariff:
    """A price table by name; its prices are in its versions."""

    id: int
    operator_id: int
    name: str
    currency: str


@dataclass(frozen=True, slots=True)
class Version:
    """One whole set of prices; it holds from `effective_at` until a later one does, and is never changed."""

    id: int
    tariff_id: int
    number: int
    effective_at: datetime
    imported_at: datetime
    source: str
    rates: int = 0


@dataclass(frozen=True, slots=True)
class Changes:
    """What a new version does to the one before, in prefixes."""

    added: int
    changed: int
    removed: int
    same: int


def find_rate(table: RateTable, e164_digits: str, service: str = VOICE) -> Rate | RateRefusal:
    """The rate of the longest prefix; a blocked one refuses, whatever a shorter prefix would say.

    `e164_digits` is the number without its plus sign, or the code of what a service other than voice sells.
    """
    rate = table.longest(e164_digits, service)
    if rate is None:
        return RateRefusal.UNPRICED
    return RateRefusal.BLOCKED if rate.blocked else rate


def version_in_effect(versions: Iterable[Version], now: datetime) -> Version | None:
    """The version that took effect last; of two at the same moment, the one imported later."""
    begun = [version for version in versions if version.effective_at <= now]
    return max(begun, key=lambda version: (version.effective_at, version.number), default=None)


def read_rate(row: Mapping[str, str], currency: str, *, negative: bool = False) -> Rate:
    """The rate in a row of a tariff file, not yet of any version (id 0); raises RateFieldError.

    Fields: prefix, destination, price_per_minute (or price), connect_fee, minimum_s, increments ("60/6", "60" for
    "60/60"), blocked, service, and those of `billing.pricing.notation`. Empty means: increments 1/1, no fee, no
    minimum, not blocked, voice; only a blocked row may lack a price. Amounts below zero must be asked for.
    """
    service = read_service(row.get("service", ""))
    blocked = read_yes_no("blocked", "yes" if row["blocked"].lower() == "blocked" else row["blocked"])
    if len(row["destination"]) > 80:
        raise RateFieldError("destination: longer than 80 characters")
    prefix = _prefix(row["prefix"], service)
    price_field = "price" if row.get("price") and not row["price_per_minute"] else "price_per_minute"
    price = read_price(price_field, row[price_field] or ("0" if blocked else ""), negative=negative)
    fee = read_price("connect_fee", row["connect_fee"] or "0", negative=negative)
    below_zero = negative and (min(price, fee) < 0 or "-" in "".join(row.get(name, "") for name in PRICED_FIELDS))
    terms = read_terms(row, negative=below_zero)
    largest = LONGEST_INCREMENT_S if terms is None or terms.measure is Measure.TIME else LARGEST_INCREMENT
    if _WHOLE.fullmatch(row["minimum_s"] or "0") is None or int(row["minimum_s"] or 0) > largest:
        raise RateFieldError(f"minimum_s: whole seconds up to {largest} are needed")
    initial_s, increment_s = _increments(row["increments"] or "1/1", largest)
    _require_a_beginning(terms, fee)
    try:
        return Rate(
            tariff_version_id=0,
            prefix=prefix,
            destination=row["destination"],
            currency=currency,
            price_per_minute_micros=price,
            connect_fee_micros=fee,
            minimum_s=int(row["minimum_s"] or 0),
            initial_s=initial_s,
            increment_s=increment_s,
            blocked=blocked,
            service=service,
            terms=terms,
        )
    except ValueError as error:
        raise RateFieldError(f"row: {error}") from None


def _require_a_beginning(terms: Terms | None, fee_micros: int) -> None:
    """A charge at which the call ends must leave room for what is due at its first moment; raises RateFieldError."""
    if (
        terms is None
        or terms.maximum_charge_micros is None
        or terms.maximum_rule is not MaximumRule.ENDS
        or terms.grace
    ):
        return
    due_micros = max(fee_micros * (WHOLE + terms.markup) // WHOLE, terms.minimum_charge_micros)
    if terms.maximum_charge_micros < due_micros:
        raise RateFieldError(
            f"maximum_charge: below the {format_amount(due_micros)} due at once, so no call could begin"
        )


def read_service(text: str) -> str:
    """The service a rate is of, voice when nothing is said; raises RateFieldError."""
    found = _SERVICES.get(text) or _SERVICES.get(text.lower())
    if found is None:
        raise RateFieldError(f"service: one of {', '.join(Service)} is needed")
    return found


def compare(before: Iterable[Rate], after: Iterable[Rate]) -> Changes:
    """How many prefixes come, change, go and stay, whatever version the rates are of."""
    old = {(rate.service, rate.prefix): _TERMS(rate) for rate in before}
    new = {(rate.service, rate.prefix): _TERMS(rate) for rate in after}
    same = sum(old.get(prefix) == terms for prefix, terms in new.items())
    added = len(new.keys() - old.keys())
    return Changes(added, len(new) - added - same, len(old.keys() - new.keys()), same)


def _prefix(text: str, service: str) -> str:
    """Digits of a number; for what is not found by a number a code as well, `*` for whatever has no code of its own."""
    if service in BY_NUMBER:
        found = _PREFIX.fullmatch(text)
        if found is None:
            raise RateFieldError("prefix: one to fifteen digits are needed")
        return found[1]
    if _CODE.fullmatch(text) is None:
        raise RateFieldError("prefix: a code of at most sixteen letters, digits, dots and dashes, or * is needed")
    return "" if text == "*" else text.lower()


def _increments(text: str, largest: int) -> tuple[int, int]:
    found = _INCREMENTS.fullmatch(text)
    if found is None:
        raise RateFieldError('increments: initial and increment in seconds such as "60/6" are needed')
    initial_s, increment_s = int(found[1]), int(found[2] or found[1])
    if not (1 <= initial_s <= largest and 1 <= increment_s <= largest):
        raise RateFieldError(f"increments: from 1 to {largest} seconds")
    return initial_s, increment_s
