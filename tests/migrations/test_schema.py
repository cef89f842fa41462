"""The migrations make the tables that the code reads, go up and down, and guard history."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError

from migrations.tables import metadata
from runtime import database, schema

T0 = datetime(2026, 3, 2, 12, tzinfo=UTC)
HISTORY = (
    "transfer",
    "posting",
    "cdr",
    "call_event",
    "charging_request",
    "ledger_account",
    "ledger_seal",
    "account_statement",
)


def test_migrations_make_exactly_the_declared_tables(engine: Engine) -> None:
    with engine.connect() as connection:
        defaults = engine.dialect.name != "sqlite"  # SQLite gives a default back as it was spelt
        context = MigrationContext.configure(connection, opts={"compare_server_default": defaults})
        assert compare_metadata(context, metadata) == []


def test_up_down_up(empty_url: str) -> None:
    engine = database.create_engine(empty_url)
    with pytest.raises(schema.SchemaError, match="tollgate db upgrade"):
        schema.require_current(engine)
    for _ in range(2):
        with database.transaction(engine) as connection:
            schema.upgrade(connection)
        schema.require_current(engine)
        _fill(engine)
        with database.transaction(engine) as connection:
            schema.downgrade(connection, "base")
        assert schema.current_revision(engine) is None
        with engine.connect() as connection:
            assert sa.inspect(connection).get_table_names() == ["alembic_version"]
    engine.dispose()


def test_upgrade_twice_changes_nothing(engine: Engine) -> None:
    with database.transaction(engine) as connection:
        schema.upgrade(connection)
    schema.require_current(engine)


@pytest.mark.parametrize("table", HISTORY)
def test_history_is_neither_changed_nor_removed(engine: Engine, table: str) -> None:
    _fill(engine)
    found = metadata.tables[table]
    column = next(column for column in found.c if not column.primary_key)
    for statement in (sa.update(found).values({column: column}), sa.delete(found)):
        with (
            pytest.raises(IntegrityError, match="never changed or removed"),
            database.transaction(engine) as connection,
        ):
            connection.execute(statement)
    with database.reading(engine) as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(found)) == 1


def test_history_is_not_replaced_either(sqlite_engine: Engine) -> None:
    _fill(sqlite_engine)
    with (
        pytest.raises(IntegrityError, match="never changed or removed"),
        database.transaction(sqlite_engine) as connection,
    ):
        connection.exec_driver_sql(
            "REPLACE INTO transfer (id, key, kind, currency, at, made_by, chain_id, chain_number, chain_hash) "
            "VALUES (1,'k','x','EUR',1,'me',1,1,x'00')"
        )


@pytest.mark.postgres
def test_history_is_not_truncated(postgres_engine: Engine) -> None:
    _fill(postgres_engine)
    with (
        pytest.raises(IntegrityError, match="never changed or removed"),
        database.transaction(postgres_engine) as connection,
    ):
        connection.exec_driver_sql("TRUNCATE transfer CASCADE")


def test_the_database_refuses_to_hold_more_than_there_is(engine: Engine) -> None:
    _fill(engine)
    account = metadata.tables["account"]
    with database.transaction(engine) as connection:
        connection.execute(sa.update(account).values(balance_micros=10, held_micros=10))
    with pytest.raises(IntegrityError), database.transaction(engine) as connection:
        connection.execute(sa.update(account).values(held_micros=11))


def _fill(engine: Engine) -> None:
    """One row in each table of history and in what it hangs on."""
    rows: list[tuple[str, dict[str, object]]] = [
        ("operator", {"id": 1, "code": "o", "name": "O", "currency": "USD", "home_country": "US"}),
        ("account", {"id": 1, "number": "1", "operator_id": 1, "currency": "USD", "created_at": T0}),
        ("ledger_account", {"id": 1, "kind": "customer", "owner": "1", "account_id": 1, "currency": "USD"}),
        (
            "transfer",
            {
                "id": 1,
                "key": "k",
                "kind": "credit",
                "currency": "USD",
                "at": T0,
                "made_by": "me",
                "chain_id": 1,
                "chain_number": 1,
                "chain_hash": bytes(32),
            },
        ),
        ("posting", {"transfer_id": 1, "position": 0, "ledger_account_id": 1, "amount_micros": 5}),
        (
            "ledger_seal",
            {
                "number": 1,
                "first_transfer_id": 1,
                "last_transfer_id": 1,
                "transfers": 1,
                "at": T0,
                "made_by": "me",
                "hash": bytes(32),
                "signature": "s",
            },
        ),
        (
            "account_statement",
            {
                "account_id": 1,
                "number": 1,
                "begins_at": T0,
                "ends_at": T0,
                "opening_micros": 0,
                "paid_micros": 5,
                "charged_micros": 0,
                "other_micros": 0,
                "closing_micros": 5,
                "after_link": 0,
                "last_link": 1,
                "link_hash": bytes(32),
                "made_at": T0,
                "made_by": "me",
            },
        ),
        ("tariff", {"id": 1, "operator_id": 1, "name": "t", "currency": "USD"}),
        ("tariff_version", {"id": 1, "tariff_id": 1, "number": 1, "effective_at": T0, "imported_at": T0}),
        (
            "charging_session",
            {
                "id": "s",
                "account_id": 1,
                "service": "call",
                "state": "closed",
                "tariff_version_id": 1,
                "rate_prefix": "3",
                "request_number": 0,
                "granted_ms": 1,
                "held_micros": 0,
                "final": False,
                "cap_ms": 1,
                "started_at": T0,
                "valid_until_at": T0,
            },
        ),
        (
            "charging_request",
            {
                "session_id": "s",
                "number": 0,
                "kind": "initiate",
                "wanted_ms": 1,
                "granted_ms": 1,
                "held_micros": 0,
                "final": False,
                "at": T0,
            },
        ),
        (
            "call",
            {
                "id": "c",
                "switch": "gw1",
                "uniqueid": "1.1",
                "channel": "PJSIP/x-1",
                "state": "ended",
                "dnis": "1",
                "ani": "2",
                "arrived_at": T0,
            },
        ),
        ("call_event", {"call_id": "c", "at": T0, "step": "arrive", "outcome": "ok", "detail": {}}),
        (
            "cdr",
            {
                "call_id": "c",
                "switch": "gw1",
                "uniqueid": "1.1",
                "dnis": "1",
                "ani": "2",
                "destination": "3",
                "trunk": "t",
                "disposition": "answered",
                "hangup_cause": 16,
                "arrived_at": T0,
                "ended_at": T0,
                "used_ms": 1,
                "billed_ms": 1,
                "charged_micros": 1,
                "settled_from": "event",
            },
        ),
    ]
    with database.transaction(engine) as connection:
        for name, row in rows:
            connection.execute(sa.insert(metadata.tables[name]), row)
