"""Use-cases of routes: add, list, remove, and know the routes of a number at any moment."""

import enum
import threading

from sqlalchemy.engine import Engine

from dialplan.routes import store
from dialplan.routes.route import Route, RouteTable, find_routes
from runtime.clock import Clock, SystemClock
from runtime.database import reading, transaction
from runtime.faults import NotFoundError


class RouteChange(enum.Enum):
    """What adding a route did."""

    ADDED = "added"
    RANK_CHANGED = "rank changed"
    UNCHANGED = "unchanged"


def add_route(engine: Engine, route: Route) -> RouteChange:
    """Add a route, or change the rank of the one there is for this prefix and trunk."""
    with transaction(engine) as conn:
        before = store.find_route(conn, route.prefix, route.trunk)
        if before is None:
            store.add_route(conn, route)
            return RouteChange.ADDED
        if before == route:
            return RouteChange.UNCHANGED
        store.change_rank(conn, route)
        return RouteChange.RANK_CHANGED


def list_routes(engine: Engine) -> list[Route]:
    """All routes, by prefix and rank."""
    with reading(engine) as conn:
        return store.routes(conn)


def remove_routes(engine: Engine, prefix: str, trunk: str | None) -> int:
    """Remove a route, or all routes of a prefix; how many there were. Raises NotFoundError when there was none."""
    with transaction(engine) as conn:
        removed = store.remove_routes(conn, prefix, trunk)
    if not removed:
        raise NotFoundError("there is no such route")
    return removed


class RouteBook:
    """The routes, held in memory and read again at most every `refresh_s` seconds; safe to ask from many threads.

    Raises the database's errors when it must read and cannot.
    """

    def __init__(self, engine: Engine, clock: Clock | None = None, refresh_s: float = 5.0) -> None:
        self._engine = engine
        self._clock = clock or SystemClock()
        self._refresh_s = refresh_s
        self._lock = threading.Lock()
        self._due_s = self._clock.monotonic_s()
        self._table: RouteTable | None = None

    def routes_for(self, e164: str) -> tuple[Route, ...]:
        """The routes to try for a number, in order; none when nothing carries it."""
        table = self._table
        if table is None or self._clock.monotonic_s() >= self._due_s:
            table = self._read(table)
        return find_routes(table, e164)

    def _read(self, table: RouteTable | None) -> RouteTable:
        """The routes as they are now; while another thread reads them, those of before."""
        if not self._lock.acquire(blocking=table is None) and table is not None:
            return table
        try:
            if self._table is None or self._clock.monotonic_s() >= self._due_s:
                self._table = RouteTable(list_routes(self._engine))
                self._due_s = self._clock.monotonic_s() + self._refresh_s
            return self._table
        finally:
            self._lock.release()
