"""Credit tiers: by score, payments and chargebacks, each change with its reason; and how they cap a call."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from ani.negative import service as negative_service
from ani.negative.block import NegativeReason, NewBlock
from ani.reverse_match.listing import Identity
from ani.vendor import service as vendor_service
from ani.vendor.breaker import BreakerRules
from ani.vendor.service import AskRules, VendorDesk
from ani.vendor.vendor import Claim, PersonMatch, Purpose, VendorError, VendorOutcome
from billing.calls import service as call_service
from billing.ledger import service as ledger_service
from billing.operators import service as operator_service
from billing.tariffs.service import RateBook
from billing.thresholds import service as threshold_service
from billing.thresholds import store as threshold_store
from billing.thresholds.threshold import Thresholds
from billing.tiers import service
from billing.tiers.tier import History, TierRule, tier_for
from dialplan.routes.service import RouteBook
from ivr.back_office import BackOffice, Shelf
from ivr.call import CallStory, Dial, StoryRules
from ivr.reception import Ring
from runtime import ids
from runtime.database import reading
from runtime.faults import NotFoundError, StaffError
from runtime.keys import Pepper
from runtime.settings import Settings
from tests.clock import SettableClock
from tests.ivr.scripted import ScriptedCaller
from tests.ivr.town import ANN, CALLING, Town, build_town

NEW = TierRule(0, "new", 1, 0, 0)
FAIR = TierRule(0, "fair", 2, 500, 0)
GOOD = TierRule(0, "good", 3, 700, 0)
FRESH = timedelta(days=30)


class Scoring:
    """A vendor that knows a score, or fails."""

    name = "bureau"
    serves: frozenset[Purpose] = frozenset(Purpose)
    tells_birth_dates = True

    def __init__(self, answer: int | VendorError | None) -> None:
        self.answer, self.asked = answer, 0

    def reverse_match(self, ani: str, deadline_s: float) -> Identity | None:
        return None

    def match_person(self, claim: Claim, deadline_s: float) -> PersonMatch | None:
        return None

    def credit_score(self, ani: str, deadline_s: float) -> int | None:
        self.asked += 1
        if isinstance(self.answer, VendorError):
            raise self.answer
        return self.answer


@pytest.fixture
def town(engine: Engine, clock: SettableClock, pepper: Pepper, tmp_path: Path) -> Town:
    town = build_town(engine, clock, pepper, tmp_path)
    for tier in (NEW, FAIR, GOOD):
        service.put_rule(engine, operator_code="town", rule=tier)
    return town


@pytest.mark.parametrize(
    ("score", "history", "tier", "reason"),
    [
        (None, History(0, 0), NEW, "no score known"),
        (499, History(0, 0), NEW, "score 499"),
        (500, History(0, 0), FAIR, "score 500"),
        (1000, History(0, 0), GOOD, "score 1000"),
        (None, History(3, 0), FAIR, "no score known, 3 payments within 90 days, no chargeback"),
        (1000, History(9, 0), GOOD, "score 1000, 9 payments within 90 days, no chargeback"),
        (1000, History(9, 1), FAIR, "score 1000, 1 chargebacks within a year"),
        (1000, History(0, 5), NEW, "score 1000, 5 chargebacks within a year"),
    ],
)
def test_which_tier(score: int | None, history: History, tier: TierRule, reason: str) -> None:
    assert tier_for([GOOD, NEW, FAIR], score, history) == (tier, reason)


def test_a_vendor_that_knows_no_scores_is_not_asked_nor_named(town: Town, clock: SettableClock) -> None:
    vendor = Scoring(720)
    vendor.serves = frozenset({Purpose.PERSON})
    desk = VendorDesk(town.engine, clock, vendor, AskRules(1.5, BreakerRules(9, 30.0), 100, 10_000))
    operator_id = operator_service.find_profile(town.engine, "town", "calling").operator_id
    found = service.rate(town.engine, clock, desk, operator_id, ANN, "c", FRESH)
    assert found is not None
    assert (found[1].source, found[0].tier, vendor.asked) == (service.PAYMENT_HISTORY, "new", 0)
    assert vendor_service.days(town.engine, 5) == []


def test_rated_by_the_vendor_and_anew_after_a_time(town: Town, clock: SettableClock) -> None:
    vendor = Scoring(720)
    desk = VendorDesk(town.engine, clock, vendor, AskRules(1.5, BreakerRules(9, 30.0), 100, 0))
    operator_id = operator_service.find_profile(town.engine, "town", "calling").operator_id

    def rate() -> str:
        found = service.rate(town.engine, clock, desk, operator_id, ANN, "c", FRESH)
        assert found is not None
        return found[0].tier

    assert [rate(), rate()] == ["good", "good"]
    assert vendor.asked == 1
    clock.advance(31 * 86_400)
    block = NewBlock(ANN, NegativeReason.CHARGEBACK, "", None)
    negative_service.block(town.engine, clock, block, "test")
    assert rate() == "fair"
    clock.advance(31 * 86_400)
    vendor.answer = VendorError(VendorOutcome.TIMED_OUT, "silent")
    assert [rate(), rate()] == ["fair", "fair"]
    vendor.answer = None
    assert rate() == "new"
    kept = [(one.tier, one.source, one.note) for one in threshold_service.tiers_of(town.engine, ANN)]
    assert kept == [
        ("new", "bureau", "no score known, 1 chargebacks within a year"),
        ("fair", "bureau", "score 720, 1 chargebacks within a year"),
        ("good", "bureau", "score 720"),
    ]


def test_good_payments_raise(town: Town, clock: SettableClock) -> None:
    account = town.account("ann", 0, line=ANN)
    operator_id = operator_service.find_profile(town.engine, "town", "calling").operator_id
    for at in range(3):
        ledger_service.credit(
            town.engine, clock, account.number, 1_000_000, key=f"pay-{at}", made_by="test", note="cash"
        )
    found = service.rate(town.engine, clock, None, operator_id, ANN, "c", FRESH)
    assert found is not None
    assert (found[0].tier, found[1].source) == ("fair", "payment history")
    threshold_service.set_tier(town.engine, clock, ANN, "good", source="staff", by="bob", note="pays by wire")
    again = service.rate(town.engine, clock, None, operator_id, ANN, "c", FRESH)
    assert again is not None
    assert (again[0].tier, again[1].source) == ("good", "staff")
    with pytest.raises(StaffError, match="rank 1"):
        service.put_rule(town.engine, operator_code="town", rule=replace(FAIR, rank=1))
    with pytest.raises(NotFoundError):
        service.put_rule(town.engine, operator_code="nobody", rule=FAIR)


def test_a_chargeback_or_a_payment_counts_at_once(town: Town, clock: SettableClock) -> None:
    vendor = Scoring(550)
    desk = VendorDesk(town.engine, clock, vendor, AskRules(1.5, BreakerRules(9, 30.0), 100, 0))
    operator_id = operator_service.find_profile(town.engine, "town", "calling").operator_id
    account = town.account("ann", 0, line=ANN)

    def rate() -> str:
        clock.advance(60)
        found = service.rate(town.engine, clock, desk, operator_id, ANN, "c", FRESH)
        assert found is not None
        return found[0].tier

    def pay(key: str) -> None:
        clock.advance(60)
        ledger_service.credit(town.engine, clock, account.number, 1_000_000, key=key, made_by="test", note="cash")

    assert rate() == "fair"
    paid = []
    for at in range(3):
        pay(f"pay-{at}")
        paid.append(rate())
    assert paid == ["fair", "fair", "good"]
    clock.advance(60)
    negative_service.block(town.engine, clock, NewBlock(ANN, NegativeReason.CHARGEBACK, "", None), "test")
    assert [rate(), rate()] == ["new", "new"]
    assert vendor.asked == 1
    kept = [(one.tier, one.score, one.note) for one in threshold_service.tiers_of(town.engine, ANN)]
    assert kept == [
        ("new", 550, "score 550, 1 chargebacks within a year"),
        ("good", 550, "score 550, 3 payments within 90 days, no chargeback"),
        ("fair", 550, "score 550"),
    ]
    clock.advance(30 * 86_400)
    rate()
    assert vendor.asked == 2, "a score grows old, however often it was used"


def test_a_chargeback_lowers_what_staff_set_and_payments_do_not_raise_it(town: Town, clock: SettableClock) -> None:
    operator_id = operator_service.find_profile(town.engine, "town", "calling").operator_id
    account = town.account("ann", 0, line=ANN)
    threshold_service.set_tier(town.engine, clock, ANN, "fair", source="staff", by="bob")
    tiers = []
    for at in range(4):
        clock.advance(60)
        if at < 3:
            ledger_service.credit(
                town.engine, clock, account.number, 1_000_000, key=f"pay-{at}", made_by="test", note="cash"
            )
        else:
            negative_service.block(town.engine, clock, NewBlock(ANN, NegativeReason.CHARGEBACK, "", None), "test")
        clock.advance(60)
        found = service.rate(town.engine, clock, None, operator_id, ANN, "c", FRESH)
        assert found is not None
        tiers.append((found[1].tier, found[1].note))
    assert tiers == [("fair", "")] * 3 + [("new", "fair by bob, 1 chargebacks since")]


def test_a_tier_is_of_one_operator(town: Town, clock: SettableClock) -> None:
    engine = town.engine
    other = operator_service.create_operator(engine, code="beta", name="Beta", currency="USD", home_country="US")
    mine = operator_service.find_profile(engine, "town", "calling").operator_id
    town.account("ann", 0, line=ANN)
    for tier in (NEW, FAIR, GOOD):
        service.put_rule(engine, operator_code="beta", rule=tier)
    threshold_service.set_tier(engine, clock, ANN, "good", source="staff", by="bob")  # of her account's operator
    tiers = {}
    for operator_id in (mine, other.id):
        found = service.rate(engine, clock, None, operator_id, ANN, "c", FRESH)
        assert found is not None
        tiers[operator_id] = found[0].tier
    assert tiers == {mine: "good", other.id: "new"}
    assert [(one.operator, one.tier) for one in threshold_service.tiers_of(engine, ANN)] == [
        ("beta", "new"),
        ("town", "good"),
    ]
    stranger = "+12125550777"
    with pytest.raises(StaffError, match="--operator"):
        threshold_service.set_tier(engine, clock, stranger, "good", source="staff", by="bob")
    with pytest.raises(NotFoundError):
        threshold_service.set_tier(engine, clock, stranger, "good", source="staff", by="bob", operator_code="none")
    threshold_service.set_tier(engine, clock, stranger, "good", source="staff", by="bob", operator_code="beta")
    with reading(engine) as conn:
        assert threshold_store.current_tier(conn, mine, stranger) is None
        assert threshold_store.current_tier(conn, other.id, stranger) is not None


@pytest.fixture
def shelf(town: Town) -> Iterator[Shelf]:
    engine = town.engine
    with ThreadPoolExecutor(2) as pool:
        settings = Settings()
        yield Shelf(
            engine, town.clock, town.pepper, settings, RateBook(engine), RouteBook(engine), pool, vendor_pool=pool
        )


def talk_s(shelf: Shelf) -> tuple[int | None, list[str]]:
    """The longest the call may last, and the tiers noted."""
    ring = Ring(ids.new_id(), "gw1", ids.new_id(), "PJSIP/x", CALLING, f"<sip:{ANN}@n>", "", shelf.clock.now())
    office = BackOffice(shelf)
    caller = ScriptedCaller({"destination": ["01133142685300"]})
    story = CallStory(caller, office, shelf.clock, StoryRules(1, 5000), ring)
    decision = asyncio.run(story.tell())
    cap = office.authorised.cap_ms // 1000 if isinstance(decision, Dial) and office.authorised else None
    told = call_service.explain(shelf.engine, ring.call_id).events
    return cap, [str(event.outcome) for event in told if event.step == "credit"]


@pytest.mark.parametrize(("spend_cap_micros", "session_s", "expected"), [(0, 600, 600), (2_000_000, 600, 120)])
def test_a_tier_caps_the_call(shelf: Shelf, town: Town, spend_cap_micros: int, session_s: int, expected: int) -> None:
    town.account("ann", 50_000_000, line=ANN)
    profile = operator_service.find_profile(town.engine, "town", "calling")
    service.put_rule(town.engine, operator_code="town", rule=replace(NEW, spend_cap_micros=spend_cap_micros))
    limits = Thresholds(session_s=session_s)
    threshold_service.set_thresholds(town.engine, town.clock, profile.id, "new", limits, "test")
    service.bind_service(town.engine, profile.id, is_on=True)
    assert talk_s(shelf) == (expected, ["new"])


def test_no_tier_binds_where_the_service_does_not_say_so(shelf: Shelf, town: Town) -> None:
    town.account("ann", 50_000_000, line=ANN)
    assert talk_s(shelf)[1] == []
