"""Statements over many rows: the same on both databases, whatever the texts are."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError

from runtime.database import Instant, transaction
from runtime.prepared_rows import KeyedRead, RowWrite, sent_together

thing = sa.Table(
    "thing",
    sa.MetaData(),
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("part", sa.String(40), primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("ready", sa.Boolean),
    sa.Column("at", Instant),
    sa.CheckConstraint("number >= 0", name="not_negative"),
)
ALL = sa.select(thing.c.name, thing.c.part, thing.c.number, thing.c.ready, thing.c.at).order_by(thing.c.name)
BY_NAME, BY_BOTH = KeyedRead(ALL, thing.c.name), KeyedRead(ALL, thing.c.name, thing.c.part)
ADD = RowWrite(thing, sets=("name", "part", "number", "ready", "at"), once=True)
INSERT = RowWrite(thing, sets=("name", "part", "number", "ready", "at"))
CHANGE = RowWrite(thing, keys=("name", "part"), sets=("ready", "at"), adds=("number",))
SET_ONCE = RowWrite(thing, keys=("name",), sets=("at",), while_null="at")
AT = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)
ODD = ("plain", 'quo"te', "back\\slash", "br{ace},s", "NULL", "null", " space ", "'; DROP TABLE thing; --")


@pytest.fixture
def things(engine: Engine) -> Engine:
    with transaction(engine) as conn:
        thing.create(conn)
        ADD.run(conn, [(name, "x", at, None, None) for at, name in enumerate(ODD)])
    return engine


def test_texts_of_any_kind_come_back_as_they_were(things: Engine) -> None:
    with transaction(things) as conn:
        found = BY_NAME.all(conn, {(name,) for name in (*ODD, "nobody")})
        assert sorted(row[0] for row in found) == sorted(ODD)
        assert {row[3] for row in found} == {row[4] for row in found} == {None}
        assert BY_NAME.all(conn, []) == []
        assert {row[0] for row in BY_BOTH.all(conn, {("plain", "x"), ("NULL", "y"), ('quo"te', "x")})} == {
            "plain",
            'quo"te',
        }


@pytest.mark.parametrize("count", [1, 3, 4, 5, 8, 255, 256, 257, 600])
def test_every_key_of_a_list_of_any_length_is_read_once(things: Engine, count: int) -> None:
    names = [f"thing {at}" for at in range(count)]
    with transaction(things) as conn:
        ADD.run(conn, [(name, "x", at, at % 2 == 0, AT) for at, name in enumerate(names)])
        found = BY_NAME.all(conn, {(name,) for name in (*names, "nobody")})
        pairs = BY_BOTH.all(conn, {(name, "x") for name in names})
    expected = [(name, "x", at, at % 2 == 0, AT) for at, name in enumerate(names)]
    assert sorted(found) == sorted(pairs) == sorted(expected)


def test_rows_are_replaced_and_added_to(things: Engine) -> None:
    with transaction(things) as conn:
        CHANGE.run(conn, [("plain", "x", True, AT, 40), ("NULL", "x", False, None, 1), ("nobody", "x", True, AT, 1)])
        CHANGE.run(conn, [])
        ADD.run(conn, [("plain", "x", 99, None, None), ("new", "x", 5, None, AT)])
    with transaction(things) as conn:
        found = {row[0]: row[2:] for row in BY_NAME.all(conn, {("plain",), ("NULL",), ("new",)})}
    assert found == {"plain": (40, True, AT), "NULL": (5, False, None), "new": (5, None, AT)}


@pytest.mark.parametrize("names", [("plain",), ("plain", "NULL", "nobody")])
def test_rows_that_say_so_already_are_left_alone(things: Engine, names: tuple[str, ...]) -> None:
    with transaction(things) as conn:
        ADD.run(conn, [(name, "y", 5, None, AT) for name in names])
        later = AT.replace(year=2027)
        SET_ONCE.run(conn, [(name, later) for name in names])
    with transaction(things) as conn:
        found = {row[:2]: row[4] for row in BY_NAME.all(conn, {(name,) for name in names})}
    assert {found[name, "y"] for name in names} == {AT}
    assert {found[name, "x"] for name in names if name != "nobody"} == {later}


def test_very_many_rows_come_back_as_they_were(things: Engine) -> None:
    rows = [(odd, str(at), at, at % 2 == 0, AT if at % 3 else None) for at in range(30) for odd in (*ODD, "a\tb\nc")]
    with transaction(things) as conn:
        INSERT.copy(conn, [row for row in rows if row[1] != "0"])
        INSERT.copy(conn, [row for row in rows if row[1] == "0"])
    with transaction(things) as conn:
        assert sorted(row for row in BY_NAME.all(conn, {row[:1] for row in rows}) if row[1] != "x") == sorted(rows)

    def again() -> None:
        with transaction(things) as conn:
            INSERT.copy(conn, rows)

    with pytest.raises(IntegrityError):
        again()


def test_what_is_sent_together_is_refused_together(things: Engine) -> None:
    with transaction(things) as conn, sent_together(conn):
        CHANGE.run(conn, [("plain", "x", None, None, 1)])
        ADD.run(conn, [("other", "x", 1, None, None)])

    def overdraw() -> None:
        with transaction(things) as conn, sent_together(conn):
            CHANGE.run(conn, [("plain", "x", None, None, 1)])
            CHANGE.run(conn, [("other", "x", None, None, -2)])
            CHANGE.run(conn, [("plain", "x", None, None, 1)])

    with pytest.raises(IntegrityError, match="not_negative"):
        overdraw()
    with transaction(things) as conn:
        assert {row[0]: row[2] for row in BY_NAME.all(conn, {("plain",), ("other",)})} == {"plain": 1, "other": 1}
