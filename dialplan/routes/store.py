"""The only SQL of routes."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from dialplan.routes.route import Route
from dialplan.routes.tables import route

_ALL = sa.select(route.c.trunk, route.c.prefix, route.c.rank).order_by(route.c.prefix, route.c.rank, route.c.trunk)


def routes(conn: Connection) -> list[Route]:
    """All routes, by prefix and rank."""
    return [Route(trunk, prefix, rank) for trunk, prefix, rank in conn.execute(_ALL)]


def find_route(conn: Connection, prefix: str, trunk: str) -> Route | None:
    """The route of this prefix and trunk."""
    row = conn.execute(_ALL.where(route.c.prefix == prefix, route.c.trunk == trunk)).one_or_none()
    return None if row is None else Route(row.trunk, row.prefix, row.rank)


def add_route(conn: Connection, added: Route) -> None:
    """A new route; raises IntegrityError when this prefix and trunk have one."""
    conn.execute(sa.insert(route).values(prefix=added.prefix, trunk=added.trunk, rank=added.rank))


def change_rank(conn: Connection, changed: Route) -> None:
    """Give the route of this prefix and trunk another rank."""
    found = sa.and_(route.c.prefix == changed.prefix, route.c.trunk == changed.trunk)
    conn.execute(sa.update(route).where(found).values(rank=changed.rank))


def remove_routes(conn: Connection, prefix: str, trunk: str | None) -> int:
    """Remove the route of this prefix and trunk, or all of the prefix; how many there were."""
    statement = sa.delete(route).where(route.c.prefix == prefix)
    return conn.execute(statement if trunk is None else statement.where(route.c.trunk == trunk)).rowcount
