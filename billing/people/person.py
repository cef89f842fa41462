"""A person as the records know him: a line, an account, or both (AGE-5)."""

from dataclasses import dataclass
from datetime import date, datetime

from runtime.personal import OnErase

Value = str | int | bool | date | datetime | None | dict[str, object]


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose records are meant: a line (E.164) or none (""), an account's id or none."""

    line: str
    account_id: int | None


@dataclass(frozen=True, slots=True)
class Kept:
    """What one table keeps of a person."""

    table: str
    on_erase: OnErase
    why_kept: str
    rows: tuple[dict[str, Value], ...]


@dataclass(frozen=True, slots=True)
class Erased:
    """What erasing did to one table: so many rows removed, blanked or kept, and why kept."""

    table: str
    done: OnErase
    rows: int
    why_kept: str
