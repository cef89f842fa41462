"""How long a grant is valid, and until when its hold is kept."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.charging.reaping import LOOK_EVERY_S
from billing.charging.validity import RENEWED_FOR, SHORTEST, given_up_at, valid_for
from tests.clock import SettableClock

NOW = SettableClock().now()


@pytest.mark.parametrize(
    ("granted", "used", "seconds"),
    [
        (600_000, 0, 600),
        (600_000, 400_000, 200),
        (600_000, 590_000, 60),
        (600_000, 900_000, 60),
        (30_000, 0, 30),
        (30_000, 30_000, 30),
        (4_000, 0, 10),
    ],
)
def test_by_time_a_grant_is_valid_while_it_can_be_used(granted: int, used: int, seconds: int) -> None:
    assert valid_for(granted, used, by_time=True) == timedelta(seconds=seconds)


def test_what_has_no_duration_is_valid_for_an_hour() -> None:
    assert valid_for(7, 7, by_time=False) == RENEWED_FOR


@given(granted=st.integers(0, 10**8), used=st.integers(0, 10**8), by_time=st.booleans())
@settings(max_examples=100)
def test_a_hold_is_given_up_in_time_to_end_within_twice_its_grant(granted: int, used: int, by_time: bool) -> None:
    """Also by who has just looked when it is given up, and takes as long again for the looking."""
    valid = valid_for(granted, used, by_time=by_time)
    given_up = given_up_at(NOW, NOW + valid)
    assert valid >= SHORTEST
    assert NOW + valid < given_up
    assert given_up + timedelta(seconds=2 * LOOK_EVERY_S) < NOW + 2 * valid
