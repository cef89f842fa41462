"""How long a line may talk, in whole stories on both databases (ANI-6)."""

from datetime import timedelta

import pytest

from ani.negative import service as negative_service
from ani.negative.block import NegativeReason
from ani.usage import store as usage_store
from ani.usage.usage import month_of
from billing.calls import service as call_service
from billing.calls.call import Disposition, Extended, Settle
from billing.conditions import service as condition_service
from billing.conditions.condition import SpendPeriod, Terms
from billing.operators import service as operator_service
from billing.thresholds import service
from billing.thresholds.threshold import Thresholds
from ivr.back_office import Shelf
from ivr.call import Bye, Dial
from ivr.refusals import prompt_of_end
from runtime.database import transaction
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


def ended_by(shelf: Shelf, told: Told) -> tuple[str, str, object]:  # noqa: F811  (pytest gives it by this name)
    """What the CDR says of a call that lasted as long as it might, what its caller hears, and what was noted of it."""
    assert isinstance(told.decision, Dial)
    at = shelf.clock.now()
    end = Settle(told.ring.call_id, at, at + timedelta(seconds=60), Disposition.CAP_REACHED, 16, "test")
    cdr = call_service.settle(shelf.engine, shelf.clock, end)
    events = call_service.explain(shelf.engine, told.ring.call_id).events
    (cap_s,) = [event.detail["cap_s"] for event in events if (event.step, event.outcome) == ("limit", cdr.disposition)]
    return cdr.disposition, prompt_of_end(cdr.disposition), cap_s


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (Thresholds(), ("session-cap-reached", "session-cap-reached", 1860)),
        (Thresholds(session_s=40, day_s=50), ("session-cap-reached", "session-cap-reached", 40)),
        (Thresholds(day_s=30, month_s=50), ("day-cap-reached", "day-cap-reached", 30)),
        (Thresholds(session_s=50, month_s=30), ("tier-month-cap-reached", "month-cap-reached", 30)),
        (Thresholds(line_s=30), ("line-cap-reached", "line-cap-reached", 30)),
    ],
)
def test_the_limit_that_ended_a_conversation_is_named(
    town: Town,  # noqa: F811  (pytest gives it by this name)
    shelf: Shelf,  # noqa: F811  (pytest gives it by this name)
    wanted: Thresholds,
    told: tuple[str, str, object],
) -> None:
    town.account("ann", 90_000_000, line=ANN)
    if wanted != Thresholds():
        limit(town, wanted)
    assert ended_by(shelf, tell(shelf, TO_PARIS)) == told


def test_the_month_and_what_may_be_spent_are_named_too(town: Town, shelf: Shelf, clock: SettableClock) -> None:  # noqa: F811  (pytest's names)
    ann = town.account("ann", 90_000_000, line=ANN)
    terms = Terms(spend_limit_micros=500_000, spend_period=SpendPeriod.CALL)
    condition_service.set_condition(town.engine, clock, number=ann.number, line=ANN, terms=terms, by="test")
    assert ended_by(shelf, tell(shelf, TO_PARIS)) == ("condition-spend-limit", "spend-cap-reached", 30)
    month = month_of(clock.now())
    with transaction(town.engine) as connection:
        left_ms = usage_store.left_ms(connection, ANN, month, 5_580_000)
        usage_store.hold(connection, ANN, month, left_ms - 20_000, 5_580_000)
    assert ended_by(shelf, tell(shelf, TO_PARIS)) == ("month-cap-reached", "month-cap-reached", 20)


def test_a_month_that_other_calls_use_up_is_not_taken_for_the_balance(
    town: Town,  # noqa: F811  (pytest gives it by this name)
    shelf: Shelf,  # noqa: F811  (pytest gives it by this name)
    clock: SettableClock,
) -> None:
    ann, month = town.account("ann", 90_000_000, line=ANN), month_of(clock.now())
    first, second = tell(shelf, TO_PARIS), tell(shelf, TO_PARIS)
    with transaction(town.engine) as connection:
        left_ms = usage_store.left_ms(connection, ANN, month, 5_580_000)
        usage_store.hold(connection, ANN, month, left_ms, 5_580_000)
    for number in (1, 2):
        answer = call_service.extend(town.engine, clock, first.ring.call_id, number, 120_000, used_ms=50_000)
        assert isinstance(answer, Extended)
        assert answer.grant.final
    # there is more for the other in the end: of that the money is the bound
    assert isinstance(call_service.extend(town.engine, clock, second.ring.call_id, 1, 120_000), Extended)
    with transaction(town.engine) as connection:
        usage_store.release(connection, ANN, month, left_ms, 0)
    assert isinstance(call_service.extend(town.engine, clock, second.ring.call_id, 2, 120_000), Extended)
    for told, disposition in ((first, "month-cap-reached"), (second, "balance-used-up")):
        end = Settle(told.ring.call_id, clock.now(), clock.now(), Disposition.BALANCE_USED_UP, 16, "test")
        assert call_service.settle(town.engine, clock, end).disposition == disposition
        noted = [event.outcome for event in call_service.explain(town.engine, told.ring.call_id).events]
        assert noted.count("month-cap-reached") == 1
    assert town.balance(ann)[1] == 0
