"""The last that the money bought is told as what it was: a part of an increment, for all there was."""

import pytest

from billing.rating import Rate, explain, is_part, largest_grant

SIX = Rate(1, "33", "France", "USD", 1_000_000, initial_s=30, increment_s=6)


@pytest.mark.parametrize(("used_ms", "is_last"), [(30_000, False), (30_001, True), (33_000, True)])
def test_a_part_of_an_increment_is_not_told_as_the_whole_of_it(used_ms: int, is_last: bool) -> None:
    grant = largest_grant(SIX, 550_000, 600_000, 600_000)
    assert (grant.granted_ms, grant.held_micros, is_part(SIX, grant, used_ms)) == (33_000, 550_000, is_last)
    told = explain(SIX, used_ms, grant=grant)
    assert told[-1] == f"total {'0.55' if is_last else '0.50'} USD"
    whole = (
        "granted 33 s for 0.55 USD, all there was: a part of the increment that ends at 36 s and costs 0.60 USD in all"
    )
    assert (whole in told) == is_last
    assert any("billed 36 s" in line for line in told) is False


def test_a_whole_increment_is_told_as_ever() -> None:
    grant = largest_grant(SIX, 600_000, 600_000, 600_000)
    assert grant.granted_ms == 36_000
    assert explain(SIX, 31_000, grant=grant) == explain(SIX, 31_000)
    assert explain(SIX, 31_000)[-1] == "total 0.60 USD"
