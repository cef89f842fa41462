"""Tiers from before they had operators go to the operator of the line's account, or bind nobody."""

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from migrations.tables import metadata
from runtime import schema
from runtime.database import transaction

T0 = datetime(2026, 3, 2, 12, tzinfo=UTC)
_TIER = sa.text("INSERT INTO line_tier (ani, tier, source, set_at, set_by) VALUES (:ani, 'gold', 'staff', 1, 'bob')")
_TIERS = sa.text("SELECT ani, operator_id FROM line_tier ORDER BY ani")


def _insert(conn: Connection, table: str, **values: object) -> None:
    conn.execute(sa.insert(metadata.tables[table]).values(values))


def _operator(conn: Connection, number: int) -> None:
    _insert(conn, "operator", id=number, code=f"op{number}", name="Op", currency="USD", home_country="US")


def test_whose_the_tiers_are(engine: Engine) -> None:
    with transaction(engine) as conn:
        schema.downgrade(conn, "0021")
        for number in (1, 2):
            _operator(conn, number)
        for number, (operator_id, ani) in enumerate(((1, "+1"), (1, "+1"), (2, "+2"), (1, "+3"), (2, "+3")), start=1):
            _insert(
                conn, "account", id=number, number=str(number), operator_id=operator_id, currency="USD", created_at=T0
            )
            _insert(conn, "account_line", account_id=number, ani=ani, added_at=T0)
        for ani in ("+1", "+2", "+3", "+4"):
            conn.execute(_TIER, {"ani": ani})
        schema.upgrade(conn)
        assert conn.execute(_TIERS).all() == [("+1", 1), ("+2", 2), ("+3", None), ("+4", None)]


def test_without_an_account_it_is_the_only_operators(engine: Engine) -> None:
    with transaction(engine) as conn:
        schema.downgrade(conn, "0021")
        _operator(conn, 1)
        conn.execute(_TIER, {"ani": "+4"})
        schema.upgrade(conn)
        assert conn.execute(_TIERS).all() == [("+4", 1)]
