"""Listings in SQL; at most one of a line holds at a time, which the database itself guards."""

from collections.abc import Collection, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ani.reverse_match.listing import Identity, Listing
from ani.reverse_match.tables import listing
from runtime.among import Among
from runtime.database import Instant
from runtime.looks import Look, Row
from runtime.prepared import Prepared
from runtime.prepared_rows import RowWrite

_HOLDS = listing.c.valid_until_at.is_(None)
_FIELDS = (
    listing.c.ani,
    listing.c.first_name,
    listing.c.last_name,
    listing.c.address,
    listing.c.postal_code,
    listing.c.country,
    listing.c.source,
    listing.c.line_type,
    listing.c.valid_from_at,
    listing.c.valid_until_at,
    listing.c.validated_at,
    listing.c.changed_hands_at,
    listing.c.import_id,
)
_COLUMNS = tuple(column.name for column in _FIELDS)
_CURRENT_STATEMENT = sa.select(*_FIELDS).where(listing.c.ani == sa.bindparam("line"), _HOLDS)
_CURRENT = Prepared(_CURRENT_STATEMENT)
_CURRENT_ON = Among(lambda among: sa.select(*_FIELDS).where(among, _HOLDS), "ani")
# Told apart by what the two partial indexes hold, so that neither look-up reads the whole table.
_PAST = Prepared(
    sa.select(*_FIELDS)
    .where(listing.c.ani == sa.bindparam("line"), listing.c.valid_until_at.is_not(None))
    .order_by(listing.c.valid_from_at, listing.c.id)
)
_PAST_ON = Among(
    lambda among: (
        sa.select(*_FIELDS)
        .where(among, listing.c.valid_until_at.is_not(None))
        .order_by(listing.c.valid_from_at, listing.c.id)
    ),
    "ani",
)
_LAST_PAST = Prepared(
    sa.select(*_FIELDS)
    .where(listing.c.ani == sa.bindparam("line"), listing.c.valid_until_at.is_not(None))
    .order_by(listing.c.valid_from_at.desc(), listing.c.id.desc())
    .limit(1)
)
_ADD = RowWrite(listing, sets=_COLUMNS)
_IDENTITY = attrgetter(*_COLUMNS[:8])
_END = RowWrite(listing, keys=("ani",), sets=("valid_until_at",), while_null="valid_until_at")
_VALIDATE = Among(
    lambda among: (
        sa.update(listing)
        .where(among, _HOLDS)
        .values(
            validated_at=sa.bindparam("seen_at", type_=Instant),
            import_id=sa.bindparam("by_import", type_=sa.BigInteger),
        )
    ),
    "ani",
)
_QUEUE_UP = Prepared(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:subject, 0))"))
_LOCK = sa.text("LOCK TABLE listing IN SHARE ROW EXCLUSIVE MODE")


def lock(conn: Connection) -> None:
    """Let no other writer of listings in until this transaction ends; readers are not kept waiting."""
    if conn.dialect.name == "postgresql":
        conn.execute(_LOCK)


def lock_line(conn: Connection, ani: str) -> None:
    """Let no other writer of this line's listings in until this transaction ends."""
    if conn.dialect.name == "postgresql":
        _QUEUE_UP.first(conn, subject=f"listing-{ani}")


def current_listing(conn: Connection, ani: str) -> Listing | None:
    """The listing of the line that holds now."""
    return CURRENT.read(_CURRENT.first(conn, line=ani))


def last_listing(conn: Connection, ani: str) -> Listing | None:
    """The listing of the line that holds now, or the last of those that ended."""
    row = _CURRENT.first(conn, line=ani) or _LAST_PAST.first(conn, line=ani)
    return _current(row)


def current_listings(conn: Connection, lines: Collection[str]) -> dict[str, Listing]:
    """The listings that hold now, by line."""
    return {row[0]: _listing(row) for row in _CURRENT_ON.all(conn, lines)}


def former_listings(conn: Connection, lines: Collection[str]) -> dict[str, Listing]:
    """The listing that ended last, by line."""
    return {row[0]: _listing(row) for row in _PAST_ON.all(conn, lines)} if lines else {}


def history(conn: Connection, ani: str) -> list[Listing]:
    """Every listing of the line, oldest first."""
    past = [_listing(row) for row in _PAST.all(conn, line=ani)]
    return past + [_listing(row) for row in _CURRENT.all(conn, line=ani)]


def end_listings(conn: Connection, ends: Sequence[tuple[str, datetime]]) -> None:
    """End the listings of these lines that hold now, each at its moment."""
    _END.run(conn, ends)


def validate_listings(conn: Connection, lines: Collection[str], at: datetime, import_id: int | None) -> None:
    """Keep that a source said the same again."""
    if lines:
        _VALIDATE.run(conn, lines, seen_at=at, by_import=import_id)


def insert_listings(conn: Connection, listings: Sequence[Listing]) -> None:
    """Add listings; those they supersede have been ended."""
    _ADD.copy(conn, [_values(new) for new in listings])


def _values(new: Listing) -> tuple[object, ...]:
    return (
        *_IDENTITY(new.identity),
        new.valid_from_at,
        new.valid_until_at,
        new.validated_at,
        new.changed_hands_at,
        new.import_id,
    )


def _listing(row: tuple[Any, ...]) -> Listing:
    return Listing(Identity(*row[:8]), *row[8:])


def _current(row: Row | None) -> Listing | None:
    return _listing(row) if row else None


CURRENT = Look(_CURRENT_STATEMENT, _current)
"""The listing of a `line` that holds now."""
