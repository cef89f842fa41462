"""PostgreSQL's statements straight on libpq: values, faults, and a connection that is lost."""

from collections.abc import Sequence
from datetime import date

import pytest
import sqlalchemy as sa
from psycopg.errors import DivisionByZero
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DataError, OperationalError

from runtime.database import transaction
from runtime.prepared import Prepared
from runtime.prepared_rows import sent_together
from runtime.wire import Wire, wire_of

pytestmark = pytest.mark.postgres
KINDS = sa.select(
    sa.bindparam("number", type_=sa.BigInteger),
    sa.bindparam("text", type_=sa.Text),
    sa.cast(sa.bindparam("truth", type_=sa.Boolean), sa.Boolean),
    sa.bindparam("nothing", type_=sa.BigInteger),
    sa.cast(sa.bindparam("bits", type_=sa.LargeBinary), sa.LargeBinary),
    sa.bindparam("day", type_=sa.Date),
    sa.bindparam("detail", type_=sa.JSON),
)
VALUES: dict[str, object] = {
    "number": -(2**62),
    "text": 'Zoë\'s \\ "100 %" {$1}',
    "truth": True,
    "nothing": None,
    "bits": bytes(range(256)),
    "day": date(2026, 2, 28),
    "detail": {"a": [1, None, "ä"]},
}
BACKEND = Prepared(sa.text("SELECT pg_backend_pid()").columns(sa.column("pid", sa.Integer)))
LOST = Prepared(sa.text("SELECT pg_terminate_backend(pg_backend_pid())").columns(sa.column("gone", sa.Boolean)))
QUOTIENT = Prepared(
    sa.text("SELECT 1 / CAST(:by AS integer)").bindparams(sa.bindparam("by")).columns(sa.column("is", sa.Integer))
)


def test_values_of_every_kind_come_back(postgres_engine: Engine) -> None:
    kinds = Prepared(KINDS)
    with transaction(postgres_engine) as conn:
        for _ in range(2):
            assert kinds.first(conn, **VALUES) == tuple(VALUES.values())
        with pytest.raises(TypeError, match="no way to send a object"):
            kinds.first(conn, **{**VALUES, "number": object()})


def test_a_refused_statement_undoes_the_transaction_and_no_more(postgres_engine: Engine) -> None:
    with pytest.raises(DataError), transaction(postgres_engine) as conn:
        QUOTIENT.first(conn, by=0)
    with transaction(postgres_engine) as conn:
        assert QUOTIENT.first(conn, by=1) == (1,)


def test_of_what_is_sent_together_the_first_that_failed_is_raised(postgres_engine: Engine) -> None:
    with transaction(postgres_engine) as conn:
        conn.exec_driver_sql("CREATE TABLE together (id integer PRIMARY KEY)")
    with pytest.raises(DivisionByZero), transaction(postgres_engine) as conn:
        _write_together(wire_of(conn), [("$1", 1), ("1 / CAST($1 AS integer)", 0), ("$1", 1)])
    with transaction(postgres_engine) as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM together").scalar_one() == 0
        _write_together(wire_of(conn), [("$1", number) for number in range(3_000)])
        assert conn.exec_driver_sql("SELECT count(*) FROM together").scalar_one() == 3_000


@pytest.mark.parametrize("is_together", [False, True])
def test_a_lost_connection_is_given_up(postgres_engine: Engine, *, is_together: bool) -> None:
    with pytest.raises(OperationalError) as raised, transaction(postgres_engine) as conn:
        (_end_together if is_together else LOST.first)(conn)
    assert raised.value.connection_invalidated
    with transaction(postgres_engine) as conn:
        assert BACKEND.first(conn) is not None


def _write_together(wire: Wire, rows: Sequence[tuple[str, int]]) -> None:
    wire.begin_together()
    for written, number in rows:
        wire.write(f"INSERT INTO together VALUES ({written})", [number])
    wire.send(wire.end_together())


def _end_together(conn: Connection) -> None:
    with sent_together(conn):
        for _ in range(3):
            wire_of(conn).write("SELECT pg_terminate_backend(pg_backend_pid())", [])
