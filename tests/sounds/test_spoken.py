"""Spoken numbers, money and time: examples, and properties over all values."""

import re
from string import printable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sounds.core import CORE_SOUNDS
from sounds.manifest import load_manifest
from sounds.spoken import (
    SPOKEN_CURRENCIES,
    CurrencyNotSpokenError,
    Sounds,
    say_digits,
    say_duration,
    say_minutes,
    say_money,
    say_number,
    say_price,
    say_time_left,
)

KNOWN = CORE_SOUNDS | load_manifest().names
CURRENCIES = st.sampled_from(sorted(SPOKEN_CURRENCIES))
AMOUNTS = st.integers(min_value=-(2**63), max_value=2**63 - 1) | st.integers(min_value=-3_000_000, max_value=3_000_000)
SECONDS = st.integers(min_value=0, max_value=200_000)
UNHURRIED = settings(deadline=None)  # the machine that runs the tests may be busy
SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}


def words(sounds: Sounds) -> str:
    return " ".join(name.rpartition("/")[2] for name in sounds)


def heard(sounds: Sounds) -> int:
    """The number a listener understands: a larger scale multiplies all that was said since a still larger one."""
    below: list[int] = []
    for word in words(sounds).removeprefix("minus ").split():
        value = SCALES.get(word)
        if value is None:
            below.append(int(word))
            continue
        scaled = 0
        while below and below[-1] < value:
            scaled += below.pop()
        if value == SCALES["billion"]:
            scaled += sum(below)
            below.clear()
        below.append(scaled * value)
    return sum(below) * (-1 if sounds[0] == "digits/minus" else 1)


@pytest.mark.parametrize(
    ("n", "spoken"),
    [
        (0, "0"),
        (7, "7"),
        (20, "20"),
        (21, "20 1"),
        (90, "90"),
        (100, "1 hundred"),
        (115, "1 hundred 15"),
        (999, "9 hundred 90 9"),
        (1_000, "1 thousand"),
        (20_003, "20 thousand 3"),
        (1_000_100, "1 million 1 hundred"),
        (2_000_000_000, "2 billion"),
        (-12, "minus 12"),
    ],
)
def test_numbers(n: int, spoken: str) -> None:
    assert words(say_number(n)) == spoken


@UNHURRIED
@given(n=st.integers(min_value=-(10**12) + 1, max_value=10**12 - 1) | st.integers(min_value=-2000, max_value=2000))
def test_a_number_is_heard_as_it_is(n: int) -> None:
    assert heard(say_number(n)) == n


@pytest.mark.parametrize(
    ("micros", "currency", "spoken"),
    [
        (20_050_000, "USD", "20 dollars and 5 cents"),
        (1_010_000, "USD", "1 dollar and 1 cent"),
        (5_000_000, "USD", "5 dollars"),
        (250_000, "USD", "20 5 cents"),
        (0, "USD", "0 cents"),
        (1, "USD", "less-than-one-cent"),
        (9_999, "USD", "less-than-one-cent"),
        (10_000, "USD", "1 cent"),
        (19_999, "USD", "1 cent"),
        (999_999, "USD", "90 9 cents"),
        (-1_000_000, "USD", "minus 1 dollar"),
        (-1, "USD", "minus 1 cent"),
        (-2_500_001, "EUR", "minus 2 euros and 50 1 cents"),
        (1_000_000, "EUR", "1 euro"),
        (3_020_000, "GBP", "3 pounds-sterling and 2 pence"),
        (1_010_000, "GBP", "1 pound-sterling and 1 penny"),
        (5, "GBP", "less-than-one-penny"),
    ],
)
def test_money_owned_is_rounded_down(micros: int, currency: str, spoken: str) -> None:
    assert words(say_money(micros, currency)) == spoken


@pytest.mark.parametrize(
    ("micros", "spoken"),
    [
        (15_000, "1 point 5 cents"),
        (10_000, "1 cent"),
        (20_000, "2 cents"),
        (0, "0 cents"),
        (1, "0 point 0 1 cents"),
        (500, "0 point 0 5 cents"),
        (10_001, "1 point 0 1 cents"),
        (12_500, "1 point 2 5 cents"),
        (1_005_000, "1 dollar and 0 point 5 cents"),
        (999_999, "1 dollar"),
        (1_230_000, "1 dollar and 20 3 cents"),
    ],
)
def test_a_price_is_rounded_up(micros: int, spoken: str) -> None:
    assert words(say_price(micros, "USD")) == spoken


