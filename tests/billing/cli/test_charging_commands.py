"""`tollgate charging reap`: rehearsed, done, and nothing left to do."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy.engine import Engine

from billing.cli import root
from billing.consumption import service as consumption
from billing.consumption.consumption import Open, Reservation
from runtime.clock import SystemClock
from runtime.database import create_engine
from runtime.ids import new_id
from tests.billing.books import UNIT, Books
from tests.billing.shop import open_shop
from tests.clock import SettableClock
from tests.terminal import Terminal


@pytest.fixture
def engine(sqlite_url: str) -> Iterator[Engine]:
    """The database the command reads too."""
    engine = create_engine(sqlite_url)
    yield engine
    engine.dispose()


def test_reap(engine: Engine, sqlite_url: str, installation: Callable[[str], None]) -> None:
    """A call and a data session of a day ago; one call of this moment."""
    installation(sqlite_url)
    terminal, clock = Terminal(root.attach), SettableClock(SystemClock().now())
    clock.advance(-86_400)
    books, shop = Books(engine, clock), open_shop(engine, clock)
    account_id, price = books.account(10 * UNIT), books.rate()
    old = books.up(account_id, price)
    surfer = shop.account(UNIT)
    wish = Open(new_id(), shop.sold(surfer, "data", "net"), 1_000_000)
    assert isinstance(consumption.open_session(shop.engine, clock, shop.rates, wish), Reservation)
    clock.advance(86_400)
    books.up(account_id, price, ani="+12125550177")

    rehearsed = terminal.must("charging", "reap", "--dry-run", "--json").document
    assert rehearsed["dry_run"] is True
    assert len(rehearsed["ended"]) == 2
    assert books.money(account_id) == (10 * UNIT, 2 * UNIT)
    ended = terminal.must("charging", "reap", "--json").document["ended"]
    assert [(one["service"], one["call_id"], one["charged"]["amount"]) for one in ended] == [
        ("call", old, "0.000000"),
        ("data", None, "0.000000"),
    ]
    assert [one["freed"] for one in ended] == [
        {"amount": "1.000000", "currency": "USD"},
        {"amount": "0.050000", "currency": "USD"},
    ]
    assert books.money(account_id) == (10 * UNIT, UNIT)
    assert terminal.run("charging", "reap").code == 3
    assert terminal.must("charging", "reap", "--quiet").out == ""
    assert terminal.run("charging", "reap", "--after", "-1").code == 2
    books.assert_sound()
