"""Routes in the database and in memory, on SQLite and PostgreSQL."""

import pytest
from sqlalchemy.engine import Engine

from dialplan.routes.route import Route
from dialplan.routes.service import RouteBook, RouteChange, add_route, list_routes, remove_routes
from runtime.database import rehearsing
from runtime.faults import NotFoundError
from tests.clock import SettableClock


def test_a_route_is_added_once_and_its_rank_may_change(engine: Engine) -> None:
    assert add_route(engine, Route("network", "44")) is RouteChange.ADDED
    assert add_route(engine, Route("network", "44")) is RouteChange.UNCHANGED
    assert add_route(engine, Route("network", "44", 3)) is RouteChange.RANK_CHANGED
    assert add_route(engine, Route("spare", "44", 1)) is RouteChange.ADDED
    assert add_route(engine, Route("network", "")) is RouteChange.ADDED
    assert list_routes(engine) == [Route("network", ""), Route("spare", "44", 1), Route("network", "44", 3)]


def test_routes_are_removed_one_by_one_or_all_of_a_prefix(engine: Engine) -> None:
    for trunk in ("a", "b", "c"):
        add_route(engine, Route(trunk, "44"))
    assert remove_routes(rehearsing(engine), "44", None) == 3
    assert remove_routes(engine, "44", "b") == 1
    assert remove_routes(engine, "44", None) == 2
    with pytest.raises(NotFoundError):
        remove_routes(engine, "44", None)


def test_the_book_sees_changes_after_its_refresh(engine: Engine, clock: SettableClock) -> None:
    book = RouteBook(engine, clock, refresh_s=5)
    assert book.routes_for("+442079460000") == ()
    add_route(engine, Route("network", "44"))
    assert book.routes_for("+442079460000") == ()
    clock.advance(5)
    assert book.routes_for("+442079460000") == (Route("network", "44"),)
    remove_routes(engine, "44", None)
    clock.advance(5)
    assert book.routes_for("+442079460000") == ()
