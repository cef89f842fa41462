"""How long a line may talk, in whole stories on both databases (ANI-6)."""

from datetime import timedelta

from ani.negative import service as negative_service
from ani.negative.block import NegativeReason
from billing.calls import service as call_service
from billing.operators import service as operator_service
from billing.thresholds import service
from billing.thresholds.threshold import Thresholds
from ivr.back_office import Shelf
from ivr.call import Bye, Dial
from tests.clock import SettableClock
from tests.ivr.test_story import PARIS, Told, settle, shelf, tell, town  # noqa: F401  (pytest finds the fixtures here)
from tests.ivr.town import ANN, Town

TO_PARIS: dict[str, list[str | None]] = {"destination": [f"011{PARIS}"]}


def limit(town: Town, wanted: Thresholds, tier: str = "") -> None:  # noqa: F811  (pytest gives it by this name)
    profile = operator_service.find_profile(town.engine, "town", "calling")
    service.set_thresholds(town.engine, town.clock, profile.id, tier, wanted, "test")


def talk_s(shelf: Shelf, told: Told) -> object:  # noqa: F811  (pytest gives it by this name)
    """What was announced."""
    events = call_service.explain(shelf.engine, told.ring.call_id).events
    (said,) = [event.detail["talk_s"] for event in events if event.step == "offer"]
    return said


def test_day_line_and_tier(town: Town, shelf: Shelf, clock: SettableClock) -> None:  # noqa: F811  (pytest's names)
    town.account("ann", 90_000_000, line=ANN)
    limit(town, Thresholds(day_s=30, line_s=60))
    first = tell(shelf, TO_PARIS)
    assert isinstance(first.decision, Dial)
    assert first.decision.granted_ms == 30_000
    # the first may last all of the day: none slips past beside it
    assert tell(shelf, TO_PARIS).decision == Bye(21, "day-cap-reached")
    settle(shelf, first, seconds=20)
    second = tell(shelf, TO_PARIS)
    assert isinstance(second.decision, Dial)
    assert second.decision.granted_ms == 10_000
    settle(shelf, second, seconds=10)
    assert tell(shelf, TO_PARIS).decision == Bye(21, "day-cap-reached")
    service.set_tier(town.engine, clock, ANN, "gold", source="bureau", by="test")
    limit(town, Thresholds(session_s=25, day_s=300), "gold")
    third = tell(shelf, TO_PARIS)
    assert isinstance(third.decision, Dial)
    assert (third.decision.granted_ms, talk_s(shelf, third)) == (25_000, 25)
    settle(shelf, third, seconds=25)
    clock.set(clock.now() + timedelta(days=1))
    # 55 of 60 seconds are used: the last five, then it is blocked until that is lifted with a note
    last = tell(shelf, TO_PARIS)
    assert isinstance(last.decision, Dial)
    assert last.decision.granted_ms == 5_000
    settle(shelf, last, seconds=5)
    assert tell(shelf, TO_PARIS).decision == Bye(21, "line-cap-reached")
    assert tell(shelf, TO_PARIS).decision == Bye(21, "over-threshold")
    clock.advance(60)
    (lifted,) = negative_service.unblock(town.engine, clock, ANN, "care", "paid by card")
    assert (lifted.reason, lifted.blocked_by) == (NegativeReason.OVER_THRESHOLD, "gateway")
    assert isinstance(tell(shelf, TO_PARIS).decision, Dial)
