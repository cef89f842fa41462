"""Wrong entries in a sliding window lock a line, an account or everybody, for as long from the one that locked."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import Engine

from ani.lockout.lockout import ACCOUNT_WINDOW, LINE_WINDOW, Counts, Limits, Lock, Scope, Way, bounds_reached
from ani.lockout.store import is_locked, record_wrong
from runtime.database import transaction

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
LINE, OTHER_LINE = "+16045550123", "+16045550124"
LIMITS = Limits(per_line_hour=3, per_account_half_hour=4, overall_hour=6)
MICROSECOND = timedelta(microseconds=1)


def wrong(engine: Engine, times: int, *, ani: str | None, account_id: int | None = None, at: datetime = NOW) -> None:
    with transaction(engine) as conn:
        for _ in range(times):
            record_wrong(conn, ani=ani, account_id=account_id, kind="pin", at=at)


def locked(engine: Engine, *, ani: str | None, account_id: int | None = None, now: datetime = NOW) -> bool:
    with transaction(engine) as conn:
        return is_locked(conn, ani=ani, account_id=account_id, limits=LIMITS, now=now)


def test_a_line_is_locked_by_its_limit_for_an_hour_from_the_entry_that_locked(engine: Engine) -> None:
    wrong(engine, 2, ani=LINE)
    assert not locked(engine, ani=LINE)
    last_at = NOW + timedelta(minutes=10)
    wrong(engine, 1, ani=LINE, at=last_at)
    assert locked(engine, ani=LINE, now=last_at)
    assert not locked(engine, ani=OTHER_LINE, now=last_at)
    assert locked(engine, ani=LINE, now=last_at + LINE_WINDOW - MICROSECOND)
    assert not locked(engine, ani=LINE, now=last_at + LINE_WINDOW)
    wrong(engine, 2, ani=LINE, at=last_at + LINE_WINDOW)
    assert not locked(engine, ani=LINE, now=last_at + LINE_WINDOW), "the count begins anew"


@pytest.mark.parametrize("gap", [timedelta(minutes=29, seconds=59), ACCOUNT_WINDOW - MICROSECOND])
def test_an_account_stays_locked_for_half_an_hour_however_late_the_last_try_was(engine: Engine, gap: timedelta) -> None:
    wrong(engine, 3, ani=None, account_id=7)
    wrong(engine, 1, ani=None, account_id=7, at=NOW + gap)
    heard: list[Lock] = []
    for after, is_still in ((ACCOUNT_WINDOW, True), (gap + ACCOUNT_WINDOW - MICROSECOND, True)):
        with transaction(engine) as conn:
            now = NOW + after
            found = is_locked(conn, ani=None, account_id=7, limits=LIMITS, now=now, tell=heard.append)
        assert found is is_still
    assert not locked(engine, ani=None, account_id=7, now=NOW + gap + ACCOUNT_WINDOW)
    assert {(lock.bound.scope, lock.count, lock.bound.limit) for lock in heard} == {(Scope.ACCOUNT, 4, 4)}
    assert {(lock.since_at, lock.until_at) for lock in heard} == {(NOW + gap, NOW + gap + ACCOUNT_WINDOW)}


def test_entries_that_never_came_to_the_limit_within_the_window_lock_nothing(engine: Engine) -> None:
    for number in range(8):
        at = NOW + number * LINE_WINDOW / 2
        wrong(engine, 1, ani=LINE, at=at)
        assert not locked(engine, ani=LINE, now=at)


def test_the_lock_that_lasts_longest_is_told(engine: Engine) -> None:
    wrong(engine, 3, ani=LINE, account_id=7)
    wrong(engine, 1, ani=OTHER_LINE, account_id=7, at=NOW + timedelta(minutes=1))
    heard: list[Lock] = []
    for way in (Way(), Way("+12125550000", is_vouched=False)):
        with transaction(engine) as conn:
            now = NOW + timedelta(minutes=2)
            assert is_locked(conn, ani=LINE, account_id=7, limits=LIMITS, now=now, way=way, tell=heard.append)
    assert [lock.told["scope"] for lock in heard] == ["line", "line"]
    assert heard[0].told["limit"] == "3 in 60 min"
    assert heard[0].told["wrong_entries"] == 3


def test_an_account_is_locked_from_every_line(engine: Engine) -> None:
    wrong(engine, 2, ani=LINE, account_id=7)
    wrong(engine, 2, ani=OTHER_LINE, account_id=7)
    assert locked(engine, ani="+16045550125", account_id=7)
    assert not locked(engine, ani="+16045550125", account_id=8)
    assert not locked(engine, ani="+16045550125", account_id=7, now=NOW + ACCOUNT_WINDOW)


@pytest.mark.parametrize("withheld", [None, ""])
def test_wrong_entries_from_withheld_lines_count_overall(engine: Engine, withheld: str | None) -> None:
    wrong(engine, 5, ani=withheld)
    assert not locked(engine, ani=withheld)
    wrong(engine, 1, ani=withheld)
    assert locked(engine, ani=LINE)
    assert not locked(engine, ani=LINE, now=NOW + timedelta(hours=1))


def test_a_line_that_is_merely_claimed_is_locked_for_those_who_claim_it(engine: Engine) -> None:
    claimed, vouched = Way("+12125550000", is_vouched=False), Way("+12125550001")

    def tell(way: Way, ani: str = LINE) -> bool:
        with transaction(engine) as conn:
            return is_locked(conn, ani=ani, account_id=None, limits=limits, now=NOW, way=way)

    limits = Limits(per_line_hour=3, per_account_half_hour=4, overall_hour=60)
    with transaction(engine) as conn:
        for _ in range(3):
            record_wrong(conn, ani=LINE, account_id=None, kind="pin", at=NOW, way=claimed)
    assert tell(claimed)
    assert not tell(claimed, OTHER_LINE)
    assert not tell(vouched)
    with transaction(engine) as conn:
        for _ in range(3):
            record_wrong(conn, ani=OTHER_LINE, account_id=None, kind="pin", at=NOW, way=vouched)
    assert tell(vouched, OTHER_LINE)
    assert tell(claimed, OTHER_LINE), "who claims a line has no tries beside those its subscriber used"


def test_tries_side_by_side_on_one_line_get_no_more_than_the_limit(
    engine: Engine, side_by_side: Callable[[int, Callable[[], None]], None]
) -> None:
    tried = []

    def try_once() -> None:
        with transaction(engine) as conn:
            if not is_locked(conn, ani=LINE, account_id=7, limits=LIMITS, now=NOW):
                tried.append(threading.get_ident())
                record_wrong(conn, ani=LINE, account_id=7, kind="pin", at=NOW)

    side_by_side(8, try_once)
    assert len(tried) == LIMITS.per_line_hour


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_any_limit_reached_locks(line: int, account: int, overall: int) -> None:
    free = line < 3 and account < 4 and overall < 6
    assert bool(bounds_reached(Counts(line, account, overall), LIMITS)) is not free
