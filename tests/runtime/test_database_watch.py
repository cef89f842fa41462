"""The log names once what stops every transaction and what to do, and once that it is over."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError, OperationalError
from structlog.testing import CapturingLogger

from billing.operators.tables import operator
from ivr import doctor
from runtime import database, schema
from runtime.database_watch import DatabaseWatch
from runtime.settings import DatabaseSettings, Settings

ROW = {"code": "acme", "name": "Acme", "currency": "USD", "home_country": "US"}


def insert(engine: Engine) -> None:
    """Write something."""
    with database.transaction(engine) as conn:
        conn.execute(sa.insert(operator), ROW)


def test_a_fault_of_all_is_told_once_and_its_end_once(sqlite_engine: Engine) -> None:
    log = CapturingLogger()
    engine = database.watched(sqlite_engine, DatabaseWatch(log))
    sa.event.listen(sqlite_engine, "begin", refuse_writing)
    for _ in range(3):
        with pytest.raises(OperationalError):
            insert(engine)
    sa.event.remove(sqlite_engine, "begin", refuse_writing)
    insert(engine)
    insert_again_is_refused(engine)
    assert [(call.method_name, call.args) for call in log.calls] == [
        ("error", ("database-fault",)),
        ("info", ("database-back",)),
    ]
    assert "give this user the right to write its file" in log.calls[0].kwargs["why"]


def refuse_writing(connection: sa.Connection) -> None:
    """As SQLite does where it could open the file for reading only."""
    connection.exec_driver_sql("PRAGMA query_only = 1")


def insert_again_is_refused(engine: Engine) -> None:
    """A fault of one transaction, which is nobody else's."""
    with pytest.raises(IntegrityError):
        insert(engine)


def test_the_doctor_names_a_database_that_may_not_be_written(sqlite_url: str, tmp_path: Path) -> None:
    del sqlite_url
    read_only = f"sqlite:///file:{tmp_path}/tollgate.db?mode=ro&uri=true"
    settings = Settings(database=DatabaseSettings(url=read_only))
    found = doctor.finding("database", doctor.look_at_database, settings)
    assert not found.ok
    assert found.detail.startswith("it is read-only: give this user the right")


def test_looking_whether_it_may_be_written_writes_nothing(engine: Engine) -> None:
    schema.require_writable(engine)
    schema.require_current(engine)
