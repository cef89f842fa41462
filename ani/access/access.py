"""That somebody looked at a person's data, or erased it (AGE-5)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Action(StrEnum):
    """What staff did with a person's data; IMPORT: took over what another record tells of him, under others' names.

    CHANGE: of his account, by what it is priced or what it may.
    """

    READ = "read"
    EXPORT = "export"
    IMPORT = "import"
    ERASE = "erase"
    CHANGE = "change"


@dataclass(frozen=True, slots=True)
class Access:
    """Who did what when, and why."""

    at: datetime
    by: str
    action: Action
    reason: str
