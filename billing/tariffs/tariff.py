"""Price tables: which rate a number has, what a row of a tariff file means, and how two versions differ."""

import enum
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter

from billing.money import AmountError, format_amount, parse_amount
from billing.rating import Rate

LONGEST_PREFIX = 15
"""Digits of an E.164 number, and so of a prefix."""

HIGHEST_PRICE_MICROS = 100_000 * 1_000_000
"""A price above this (per minute, or to connect) is taken for a mistake in the file."""

LONGEST_INCREMENT_S = 86_400

_TERMS = attrgetter(*(field.name for field in fields(Rate) if field.name != "tariff_version_id"))
_PREFIX = re.compile(r"\+?([0-9]{1,15})")
_INCREMENTS = re.compile(r"([0-9]{1,5})(?:/([0-9]{1,5}))?")
_SECONDS = re.compile(r"[0-9]{1,5}")
_YES_NO = {"": False, "no": False, "false": False, "0": False, "n": False}
_YES_NO |= {"yes": True, "true": True, "1": True, "y": True, "blocked": True}


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


class RateFieldError(ValueError):
    """A field of a tariff row cannot be read; the message names the field and says why."""


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


class RateTable:
    """The rates of one version, found by longest prefix in at most fifteen look-ups, however many there are."""

    __slots__ = ("_lengths", "_rates")

    def __init__(self, rates: Iterable[Rate]) -> None:
        self._rates: Mapping[str, Rate] = {rate.prefix: rate for rate in rates}
        self._lengths = tuple(sorted({len(prefix) for prefix in self._rates}, reverse=True))

    def __len__(self) -> int:
        return len(self._rates)

    def along(self, e164_digits: str) -> tuple[Rate, ...]:
        """Every rate whose prefix the number begins with, the longest first."""
        found = (self._rates.get(e164_digits[:length]) for length in self._lengths if length <= len(e164_digits))
        return tuple(rate for rate in found if rate is not None)

    def longest(self, e164_digits: str) -> Rate | None:
        """The rate of the longest prefix the number begins with."""
        for length in self._lengths:
            rate = self._rates.get(e164_digits[:length])
            if rate is not None and length <= len(e164_digits):
                return rate
        return None


def find_rate(table: RateTable, e164_digits: str) -> Rate | RateRefusal:
    """The rate of the longest prefix; a blocked one refuses, whatever a shorter prefix would say.

    `e164_digits` is the number without its plus sign.
    """
    rate = table.longest(e164_digits)
    if rate is None:
        return RateRefusal.UNPRICED
    return RateRefusal.BLOCKED if rate.blocked else rate


def version_in_effect(versions: Iterable[Version], now: datetime) -> Version | None:
    """The version that took effect last; of two at the same moment, the one imported later."""
    begun = [version for version in versions if version.effective_at <= now]
    return max(begun, key=lambda version: (version.effective_at, version.number), default=None)


def read_rate(row: Mapping[str, str], currency: str) -> Rate:
    """The rate in a row of a tariff file, not yet of any version (id 0); raises RateFieldError.

    Fields: prefix, destination, price_per_minute, connect_fee, minimum_s, increments ("60/6", "60" for "60/60"),
    blocked. Empty means: increments 1/1, no fee, no minimum, not blocked; only a blocked row may lack a price.
    """
    prefix = _PREFIX.fullmatch(row["prefix"])
    if prefix is None:
        raise RateFieldError("prefix: one to fifteen digits are needed")
    blocked = _YES_NO.get(row["blocked"].lower())
    if blocked is None:
        raise RateFieldError("blocked: yes or no is needed")
    if len(row["destination"]) > 80:
        raise RateFieldError("destination: longer than 80 characters")
    price = _price("price_per_minute", row["price_per_minute"] or ("0" if blocked else ""))
    fee = _price("connect_fee", row["connect_fee"] or "0")
    if _SECONDS.fullmatch(row["minimum_s"] or "0") is None or int(row["minimum_s"] or 0) > LONGEST_INCREMENT_S:
        raise RateFieldError(f"minimum_s: whole seconds up to {LONGEST_INCREMENT_S} are needed")
    initial_s, increment_s = _increments(row["increments"] or "1/1")
    return Rate(
        tariff_version_id=0,
        prefix=prefix[1],
        destination=row["destination"],
        currency=currency,
        price_per_minute_micros=price,
        connect_fee_micros=fee,
        minimum_s=int(row["minimum_s"] or 0),
        initial_s=initial_s,
        increment_s=increment_s,
        blocked=blocked,
    )


def compare(before: Iterable[Rate], after: Iterable[Rate]) -> Changes:
    """How many prefixes come, change, go and stay, whatever version the rates are of."""
    old = {rate.prefix: _TERMS(rate) for rate in before}
    new = {rate.prefix: _TERMS(rate) for rate in after}
    same = sum(old.get(prefix) == terms for prefix, terms in new.items())
    added = len(new.keys() - old.keys())
    return Changes(added, len(new) - added - same, len(old.keys() - new.keys()), same)


def _price(field: str, text: str) -> int:
    try:
        micros = parse_amount(text)
    except AmountError as error:
        raise RateFieldError(f"{field}: {error}") from None
    if not 0 <= micros <= HIGHEST_PRICE_MICROS:
        raise RateFieldError(f"{field}: not between 0 and {format_amount(HIGHEST_PRICE_MICROS)}")
    return micros


def _increments(text: str) -> tuple[int, int]:
    found = _INCREMENTS.fullmatch(text)
    if found is None:
        raise RateFieldError('increments: initial and increment in seconds such as "60/6" are needed')
    initial_s, increment_s = int(found[1]), int(found[2] or found[1])
    if not (1 <= initial_s <= LONGEST_INCREMENT_S and 1 <= increment_s <= LONGEST_INCREMENT_S):
        raise RateFieldError(f"increments: from 1 to {LONGEST_INCREMENT_S} seconds")
    return initial_s, increment_s
