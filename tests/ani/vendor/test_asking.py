"""Asking: one retry, the breaker, the day's limit, the counter, and the listing that a hit becomes."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.engine import Engine

from ani.numbers import Ani
from ani.reverse_match import service as listing_service
from ani.reverse_match.listing import Identity
from ani.vendor import service
from ani.vendor.breaker import Breaker, BreakerRules
from ani.vendor.service import AskRules, VendorDesk
from ani.vendor.vendor import Claim, PersonMatch, Purpose, VendorError, VendorOutcome
from runtime.clock import SystemClock
from tests.clock import SettableClock

LINE = Ani("+12125550101", "US")
RULES = AskRules(1.5, BreakerRules(3, 30.0), 100, 10_000)
SILENT = VendorError(VendorOutcome.TIMED_OUT, "silent")
DOWN = VendorError(VendorOutcome.UNREACHABLE, "down")


class Scripted:
    """A vendor that answers as it is told, in order; the last for ever."""

    name = "scripted"
    serves: frozenset[Purpose] = frozenset(Purpose)
    tells_birth_dates = True

    def __init__(self, *answers: Identity | VendorError | None) -> None:
        self.answers = list(answers)
        self.asked = 0

    def reverse_match(self, ani: str, deadline_s: float) -> Identity | None:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, VendorError):
            raise answer
        return answer

    def match_person(self, claim: Claim, deadline_s: float) -> PersonMatch | None:
        return None

    def credit_score(self, ani: str, deadline_s: float) -> int | None:
        return None


def named(last: str, first: str = "") -> Identity:
    return Identity(LINE.e164, first, last, "", "", "US", "scripted")


def ask(desk: VendorDesk) -> VendorOutcome:
    return desk.ask(
        Purpose.REVERSE_MATCH, LINE.e164, "c1", lambda vendor, left_s: vendor.reverse_match(LINE.e164, left_s)
    ).outcome


def test_what_fails_at_once_is_tried_once_more(engine: Engine, clock: SettableClock) -> None:
    vendor = Scripted(DOWN, named("Lee"))
    assert ask(VendorDesk(engine, clock, vendor, RULES)) is VendorOutcome.FOUND
    (kept,) = service.queries_of(engine, LINE.e164)
    assert (kept.outcome, kept.requests, kept.cost_micros, kept.call_id) == ("found", 2, 20_000, "c1")
    assert [(day.requests, day.cost_micros) for day in service.days(engine, 5)] == [(2, 20_000)]


def test_what_took_the_whole_deadline_is_not(sqlite_engine: Engine, clock: SettableClock) -> None:
    vendor = Scripted(SILENT)
    assert ask(VendorDesk(sqlite_engine, clock, vendor, RULES)) is VendorOutcome.TIMED_OUT
    assert vendor.asked == 1


def test_the_breaker_spares_callers_then_lets_one_try(sqlite_engine: Engine, clock: SettableClock) -> None:
    vendor = Scripted(SILENT)
    desk = VendorDesk(sqlite_engine, clock, vendor, RULES)
    assert [ask(desk) for _ in range(5)] == [VendorOutcome.TIMED_OUT] * 3 + [VendorOutcome.SPARED] * 2
    clock.advance(31)
    assert [ask(desk) for _ in range(2)] == [VendorOutcome.TIMED_OUT, VendorOutcome.SPARED]
    clock.advance(31)
    vendor.answers = [named("Lee")]
    assert [ask(desk) for _ in range(2)] == [VendorOutcome.FOUND] * 2
    assert vendor.asked == 6


def test_what_a_vendor_does_not_serve_is_not_sent_nor_counted(engine: Engine, clock: SettableClock) -> None:
    vendor = Scripted(DOWN)
    desk = VendorDesk(engine, clock, vendor, RULES)
    assert [ask(desk) for _ in range(1)] == [VendorOutcome.UNREACHABLE]
    vendor.serves = frozenset({Purpose.REVERSE_MATCH})
    for purpose in (Purpose.PERSON, Purpose.CREDIT):
        asked = desk.ask(purpose, LINE.e164, "c1", lambda vendor, left_s: vendor.credit_score(LINE.e164, left_s))
        assert (asked.outcome, asked.is_sent) == (VendorOutcome.NO_VENDOR, False)
    assert len(service.queries_of(engine, LINE.e164)) == 1
    assert [(day.requests, day.cost_micros) for day in service.days(engine, 5)] == [(2, 20_000)]
    assert ask(desk) is VendorOutcome.UNREACHABLE  # the third failure in a row: what was not sent closed nothing
    assert ask(desk) is VendorOutcome.SPARED


def test_whoever_asks_leaves_at_the_deadline_and_the_breaker_knows_at_once(sqlite_engine: Engine) -> None:
    class Hanging(Scripted):
        def reverse_match(self, ani: str, deadline_s: float) -> Identity | None:
            self.asked += 1
            released.wait(60)
            return None

    released = threading.Event()
    vendor, clock = Hanging(None), SystemClock()
    desk = VendorDesk(sqlite_engine, clock, vendor, AskRules(0.2, BreakerRules(1, 600.0), 100, 0))
    try:
        assert [ask(desk) for _ in range(2)] == [VendorOutcome.TIMED_OUT, VendorOutcome.SPARED]
        late = desk.since(clock.monotonic_s() - 0.2).ask(Purpose.CREDIT, LINE.e164, "c1", lambda *_: 1)
        assert (late.outcome, late.is_sent) == (VendorOutcome.TIMED_OUT, False)
    finally:
        released.set()
        desk.close()
    assert vendor.asked == 1


def test_a_probe_that_never_returns_does_not_bar_for_ever() -> None:
    opened = Breaker(BreakerRules(1, 30.0)).failing(0.0)
    assert opened.admit(29.0) is None
    probing = opened.admit(30.0)
    assert probing is not None
    assert probing.admit(59.0) is None
    assert probing.admit(60.0) is not None


def test_the_days_limit(engine: Engine, clock: SettableClock) -> None:
    vendor = Scripted(named("Lee"))
    desk = VendorDesk(engine, clock, vendor, replace(RULES, daily_limit=2))
    assert [ask(desk) for _ in range(3)] == [VendorOutcome.FOUND] * 2 + [VendorOutcome.DAILY_LIMIT]
    clock.advance(86_400)
    assert ask(desk) is VendorOutcome.FOUND
    assert vendor.asked == 3


def test_a_hit_is_kept_and_a_change_of_hands_noticed(engine: Engine, clock: SettableClock) -> None:
    vendor = Scripted(named("LEE", "A"), named("Lee", "Ana"), named("Roe"), None)
    desk = VendorDesk(engine, clock, vendor, RULES)

    def identify() -> listing_service.Identified:
        clock.advance(timedelta(days=61).total_seconds())
        return listing_service.identify(engine, clock, desk, LINE, "c1")

    assert identify().outcome is VendorOutcome.FOUND
    fuller = identify().listing
    assert fuller is not None
    assert (fuller.identity.first_name, fuller.changed_hands_at, fuller.seen_at) == ("Ana", None, clock.now())
    other = identify().listing
    assert other is not None
    assert (other.identity.last_name, other.changed_hands_at) == ("Roe", clock.now())
    assert identify().outcome is VendorOutcome.NOT_FOUND
    history = listing_service.listings_of(engine, LINE.e164)
    assert [(one.identity.last_name, one.valid_until_at is None) for one in history] == [
        ("LEE", False),
        ("LEE", False),
        ("Roe", True),
    ]


def test_without_a_vendor_nobody_is_asked(sqlite_engine: Engine, clock: SettableClock) -> None:
    assert ask(VendorDesk(sqlite_engine, clock, None, RULES)) is VendorOutcome.NO_VENDOR
    assert service.queries_of(sqlite_engine, LINE.e164) == []


@pytest.mark.parametrize("outcome", list(VendorOutcome))
def test_only_a_word_of_the_vendor_is_an_answer(outcome: VendorOutcome) -> None:
    assert outcome.is_answer == (outcome.value in {"found", "not-found"})
