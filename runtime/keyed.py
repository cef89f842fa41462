"""Which columns hold keyed hashes or sealed values, said beside them, so that a rotation finds them all (AGE-5).

A column that refers to one by a foreign key need not say it: it goes along. A house rule holds every column whose name
ends in `_hash` to say what it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from runtime.sealing import Place

KEY = "keyed"
"""Under this name a column's `info` holds its `Keyed`."""


class Keyed(StrEnum):
    """What a column of hashes holds, and what a rotation does to it."""

    RENEWED = "a keyed hash, brought under the newest key"
    KEPT = "a keyed hash in history, which stays under the key it was written with and is found under every key"
    PLAIN = "a hash of something nobody can guess: needs no key"


SEALED = "sealed"
"""Under this name a column's `info` holds its `Sealed`."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A column of sealed values (see `runtime.sealing`), each bound to a hash beside it and to further columns.

    It is sealed anew whenever that hash is renewed.
    """

    beside: str
    bound_to: tuple[str, ...]

    def place(self, table: str, column: str, row: Mapping[str, object]) -> Place:
        """Where the value of a row stands."""
        return Place(table, column, tuple(str(row[name]) for name in (self.beside, *self.bound_to)))


def sealed(said: Sealed) -> dict[str, Sealed]:
    """The `info` of a column of sealed values."""
    return {SEALED: said}


def keyed(what: Keyed = Keyed.RENEWED) -> dict[str, Keyed]:
    """The `info` of a column of hashes."""
    return {KEY: what}
