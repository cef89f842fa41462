"""The terms of a rate as they are written in the columns of a tariff file, and kept in the database: one text form.

Quantities are seconds, bytes or units by what the price is for. Several steps, windows, tiers, fees or surcharges stand
in one cell with `;` between them; `docs/tariffs.md` shows each.
"""

import json
import re
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import TypeVar

from billing.money import AmountError, Rounding, format_amount, parse_amount
from billing.pricing.terms import (
    WHOLE,
    Adjust,
    Band,
    BandRule,
    IncrementRule,
    MaximumRule,
    Measure,
    Precision,
    Scope,
    Step,
    Surcharge,
    Terms,
    Tier,
    TimedFee,
    VolumeRule,
)
from billing.pricing.windows import DAY_S, HOLIDAY, Calendar, Holidays, Window, is_zone

HIGHEST_PRICE_MICROS = 100_000 * 1_000_000
"""A price above this is taken for a mistake in the file."""

LONGEST_INCREMENT_S = 86_400

TERM_FIELDS = (
    "per",
    "increment_rule",
    "sub_second",
    "free",
    "grace",
    "whole_minutes",
    "fee_at_zero",
    "timed_fees",
    "disconnect_fee",
    "steps",
    "time_zone",
    "holidays",
    "bands",
    "band_rule",
    "tiers",
    "volume_rule",
    "surcharges",
    "markup",
    "minimum_charge",
    "maximum_charge",
    "maximum_rule",
    "rounding",
    "last_money",
)
NEGATIVE = "negative"
"""Kept beside the fields of the file: prices below zero were asked for."""

_TERM_NAMES = frozenset(TERM_FIELDS)
_PER = {
    "second": (Measure.TIME, 1_000),
    "minute": (Measure.TIME, 60_000),
    "hour": (Measure.TIME, 3_600_000),
    "byte": (Measure.BYTES, 1),
    "kb": (Measure.BYTES, 10**3),
    "mb": (Measure.BYTES, 10**6),
    "gb": (Measure.BYTES, 10**9),
    "kib": (Measure.BYTES, 2**10),
    "mib": (Measure.BYTES, 2**20),
    "gib": (Measure.BYTES, 2**30),
    "unit": (Measure.UNITS, 1),
    "message": (Measure.UNITS, 1),
    "event": (Measure.UNITS, 1),
    "page": (Measure.UNITS, 1),
    "token": (Measure.UNITS, 1),
    "transaction": (Measure.TRANSACTION, 1),
}
_PER_TEXT = re.compile(r"(?:([0-9]{1,9}) )?([a-z]+?)s?")
_DAYS = {"mo": 0, "tu": 1, "we": 2, "th": 3, "fr": 4, "sa": 5, "su": 6, "holiday": HOLIDAY}
_HOURS = re.compile(r"([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?-([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?")
_PERCENT = re.compile(r"(-?)([0-9]{1,5})(?:\.([0-9]{1,2}))?%")
_QUANTITY = re.compile(r"[0-9]{1,15}")
_ACCESS = re.compile(r"\*|\+?([0-9]{1,15})")
_YES_NO = {"": False, "no": False, "false": False, "0": False, "n": False}
_YES_NO |= {"yes": True, "true": True, "1": True, "y": True}
_Member = TypeVar("_Member", IncrementRule, BandRule, VolumeRule, MaximumRule)


class RateFieldError(ValueError):
    """A field of a tariff row cannot be read; the message names the field and says why."""


def read_terms(fields: Mapping[str, str], *, negative: bool = False) -> Terms | None:
    """The terms in these fields, None when there are none; raises RateFieldError.

    Equal fields give the very same terms, so that a million rates of a few hundred kinds stay small.
    """
    given = [item for item in fields.items() if item[1] and item[0] in _TERM_NAMES]
    if negative:
        given.append((NEGATIVE, "yes"))
    return _terms_of_items(tuple(given)) if given else None


