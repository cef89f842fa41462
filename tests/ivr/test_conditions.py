"""What an account pays for from which line, in whole stories on both databases."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ani.trust import service as trust_service
from ani.trust.trust import Demand, TrustRow
from billing.calls import service as call_service
from billing.conditions import service
from billing.conditions.condition import Mode, SpendPeriod, Terms, read_patterns
from billing.operators import service as operator_service
from ivr.back_office import Shelf
from ivr.call import Bye, Dial
from runtime.faults import NotFoundError, StaffError
from tests.clock import SettableClock
from tests.ivr.test_story import PARIS, Told, settle, shelf, tell, town  # noqa: F401  (pytest finds the fixtures here)
from tests.ivr.town import ANN, BOB, Town

TO_PARIS: dict[str, list[str | None]] = {"destination": [f"011{PARIS}"]}


def condition(town: Town, number: str, terms: Terms, line: str = ANN) -> None:  # noqa: F811  (pytest gives the fixture's value by this name)
    service.set_condition(town.engine, town.clock, number=number, line=line, terms=terms, by="ann")


def mode(town: Town, wanted: Mode) -> None:  # noqa: F811  (pytest gives the fixture's value by this name)
    profile = operator_service.find_profile(town.engine, "town", "calling")
    service.set_mode(town.engine, town.clock, profile.id, wanted, "test")


def kept(shelf: Shelf, told: Told, step: str, detail: str = "") -> list[object]:  # noqa: F811  (pytest gives the fixture's value by this name)
    """What the call's record says of a step."""
    events = call_service.explain(shelf.engine, told.ring.call_id).events
    return [event.detail[detail] if detail else event.outcome for event in events if event.step == step]


def test_a_condition_ends_a_call_or_lets_it_go_on_unpaid(town: Town, shelf: Shelf) -> None:  # noqa: F811  (pytest gives fixtures by this name)
    ann = town.account("ann", 5_000_000, line=ANN)
    condition(town, ann.number, Terms(allowed=read_patterns("allow", BOB)))
    told = tell(shelf, TO_PARIS)
    assert told.decision == Bye(21, "condition-destination")
    assert told.caller.heard[-2] == "tollgate/not-from-this-line"
    mode(town, Mode.CONTINUE)
    told = tell(shelf, TO_PARIS)
    assert isinstance(told.decision, Dial)
    assert (told.decision.is_paid, told.decision.destination, told.decision.shown_number) == (False, f"+{PARIS}", ANN)
    assert settle(shelf, told, seconds=60) == 0
    assert town.balance(ann) == (5_000_000, 0)
    # a number that is only claimed is not the network's to charge
    told = tell(shelf, {**TO_PARIS, "pin": [town.pin(ann)]}, asserted="", claimed=ANN)
    assert told.decision == Bye(21, "condition-destination")
    service.block_toll(town.engine, town.clock, ani=ANN, by="test", note="letter")
    assert tell(shelf, TO_PARIS).decision == Bye(21, "line-toll-blocked")
    service.lift_toll(town.engine, town.clock, ani=ANN, by="test", note="letter")
    service.end_condition(town.engine, town.clock, number=ann.number, line=ANN, by="ann", note="grown up")
    told = tell(shelf, TO_PARIS)
    assert isinstance(told.decision, Dial)
    assert told.decision.is_paid


def test_the_record_says_whose_rule_of_trust_it_was(town: Town, shelf: Shelf) -> None:  # noqa: F811  (pytest's names)
    town.account("ann", 5_000_000, line=ANN)
    told = tell(shelf, {"destination": [None]})
    (noted,) = [event for event in told.events if event.step == "trust"]
    assert noted.detail == {"rule": TrustRow.ASSERTED, "evidence": [TrustRow.ASSERTED], "source": "default"}
    profile = operator_service.find_profile(town.engine, "town", "calling")
    trust_service.set_demand(town.engine, town.clock, profile.id, TrustRow.ASSERTED, Demand.PIN, "ana")
    told = tell(shelf, {"pin": [None]})
    (noted,) = [event for event in told.events if event.step == "trust"]
    assert (noted.outcome, noted.detail["source"]) == ("pin", "ana")
    assert noted.detail["since"] == town.clock.now().isoformat(timespec="seconds")


