"""Who is in the demonstration, and what is told of their money."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy.engine import Engine

from ani.qualification import store as qualification_store
from ani.reverse_match import store as listing_store
from billing.accounts import service as account_service
from billing.accounts.account import AccountRefusal
from billing.calls import service as call_service
from billing.calls.call import Authorise, Authorised, NewCall
from billing.ledger.service import audit
from billing.operators import store as operator_store
from billing.rating import Rate
from billing.tariffs.service import RateBook
from ivr.demo import seed
from ivr.demo.books import Books, Standing
from ivr.demo.run import DESTINATION
from ivr.demo.seed import Ground
from ivr.demo.stage import Stage, kept_secret
from ivr.demo.view import View
from ivr.demo.watch import Line, Scene
from runtime.command import CommandError
from runtime.database import reading, transaction
from runtime.keys import Pepper
from tests.clock import SettableClock
from tests.ivr.town import LIMITS


@pytest.fixture
def ground(sqlite_engine: Engine, clock: SettableClock, pepper: Pepper, tmp_path: Path) -> Ground:
    made = Ground(sqlite_engine, clock, pepper, tmp_path)
    seed.seed(made)
    return made


def test_the_line_is_listed_grown_up_and_pays(ground: Ground) -> None:
    account = seed.add_caller(ground)
    with reading(ground.engine) as conn:
        listing = listing_store.current_listing(conn, seed.LINE)
        assert qualification_store.has_identity(conn, seed.LINE)
    assert listing is not None
    assert listing.identity.last_name == "Example"
    assert account_service.find_account(ground.engine, account.number).balance_micros == seed.CALLER_MICROS
    assert audit(ground.engine) == []
    assert not list(ground.folder.glob("identity*"))


def test_the_softphone_gets_a_new_pin_each_time_and_money_only_when_it_is_poor(ground: Ground) -> None:
    assert seed.is_seeded(ground.engine)
    first, old = seed.add_softphone(ground)
    again, new = seed.add_softphone(ground)
    assert (again.id, again.balance_micros) == (first.id, seed.SOFTPHONE_MICROS)
    answers = [
        account_service.check_pin(ground.engine, ground.clock, ground.pepper, LIMITS, "", pin) for pin in (old, new)
    ]
    assert answers == [AccountRefusal.WRONG_PIN, first.id]


def test_the_money_left_is_what_the_bill_would_leave(ground: Ground, clock: SettableClock) -> None:
    account = seed.add_caller(ground)
    call = _call(ground, account.id)
    books = Books(ground.engine, "gw1", account.id)
    scene = Scene("1.0", "PJSIP/x", seed.CHECKED_NUMBER)
    standing = books.look(scene)
    assert standing is not None
    assert [standing.left_micros(used_ms) for used_ms in (0, 1, 6_000, 6_001, 24_000)] == [
        20_000,
        16_500,
        16_500,
        13_000,
        6_000,
    ]
    told = [line.text for line in books.news(standing)]
    assert told == [
        "the line is +14155550142, listed as Ann Example",
        f"keeps it as call {call}",
        "0.014 USD held for the first 24.000 s",
    ]
    assert books.news(standing) == []
    assert books.look(Scene("9.9", "", "")) is None
    _show(clock, [(scene, standing)], books.news(standing))


def test_a_password_is_kept_and_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / "secret"
    first = kept_secret(path)
    assert kept_secret(path) == first
    assert len(first) == 10
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["", "../x", "a/b", "-x", "A", "x" * 41])
def test_a_name_is_no_path(name: str) -> None:
    with pytest.raises(CommandError, match="--name"):
        Stage.folder_of(name)


def _call(ground: Ground, account_id: int) -> str:
    now = ground.clock.now()
    with transaction(ground.engine) as conn:
        profile = operator_store.profile_for(conn, seed.CHECKED_NUMBER)
        assert profile is not None
        new = NewCall("c1", "gw1", "1.0", "PJSIP/x", seed.CHECKED_NUMBER, seed.LINE, now, profile.id)
        call_service.open_call(conn, new)
    rate = RateBook(ground.engine).rate_for(profile.tariff_id, f"+{DESTINATION}", now)
    assert isinstance(rate, Rate)
    wanted = Authorise(
        "c1",
        "s1",
        account_id,
        rate,
        f"+{DESTINATION}",
        "network",
        seed.LINE,
        1_860_000,
        5_580_000,
        20_000,
        5_000,
        profile.id,
    )
    assert isinstance(call_service.authorise(ground.engine, ground.clock, wanted), Authorised)
    return "c1"


def _show(clock: SettableClock, calls: Sequence[tuple[Scene, Standing | None]], lines: Sequence[Line]) -> None:
    """The panel can be drawn at every stage of a call."""
    console = Console(force_terminal=True, width=80, record=True)
    view = View(console, clock)
    with view.call():
        view.show([(scene, None) for scene, _ in calls], clock.now())
        view.show(calls, clock.now())
    for line in lines:
        view.tell(line)
