"""The rates of one tariff version in memory: a million prefixes in some hundred megabytes, found in a microsecond.

A prefix of digits is an integer in the table of its length, and what it maps to is one integer too: the price, and the
number of the shape (all else a rate says) that it shares with others. The rate itself is made when it is asked for.
"""

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from billing.pricing.rate import VOICE, Rate

_SHAPE_NAMES = tuple(one.name for one in fields(Rate) if one.name not in {"prefix", "price_per_minute_micros"})
_SET_PREFIX = Rate.__dict__["prefix"].__set__
_SET_PRICE = Rate.__dict__["price_per_minute_micros"].__set__
(
    _SET_VERSION,
    _SET_DESTINATION,
    _SET_CURRENCY,
    _SET_FEE,
    _SET_MINIMUM,
    _SET_INITIAL,
    _SET_INCREMENT,
    _SET_BLOCKED,
    _SET_SERVICE,
    _SET_TERMS,
) = (Rate.__dict__[name].__set__ for name in _SHAPE_NAMES)

_PRICE_BITS = 41
_PRICE_MASK = (1 << _PRICE_BITS) - 1
_PRICE_ZERO = 1 << (_PRICE_BITS - 1)
_MOST_KEPT_ALIKE = 65_536

_Shape = tuple[Any, ...]
_Lengths = tuple[tuple[int, dict[int, int]], ...]


class RateTable:
    """The rates of one version by service, found by longest prefix in at most sixteen look-ups, however many there are.

    Prices are below a million of a currency's units either way, numbers have at most forty digits. A later rate for a
    prefix replaces an earlier one.
    """

    __slots__ = ("_by_code", "_by_digits", "_shapes")

    def __init__(self, rates: Iterable[Rate]) -> None:
        builder = _Builder()
        for rate in rates:
            builder.add(rate)
        self._shapes = tuple(builder.shapes)
        self._by_digits: dict[str, _Lengths] = {
            service: tuple(sorted(lengths.items(), reverse=True)) for service, lengths in builder.by_digits.items()
        }
        self._by_code = builder.by_code

    def __len__(self) -> int:
        by_digits = sum(len(table) for lengths in self._by_digits.values() for _, table in lengths)
        return by_digits + sum(len(codes) for codes in self._by_code.values())

    def along(self, digits: str, service: str = VOICE) -> tuple[Rate, ...]:
        """Every rate whose prefix the number (or code) begins with, the longest first."""
        found = []
        for length in range(len(digits), -1, -1):
            packed = self._packed(digits[:length], service)
            if packed is not None:
                found.append(self._rate(digits[:length], packed))
        return tuple(found)

    def longest(self, digits: str, service: str = VOICE) -> Rate | None:
        """The rate of the longest prefix the number (or code) begins with."""
        if service in self._by_code:
            return next(iter(self.along(digits, service)), None)
        size = len(digits)
        if not (digits.isdigit() and digits.isascii()) or size > _LONGEST:
            return None
        number = int(digits)
        for length, table in self._by_digits.get(service, ()):
            if length <= size:
                packed = table.get(number // _POWERS[size - length])
                if packed is not None:
                    return self._rate(digits[:length], packed)
        return None

    def _packed(self, prefix: str, service: str) -> int | None:
        codes = self._by_code.get(service)
        if codes is not None and prefix in codes:
            return codes[prefix]
        if not (prefix.isascii() and prefix.isdigit()):
            return None
        table = next((table for length, table in self._by_digits.get(service, ()) if length == len(prefix)), None)
        return None if table is None else table.get(int(prefix))

    def _rate(self, prefix: str, packed: int) -> Rate:
        """The rate as it was given, without the checks it passed then."""
        rate = object.__new__(Rate)
        _SET_PREFIX(rate, prefix)
        _SET_PRICE(rate, (packed & _PRICE_MASK) - _PRICE_ZERO)
        version, destination, currency, fee, minimum, initial, increment, blocked, service, terms = self._shapes[
            packed >> _PRICE_BITS
        ]
        _SET_VERSION(rate, version)
        _SET_DESTINATION(rate, destination)
        _SET_CURRENCY(rate, currency)
        _SET_FEE(rate, fee)
        _SET_MINIMUM(rate, minimum)
        _SET_INITIAL(rate, initial)
        _SET_INCREMENT(rate, increment)
        _SET_BLOCKED(rate, blocked)
        _SET_SERVICE(rate, service)
        _SET_TERMS(rate, terms)
        return rate


_LONGEST = 40
_POWERS = tuple(10**power for power in range(_LONGEST + 1))


class _Builder:
    """What is needed only while a table is made."""

    def __init__(self) -> None:
        self.shapes: list[_Shape] = []
        self.by_digits: dict[str, dict[int, dict[int, int]]] = {}
        self.by_code: dict[str, dict[str, int]] = {}
        self._numbers: dict[_Shape, int] = {}
        self._alike: dict[int, int] = {}

    def add(self, rate: Rate) -> None:
        """Put one rate in."""
        shape = tuple([getattr(rate, name) for name in _SHAPE_NAMES])
        number = self._numbers.get(shape)
        if number is None:
            number = self._numbers[shape] = len(self.shapes)
            self.shapes.append(shape)
        packed = (number << _PRICE_BITS) + rate.price_per_minute_micros + _PRICE_ZERO
        if len(self._alike) >= _MOST_KEPT_ALIKE:
            self._alike.clear()
        packed = self._alike.setdefault(packed, packed)
        prefix = rate.prefix
        if prefix.isascii() and prefix.isdigit():
            lengths = self.by_digits.setdefault(rate.service, {})
            table = lengths.get(len(prefix))
            if table is None:
                table = lengths[len(prefix)] = {}
            table[int(prefix)] = packed
        else:
            self.by_code.setdefault(rate.service, {})[prefix] = packed
