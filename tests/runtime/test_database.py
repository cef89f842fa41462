"""The one way to the database: moments, transactions, rehearsals, and exceptions without values."""

import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError, OperationalError

from billing.operators.tables import operator
from runtime import database
from runtime.clock import SystemClock
from runtime.ids import new_id

ROW = {"code": "acme", "name": "a-private-name", "currency": "USD", "home_country": "US"}


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5)), timezone(timedelta(minutes=330))])))
def test_moments_are_exact_microseconds(moment: datetime) -> None:
    assert database.from_micros(database.to_micros(moment)) == moment


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without a time zone"):
        database.to_micros(datetime(2026, 1, 1))  # noqa: DTZ001  (the very thing that is refused)


def test_a_transaction_is_whole_or_not_at_all(engine: Engine) -> None:
    with pytest.raises(IntegrityError), database.transaction(engine) as conn:
        conn.execute(sa.insert(operator), [ROW, ROW])
    assert _count(engine) == 0
    with database.transaction(engine) as conn:
        conn.execute(sa.insert(operator), ROW)
    assert _count(engine) == 1


def test_a_rehearsal_walks_through_and_leaves_nothing(engine: Engine) -> None:
    with database.transaction(database.rehearsing(engine)) as conn:
        conn.execute(sa.insert(operator), ROW)
        assert conn.scalar(sa.select(sa.func.count()).select_from(operator)) == 1
    assert _count(engine) == 0


def test_exceptions_do_not_show_values(engine: Engine) -> None:
    with database.transaction(engine) as conn:
        conn.execute(sa.insert(operator), ROW)
    with pytest.raises(IntegrityError) as caught, database.transaction(engine) as conn:
        conn.execute(sa.insert(operator), ROW)
    assert "a-private-name" not in str(caught.value)


def test_a_reader_does_not_wait_for_a_writer(engine: Engine) -> None:
    with database.transaction(engine) as writer:
        writer.execute(sa.insert(operator), ROW)
        assert _count(engine) == 0


def test_sqlite_is_set_up_to_keep_what_it_was_told(sqlite_engine: Engine) -> None:
    with database.reading(sqlite_engine) as conn:
        found = {
            name: conn.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "recursive_triggers")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "recursive_triggers": 1}


def test_ids_are_sortable_and_the_clock_is_utc() -> None:
    ids = [new_id() for _ in range(100)]
    assert ids == sorted(set(ids))
    assert all(len(made) == 32 for made in ids)
    clock = SystemClock()
    assert clock.now().utcoffset() == timedelta(0)
    assert clock.monotonic_s() <= time.monotonic()


def _count(engine: Engine) -> int:
    with database.reading(engine) as conn:
        return int(conn.scalar(sa.select(sa.func.count()).select_from(operator)) or 0)


def test_a_connection_serves_one_transaction_after_another(engine: Engine) -> None:
    with database.transaction(engine) as conn:
        first = conn.connection.dbapi_connection
    with database.transaction(engine) as conn:
        assert conn.connection.dbapi_connection is first
        conn.execute(sa.insert(operator), ROW)
    assert _count(engine) == 1
    with pytest.raises(IntegrityError), database.transaction(engine) as conn:
        conn.execute(sa.insert(operator), ROW)
    with database.transaction(engine) as conn:
        assert conn.execute(sa.select(sa.func.count()).select_from(operator)).scalar_one() == 1
    engine.dispose()
    with database.transaction(engine) as conn:
        assert conn.connection.dbapi_connection is not first


def test_a_kept_connection_tells_that_another_process_writes(sqlite_url: str) -> None:
    engine = database.create_engine(sqlite_url, busy_timeout_s=0.05)
    with database.transaction(engine) as conn:
        conn.execute(sa.insert(operator), ROW)
    with closing(sqlite3.connect(engine.url.database or "", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OperationalError, match="locked"), database.transaction(engine):
            pass
    with database.transaction(engine) as conn:
        conn.execute(sa.update(operator).values(name="other"))
    engine.dispose()
