"""Keeping who looked at whose data. A person stands in the record as a keyed hash of his line or his account's id."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.engine import Connection, Engine

from ani.access import store
from ani.access.access import Access, Action
from runtime.clock import Clock
from runtime.database import transaction
from runtime.keys import Pepper

HASH_KIND = "person"
_AT_ONCE = 5000


def names(pepper: Pepper, line: str, account_id: int | None) -> list[str]:
    """What a person is called in the record: the hash of his line (E.164) if he has one, of his account if he has."""
    return [pepper.digest(HASH_KIND, *name) for name in _named(line, account_id)]


def every_name(pepper: Pepper, line: str, account_id: int | None) -> list[str]:
    """What he may be called in the record: it is history, and says so under the key of its time."""
    return [one for name in _named(line, account_id) for one in pepper.digests(HASH_KIND, *name)]


def _named(line: str, account_id: int | None) -> list[tuple[str, str]]:
    found = [("line", line)] if line else []
    return found if account_id is None else [*found, ("account", str(account_id))]


def record(conn: Connection, clock: Clock, subject_hashes: list[str], *, by: str, action: Action, reason: str) -> None:
    """Keep it in a transaction the caller opened: with what was done, or not at all."""
    store.add(conn, subject_hashes, Access(clock.now(), by[:80], action, reason[:400]))


@dataclass(frozen=True, slots=True)
class Staff:
    """Who changes something, and what it is kept with."""

    clock: Clock
    pepper: Pepper
    name: str

    def keep_change(self, conn: Connection, account_id: int, what: str) -> None:
        """Keep in the transaction of the change what he did to an account: with it, or not at all."""
        named = names(self.pepper, "", account_id)
        record(conn, self.clock, named, by=self.name, action=Action.CHANGE, reason=what)


def changes(conn: Connection, pepper: Pepper, account_id: int, limit: int = 100) -> list[Access]:
    """What staff changed of an account, the newest first."""
    return store.accesses(conn, every_name(pepper, "", account_id), limit, Action.CHANGE)


def record_reads(
    engine: Engine, clock: Clock, pepper: Pepper, people: Iterable[tuple[str, int | None]], *, by: str, reason: str
) -> None:
    """Keep that somebody is about to be shown what is kept of people; each name of theirs is kept once.

    Each is a line (E.164, "" if there is none) and the id of an account, or none. Many are kept in several short
    transactions.
    """
    found = sorted({name for line, account_id in set(people) for name in names(pepper, line, account_id)})
    for start in range(0, len(found), _AT_ONCE):
        with transaction(engine) as conn:
            record(conn, clock, found[start : start + _AT_ONCE], by=by, action=Action.READ, reason=reason)
