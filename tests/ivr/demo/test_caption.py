"""The words of sound files, for those who watch."""

from ivr.demo.caption import caption
from sounds import spoken
from sounds.manifest import load_manifest

TEXTS = load_manifest().texts("en")


def test_prompts_and_numbers_become_words() -> None:
    files = ("tollgate/your-balance-is", *spoken.say_money(27_340_000, "USD"))
    assert caption(files, TEXTS) == "Your balance is 27 dollars and 34 cents"


def test_seconds_left() -> None:
    assert caption(spoken.say_time_left(42), TEXTS) == "You have 42 seconds left."


def test_digits_read_one_by_one_stay_apart() -> None:
    assert caption(spoken.say_digits("205"), TEXTS) == "2 0 5"


def test_a_pin_that_is_read_out_stays_hidden() -> None:
    pin = spoken.say_digits("20913754")
    files = ("tollgate/welcome", "tollgate/your-pin-is", *pin, "tollgate/write-it-down", *pin)
    told = caption(files, TEXTS)
    assert told.count("*") == 16
    assert not any(mark.isdigit() for mark in told)
    assert told.startswith("Welcome. Your PIN is * * *")


def test_what_is_not_in_the_manifest_is_named() -> None:
    assert caption(("tollgate/unheard-of", "minutes"), TEXTS) == "unheard-of minutes"