@lru_cache(maxsize=65_536)
def _terms_of_items(items: tuple[tuple[str, str], ...]) -> Terms:
    return terms_of_text(json.dumps(dict(items), ensure_ascii=False, sort_keys=True))


@lru_cache(maxsize=65_536)
def terms_of_text(text: str) -> Terms:
    """The terms kept as this text; raises RateFieldError."""
    return _Reader(json.loads(text), text).terms()


def written(terms: Terms | None) -> dict[str, str]:
    """The fields the terms were read from."""
    found: dict[str, str] = json.loads(terms.text) if terms is not None and terms.text else {}
    return found


@lru_cache(maxsize=65_536)
def read_price(field: str, text: str, *, negative: bool = False) -> int:
    """An amount of a tariff in micro-units; raises RateFieldError."""
    try:
        micros = parse_amount(text)
    except AmountError as error:
        raise RateFieldError(f"{field}: {error}") from None
    if not (-HIGHEST_PRICE_MICROS if negative else 0) <= micros <= HIGHEST_PRICE_MICROS:
        raise RateFieldError(f"{field}: not between 0 and {format_amount(HIGHEST_PRICE_MICROS)}")
    return micros


def read_yes_no(field: str, text: str) -> bool:
    """Whether a cell says yes; empty is no; raises RateFieldError."""
    told = _YES_NO.get(text.lower())
    if told is None:
        raise RateFieldError(f"{field}: yes or no is needed")
    return told


