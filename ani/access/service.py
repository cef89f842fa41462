"""Keeping who looked at whose data. A person stands in the record as a keyed hash of his line or his account's id."""

from sqlalchemy.engine import Connection, Engine

from ani.access import store
from ani.access.access import Access, Action
from runtime.clock import Clock
from runtime.database import transaction
from runtime.keys import Pepper

HASH_KIND = "person"


def names(pepper: Pepper, line: str, account_id: int | None) -> list[str]:
    """What a person is called in the record: the hash of his line (E.164) if he has one, of his account if he has."""
    found = [("line", line)] if line else []
    if account_id is not None:
        found.append(("account", str(account_id)))
    return [pepper.digest(HASH_KIND, *name) for name in found]


def record(conn: Connection, clock: Clock, subject_hashes: list[str], *, by: str, action: Action, reason: str) -> None:
    """Keep it in a transaction the caller opened: with what was done, or not at all."""
    store.add(conn, subject_hashes, Access(clock.now(), by[:80], action, reason[:400]))


def record_read(engine: Engine, clock: Clock, pepper: Pepper, line: str, *, by: str, reason: str) -> None:
    """Keep that somebody is about to be shown what is kept of a line (E.164)."""
    with transaction(engine) as conn:
        record(conn, clock, names(pepper, line, None), by=by, action=Action.READ, reason=reason)
