"""What a rotation of keys has to do and has done (AGE-5). Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Standing:
    """How many hashes of a column stand under which key; 0 stands for keys that nobody knows."""

    column: str
    by_key: dict[int, int]

    def resting_on(self, key_id: int) -> int:
        """How many stand under this key or a later one, which is made of this one too."""
        return sum(count for number, count in self.by_key.items() if number >= key_id)

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


@dataclass(frozen=True, slots=True)
class KeyUse:
    """What keeps a key from being retired: what rests on it, column by column, and whether it was put in use."""

    key_id: int
    resting: dict[str, int]
    is_in_use: bool

    @property
    def refusal(self) -> str | None:
        """Why it cannot be retired; none when it can."""
        why = None
        if self.resting:
            columns = ", ".join(f"{column} {count}" for column, count in self.resting.items())
            why = (
                f"{sum(self.resting.values())} values rest on it ({columns}), for later keys are added to earlier ones"
            )
        elif self.is_in_use:
            why = "it was put in use, and a process may write under it at any moment"
        return None if why is None else f"key {self.key_id} cannot be retired: {why}"
