"""Whole stories with a scripted caller and the real services, on both databases."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from ani.negative import service as negative_service
from ani.negative.block import NegativeReason, NewBlock
from billing.accounts import service as account_service
from billing.accounts.codes.service import set_code
from billing.blocks import service as block_service
from billing.bundles import service as bundle_service
from billing.bundles.offer import Offer
from billing.calls import service as call_service
from billing.calls.call import CallEvent, Settle
from billing.pricing.bundles import Bundle
from billing.tariffs import service as tariff_service
from billing.tariffs.book.service import RateBook
from billing.tariffs.service import TariffImport
from billing.tariffs.tariff import read_rate
from dialplan.routes.service import RouteBook
from ivr.agi.faults import CallerGone
from ivr.back_office import BackOffice, Shelf
from ivr.call import Bye, CallStory, Decision, Dial, StoryRules
from ivr.reception import Ring
from runtime import ids
from runtime.database import reading
from runtime.keys import Pepper
from runtime.settings import CallSettings, Settings
from sounds import spoken
from tests.billing.shop import EMPTY
from tests.clock import SettableClock
from tests.ivr.scripted import ScriptedCaller
from tests.ivr.town import ANN, BOB, CALLING, CHECKED, ISSUING, SHARED, SSN, STRANGER, Town, build_town

PARIS = "33142685300"


@pytest.fixture
def town(engine: Engine, clock: SettableClock, pepper: Pepper, tmp_path: Path) -> Town:
    return build_town(engine, clock, pepper, tmp_path)


@pytest.fixture
def shelf(town: Town) -> Iterator[Shelf]:
    with ThreadPoolExecutor(4) as pool:
        settings = Settings(call=CallSettings(warn_at_s=(10,)))  # so that the first grant is one minute
        rates, routes = RateBook(town.engine, town.clock), RouteBook(town.engine, town.clock)
        yield Shelf(town.engine, town.clock, town.pepper, settings, rates, routes, pool)


class Told:
    """How a story went."""

    def __init__(self, ring: Ring, decision: Decision | None, caller: ScriptedCaller, events: list[CallEvent]) -> None:
        self.ring, self.decision, self.caller, self.events = ring, decision, caller, events


def tell(
    shelf: Shelf,
    script: dict[str, list[str | None]],
    *,
    dnis: str = CALLING,
    asserted: str = ANN,
    claimed: str = "",
    hang_up_after: int | None = None,
) -> Told:
    ring = Ring(
        ids.new_id(), "gw1", ids.new_id(), "PJSIP/x", dnis, header(asserted), header(claimed), shelf.clock.now()
    )
    caller = ScriptedCaller(script, hang_up_after=hang_up_after)
    story = CallStory(caller, BackOffice(shelf), shelf.clock, StoryRules(3, 5000), ring)
    try:
        decision: Decision | None = asyncio.run(story.tell())
    except CallerGone:
        decision = None
    return Told(ring, decision, caller, story.events)


def header(user: str) -> str:
    return f"<sip:{user}@network>" if user else ""


def settle(shelf: Shelf, told: Told, *, seconds: float | None) -> int:
    now = shelf.clock.now()
    if seconds is not None and isinstance(shelf.clock, SettableClock):
        shelf.clock.advance(seconds)
    answered_at = None if seconds is None else now
    end = Settle(told.ring.call_id, answered_at, shelf.clock.now(), "answered", 16, "test", tuple(told.events))
    return call_service.settle(shelf.engine, shelf.clock, end).charged_micros


def test_a_line_with_one_account_needs_no_code(town: Town, shelf: Shelf) -> None:
    ann = town.account("ann", 5_000_000, line=ANN)
    told = tell(shelf, {"destination": [f"011{PARIS}"]})
    assert isinstance(told.decision, Dial)
    assert (told.decision.destination, told.decision.trunk) == (f"+{PARIS}", "network")
    assert told.decision.granted_ms == 60_000
    assert "tollgate/your-balance-is" in told.caller.heard
    assert told.caller.heard[-1] == "tollgate/connecting"
    assert town.balance(ann) == (5_000_000, 1_000_000)
    assert settle(shelf, told, seconds=30) == 500_000
    assert town.balance(ann) == (4_500_000, 0)


def test_an_unanswered_call_costs_nothing(town: Town, shelf: Shelf) -> None:
    ann = town.account("ann", 5_000_000, line=ANN)
    told = tell(shelf, {"destination": [f"011{PARIS}"]})
    assert settle(shelf, told, seconds=None) == 0
    assert town.balance(ann) == (5_000_000, 0)


def test_a_number_that_is_only_claimed_opens_nothing(town: Town, shelf: Shelf) -> None:
    town.account("ann", 5_000_000, line=ANN)
    told = tell(shelf, {"pin": ["12345678", None]}, asserted="", claimed=ANN)
    assert told.decision is None
    assert "tollgate/enter-pin" in told.caller.heard


def test_two_purses_on_one_line(town: Town, shelf: Shelf) -> None:
    first = town.account("first", 30_000_000, line=SHARED, code="1")
    second = town.account("second", 50_000_000, line=SHARED, code="*79")
    told = tell(shelf, {"access-code": ["1"], "destination": [f"011{PARIS}"]}, asserted=SHARED)
    assert settle(shelf, told, seconds=600) == 1_000_000  # only one minute was granted: the meter was not there
    told = tell(shelf, {"access-code": ["5", "*79"], "destination": [f"011{PARIS}"]}, asserted=SHARED)
    assert settle(shelf, told, seconds=30) == 500_000
    assert (town.balance(first)[0], town.balance(second)[0]) == (29_000_000, 49_500_000)


def test_neither_code_ends_the_call(town: Town, shelf: Shelf) -> None:
    town.account("first", 30_000_000, line=SHARED, code="1")
    town.account("second", 50_000_000, line=SHARED, code="2")
    told = tell(shelf, {"access-code": ["7", "8", "9"]}, asserted=SHARED)
    assert told.decision == Bye(21, "too-many-attempts")


def test_a_pin_opens_the_account_from_a_strange_line(town: Town, shelf: Shelf) -> None:
    ann = town.account("ann", 5_000_000)
    told = tell(shelf, {"pin": [town.pin(ann)], "destination": [f"011{PARIS}"]}, asserted=STRANGER)
    assert isinstance(told.decision, Dial)


def test_how_old_a_pin_or_code_is_that_opened_the_account(town: Town, shelf: Shelf, clock: SettableClock) -> None:
    begun_at = clock.now()
    ann = town.account("ann", 5_000_000, line=SHARED, code="1")
    town.account("bob", 5_000_000, line=SHARED, code="2")
    clock.advance(60)
    pin = town.pin(ann)
    set_code(town.engine, clock, town.pepper, number=ann.number, line=SHARED, code="3")
    clock.advance(86_400)

    def accepted(told: Told, step: str) -> dict[str, object]:
        events = call_service.explain(shelf.engine, told.ring.call_id).events
        (detail,) = [event.detail for event in events if (event.step, event.outcome) == (step, "accepted")]
        return dict(detail)

    def at(seconds: int) -> str:
        return (begun_at + timedelta(seconds=seconds)).isoformat(timespec="seconds")

    told = tell(shelf, {"pin": [pin], "destination": [f"011{PARIS}"]}, asserted=STRANGER)
    assert accepted(told, "pin") == {"account": ann.number, "pin_issued": at(60)}
    for code, set_s in (("3", 60), ("2", 0)):
        told = tell(shelf, {"access-code": [code], "destination": [f"011{PARIS}"]}, asserted=SHARED)
        said = accepted(told, "access-code")
        assert (said["bound_since"], said["code_set"]) == (at(0), at(set_s))


def test_guessing_pins_locks_the_line_across_calls(town: Town, shelf: Shelf) -> None:
    pin = town.pin(town.account("ann", 5_000_000))
    wrong = "00000000" if pin != "00000000" else "11111111"
    assert tell(shelf, {"pin": [wrong] * 3}, asserted=STRANGER).decision == Bye(21, "too-many-attempts")
    assert tell(shelf, {"pin": [wrong, wrong, pin]}, asserted=STRANGER).decision == Bye(21, "locked-out")
    assert tell(shelf, {"pin": [pin]}, asserted=STRANGER).decision == Bye(21, "locked-out")


def test_a_locked_line_that_needs_no_entry_goes_on(town: Town, shelf: Shelf) -> None:
    town.account("ann", 5_000_000, line=ANN)
    tell(shelf, {"pin": ["00000000"] * 3}, asserted="", claimed=ANN)
    tell(shelf, {"pin": ["00000000"] * 3}, asserted="", claimed=ANN)
    assert isinstance(tell(shelf, {"destination": [f"011{PARIS}"]}).decision, Dial)


def test_age_is_proven_once(town: Town, shelf: Shelf) -> None:
    town.account("ann", 5_000_000, line=ANN)
    town.listing(ANN)
    town.identity(ANN)
    script: dict[str, list[str | None]] = {"ssn-last-four": ["1111", SSN], "destination": [f"011{PARIS}"]}
    told = tell(shelf, script, dnis=CHECKED)
    assert isinstance(told.decision, Dial)
    settle(shelf, told, seconds=None)
    again = tell(shelf, {"destination": [f"011{PARIS}"]}, dnis=CHECKED)
    assert isinstance(again.decision, Dial)
    assert "tollgate/enter-ssn-last-four" not in again.caller.heard


def test_a_minor_is_refused_like_a_wrong_number(town: Town, shelf: Shelf) -> None:
    town.account("ann", 5_000_000, line=ANN)
    town.identity(ANN, birth_on="2015-01-01")
    minor = tell(shelf, {"ssn-last-four": [SSN] * 3}, dnis=CHECKED)
    town.account("bob", 5_000_000, line=BOB)
    town.identity(BOB)
    wrong = tell(shelf, {"ssn-last-four": ["1111"] * 3}, dnis=CHECKED, asserted=BOB)
    assert minor.decision == wrong.decision == Bye(21, "age-not-proven")
    assert minor.caller.heard == wrong.caller.heard


def test_age_check_needs_an_identified_line(town: Town, shelf: Shelf) -> None:
    assert tell(shelf, {}, dnis=CHECKED, asserted=STRANGER).decision == Bye(21, "line-not-identified")
    assert tell(shelf, {}, dnis=CHECKED, asserted="anonymous").decision == Bye(21, "number-withheld")


def test_a_subscriber_blocks_his_line_with_his_pin(town: Town, shelf: Shelf) -> None:
    ann, bob = town.account("ann", 5_000_000, line=ANN), town.account("bob", 5_000_000)
    anns, bobs = town.pin(ann), town.pin(bob)
    told = tell(shelf, {"destination": ["*60"], "block-pin": [bobs, bobs, bobs]})
    assert isinstance(told.decision, Bye)
    assert told.decision.disposition == "too-many-attempts"
    told = tell(shelf, {"destination": ["*60"], "block-pin": ["00000000", anns]})
    assert isinstance(told.decision, Bye)
    assert told.decision.disposition == "blocked-by-subscriber"
    assert told.caller.heard[-2] == "tollgate/line-blocked-by-subscriber"
    told = tell(shelf, {"destination": [f"011{PARIS}"]})
    assert isinstance(told.decision, Bye)
    assert told.decision.disposition == "blocked-by-subscriber"
    (noted,) = [event for event in told.events if event.step == "negative"]
    assert set(noted.detail) == {"entry", "since", "until", "source"}
    block_service.lift_own_block(
        town.engine, town.clock, account_number=ann.number, ani=ANN, by="ann", note="home again"
    )
    assert isinstance(tell(shelf, {"destination": [f"011{PARIS}"]}).decision, Dial)


@pytest.mark.parametrize("reason", list(NegativeReason))
def test_a_blocked_line_hears_its_reason(town: Town, shelf: Shelf, reason: NegativeReason) -> None:
    town.account("ann", 5_000_000, line=ANN)
    negative_service.block(town.engine, town.clock, NewBlock(ANN, reason, "test"), "test")
    told = tell(shelf, {})
    assert told.decision == Bye(21, reason.value)


def test_a_pin_is_issued_and_read_out_once(town: Town, shelf: Shelf) -> None:
    ann = town.account("ann", 5_000_000, line=ANN)
    told = tell(shelf, {"destination": [f"011{PARIS}"]}, dnis=ISSUING)
    start = told.caller.heard.index("tollgate/your-pin-is") + 1
    digits = "".join(name.removeprefix("digits/") for name in told.caller.heard[start : start + 8])
    assert account_service.check_pin(town.engine, town.clock, town.pepper, shelf.limits, STRANGER, digits) == ann.id
    assert digits not in repr(told.events)
    settle(shelf, told, seconds=None)
    assert "tollgate/your-pin-is" not in tell(shelf, {"destination": [None]}, dnis=ISSUING).caller.heard


@pytest.mark.parametrize(
    ("keyed", "disposition"),
    [
        ("19005551234", "destination-blocked"),
        ("011442071234567", "destination-not-priced"),
        ("123", "destination-not-valid"),
    ],
)
def test_refused_destinations_may_be_tried_again_and_then_end(
    town: Town, shelf: Shelf, keyed: str, disposition: str
) -> None:
    town.account("ann", 5_000_000, line=ANN)
    assert isinstance(tell(shelf, {"destination": [keyed, f"011{PARIS}"]}).decision, Dial)
    assert tell(shelf, {"destination": [keyed] * 3}).decision == Bye(
        1 if disposition == "destination-not-valid" else 21, disposition
    )


def test_no_credit_is_no_call(town: Town, shelf: Shelf) -> None:
    ann = town.account("ann", 10_000, line=ANN)
    assert tell(shelf, {"destination": [f"011{PARIS}"]}).decision == Bye(21, "no-credit")
    assert town.balance(ann) == (10_000, 0)


def test_little_money_is_granted_to_the_last_micro(town: Town, shelf: Shelf) -> None:
    ann = town.account("ann", 333_333, line=ANN)
    told = tell(shelf, {"destination": [f"011{PARIS}"]})
    assert isinstance(told.decision, Dial)
    assert town.balance(ann) == (333_333, 333_333)
    assert settle(shelf, told, seconds=60) == 333_333
    assert town.balance(ann) == (0, 0)


def test_included_minutes_are_announced_and_need_no_money(town: Town, shelf: Shelf) -> None:
    ann = town.account("ann", 0, line=ANN)
    offer = Offer("town", "france", Bundle(0, 180_000, prefixes=("33",), name="france"))
    bundle_service.create(town.engine, town.clock, offer, by="test")
    bundle_service.grant(town.engine, town.clock, ann.number, "france", by="test")
    told = tell(shelf, {"destination": [f"011{PARIS}"]})
    assert isinstance(told.decision, Dial)
    assert " ".join(spoken.say_minutes(180)) in " ".join(told.caller.heard)
    assert town.balance(ann) == (0, 0)
    assert settle(shelf, told, seconds=60) == 0
    again = tell(shelf, {"destination": [f"011{PARIS}"]})
    assert " ".join(spoken.say_minutes(120)) in " ".join(again.caller.heard)
    assert settle(shelf, again, seconds=60) == 0
    assert tell(shelf, {"destination": ["12125550188"]}).decision == Bye(21, "no-credit")


def test_the_number_dialled_and_the_month_decide_the_price(town: Town, shelf: Shelf) -> None:
    row = {"prefix": "33", "price_per_minute": "1", "surcharges": "1900 fee=0.5", "tiers": "60 2"}
    with reading(town.engine) as conn:
        owner = tariff_service.find_owner(conn, "town")
    wanted = TariffImport(owner.id, "retail", "USD", None, "test")
    tariff_service.import_tariff(town.engine, town.clock, wanted, [read_rate({**EMPTY, **row}, "USD")])
    ann = town.account("ann", 5_500_000, line=ANN)
    told = tell(shelf, {"destination": [f"011{PARIS}"]})
    assert " ".join(spoken.say_minutes(180)) in " ".join(told.caller.heard)
    assert settle(shelf, told, seconds=60) == 1_500_000
    again = tell(shelf, {"destination": [f"011{PARIS}"]})
    assert " ".join(spoken.say_minutes(105)) in " ".join(again.caller.heard)
    assert settle(shelf, again, seconds=30) == 1_500_000
    assert town.balance(ann) == (2_500_000, 0)
    why = call_service.explain(town.engine, again.ring.call_id).price_steps
    assert "used before in this month 60 s, tiers graduated" in why


def test_a_call_costs_three_transactions_and_one_for_each_extension(town: Town, shelf: Shelf) -> None:
    town.account("ann", 50_000_000, line=ANN)
    tell(shelf, {"destination": [f"011{PARIS}"]}, hang_up_after=1)  # what is read once for all calls
    commits: list[object] = []
    sa.event.listen(town.engine, "commit", commits.append)
    told = tell(shelf, {"destination": [f"011{PARIS}"]})
    assert isinstance(told.decision, Dial)
    for number in (1, 2):
        call_service.extend(shelf.engine, shelf.clock, told.ring.call_id, number, 60_000 * (number + 1))
    settle(shelf, told, seconds=90)
    assert len(commits) == 3 + 2


def test_an_unknown_toll_number_says_so(shelf: Shelf) -> None:
    assert tell(shelf, {}, dnis="19005559999").decision == Bye(1, "service-unknown")


def test_the_month_cap_is_known_before_anything_is_asked(town: Town, shelf: Shelf) -> None:
    town.account("ann", 1_000_000_000, line=ANN)
    told = tell(shelf, {"destination": [f"011{PARIS}"]})
    for number in range(1, 31):
        call_service.extend(town.engine, town.clock, told.ring.call_id, number, 60_000 * (number + 1))
    assert settle(shelf, told, seconds=1860) == 31_000_000
    for _ in range(2):
        told = tell(shelf, {"destination": [f"011{PARIS}"]})
        call_service.extend(town.engine, town.clock, told.ring.call_id, 1, 1_860_000)
        settle(shelf, told, seconds=1860)
    refused = tell(shelf, {})
    assert refused.decision == Bye(21, "month-cap-reached")


@pytest.mark.parametrize("after", range(12))
def test_hanging_up_at_any_step_costs_nothing(town: Town, shelf: Shelf, after: int) -> None:
    ann = town.account("ann", 5_000_000, line=ANN)
    town.identity(ANN)
    script: dict[str, list[str | None]] = {"ssn-last-four": ["1111", SSN], "destination": ["1", f"011{PARIS}"]}
    told = tell(shelf, script, dnis=CHECKED, hang_up_after=after)
    assert settle(shelf, told, seconds=None) == 0
    assert town.balance(ann) == (5_000_000, 0)
