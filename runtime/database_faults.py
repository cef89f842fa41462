"""What a fault of the database means to a person: one line, and whether trying again later may help."""

from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from runtime.database import READ_ONLY

_SQLITE = {
    "database is locked": ("it is busy: another program has been writing for too long; try again", True),
    READ_ONLY: (
        "it is read-only: give this user the right to write its file, its -wal and -shm, and the directory",
        False,
    ),
    "unable to open database file": ("its file cannot be opened: look at the path and the rights", False),
    "database or disk is full": ("the disk is full", False),
    "disk I/O error": ("the disk refuses to read or write: look at its space, at quotas, and at its health", False),
    "file is not a database": ("its file is not an SQLite database", False),
}
_READ_ONLY_STATE = "25006"
_DISK_FULL_STATE = "53100"
_AWAY_STATES = ("08", "53", "57P")
_PASSING_STATES = (*_AWAY_STATES, "40", "55P03")


@dataclass(frozen=True, slots=True)
class DatabaseFault:
    """A line for a person, without statement or values, and whether the same command may succeed later.

    One that `stops_all` is of the database and not of what was asked: whatever else is written now fails too.
    """

    line: str
    may_pass: bool
    stops_all: bool = False


def explain_fault(error: Exception) -> DatabaseFault | None:
    """What this exception says about the database; none when it is not about the database."""
    if isinstance(error, PoolTimeoutError):
        return DatabaseFault("every connection is in use; try again", may_pass=True, stops_all=True)
    if not isinstance(error, DBAPIError):
        return None
    text = (str(error.orig).strip() or type(error.orig).__name__).splitlines()[0]
    known = next((fault for part, fault in _SQLITE.items() if part in text), None)
    return DatabaseFault(*known, stops_all=True) if known else _explain_server(error, text)


def _explain_server(error: DBAPIError, text: str) -> DatabaseFault:
    state = getattr(error.orig, "sqlstate", None)
    if state == _READ_ONLY_STATE:
        return DatabaseFault(
            "it is read-only: this is a standby, or this role may not write", may_pass=False, stops_all=True
        )
    if state == _DISK_FULL_STATE:
        return DatabaseFault("the server's disk is full; try again when there is room", may_pass=True, stops_all=True)
    if state is None and isinstance(error, OperationalError) and type(error.orig).__module__.startswith("psycopg"):
        return DatabaseFault(f"the server cannot be reached: {text}", may_pass=True, stops_all=True)
    if state is not None and str(state).startswith(_PASSING_STATES):
        is_away = str(state).startswith(_AWAY_STATES)
        return DatabaseFault(f"{text}; try again", may_pass=True, stops_all=is_away)
    return DatabaseFault(text, may_pass=False)
