"""Sessions on one account: they never overdraw it, end together, leave nothing, and none is starved."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.charging.session import Session, as_sharer, first_grant, next_grant
from billing.charging.sharing import MOMENT_MS, Part, Sharer, common_time_ms, share, smooth_micros
from billing.rating import NO_CONTEXT, Grant, Rate, price_micros

UNIT = 1_000_000
START = datetime(2026, 3, 2, 12, tzinfo=UTC)
CAP_MS = 3_600_000
MINIMUM_MS = 1_000
MARGIN_MS = 20_000
AHEAD_MS = 80_000
LONGEST_INCREMENT_MS = 60_000
SECONDS = Rate(1, "33", "France", "USD", UNIT)
MINUTES = replace(SECONDS, initial_s=60, increment_s=60)


@dataclass
class Talk:
    """One call of the town below, from its answer on."""

    rate: Rate
    session: Session
    ends_at: datetime | None = None


class Town:
    """One account whose sessions ask for more as the gateway's meters do; an own small clock."""

    def __init__(self, funds_micros: int) -> None:
        self.funds_micros = funds_micros
        self.now = START
        self.talks: list[Talk] = []
        self._ids = count()

    @property
    def held_micros(self) -> int:
        return sum(talk.session.held_micros for talk in self.talks)

    def part(self, mine: Sharer, wanted: int, session: Session | None) -> Part:
        others = [
            sharer
            for talk in self.talks
            if talk.session is not session
            and (sharer := as_sharer(talk.session, talk.rate, NO_CONTEXT, self.now, by_time=True)) is not None
        ]
        return share(self.funds_micros - self.held_micros, mine, others, wanted)

    def begin(self, rate: Rate) -> bool:
        mine = Sharer(rate, NO_CONTEXT, 0, 0, 0, CAP_MS)
        grant = first_grant(rate, self.part(mine, AHEAD_MS, None), CAP_MS, MINIMUM_MS)
        if not isinstance(grant, Grant):
            return False
        self.talks.append(Talk(rate, kept(str(next(self._ids)), grant, self.now)))
        return True

    def tick(self) -> None:
        """A second goes by; who is near the end of what he was granted asks for more."""
        self.now += timedelta(seconds=1)
        for talk in self.talks:
            session = talk.session
            used = (self.now - session.started_at) // timedelta(milliseconds=1)
            if talk.ends_at is not None:
                continue
            if used >= session.granted_ms:
                talk.ends_at = session.started_at + timedelta(milliseconds=session.granted_ms)
            elif not session.final and used >= session.granted_ms - MARGIN_MS:
                self.extend(talk, used)

    def extend(self, talk: Talk, used: int) -> None:
        told = replace(talk.session, reported_ms=used, reported_at=self.now)
        mine = as_sharer(told, talk.rate, NO_CONTEXT, self.now, by_time=True)
        assert mine is not None
        part = self.part(mine, used + AHEAD_MS, talk.session)
        grant = next_grant(told, talk.rate, part, CAP_MS)
        assert grant.granted_ms >= told.granted_ms
        talk.session = replace(told, granted_ms=grant.granted_ms, held_micros=grant.held_micros, final=grant.final)


def kept(name: str, grant: Grant, at: datetime, reported_at: datetime | None = None) -> Session:
    until_at = at + timedelta(days=1)
    return Session(
        name, 1, "call", "open", 1, "33", 0, grant.granted_ms, grant.held_micros, grant.final, CAP_MS, at, until_at,
        None, None, None, 0, reported_at or at,
    )  # fmt: skip