class _Reader:
    """Reads the fields of one set of terms."""

    def __init__(self, fields: Mapping[str, str], text: str) -> None:
        self._fields = fields
        self._text = text
        self._negative = fields.get(NEGATIVE) == "yes"
        self._measure, self._per = self._read_per()
        self._scale = 1000 if self._measure is Measure.TIME else 1

    def terms(self) -> Terms:
        calendar, bands = self._calendar()
        maximum = self._get("maximum_charge")
        try:
            return Terms(
                measure=self._measure,
                per=self._per,
                increment_rule=self._member("increment_rule", IncrementRule, IncrementRule.AFTER_INITIAL),
                sub_second=self._rounding("sub_second", self._get("sub_second")) if self._get("sub_second") else None,
                free=self._quantity("free", self._get("free") or "0"),
                grace=self._quantity("grace", self._get("grace") or "0"),
                whole=60_000 if read_yes_no("whole_minutes", self._get("whole_minutes")) else 1,
                fee_at_zero=read_yes_no("fee_at_zero", self._get("fee_at_zero")),
                timed_fees=tuple(TimedFee(at, price or 0) for at, price, _, _ in self._edges("timed_fees")),
                disconnect_fee_micros=self._price("disconnect_fee", self._get("disconnect_fee") or "0"),
                steps=tuple(Step(at, Adjust(price, share), fee) for at, price, share, fee in self._edges("steps")),
                calendar=calendar,
                bands=bands,
                band_rule=self._member("band_rule", BandRule, BandRule.SPLIT),
                tiers=tuple(Tier(at, Adjust(price, share)) for at, price, share, _ in self._edges("tiers")),
                volume_rule=self._member("volume_rule", VolumeRule, VolumeRule.GRADUATED),
                surcharges=tuple(self._surcharge(item) for item in self._items("surcharges")),
                markup=_percent("markup", self._get("markup")) if self._get("markup") else 0,
                minimum_charge_micros=self._price("minimum_charge", self._get("minimum_charge") or "0"),
                maximum_charge_micros=self._price("maximum_charge", maximum) if maximum else None,
                maximum_rule=self._member("maximum_rule", MaximumRule, MaximumRule.CAPS),
                precision=self._precision(),
                takes_rest=self._takes_rest(),
                negative=self._negative,
                text=self._text,
            )
        except RateFieldError:
            raise
        except ValueError as error:
            raise RateFieldError(f"terms: {error}") from None

    def _get(self, field: str) -> str:
        return self._fields.get(field, "")

    def _items(self, field: str) -> list[str]:
        return [item.strip() for item in self._get(field).split(";") if item.strip()]

    def _read_per(self) -> tuple[Measure, int]:
        found = _PER_TEXT.fullmatch(self._get("per").lower() or "minute")
        known = _PER.get(found[2]) if found else None
        if found is None or known is None or found[1] == "0":
            raise RateFieldError("per: minute, second, hour, MB, unit, transaction ... or a number of them is needed")
        measure, size = known
        count = int(found[1] or 1)
        if measure is Measure.TRANSACTION and count != 1:
            raise RateFieldError("per: a transaction is one")
        return measure, size * count

    def _price(self, field: str, text: str) -> int:
        return read_price(field, text, negative=self._negative)

    def _quantity(self, field: str, text: str) -> int:
        if _QUANTITY.fullmatch(text) is None:
            raise RateFieldError(f"{field}: whole seconds, bytes or units are needed")
        return int(text) * self._scale

    def _member(self, field: str, kind: type[_Member], default: _Member) -> _Member:
        try:
            return kind(self._get(field).lower() or default)
        except ValueError:
            raise RateFieldError(f"{field}: one of {', '.join(kind)} is needed") from None

    def _rounding(self, field: str, text: str) -> Rounding:
        try:
            return Rounding(text.lower())
        except ValueError:
            raise RateFieldError(f"{field}: one of {', '.join(one.value for one in Rounding)} is needed") from None

    def _adjust(self, field: str, text: str) -> Adjust:
        return Adjust(None, _percent(field, text)) if text.endswith("%") else Adjust(self._price(field, text))

    def _edges(self, field: str) -> list[tuple[int, int | None, int, int]]:
        """Items such as `300 0.05 fee=0.10`: from where, price, share, fee."""
        found = []
        for item in self._items(field):
            begins, *rest = item.split()
            fees = [part.removeprefix("fee=") for part in rest if part.startswith("fee=") and field == "steps"]
            prices = [part for part in rest if "=" not in part]
            if len(prices) != 1 or len(fees) > 1 or len(prices) + len(fees) != len(rest):
                raise RateFieldError(f"{field}: items such as 300 0.05 are needed")
            adjust = self._adjust(field, prices[0])
            if field == "timed_fees" and adjust.price_micros is None:
                raise RateFieldError(f"{field}: a fee is an amount")
            fee = self._price(field, fees[0]) if fees else 0
            found.append((self._quantity(field, begins), adjust.price_micros, adjust.share, fee))
        return found

    def _surcharge(self, item: str) -> Surcharge:
        access, *rest = item.split()
        found = _ACCESS.fullmatch(access)
        price = fee = share = 0
        if found is None or not rest:
            raise RateFieldError("surcharges: items such as 1800 0.02 fee=0.10 share=5% are needed")
        for part in rest:
            if part.startswith("fee="):
                fee = self._price("surcharges", part.removeprefix("fee="))
            elif part.startswith("share="):
                share = _percent("surcharges", part.removeprefix("share="))
            else:
                price = self._price("surcharges", part)
        return Surcharge(found[1] or "", price, fee, share)

    def _calendar(self) -> tuple[Calendar | None, tuple[Band, ...]]:
        items = self._items("bands")
        zone = self._get("time_zone")
        if not items:
            return None, ()
        if not zone or not is_zone(zone):
            raise RateFieldError("time_zone: a name such as Europe/Berlin is needed")
        bands, windows = [], []
        for number, item in enumerate(items):
            days, *rest = item.split()
            names = [part.removeprefix("name=") for part in rest if part.startswith("name=")]
            rest = [part for part in rest if not part.startswith("name=")]
            if len(rest) not in {1, 2} or len(names) > 1:
                raise RateFieldError("bands: items such as mo-fr 18:00-08:00 0.05 are needed")
            begins_s, ends_s = read_hours(rest[0]) if len(rest) == 2 else (0, DAY_S)
            windows.append(Window(read_days(days), begins_s, ends_s, number))
            bands.append(Band(names[0] if names else " ".join((days, *rest[:-1])), self._adjust("bands", rest[-1])))
        return Calendar(zone, tuple(windows), _holidays(self._get("holidays"))), tuple(bands)

    def _precision(self) -> Precision:
        words = self._get("rounding").lower().split()
        if not words:
            return Precision()
        mode = self._rounding("rounding", words.pop(0))
        scope = Scope.RECORD
        if words and words[-1] in set(Scope):
            scope = Scope(words.pop())
        multiple = 1
        if words and words[0].startswith("x"):
            multiple = read_price("rounding", words.pop(0)[1:])
        elif words and words[0] in set("0123456"):
            multiple = 10 ** (6 - int(words.pop(0)))
        if words or multiple < 1:
            raise RateFieldError("rounding: such as half-even 2, up x0.05, up 4 part is needed")
        return Precision(mode, multiple, scope)

    def _takes_rest(self) -> bool:
        told = self._get("last_money").lower() or "spend"
        if told not in {"spend", "keep"}:
            raise RateFieldError("last_money: spend or keep is needed")
        return told == "spend"


