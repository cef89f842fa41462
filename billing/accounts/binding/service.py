"""Binding a line to an account and taking it off, by a caller who has proven the account's PIN (ANI-9)."""

from sqlalchemy.engine import Engine

from billing.accounts import store
from billing.accounts.account import BindRefusal, code_conflict
from runtime.clock import Clock
from runtime.database import transaction


def bind_line(engine: Engine, clock: Clock, *, account_id: int, ani: str) -> BindRefusal | None:
    """Let a line open an account whose PIN the caller has proven; none when it does from now on (ANI-9).

    A line that opens another account is shared only by access codes, which staff set.
    """
    with transaction(engine) as conn:
        others = store.every_account_on_line(conn, ani)
        if any(other.account_id == account_id for other in others):
            return BindRefusal.ALREADY
        if code_conflict(others, with_code=False) is not None:
            return BindRefusal.TAKEN
        store.insert_line(conn, account_id=account_id, ani=ani, code_hash=None, at=clock.now())
    return None


def unbind_line(engine: Engine, clock: Clock, *, account_id: int, ani: str) -> BindRefusal | None:
    """Take a line off an account whose PIN the caller has proven; none when it is off."""
    with transaction(engine) as conn:
        at = clock.now()
        if store.remove_line(conn, account_id=account_id, ani=ani, at=at, by="caller", note="by phone, PIN proven"):
            return None
    return BindRefusal.NOT_BOUND
