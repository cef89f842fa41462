"""Talk time of a line: what is used and held never passes the cap, however many calls are up."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import Engine

from ani.usage import usage
from ani.usage.store import UsageNotHeldError, hold, left_ms, of_line_and_month, release
from ani.usage.tables import line_usage
from runtime.database import Instant, transaction

LINE, MONTH, CAP_MS = "+16045550123", "2026-03", 93 * 60_000


def test_the_month_is_that_of_utc() -> None:
    assert usage.month_of(datetime(2026, 3, 1, tzinfo=UTC)) == "2026-03"
    assert usage.month_of(datetime(2026, 2, 28, 23, 30, tzinfo=timezone(timedelta(hours=-5)))) == "2026-03"


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9))
def test_what_is_left_is_never_below_zero(cap_ms: int, used_ms: int, held_ms: int) -> None:
    left = usage.left_ms(cap_ms, used_ms, held_ms)
    assert left >= 0
    assert left == 0 or left + used_ms + held_ms == cap_ms


def test_holds_add_up_to_the_cap_and_are_given_back(engine: Engine) -> None:
    with transaction(engine) as conn:
        assert left_ms(conn, LINE, MONTH, CAP_MS) == CAP_MS
        assert hold(conn, LINE, MONTH, 60_000, CAP_MS)
        assert hold(conn, LINE, MONTH, CAP_MS - 60_000, CAP_MS)
        assert left_ms(conn, LINE, MONTH, CAP_MS) == 0
        assert not hold(conn, LINE, MONTH, 1, CAP_MS)
        release(conn, LINE, MONTH, held_ms=60_000, used_ms=12_345)
        assert left_ms(conn, LINE, MONTH, CAP_MS) == 47_655
        assert hold(conn, LINE, MONTH, 47_655, CAP_MS)
        assert not hold(conn, LINE, MONTH, 1, CAP_MS)
        assert hold(conn, LINE, "2026-04", 1, CAP_MS)
        assert hold(conn, "+16045550124", MONTH, 1, CAP_MS)


def test_the_first_hold_of_a_month_respects_the_cap(engine: Engine) -> None:
    with transaction(engine) as conn:
        assert not hold(conn, LINE, MONTH, CAP_MS + 1, CAP_MS)
        assert left_ms(conn, LINE, MONTH, CAP_MS) == CAP_MS


def test_a_smaller_cap_later_refuses_what_is_past_it(engine: Engine) -> None:
    with transaction(engine) as conn:
        assert hold(conn, LINE, MONTH, 60_000, CAP_MS)
        assert not hold(conn, LINE, MONTH, 10, 30_000)
        assert left_ms(conn, LINE, MONTH, 30_000) == 0


def test_what_was_not_held_cannot_be_released(engine: Engine) -> None:
    with transaction(engine) as conn:
        release(conn, LINE, MONTH, held_ms=0, used_ms=0)
        with pytest.raises(UsageNotHeldError):
            release(conn, LINE, MONTH, held_ms=1, used_ms=0)
        assert hold(conn, LINE, MONTH, 10, CAP_MS)
        with pytest.raises(UsageNotHeldError):
            release(conn, LINE, MONTH, held_ms=11, used_ms=0)
        with pytest.raises(ValueError, match="a release"):
            release(conn, LINE, MONTH, held_ms=-1, used_ms=0)
        with pytest.raises(ValueError, match="a hold"):
            hold(conn, LINE, MONTH, -1, CAP_MS)
        assert left_ms(conn, LINE, MONTH, CAP_MS) == CAP_MS - 10


def test_calls_side_by_side_never_pass_the_cap(
    engine: Engine, side_by_side: Callable[[int, Callable[[], None]], None]
) -> None:
    held = []

    def hold_some() -> None:
        for _ in range(3):
            with transaction(engine) as conn:
                if hold(conn, LINE, MONTH, 700, 10_000):
                    held.append(700)

    side_by_side(8, hold_some)
    assert sum(held) == 9_800
    with transaction(engine) as conn:
        assert left_ms(conn, LINE, MONTH, 10_000) == 200


@pytest.mark.parametrize(
    "moment",
    [
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2026, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2026, 3, 1, tzinfo=UTC),
        datetime(2026, 2, 28, 23, 30, tzinfo=timezone(timedelta(hours=-5))),
        datetime(2028, 2, 29, 12, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    ],
)
def test_sqlite_tells_the_month_of_a_moment_as_we_do(sqlite_engine: Engine, moment: datetime) -> None:
    told = sa.select(sa.literal(LINE).label("ani"), sa.literal(moment, Instant).label("at")).subquery()
    of_moment = of_line_and_month(told.c.ani, told.c.at)
    with transaction(sqlite_engine) as conn:
        conn.execute(sa.insert(line_usage), [{"ani": LINE, "month": one} for one in {MONTH, usage.month_of(moment)}])
        found = conn.execute(sa.select(line_usage.c.month).join_from(told, line_usage, of_moment)).scalar_one()
    assert found == usage.month_of(moment)