def test_a_line_of_nobody(town: Town, shelf: Shelf) -> None:  # noqa: F811  (pytest gives fixtures by this name)
    assert tell(shelf, {"pin": ["12345678", None]}).decision is None
    mode(town, Mode.CONTINUE)
    told = tell(shelf, {"destination": ["123", f"011{PARIS}"]})
    assert isinstance(told.decision, Dial)
    assert not told.decision.is_paid
    assert tell(shelf, {"destination": ["911"]}).decision == Bye(3, "emergency-number")
    assert tell(shelf, {"destination": ["19005550100"]}).decision == Bye(21, "destination-is-ours")
    service.block_toll(town.engine, town.clock, ani=ANN, by="test", note="letter")
    assert tell(shelf, TO_PARIS).decision == Bye(21, "line-toll-blocked")


def test_only_the_bypass_code_opens_a_restricted_line(town: Town, shelf: Shelf) -> None:  # noqa: F811  (pytest gives fixtures by this name)
    ann = town.account("ann", 5_000_000, line=ANN)
    assert service.block_toll(town.engine, town.clock, ani=ANN, by="test", note="letter")
    assert not service.block_toll(town.engine, town.clock, ani=ANN, by="test", note="letter")
    assert tell(shelf, {**TO_PARIS, "bypass-code": ["1", "2", "3"]}).decision == Bye(21, "line-toll-blocked")
    service.set_bypass(town.engine, town.clock, town.pepper, number=ann.number, line=ANN, code="4711", by="test")
    told = tell(shelf, {**TO_PARIS, "bypass-code": ["1", "4711"]})
    assert isinstance(told.decision, Dial)
    assert kept(shelf, told, "toll-block") == ["bypass-code-wrong", "bypassed"]
    assert settle(shelf, told, seconds=30) == 500_000
    assert tell(shelf, {**TO_PARIS, "bypass-code": ["9", "4711"]}).decision == Bye(
        21, "line-toll-blocked"
    )  # the fifth: locked
    with pytest.raises(StaffError):
        service.set_bypass(town.engine, town.clock, town.pepper, number=ann.number, line=ANN, code="4*", by="test")
    with pytest.raises(NotFoundError):
        service.set_bypass(town.engine, town.clock, town.pepper, number=ann.number, line=BOB, code="4", by="test")


def test_a_spending_limit_holds_whatever_runs_at_once(
    town: Town,  # noqa: F811  (pytest gives fixture by this name)
    shelf: Shelf,  # noqa: F811  (pytest gives fixture by this name)
    clock: SettableClock,
) -> None:
    ann = town.account("ann", 50_000_000, line=ANN)
    terms = Terms(spend_limit_micros=3_000_000, spend_period=SpendPeriod.DAY)
    condition(town, ann.number, terms)
    first = tell(shelf, TO_PARIS)
    assert isinstance(first.decision, Dial)
    # the first may come to all of it: 3 minutes at 1.00
    assert tell(shelf, TO_PARIS).decision == Bye(21, "condition-spend-limit")
    assert settle(shelf, first, seconds=60) == 1_000_000
    second = tell(shelf, TO_PARIS)
    assert isinstance(second.decision, Dial)
    assert kept(shelf, second, "offer", "talk_s") == [120]
    assert settle(shelf, second, seconds=60) == 1_000_000
    condition(town, ann.number, replace(terms, spend_limit_micros=2_050_000))
    assert tell(shelf, TO_PARIS).decision == Bye(21, "condition-spend-limit")  # 3 s are left, no call is worth it
    clock.set(clock.now() + timedelta(days=1))
    assert isinstance(tell(shelf, TO_PARIS).decision, Dial)
