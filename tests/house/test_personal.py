"""A table with something of a person in it says what becomes of that when he asks (AGE-5)."""

import pytest

from migrations.tables import metadata
from runtime import personal
from runtime.personal import Personal

OF_PEOPLE = frozenset({"ani", "line", "first_name", "last_name", "birth_on", "address", "destination"})
ALSO = frozenset({"account", "wrong_entry"})
"""Tables whose columns have other names and mean people all the same."""
NOBODYS = frozenset({"rate"})
"""Tables with such a column that is nobody's: the destination of a rate is a country."""


@pytest.mark.parametrize("name", sorted(metadata.tables))
def test_every_table_says_what_it_keeps_of_people(name: str) -> None:
    table = metadata.tables[name]
    said = table.info.get(personal.KEY)
    if name not in NOBODYS and (name in ALSO or OF_PEOPLE & set(table.c.keys())):
        assert isinstance(said, Personal), f"{name}: say with info=personal(...) whose rows these are"
    if isinstance(said, Personal):
        named = {said.line, said.account, said.through, *said.hidden, *said.blank} - {""}
        assert named <= set(table.c.keys())
        hashes = {column for column in table.c.keys() if column.endswith("_hash")}  # noqa: SIM118  # a collection
        assert hashes <= set(said.hidden), "keyed hashes are shown to nobody"
