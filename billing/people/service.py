"""What is kept of a person: shown to him, erased for him, and who looked at it (AGE-5).

A person is named by his line, by his account, or by both. Each time it is kept who asked and why, under a keyed hash of
the name. The tables say themselves what they keep of people: see `runtime.personal`.
"""

from dataclasses import dataclass

from sqlalchemy.engine import Connection, Engine

from ani.access import service as access_service
from ani.access import store as access_store
from ani.access.access import Access, Action
from ani.typed_line import typed_line
from billing.accounts import store as account_store
from billing.accounts.account import AccountState
from billing.people import store
from billing.people.person import Erased, Kept, Subject
from runtime.clock import Clock
from runtime.database import reading, transaction
from runtime.faults import NotFoundError, StaffError
from runtime.keys import Pepper


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose data, as staff typed it: a line, an account's number, or both; who asks, and why."""

    line: str
    account: str
    by: str
    reason: str


def export(engine: Engine, clock: Clock, pepper: Pepper, asked: Asked, home_country: str) -> list[Kept]:
    """Everything kept of a person; that it was shown is kept too."""
    line = _line(asked.line, home_country)
    with transaction(engine) as conn:
        subject = _subject(conn, line, asked.account)
        _record(conn, clock, pepper, subject, asked, Action.EXPORT)
        return store.kept(conn, subject, pepper)


def erase(engine: Engine, clock: Clock, pepper: Pepper, asked: Asked, home_country: str) -> list[Erased]:
    """Remove what need not be kept of a person; can be run again.

    Bills stay, and so does what protects the operator; both are named. Raises StaffError while the account is open, or
    the line still opens one.
    """
    line = _line(asked.line, home_country)
    with transaction(engine) as conn:
        subject = _subject(conn, line, asked.account)
        if line and store.opens(conn, line):
            raise StaffError(f"{line} still opens an account: `tollgate line remove` first")
        if subject.account_id is not None:
            found = account_store.account_by_id(conn, subject.account_id)
            if found is not None and found.state is not AccountState.CLOSED:
                raise StaffError(f"account {asked.account} is open: `tollgate account close` first")
        _record(conn, clock, pepper, subject, asked, Action.ERASE)
        return store.erase(conn, subject)


def accesses(engine: Engine, pepper: Pepper, line: str, account: str, home_country: str, limit: int) -> list[Access]:
    """Who looked at a person's data or erased it, the newest first."""
    e164 = _line(line, home_country)
    with reading(engine) as conn:
        subject = _subject(conn, e164, account)
        names = access_service.every_name(pepper, subject.line, subject.account_id)
        return access_store.accesses(conn, names, limit)


def _record(conn: Connection, clock: Clock, pepper: Pepper, subject: Subject, asked: Asked, action: Action) -> None:
    names = access_service.names(pepper, subject.line, subject.account_id)
    access_service.record(conn, clock, names, by=asked.by, action=action, reason=asked.reason)


def _line(line: str, home_country: str) -> str:
    return typed_line(line, home_country) if line else ""


def _subject(conn: Connection, line: str, account: str) -> Subject:
    if not (line or account):
        raise StaffError("whose data? name a line (--line), an account (--account), or both")
    if not account:
        return Subject(line, None)
    found = account_store.account_by_number(conn, account, lock=False)
    if found is None:
        raise NotFoundError(f"there is no account {account}")
    return Subject(line, found.id)
