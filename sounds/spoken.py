"""Numbers, money and time as sequences of sound files, in English.

Every name returned is one of `sounds.core.CORE_SOUNDS` or a prompt of the manifest, to be played in order. Only whole
numbers come in: money in micro-units (10^-6 of the currency), time in whole seconds. What a caller owns is
spoken rounded down, what he will pay is spoken rounded up, so a spoken amount never promises too much.
"""

from dataclasses import dataclass

from sounds.manifest import played

Sounds = tuple[str, ...]

MICROS_PER_CENT = 10_000
_MICROS_PER_HUNDREDTH_CENT = 100
_CENTS_PER_UNIT = 100
_SECONDS_PER_MINUTE = 60
_SECONDS_PER_HOUR = 3600

_SCALES = ((1_000_000_000, "digits/billion"), (1_000_000, "digits/million"), (1_000, "digits/thousand"))
_KEYS = {"*": "digits/star", "#": "digits/pound", "+": "letters/plus", **{str(n): f"digits/{n}" for n in range(10)}}


@dataclass(frozen=True, slots=True)
class _CurrencyWords:
    unit: str
    units: str
    cent: str
    cents: str
    less_than_one_cent: str


_CENTS = (played("cent"), played("cents"), played("less-than-one-cent"))
_DOLLARS = _CurrencyWords(played("dollar"), "digits/dollars", *_CENTS)
_CURRENCIES = {
    "USD": _DOLLARS,
    "CAD": _DOLLARS,
    "AUD": _DOLLARS,
    "NZD": _DOLLARS,
    "EUR": _CurrencyWords(played("euro"), played("euros"), *_CENTS),
    "GBP": _CurrencyWords(
        played("pound-sterling"),
        played("pounds-sterling"),
        played("penny"),
        played("pence"),
        played("less-than-one-penny"),
    ),
}

SPOKEN_CURRENCIES = frozenset(_CURRENCIES)


class CurrencyNotSpokenError(ValueError):
    """There are no words for this currency; check `SPOKEN_CURRENCIES` when a service is configured."""


def say_number(n: int) -> Sounds:
    """A whole number of any size, American style: no `and` within it; below zero after `minus`."""
    if n < 0:
        return ("digits/minus", *say_number(-n))
    for scale, word in _SCALES:
        if n >= scale:
            return (*say_number(n // scale), word, *_unless_zero(n % scale))
    if n >= 100:
        return (f"digits/{n // 100}", "digits/hundred", *_unless_zero(n % 100))
    if n > 20 and n % 10:
        return (f"digits/{n - n % 10}", f"digits/{n % 10}")
    return (f"digits/{n}",)


def say_digits(digits: str) -> Sounds:
    """One by one: 0-9, star, pound and plus. Raises ValueError for any other; its text never shows the digits."""
    try:
        return tuple(_KEYS[digit] for digit in digits)
    except KeyError:
        raise ValueError("only digits, star, pound and plus can be spoken") from None


def say_money(micros: int, currency: str) -> Sounds:
    """An amount owned, such as a balance, rounded DOWN to the cent (below zero: away from zero).

    More than nothing and less than one cent is said in these words. Raises CurrencyNotSpokenError.
    """
    words = _words(currency)
    if 0 < micros < MICROS_PER_CENT:
        return (words.less_than_one_cent,)
    cents = micros // MICROS_PER_CENT
    sign: Sounds = ("digits/minus",) if cents < 0 else ()
    return (*sign, *_amount(abs(cents), 0, words))


def say_price(micros: int, currency: str) -> Sounds:
    """An amount to be paid, such as a price per minute or a fee, rounded UP to a hundredth of a cent.

    Fractions are said as `one point five cents`. Raises CurrencyNotSpokenError; ValueError below zero.
    """
    words = _words(currency)
    if micros < 0:
        raise ValueError("a price is not below zero")
    hundredths = -(-micros // _MICROS_PER_HUNDREDTH_CENT)
    return _amount(*divmod(hundredths, 100), words)


def say_duration(seconds: int) -> Sounds:
    """Hours, minutes and seconds, parts of zero left out; nothing at all is `zero seconds`. ValueError below zero."""
    minutes, rest = divmod(_not_negative(seconds), _SECONDS_PER_MINUTE)
    parts = say_minutes(seconds) if minutes else ()
    return (*parts, *_counted(rest, "second", "seconds")) if rest or not minutes else parts


def say_minutes(seconds: int) -> Sounds:
    """Hours and whole minutes, rounded DOWN; below one minute the seconds. Raises ValueError below zero."""
    if _not_negative(seconds) < _SECONDS_PER_MINUTE:
        return _counted(seconds, "second", "seconds")
    hours, rest = divmod(seconds, _SECONDS_PER_HOUR)
    minutes = rest // _SECONDS_PER_MINUTE
    spoken_hours = _counted(hours, played("hour"), "hours") if hours else ()
    spoken_minutes = _counted(minutes, "minute", "minutes") if minutes else ()
    return (*spoken_hours, *spoken_minutes)


def say_time_left(seconds: int) -> Sounds:
    """The warning in a call: `you have` ... `minutes left`, rounded DOWN; below one minute `seconds left`.

    Raises ValueError below zero.
    """
    if _not_negative(seconds) < _SECONDS_PER_MINUTE:
        left = _counted(seconds, played("second-left"), played("seconds-left"))
    else:
        left = _counted(seconds // _SECONDS_PER_MINUTE, played("minute-left"), played("minutes-left"))
    return (played("you-have"), *left)


def _words(currency: str) -> _CurrencyWords:
    try:
        return _CURRENCIES[currency]
    except KeyError:
        raise CurrencyNotSpokenError(currency) from None


def _amount(cents: int, hundredths_of_cent: int, words: _CurrencyWords) -> Sounds:
    units, cents = divmod(cents, _CENTS_PER_UNIT)
    spoken_units = _counted(units, words.unit, words.units) if units else ()
    if hundredths_of_cent:
        fraction = say_digits(f"{hundredths_of_cent:02d}".rstrip("0"))
        spoken_cents: Sounds = (*say_number(cents), played("point"), *fraction, words.cents)
    elif cents or not units:
        spoken_cents = _counted(cents, words.cent, words.cents)
    else:
        return spoken_units
    return (*spoken_units, played("and"), *spoken_cents) if units else spoken_cents


def _counted(count: int, one: str, many: str) -> Sounds:
    return (*say_number(count), one if count == 1 else many)


def _unless_zero(n: int) -> Sounds:
    return say_number(n) if n else ()


def _not_negative(seconds: int) -> int:
    if seconds < 0:
        raise ValueError("a time to be spoken is not below zero")
    return seconds
