"""Tries are counted, digits kept, and nothing but digits is an answer."""

from hypothesis import given
from hypothesis import strategies as st

from ivr.dialogue import questions
from ivr.dialogue.entry import Entry, Keyed, Question


def fresh(question: Question = questions.PIN) -> Entry:
    return Entry(question, 3, 5000, ("tollgate/welcome",))


def test_first_ask_leads_with_what_came_before() -> None:
    assert fresh().ask().files == ("tollgate/welcome", "tollgate/enter-pin")


def test_silence_costs_a_try_and_is_told() -> None:
    entry, digits = fresh().hear(Keyed("", ended_by_silence=True))
    assert digits is None
    assert (entry.tries_left, entry.lead) == (2, ("tollgate/nothing-keyed",))


def test_a_late_pound_is_forgiven_once() -> None:
    entry, digits = fresh().hear(Keyed("", ended_by_silence=False))
    assert (digits, entry.tries_left, entry.lead) == (None, 3, ("tollgate/welcome",))
    entry, digits = entry.hear(Keyed("", ended_by_silence=False))
    assert (digits, entry.tries_left) == (None, 2)


def test_too_few_digits_cost_a_try() -> None:
    entry, digits = fresh().hear(Keyed("1234", ended_by_silence=True))
    assert (digits, entry.tries_left, entry.lead) == (None, 2, ("tollgate/pin-wrong",))


def test_three_wrong_answers_exhaust_it() -> None:
    entry = fresh()
    for _ in range(3):
        assert not entry.exhausted
        entry = entry.wrong(("tollgate/pin-wrong",))
    assert entry.exhausted


def test_a_star_is_part_of_an_access_code_only() -> None:
    assert fresh(questions.ACCESS_CODE).hear(Keyed("*79", ended_by_silence=False))[1] == "*79"
    assert fresh(questions.ACCESS_CODE).hear(Keyed("7*9", ended_by_silence=False))[1] is None
    assert fresh(questions.PIN).hear(Keyed("*1234567", ended_by_silence=False))[1] is None


def test_digits_are_not_shown() -> None:
    assert "12345678" not in repr(Keyed("12345678", ended_by_silence=False))


@given(st.text(max_size=30))
def test_only_what_fits_is_an_answer(text: str) -> None:
    entry, digits = fresh().hear(Keyed(text, ended_by_silence=False))
    if digits is None:
        assert entry.tries_left == (2 if text else 3)
    else:
        assert len(digits) == 8
        assert digits.isascii()
        assert digits.isdigit()
