"""What a rotation of keys has to do and has done (AGE-5). Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Standing:
    """How many hashes of a column stand under which key; 0 stands for keys that nobody knows."""

    column: str
    by_key: dict[int, int]

    def older_than(self, key_id: int) -> int:
        """How many stand under an older key."""
        return sum(count for number, count in self.by_key.items() if 0 < number < key_id)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction did: rows renewed, rows it had to leave, and the last one it looked at (none: no more)."""

    renewed: int
    left: int
    last_id: int | None


@dataclass(frozen=True, slots=True)
class Rotated:
    """What a whole run did: rows renewed, rows it could not renew, and under which key they are."""

    key_id: int
    renewed: int
    left: int
