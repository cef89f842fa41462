"""A caller pays a card in, binds his line and takes it off, where he is asked for a destination; both databases."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from billing.accounts import service as account_service
from billing.cards import service as card_service
from billing.cards.batch import CardClass
from billing.cards.printing import service as printing_service
from billing.operators import service as operator_service
from billing.operators.operator import ProfileTerms, Reach
from billing.pins import service as pin_service
from billing.pins.pin_range import RangeTerms
from billing.tariffs.service import RateBook
from dialplan.routes.service import RouteBook
from ivr.back_office import Shelf
from ivr.call import Bye, Dial
from runtime.keys import Pepper
from runtime.settings import CallSettings, Settings
from tests.clock import SettableClock
from tests.ivr.test_story import PARIS, tell
from tests.ivr.town import ANN, CALLING, STRANGER, Town, build_town

BINDING = "19005550133"
TO_PARIS = f"011{PARIS}"
TEN = 10_000_000


@pytest.fixture
def town(engine: Engine, clock: SettableClock, pepper: Pepper, tmp_path: Path) -> Town:
    made = build_town(engine, clock, pepper, tmp_path)
    terms = ProfileTerms(bind_line=True, issue_pin=True, pin_range="phone", reach=Reach.ABROAD)
    pin_service.create_range(engine, clock, "town", RangeTerms("phone", prefix="42", most=1), by="t")
    operator_service.create_profile(engine, operator_code="town", name="binding", tariff_name="retail", terms=terms)
    operator_service.create_number(engine, dnis=BINDING, operator_code="town", profile_name="binding")
    return made


@pytest.fixture
def shelf(town: Town) -> Iterator[Shelf]:
    with ThreadPoolExecutor(4) as pool:
        rates, routes = RateBook(town.engine, town.clock), RouteBook(town.engine, town.clock)
        settings = Settings(call=CallSettings(warn_at_s=(10,)))
        yield Shelf(town.engine, town.clock, town.pepper, settings, rates, routes, pool)


def card(town: Town, micros: int = TEN, *, batch: str = "online", valid_days: int | None = None) -> tuple[str, str]:
    """A virtual card of the town."""
    kind = CardClass("c", micros, valid_days=valid_days)
    card_service.create_batch(
        town.engine, town.clock, operator_code="town", name=batch, card_class=kind, cards=1, is_virtual=True, by="t"
    )
    made, digits = printing_service.issue_card(town.engine, town.clock, town.pepper, name=batch, by="t")
    return made.serial, digits


def test_a_card_lets_its_owner_in_from_any_line(town: Town, shelf: Shelf) -> None:
    serial, digits = card(town, valid_days=3)
    told = tell(shelf, {"pin": [digits], "destination": [TO_PARIS]}, asserted=STRANGER)
    assert isinstance(told.decision, Dial)
    made = account_service.find_account(town.engine, serial)
    assert (made.balance_micros, made.held_micros) == (TEN, 1_000_000)
    assert digits not in repr(told.events)


def test_who_has_no_credit_pays_a_card_in_and_goes_on(town: Town, shelf: Shelf) -> None:
    ann = town.account("ann", 10_000, line=ANN)
    assert tell(shelf, {"destination": [TO_PARIS]}).decision == Bye(21, "no-credit")  # no cards are sold yet
    _, digits = card(town)
    told = tell(shelf, {"destination": [TO_PARIS], "card": ["00000000", digits]})
    assert isinstance(told.decision, Dial)
    assert town.balance(ann) == (TEN + 10_000, 1_000_000)
    heard = told.caller.heard
    assert heard.index("tollgate/no-credit") < heard.index("tollgate/voucher-wrong")
    assert heard.index("tollgate/voucher-accepted") < heard.index("tollgate/the-price-is")
    assert digits not in repr(told.events)
    assert [event.outcome for event in told.events if event.step == "top-up"] == []  # they went with the authorisation


def test_who_keys_no_card_is_refused_as_before(town: Town, shelf: Shelf) -> None:
    town.account("ann", 10_000, line=ANN)
    card(town)
    assert tell(shelf, {"destination": [TO_PARIS], "card": [""]}).decision == Bye(21, "no-credit")
    assert tell(shelf, {"destination": [TO_PARIS], "card": ["1", "2", "3"]}).decision == Bye(21, "no-credit")


def test_star_one_pays_a_card_in(town: Town, shelf: Shelf) -> None:
    ann = town.account("ann", 1_000_000, line=ANN)
    _, digits = card(town)
    told = tell(shelf, {"destination": ["*1", TO_PARIS], "card": [digits]})
    assert isinstance(told.decision, Dial)
    assert town.balance(ann)[0] == TEN + 1_000_000
    assert tell(shelf, {"destination": ["*1", "*7", "*2"], "card": [""]}).decision == Bye(21, "too-many-attempts")


def test_a_line_is_bound_after_the_pin_is_proven(town: Town, shelf: Shelf) -> None:
    ann = town.account("ann", 5_000_000)
    pin = town.pin(ann)
    told = tell(shelf, {"pin": [pin], "destination": ["*2", "*2", TO_PARIS]}, dnis=BINDING, asserted=STRANGER)
    assert isinstance(told.decision, Dial)
    assert "tollgate/line-bound" in told.caller.heard
    assert "tollgate/line-bound-already" in told.caller.heard
    (bound,) = account_service.list_lines(town.engine, number=ann.number)
    assert bound.ani == STRANGER
    by_line = tell(shelf, {"pin": ["00000000", pin], "destination": ["*3", None]}, dnis=BINDING, asserted=STRANGER)
    assert "tollgate/line-unbound" in by_line.caller.heard
    assert account_service.list_lines(town.engine, number=ann.number) == []


def test_a_line_that_is_not_vouched_for_or_another_ones_is_not_bound(town: Town, shelf: Shelf) -> None:
    ann = town.account("ann", 5_000_000, line=ANN)
    bob = town.account("bob", 5_000_000)
    pin = town.pin(bob)
    claimed = tell(shelf, {"pin": [pin], "destination": ["*2", None]}, dnis=BINDING, asserted="", claimed=STRANGER)
    assert "tollgate/line-not-asserted" in claimed.caller.heard
    elsewhere = tell(shelf, {"pin": [pin], "destination": ["*2", None]}, dnis=CALLING, asserted=STRANGER)
    assert "tollgate/destination-not-valid" in elsewhere.caller.heard
    not_his = tell(shelf, {"pin": [pin, pin, pin], "destination": ["*3", None]}, dnis=BINDING)  # from Ann's line
    assert "tollgate/line-unbound" not in not_his.caller.heard
    assert [row.account_number for row in account_service.list_lines(town.engine)] == [ann.number]


def test_a_service_issues_pins_of_its_range_until_it_is_full(town: Town, shelf: Shelf) -> None:
    town.account("ann", 5_000_000, line=ANN)
    town.account("bob", 5_000_000, line=STRANGER)
    heard = tell(shelf, {"destination": [TO_PARIS]}, dnis=BINDING).caller.heard
    start = heard.index("tollgate/your-pin-is") + 1
    assert heard[start : start + 2] == ["digits/4", "digits/2"]
    full = tell(shelf, {"destination": [TO_PARIS]}, dnis=BINDING, asserted=STRANGER)
    assert isinstance(full.decision, Dial)
    assert "tollgate/your-pin-is" not in full.caller.heard


def test_an_account_past_its_card_is_refused_on_its_line_too(town: Town, shelf: Shelf, clock: SettableClock) -> None:
    serial, digits = card(town, valid_days=1)
    bound = tell(shelf, {"pin": [digits], "destination": ["*2", None]}, dnis=BINDING, asserted=STRANGER)
    assert "tollgate/line-bound" in bound.caller.heard
    clock.advance(86_401.0)
    assert tell(shelf, {}, asserted=STRANGER).decision == Bye(21, "account-expired")
    assert account_service.find_account(town.engine, serial).balance_micros == TEN
