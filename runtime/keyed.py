"""Which columns hold keyed hashes, said beside them, so that the rotation of keys finds them all (AGE-5).

A column that refers to one by a foreign key need not say it: it goes along. A house rule holds every column whose name
ends in `_hash` to say what it is.
"""

from enum import StrEnum

KEY = "keyed"
"""Under this name a column's `info` holds its `Keyed`."""


class Keyed(StrEnum):
    """What a column of hashes holds, and what a rotation does to it."""

    RENEWED = "a keyed hash, brought under the newest key"
    KEPT = "a keyed hash in history, which stays under the key it was written with and is found under every key"
    PLAIN = "a hash of something nobody can guess: needs no key"


def keyed(what: Keyed = Keyed.RENEWED) -> dict[str, Keyed]:
    """The `info` of a column of hashes."""
    return {KEY: what}
