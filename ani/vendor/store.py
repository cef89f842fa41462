"""Questions to vendors in SQL: counted before they are sent, kept after they are answered."""

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ani.vendor.tables import vendor_day, vendor_query
from runtime.prepared import Prepared

_COUNT = Prepared(
    sa.text(
        "INSERT INTO vendor_day (vendor, day, requests, cost_micros) VALUES (:vendor, :day, 1, :cost_micros)"
        " ON CONFLICT (vendor, day) DO UPDATE SET requests = vendor_day.requests + 1,"
        " cost_micros = vendor_day.cost_micros + excluded.cost_micros WHERE vendor_day.requests < :most"
    ).bindparams(sa.bindparam("day", type_=sa.Date))
)
_KEEP = Prepared(sa.insert(vendor_query), tuple(column.name for column in vendor_query.c if column.name != "id"))
_OF_LINE = Prepared(
    sa.select(vendor_query)
    .where(vendor_query.c.ani == sa.bindparam("line"))
    .order_by(vendor_query.c.id.desc())
    .limit(sa.bindparam("most", type_=sa.Integer))
)


@dataclass(frozen=True, slots=True)
class VendorQuery:
    """One question: its outcome, the requests it took (0: none was sent), how long the caller waited, what it cost."""

    vendor: str
    purpose: str
    ani: str
    call_id: str | None
    outcome: str
    requests: int
    took_ms: int
    cost_micros: int
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class VendorDay:
    """What one vendor was asked on one day (UTC), and what that cost."""

    vendor: str
    day: date
    requests: int
    cost_micros: int


def count_request(conn: Connection, vendor: str, day: date, cost_micros: int, most: int) -> bool:
    """Count a request that is about to be sent; false, and nothing counted, when the day has had `most` already."""
    return most > 0 and _COUNT.run(conn, vendor=vendor, day=day, cost_micros=cost_micros, most=most) == 1


def keep_query(conn: Connection, query: VendorQuery) -> None:
    """Keep what became of a question."""
    _KEEP.run(
        conn,
        vendor=query.vendor,
        purpose=query.purpose,
        ani=query.ani,
        call_id=query.call_id,
        outcome=query.outcome,
        requests=query.requests,
        took_ms=query.took_ms,
        cost_micros=query.cost_micros,
        asked_at=query.asked_at,
    )


def queries_of(conn: Connection, ani: str, most: int = 100) -> list[VendorQuery]:
    """What was asked of a line, the newest first."""
    return [VendorQuery(*row[1:]) for row in _OF_LINE.all(conn, line=ani, most=most)]


def days(conn: Connection, most: int) -> list[VendorDay]:
    """The newest days, each vendor of its own."""
    rows = conn.execute(sa.select(vendor_day).order_by(vendor_day.c.day.desc(), vendor_day.c.vendor).limit(most))
    return [VendorDay(*row) for row in rows]