@pytest.mark.parametrize(
    ("seconds", "duration", "minutes", "left"),
    [
        (0, "0 seconds", "0 seconds", "you-have 0 seconds-left"),
        (1, "1 second", "1 second", "you-have 1 second-left"),
        (59, "50 9 seconds", "50 9 seconds", "you-have 50 9 seconds-left"),
        (60, "1 minute", "1 minute", "you-have 1 minute-left"),
        (119, "1 minute 50 9 seconds", "1 minute", "you-have 1 minute-left"),
        (120, "2 minutes", "2 minutes", "you-have 2 minutes-left"),
        (3_600, "1 hour", "1 hour", "you-have 60 minutes-left"),
        (3_601, "1 hour 1 second", "1 hour", "you-have 60 minutes-left"),
        (7_325, "2 hours 2 minutes 5 seconds", "2 hours 2 minutes", "you-have 1 hundred 20 2 minutes-left"),
    ],
)
def test_time(seconds: int, duration: str, minutes: str, left: str) -> None:
    assert words(say_duration(seconds)) == duration
    assert words(say_minutes(seconds)) == minutes
    assert words(say_time_left(seconds)) == left


def test_digits() -> None:
    assert words(say_digits("+104*#")) == "plus 1 0 4 star pound"
    assert say_digits("") == ()


@UNHURRIED
@given(
    st.text(printable + "\u00e9\u0665", min_size=1, max_size=8).filter(
        lambda text: not re.fullmatch(r"[0-9*#+]*", text)
    )
)
def test_other_characters_are_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match=r"^only digits, star, pound and plus can be spoken$") as refusal:
        say_digits(text)
    assert refusal.value.__suppress_context__


@UNHURRIED
@given(micros=AMOUNTS, currency=CURRENCIES, seconds=SECONDS, digits=st.text("0123456789*#+", max_size=20))
def test_every_file_exists(micros: int, currency: str, seconds: int, digits: str) -> None:
    spoken = (
        say_number(micros),
        say_money(micros, currency),
        say_price(abs(micros), currency),
        say_duration(seconds),
        say_minutes(seconds),
        say_time_left(seconds),
        say_digits(digits),
    )
    for sounds in spoken[:-1]:
        assert sounds
    assert {name for sounds in spoken for name in sounds} <= KNOWN


def test_the_list_of_core_sounds_names_nothing_that_is_not_used() -> None:
    used = {name for n in range(-1, 100) for name in say_number(n)}
    used |= set(say_number(1_001_001_100)) | set(say_digits("*#+")) | set(say_money(2_000_000, "USD"))
    used |= {name for seconds in (1, 2, 60, 120, 7200) for name in say_duration(seconds)}
    assert {name for name in used if not name.startswith("tollgate/")} == CORE_SOUNDS


def amount_heard(sounds: Sounds) -> int:
    """Micro-units of the dollars and cents that were said."""
    spoken = words(sounds)
    sign = -1 if spoken.startswith("minus ") else 1
    match = re.fullmatch(
        r"(?:minus )?(?:(?P<units>[\w ]+) dollars?)?(?: and )?"
        r"(?:(?P<cents>[\w ]+?)(?: point (?P<part>[\d ]+))? cents?)?",
        spoken,
    )
    assert match is not None
    units, cents = (heard(tuple(match[group].split())) if match[group] else 0 for group in ("units", "cents"))
    part = (match["part"] or "").replace(" ", "").ljust(2, "0")
    return sign * (units * 1_000_000 + cents * 10_000 + int(part) * 100)


@UNHURRIED
@given(micros=st.integers(min_value=-(10**15), max_value=10**15).filter(lambda micros: not 0 < micros < 10_000))
def test_money_said_is_within_a_cent_and_never_more_than_owned(micros: int) -> None:
    assert 0 <= micros - amount_heard(say_money(micros, "USD")) < 10_000


@UNHURRIED
@given(micros=st.integers(min_value=0, max_value=10**15) | st.integers(min_value=0, max_value=10**5))
def test_a_price_said_is_never_less_than_paid(micros: int) -> None:
    assert 0 <= amount_heard(say_price(micros, "USD")) - micros < 100


def test_an_unknown_currency_is_a_fault() -> None:
    with pytest.raises(CurrencyNotSpokenError, match="XXX"):
        say_money(1, "XXX")
    with pytest.raises(CurrencyNotSpokenError, match="usd"):
        say_price(1, "usd")


def test_below_zero_is_refused_where_it_has_no_meaning() -> None:
    with pytest.raises(ValueError, match="below zero"):
        say_price(-1, "USD")
    for say in (say_duration, say_minutes, say_time_left):
        with pytest.raises(ValueError, match="below zero"):
            say(-1)
