"""Several look-ups by one statement find what each would have found by itself."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from runtime.database import Instant, RowId, reading, transaction
from runtime.looks import Look, Looks
from tests.clock import SettableClock

NEW_METADATA = sa.MetaData()
person = sa.Table(
    "looked_person",
    NEW_METADATA,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("name", sa.String(20), nullable=False),
    sa.Column("seen_at", Instant),
)
pet = sa.Table(
    "looked_pet",
    NEW_METADATA,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("owner", sa.String(20), nullable=False),
    sa.Column("is_tame", sa.Boolean, nullable=False),
)
NAMED = sa.bindparam("called", type_=sa.String)
PERSON = Look(sa.select(person.c.name, person.c.seen_at).where(person.c.name == NAMED), lambda row: row)
HAS_PET = Look(
    sa.select(pet.c.id).where(pet.c.owner == NAMED).limit(sa.literal_column("1")), lambda row: row is not None
)
PETS: Look[int] = Look(
    sa.select(sa.func.count()).select_from(pet).where(pet.c.owner == NAMED), lambda row: row[0] if row else -1
)
TAME = sa.select(pet.c.id, pet.c.is_tame).where(pet.c.owner == NAMED)
ALL = Looks((PERSON, HAS_PET, PETS), TAME, sorted)


@pytest.fixture
def people(engine: Engine, clock: SettableClock) -> Iterator[Engine]:
    with transaction(engine) as conn:
        NEW_METADATA.create_all(conn)
        conn.execute(sa.insert(person), [{"name": "ann", "seen_at": clock.now()}, {"name": "bob", "seen_at": None}])
        pets = (("ann", True), ("ann", False), ("eve", True))
        conn.execute(sa.insert(pet), [{"owner": owner, "is_tame": tame} for owner, tame in pets])
    yield engine
    with transaction(engine) as conn:
        NEW_METADATA.drop_all(conn)


def test_each_look_finds_its_row_or_none_and_the_last_all(people: Engine, clock: SettableClock) -> None:
    with reading(people) as conn:
        assert ALL.all(conn, called="ann") == (("ann", clock.now()), True, 2, [(1, True), (2, False)])
        assert ALL.all(conn, called="bob") == (("bob", None), False, 0, [])
        assert ALL.all(conn, called="eve") == (None, True, 1, [(3, True)])
        assert ALL.all(conn, called="nobody") == (None, False, 0, [])


def test_two_readings_at_once_and_one_after_the_other(people: Engine) -> None:
    for _ in range(2):
        with reading(people) as one, reading(people) as other:
            assert ALL.all(one, called="bob") == ALL.all(other, called="bob")
            assert one.execute(sa.select(sa.func.count()).select_from(pet)).scalar_one() == 3
    with transaction(people) as conn:
        conn.execute(sa.insert(pet), {"owner": "bob", "is_tame": True})
    with reading(people) as conn:
        assert ALL.all(conn, called="bob")[2] == 1


def test_who_fails_while_reading_leaves_the_next_one_a_sound_connection(people: Engine) -> None:
    for _ in range(6):
        with pytest.raises(sa.exc.DBAPIError), reading(people) as conn:
            conn.execute(sa.text("SELECT nothing FROM nowhere"))
        with reading(people) as conn:
            assert ALL.all(conn, called="eve")[1]
