"""Prepared statements behave as SQLAlchemy's own do: types, errors, transactions."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError

from runtime.database import Instant, RowId, reading, transaction
from runtime.prepared import Prepared
from tests.clock import SettableClock

thing = sa.Table(
    "prepared_thing",
    sa.MetaData(),
    sa.Column("id", RowId, primary_key=True),
    sa.Column("name", sa.String(20), nullable=False, unique=True),
    sa.Column("at", Instant),
    sa.Column("is_new", sa.Boolean, nullable=False),
    sa.Column("detail", sa.JSON, nullable=False),
)
COLUMNS = ("name", "at", "is_new", "detail")
ADD = Prepared(sa.insert(thing), COLUMNS)
ADD_ONCE = Prepared(postgresql.insert(thing).on_conflict_do_nothing().returning(thing.c.id), COLUMNS)
NEW = Prepared(
    sa.select(thing.c.name, thing.c.at, thing.c.is_new, thing.c.detail)
    .where(thing.c.is_new == sa.true(), thing.c.name != "hidden", thing.c.name >= sa.bindparam("from_name"))
    .order_by(thing.c.name)
)
AGE = Prepared(sa.update(thing).where(thing.c.name == sa.bindparam("called")).values(is_new=sa.bindparam("is_now_new")))


@pytest.fixture
def things(engine: Engine) -> Iterator[Engine]:
    with transaction(engine) as conn:
        thing.create(conn)
    yield engine
    with transaction(engine) as conn:
        thing.drop(conn)


def test_values_come_back_as_the_columns_promise(things: Engine, clock: SettableClock) -> None:
    rows: list[dict[str, object]] = [
        {"name": name, "at": at, "is_new": True, "detail": {"a": [1, None]}}
        for name, at in (("b", clock.now()), ("a", None), ("hidden", None))
    ]
    with transaction(things) as conn:
        ADD.run_each(conn, rows)
        ADD.run_each(conn, [])
        assert ADD.run(conn, name="old", at=None, is_new=False, detail={}) == 1
    with reading(things) as conn:
        assert NEW.all(conn, from_name="a") == [
            ("a", None, True, {"a": [1, None]}),
            ("b", clock.now(), True, {"a": [1, None]}),
        ]
        assert NEW.first(conn, from_name="b") == ("b", clock.now(), True, {"a": [1, None]})
        assert NEW.first(conn, from_name="c") is None


def test_rows_that_are_changed_are_counted(things: Engine) -> None:
    with transaction(things) as conn:
        assert ADD_ONCE.first(conn, name="x", at=None, is_new=True, detail={}) is not None
        assert ADD_ONCE.first(conn, name="x", at=None, is_new=True, detail={}) is None
        assert AGE.run(conn, called="x", is_now_new=False) == 1
        assert AGE.run(conn, called="y", is_now_new=False) == 0
        assert NEW.all(conn, from_name="") == []


def test_what_the_database_refuses_is_an_error_of_sqlalchemy_without_the_values(things: Engine) -> None:
    with transaction(things) as conn:
        ADD.run(conn, name="secret-name", at=None, is_new=True, detail={})
    row: dict[str, object] = {"name": "secret-name", "at": None, "is_new": True, "detail": {}}
    with pytest.raises(IntegrityError) as found, transaction(things) as conn:
        ADD.run(conn, **row)
    assert "[parameters:" not in str(found.value)
    with pytest.raises(IntegrityError), transaction(things) as conn:
        ADD.run_each(conn, [row])


def test_it_is_undone_with_the_transaction(things: Engine) -> None:
    def add_and_fail() -> None:
        with transaction(things) as conn:
            ADD.run(conn, name="x", at=None, is_new=True, detail={})
            AGE.run(conn, called="x")

    with pytest.raises(KeyError):
        add_and_fail()
    with reading(things) as conn:
        assert NEW.all(conn, from_name="") == []
