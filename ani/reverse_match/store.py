"""Listings in SQL; at most one of a line holds at a time, which the database itself guards."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ani.reverse_match.listing import Identity, Listing
from ani.reverse_match.tables import listing
from runtime.database import Instant
from runtime.prepared import Prepared

_HOLDS = listing.c.valid_until_at.is_(None)
_FIELDS = (
    listing.c.ani,
    listing.c.first_name,
    listing.c.last_name,
    listing.c.address,
    listing.c.postal_code,
    listing.c.country,
    listing.c.source,
    listing.c.valid_from_at,
    listing.c.valid_until_at,
)
_CURRENT = Prepared(sa.select(*_FIELDS).where(listing.c.ani == sa.bindparam("line"), _HOLDS))
_CURRENT_ON = sa.select(*_FIELDS).where(listing.c.ani.in_(sa.bindparam("lines", expanding=True)), _HOLDS)
_HISTORY = (
    sa.select(*_FIELDS).where(listing.c.ani == sa.bindparam("line")).order_by(listing.c.valid_from_at, listing.c.id)
)
_INSERT = sa.insert(listing)
_END = (
    sa.update(listing)
    .where(listing.c.ani == sa.bindparam("line"), _HOLDS)
    .values(valid_until_at=sa.bindparam("until_at", type_=Instant))
)
_LOCK = sa.text("LOCK TABLE listing IN SHARE ROW EXCLUSIVE MODE")
_AT_ONCE = 1000


def lock(conn: Connection) -> None:
    """Let no other writer of listings in until this transaction ends; readers are not kept waiting."""
    if conn.dialect.name == "postgresql":
        conn.execute(_LOCK)


def current_listing(conn: Connection, ani: str) -> Listing | None:
    """The listing of the line that holds now."""
    row = _CURRENT.first(conn, line=ani)
    return _listing(row) if row else None


def current_listings(conn: Connection, lines: Collection[str]) -> dict[str, Listing]:
    """The listings that hold now, by line."""
    wanted = list(lines)
    return {
        row.ani: _listing(tuple(row))
        for start in range(0, len(wanted), _AT_ONCE)
        for row in conn.execute(_CURRENT_ON, {"lines": wanted[start : start + _AT_ONCE]})
    }


def history(conn: Connection, ani: str) -> list[Listing]:
    """Every listing of the line, oldest first."""
    return [_listing(tuple(row)) for row in conn.execute(_HISTORY, {"line": ani})]


def end_listings(conn: Connection, lines: Iterable[str], at: datetime) -> None:
    """End the listings that hold now."""
    conn.execute(_END, [{"line": line, "until_at": at} for line in lines])


def insert_listings(conn: Connection, identities: Iterable[Identity], at: datetime) -> None:
    """Add listings that hold from `at`; those they supersede have been ended."""
    conn.execute(
        _INSERT,
        [
            {
                "ani": new.ani,
                "first_name": new.first_name,
                "last_name": new.last_name,
                "address": new.address,
                "postal_code": new.postal_code,
                "country": new.country,
                "source": new.source,
                "valid_from_at": at,
                "valid_until_at": None,
            }
            for new in identities
        ],
    )


def _listing(row: tuple[Any, ...]) -> Listing:
    *fields, valid_from_at, valid_until_at = row
    return Listing(Identity(*fields), valid_from_at, valid_until_at)
