"""How far each import of listings is, so that one that was cut off goes on where it stood."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ani.reverse_match.tables import listing_import


@dataclass(frozen=True, slots=True)
class ListingImport:
    """One import: of which file, and how many rows of it are done; `finished_at` is none for one that was cut off."""

    import_id: int
    fingerprint: str
    file_name: str
    source: str
    started_at: datetime
    finished_at: datetime | None
    rows_read: int
    rows_loaded: int
    rows_unchanged: int
    rows_rejected: int
    reject_bytes: int


_ALL = sa.select(listing_import)
_UNFINISHED = (
    _ALL.where(listing_import.c.fingerprint == sa.bindparam("mark"), listing_import.c.finished_at.is_(None))
    .order_by(listing_import.c.id.desc())
    .limit(1)
)


def unfinished(conn: Connection, fingerprint: str) -> ListingImport | None:
    """The last import of this content that did not come to its end."""
    row = conn.execute(_UNFINISHED, {"mark": fingerprint}).first()
    return ListingImport(*row) if row else None


def start(conn: Connection, fingerprint: str, file_name: str, source: str, at: datetime) -> ListingImport:
    """A new import, at its first row."""
    values: dict[str, Any] = {
        "fingerprint": fingerprint,
        "file_name": file_name[-200:],
        "source": source,
        "started_at": at,
        "finished_at": None,
        "rows_read": 0,
        "rows_loaded": 0,
        "rows_unchanged": 0,
        "rows_rejected": 0,
        "reject_bytes": 0,
    }
    found = conn.execute(sa.insert(listing_import).values(**values)).inserted_primary_key
    return ListingImport(found[0] if found else 0, **values)


def advance(conn: Connection, reached: ListingImport) -> None:
    """Keep how far it is."""
    conn.execute(
        sa.update(listing_import)
        .where(listing_import.c.id == reached.import_id)
        .values(
            finished_at=reached.finished_at,
            rows_read=reached.rows_read,
            rows_loaded=reached.rows_loaded,
            rows_unchanged=reached.rows_unchanged,
            rows_rejected=reached.rows_rejected,
            reject_bytes=reached.reject_bytes,
        )
    )


def list_imports(conn: Connection, limit: int) -> list[ListingImport]:
    """The newest imports."""
    return [ListingImport(*row) for row in conn.execute(_ALL.order_by(listing_import.c.id.desc()).limit(limit))]
