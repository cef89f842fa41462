"""What a table keeps of people, said beside its columns: so that nothing of a person is forgotten when he asks for
what is kept of him, or for its erasure (AGE-5). A house rule holds every table with such columns to say it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runtime.keys import Pepper

KEY = "personal"
"""Under this name a table's `info` holds its `Personal`."""


class OnErase(StrEnum):
    """What becomes of a person's rows when he is erased."""

    REMOVE = "removed"
    BLANK = "blanked"
    KEEP = "kept"


@dataclass(frozen=True, slots=True)
class Personal:
    """Whose rows they are, and what erasing does to them.

    `line` and `account` name the columns that hold a line (E.164) and the id of an account; `through` one that points
    to a call. `hidden` columns (keyed hashes) are never shown. `blank` columns get an empty text. Rows that are kept
    have a reason. `opened` makes a row with sealed values one that can be shown.
    """

    on_erase: OnErase
    line: str = ""
    account: str = ""
    through: str = ""
    hidden: tuple[str, ...] = ()
    blank: tuple[str, ...] = ()
    why_kept: str = ""
    opened: Callable[[Mapping[str, object], "Pepper"], dict[str, object]] | None = None

    def __post_init__(self) -> None:
        if not (self.line or self.account or self.through):
            raise ValueError("a line, an account or a call")
        if (self.on_erase is OnErase.KEEP) != bool(self.why_kept):
            raise ValueError("what is kept has a reason, and nothing else has one")
        if (self.on_erase is OnErase.BLANK) != bool(self.blank):
            raise ValueError("what is blanked names its columns")


BILL = "a bill: kept as long as the law of accounts asks"
"""Why calls and money are kept."""


def personal(said: Personal) -> dict[str, Personal]:
    """The `info` of a table that keeps something of people."""
    return {KEY: said}
