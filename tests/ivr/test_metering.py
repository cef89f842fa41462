"""The meter asks early enough, warns once, and never does anything after the end."""

from hypothesis import given
from hypothesis import strategies as st

from ivr.metering import Extend, Meter, MeterPolicy, Wait, Warn, look_again, next_step

POLICY = MeterPolicy(grant_ms=60_000, extend_before_ms=20_000, warn_at_ms=(10_000,))


def test_waits_until_the_extension_is_due() -> None:
    assert next_step(Meter(60_000, final=False, request_number=0), 0, POLICY) == Wait(40_000)


def test_extends_under_the_next_request_number() -> None:
    assert next_step(Meter(60_000, final=False, request_number=4), 40_000, POLICY) == Extend(5, 120_000)


def test_asks_again_after_a_failure_until_the_grant_is_over() -> None:
    meter = Meter(60_000, final=False, request_number=0).failed(40_000, POLICY)
    assert next_step(meter, 40_000, POLICY) == Wait(41_000)
    assert isinstance(next_step(meter, 41_000, POLICY), Extend)
    assert next_step(meter, 60_000, POLICY) == Wait(None)


def test_margin_reaches_past_the_longest_warning() -> None:
    policy = MeterPolicy(grant_ms=60_000, extend_before_ms=5_000, warn_at_ms=(60_000, 10_000))
    assert policy.margin_ms == 61_000


def test_warns_once_at_each_threshold_that_fits() -> None:
    policy = MeterPolicy(grant_ms=60_000, extend_before_ms=20_000, warn_at_ms=(60_000, 10_000))
    meter = Meter(30_000, final=True, request_number=0)
    assert next_step(meter, 0, policy) == Wait(20_000)
    step = next_step(meter, 20_100, policy)
    assert step == Warn(10_000, 9_900)
    assert next_step(meter.warned_at(10_000), 20_100, policy) == Wait(None)


def test_new_time_is_warned_of_anew() -> None:
    meter = Meter(30_000, final=True, request_number=0).warned_at(10_000)
    assert meter.extended(30_000, final=True).warned_ms == 10_000
    assert meter.extended(90_000, final=True).warned_ms is None


@given(
    st.integers(1_000, 200_000),
    st.integers(1_000, 120_000),
    st.lists(st.integers(1_000, 90_000), max_size=3),
    st.integers(1, 400_000),
)
def test_a_call_that_can_pay_is_never_cut(grant_ms: int, before_ms: int, warns: list[int], total_ms: int) -> None:
    policy = MeterPolicy(grant_ms, before_ms, tuple(warns))
    meter, now_ms, warned = Meter(min(grant_ms, total_ms), final=grant_ms >= total_ms, request_number=0), 0, []
    for _ in range(3_000):
        step = next_step(meter, now_ms, policy)
        if isinstance(step, Extend):
            granted_ms = min(step.wanted_ms, total_ms)
            assert granted_ms >= meter.granted_ms
            meter = meter.extended(granted_ms, final=granted_ms == total_ms)
        elif isinstance(step, Warn):
            warned.append(step.threshold_ms)
            meter = meter.warned_at(step.threshold_ms)
        elif step.until_ms is None:
            break
        else:
            assert step.until_ms > now_ms
            now_ms = step.until_ms
        assert now_ms <= meter.granted_ms
    assert meter.granted_ms == total_ms
    assert warned == sorted(set(warned), reverse=True)


def test_a_change_of_the_account_asks_anew_what_was_taken_for_the_end() -> None:
    assert look_again(Meter(30_000, final=True, request_number=2), 20_000, POLICY) == Extend(3, 90_000)
    assert look_again(Meter(30_000, final=True, request_number=2), 30_000, POLICY) is None


def test_a_change_of_the_account_is_told_once_what_was_used() -> None:
    assert look_again(Meter(60_000, final=False, request_number=0), 5_000, POLICY) == Extend(1, 60_000)
    assert look_again(Meter(60_000, final=False, request_number=1), 5_000, POLICY) is None


def test_small_pieces_are_not_asked_for_without_a_pause() -> None:
    meter = Meter(60_000, final=False, request_number=0).extended(61_000, final=False, not_before_ms=46_000)
    assert next_step(meter, 45_000, POLICY) == Wait(46_000)
    assert next_step(meter, 46_000, POLICY) == Extend(2, 121_000)
