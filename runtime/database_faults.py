"""What a fault of the database means to a person: one line, and whether trying again later may help."""

from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

_SQLITE = {
    "database is locked": ("it is busy: another program has been writing for too long; try again", True),
    "attempt to write a readonly database": ("it is read-only: give this user the right to write its file", False),
    "unable to open database file": ("its file cannot be opened: look at the path and the rights", False),
    "database or disk is full": ("the disk is full", False),
    "disk I/O error": ("the disk refuses to read or write: look at its space, at quotas, and at its health", False),
    "file is not a database": ("its file is not an SQLite database", False),
}
_READ_ONLY_STATE = "25006"
_DISK_FULL_STATE = "53100"
_PASSING_STATES = ("08", "40", "53", "55P03", "57P")


@dataclass(frozen=True, slots=True)
class DatabaseFault:
    """A line for a person, without statement or values, and whether the same command may succeed later."""

    line: str
    may_pass: bool


def explain_fault(error: Exception) -> DatabaseFault | None:
    """What this exception says about the database; none when it is not about the database."""
    if isinstance(error, PoolTimeoutError):
        return DatabaseFault("every connection is in use; try again", may_pass=True)
    if not isinstance(error, DBAPIError):
        return None
    text = (str(error.orig).strip() or type(error.orig).__name__).splitlines()[0]
    known = next((fault for part, fault in _SQLITE.items() if part in text), None)
    return DatabaseFault(*known) if known else _explain_server(error, text)


def _explain_server(error: DBAPIError, text: str) -> DatabaseFault:
    state = getattr(error.orig, "sqlstate", None)
    if state == _READ_ONLY_STATE:
        return DatabaseFault("it is read-only: this is a standby, or this role may not write", may_pass=False)
    if state == _DISK_FULL_STATE:
        return DatabaseFault("the server's disk is full; try again when there is room", may_pass=True)
    if state is None and isinstance(error, OperationalError) and type(error.orig).__module__.startswith("psycopg"):
        return DatabaseFault(f"the server cannot be reached: {text}", may_pass=True)
    if state is not None and str(state).startswith(_PASSING_STATES):
        return DatabaseFault(f"{text}; try again", may_pass=True)
    return DatabaseFault(text, may_pass=False)