rates = st.builds(
    Rate,
    st.just(1),
    st.just("33"),
    st.just("France"),
    st.just("USD"),
    st.integers(60_000, 5 * UNIT),
    connect_fee_micros=st.sampled_from([0, 0, 50_000]),
    initial_s=st.sampled_from([1, 6, 30, 60]),
    increment_s=st.sampled_from([1, 6, 60]),
)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(rates, st.integers(0, 90)), min_size=2, max_size=6),
    st.integers(1 * UNIT, 30 * UNIT),
)
def test_sessions_that_share_end_together_at_zero(begins: list[tuple[Rate, int]], funds: int) -> None:
    town = Town(funds)
    pending = sorted(begins, key=lambda one: one[1])
    second, refused = 0, 0
    while pending or any(talk.ends_at is None for talk in town.talks):
        while pending and pending[0][1] <= second:
            refused += not town.begin(pending.pop(0)[0])
        town.tick()
        assert town.held_micros <= funds
        second += 1
        assert second < 3 * CAP_MS // 1000
    for talk in town.talks:
        assert talk.session.held_micros <= price_micros(talk.rate, talk.session.granted_ms)
    if not town.talks or any(talk.session.granted_ms >= CAP_MS for talk in town.talks):
        return
    assert town.held_micros == funds
    ends = [talk.ends_at for talk in town.talks if talk.ends_at is not None]
    # what was granted before a newcomer came is not taken back: so far ahead, and an increment that was begun
    newest = max(talk.session.started_at for talk in town.talks)
    if min(ends) - newest > timedelta(milliseconds=AHEAD_MS + LONGEST_INCREMENT_MS):
        assert max(ends) - min(ends) <= timedelta(milliseconds=500)


@settings(deadline=None, max_examples=60)
@given(st.lists(rates, min_size=2, max_size=6), st.integers(0, 20 * UNIT), st.integers(1_000, 300_000))
def test_the_parts_never_add_up_to_more_than_there_is(them: list[Rate], available: int, ahead: int) -> None:
    sharers = [Sharer(rate, NO_CONTEXT, 0, 0, 0, CAP_MS) for rate in them]
    left = available
    for at, mine in enumerate(sharers):
        others = sharers[:at] + sharers[at + 1 :]
        part = share(left, mine, others, ahead)
        assert 0 <= part.funds_micros <= left
        time_ms = common_time_ms(left, sharers, 2 * ahead)
        assert part.funds_micros >= mine.needs_micros(time_ms)
        assert left - part.funds_micros >= sum(one.needs_micros(max(0, time_ms - MOMENT_MS)) for one in others)
        taken = smooth_micros(mine.rate, mine.used_after(time_ms), NO_CONTEXT)
        if time_ms < 2 * ahead:
            sharers[at] = replace(mine, granted=time_ms, held_micros=taken)
            left -= taken
    assert left >= 0


@given(rates, st.integers(0, 400_000))
def test_the_smooth_price_is_never_above_the_price_and_meets_it_at_the_end_of_increments(rate: Rate, used: int) -> None:
    assert 0 <= smooth_micros(rate, used, NO_CONTEXT) <= price_micros(rate, used)
    assert smooth_micros(rate, used, NO_CONTEXT) <= smooth_micros(rate, used + 1, NO_CONTEXT)
    whole = rate.initial_s * 1000 + used // 1000 * rate.increment_s * 1000
    assert smooth_micros(rate, whole, NO_CONTEXT) == price_micros(rate, whole)


def test_alone_a_session_has_all_of_it() -> None:
    mine = Sharer(SECONDS, NO_CONTEXT, 0, 60_000, UNIT, CAP_MS)
    assert share(7 * UNIT, mine, [], 120_000) == Part(7 * UNIT, 120_000, is_last=True)


@pytest.mark.parametrize(
    ("available", "part"),
    [
        (20 * UNIT, Part(17 * UNIT + UNIT // 3, 80_000, is_last=True)),
        (4 * UNIT, Part(2 * UNIT, 60_000, is_last=True)),
        (3 * UNIT, Part(3 * UNIT // 2, 45_000, is_last=True)),
        (2 * UNIT, Part(UNIT, 80_000, is_last=True)),
    ],
)
def test_grants_shrink_as_the_end_comes_near_and_the_last_piece_is_given_whole(available: int, part: Part) -> None:
    mine = Sharer(SECONDS, NO_CONTEXT, 0, 0, 0, CAP_MS)
    answer = share(available, mine, [mine], 80_000)
    assert (answer.wanted, answer.is_last) == (part.wanted, part.is_last)
    assert abs(answer.funds_micros - part.funds_micros) <= 20


def test_a_session_whose_pace_is_not_known_gets_half_and_at_last_the_rest() -> None:
    mine = Sharer(MINUTES, NO_CONTEXT, 0, 0, 0, CAP_MS, pace_used=0)
    other = Sharer(SECONDS, NO_CONTEXT, 0, 60_000, UNIT, CAP_MS)
    assert share(8 * UNIT, mine, [other], 600_000) == Part(4 * UNIT, 600_000, is_last=False)
    assert share(1, replace(mine, granted=60_000, held_micros=UNIT), [other], 600_000).is_last
