"""The time of a call on two clocks: the wall may be set at any moment of it, by anything, either way."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ivr.call_time import Anchor, anchored, ended_at
from runtime.reading import Reading

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HOUR_S = 3600.0
SECONDS = st.floats(0.0, HOUR_S)
LATE = st.floats(0.0, 0.3)
STEPS = st.one_of(st.floats(-4 * HOUR_S, -2.0), st.floats(2.0, 4 * HOUR_S))


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def heard(answer_late_s: float = 0.05, *, rang_s: float = 3.0) -> Anchor:
    """The anchor of a call that is answered at 0 of a clock, and at noon by the wall."""
    return anchored(NOON, Reading(at(answer_late_s), answer_late_s), -rang_s)


@given(SECONDS, LATE, LATE)
def test_stamps_win_to_the_microsecond_where_nobody_sets_the_wall(
    used_s: float, answer_late_s: float, end_late_s: float
) -> None:
    heard_s = max(answer_late_s, used_s + end_late_s)
    assert ended_at(NOON, at(used_s), heard(answer_late_s), Reading(at(heard_s), heard_s)) == at(used_s)


@given(SECONDS, STEPS, LATE)
def test_what_the_wall_was_set_by_is_taken_out(used_s: float, step_s: float, end_late_s: float) -> None:
    heard_s = max(0.05, used_s + end_late_s)
    told = ended_at(NOON, at(used_s + step_s), heard(), Reading(at(heard_s + step_s), heard_s))
    assert abs((told - at(used_s)).total_seconds()) < 0.001


@given(SECONDS, STEPS, LATE)
def test_a_wall_set_after_the_end_changes_nothing(used_s: float, step_s: float, end_late_s: float) -> None:
    heard_s = max(0.05, used_s + end_late_s)
    assert ended_at(NOON, at(used_s), heard(), Reading(at(heard_s + step_s), heard_s)) == at(used_s)


@given(SECONDS, st.floats(5.0, 4 * HOUR_S), LATE)
def test_another_machines_wall_set_forward_charges_no_time_that_did_not_pass(
    used_s: float, step_s: float, end_late_s: float
) -> None:
    heard_s = max(0.05, used_s + end_late_s)
    told = ended_at(NOON, at(used_s + step_s), heard(), Reading(at(heard_s), heard_s))
    assert told <= at(heard_s)


@given(st.floats(-HOUR_S, 2 * HOUR_S), st.floats(-HOUR_S, 2 * HOUR_S), st.floats(0.0, 2 * HOUR_S), st.booleans())
@example(stamped_s=0.25, wall_s=0.0, heard_s=1.0, is_known=True)
def test_never_before_the_answer_and_never_longer_than_both_clocks_say(
    stamped_s: float, wall_s: float, heard_s: float, is_known: bool
) -> None:
    anchor = heard() if is_known else None
    told = ended_at(NOON, at(stamped_s), anchor, Reading(at(wall_s), heard_s))
    assert told >= NOON
    assert told <= max(at(stamped_s), at(heard_s), NOON)


def test_a_process_that_did_not_hear_the_answer_goes_by_the_wall() -> None:
    anchor = anchored(NOON, Reading(at(40.0), 1000.0), None)
    assert anchor.elapsed_ms(1002.0) == 42_000
    assert anchored(NOON, Reading(at(-HOUR_S), 1000.0), None).elapsed_ms(1000.0) == 0


@pytest.mark.parametrize("wrong_s", [-HOUR_S, 0.0, HOUR_S])
def test_a_wall_that_is_wrong_counts_for_no_more_than_the_time_it_rang(wrong_s: float) -> None:
    anchor = anchored(NOON, Reading(at(0.2 + wrong_s), 500.2), 497.0)
    assert 0 <= anchor.elapsed_ms(500.2) <= 3_200
