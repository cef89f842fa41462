"""What the commands that show people have in common: that somebody looked is kept, before he sees anything (AGE-5)."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from runtime.command import open_pepper, staff_name

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

    from ani.access.service import Staff
    from runtime.settings import Settings


def keep_who_looked(
    settings: "Settings", engine: "Engine", people: "Iterable[tuple[str, int | None]]", what: str
) -> None:
    """Keep that whoever runs the command `what` is about to be shown these people.

    Each is a line (E.164, "" if there is none) and the id of an account, or none. Raises when it cannot be kept: then
    nothing may be shown.
    """
    from ani.access.service import record_reads
    from runtime.clock import SystemClock

    record_reads(engine, SystemClock(), open_pepper(settings, engine), people, by=staff_name(), reason=what)


def staff_of(settings: "Settings", engine: "Engine") -> "Staff":
    """Whoever runs the command, as he is kept with what he changes."""
    from ani.access.service import Staff
    from runtime.clock import SystemClock

    return Staff(SystemClock(), open_pepper(settings, engine), staff_name())