def _percent(field: str, text: str) -> int:
    found = _PERCENT.fullmatch(text)
    if found is None or (found[1] and field != "markup"):
        raise RateFieldError(f"{field}: a percentage such as 12.5% is needed")
    share = int(found[2]) * (WHOLE // 100) + int((found[3] or "").ljust(2, "0"))
    return -share if found[1] else share


def read_days(text: str) -> frozenset[int]:
    """The days of a window, such as mo-fr or sa,su; raises RateFieldError."""
    if text == "daily":
        return frozenset(range(7))
    found: set[int] = set()
    for part in text.lower().split(","):
        first, dash, last = part.partition("-")
        if first not in _DAYS or (dash and last not in _DAYS) or (dash and HOLIDAY in {_DAYS[first], _DAYS[last]}):
            raise RateFieldError("bands: days such as mo-fr, sa,su, holiday or daily are needed")
        length = (_DAYS[last] - _DAYS[first]) % 7 + 1 if dash else 1
        found |= {(_DAYS[first] + more) % 7 for more in range(length)} if dash else {_DAYS[first]}
    return frozenset(found)


def read_hours(text: str) -> tuple[int, int]:
    """The seconds of the day from and until which a window such as 18:00-08:00 lasts; raises RateFieldError."""
    found = _HOURS.fullmatch(text)
    if found is not None:
        begins_s, ends_s = _second(found[1], found[2], found[3]), _second(found[4], found[5], found[6])
        if begins_s is not None and ends_s is not None and begins_s < DAY_S:
            return begins_s, ends_s or DAY_S
    raise RateFieldError("bands: hours such as 18:00-08:00 are needed")


def _second(hours: str, minutes: str, seconds: str | None) -> int | None:
    """The second of the day, up to and with 24:00; None when there is no such time."""
    second = int(hours) * 3600 + int(minutes) * 60 + int(seconds or 0)
    return second if int(minutes) < 60 and int(seconds or 0) < 60 and second <= DAY_S else None


def _holidays(text: str) -> Holidays:
    dates, yearly = set(), set()
    for part in text.replace(",", " ").split():
        try:
            day = date.fromisoformat(part if len(part) == 10 else f"2000-{part}")
        except ValueError:
            raise RateFieldError("holidays: days such as 12-25 or 2027-04-05 are needed") from None
        if len(part) == 10:
            dates.add(day)
        else:
            yearly.add((day.month, day.day))
    return Holidays(frozenset(dates), frozenset(yearly))
