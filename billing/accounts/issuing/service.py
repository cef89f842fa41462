"""A new PIN of an account; one that is read out in a call opens the account only when it has been heard (PIN-1).

A PIN is kept as a hash, so nobody can read it out a second time: were it good from the start, a caller who hangs up
while he is told would have one that nobody knows, and never be told another.
"""

import secrets
from datetime import datetime

from sqlalchemy.engine import Connection, Engine

from billing.accounts import store
from billing.accounts.account import PIN_DIGITS, AccountState
from billing.pins.service import end_of, find_range, take_from
from billing.pins.store import prefixes
from runtime.clock import Clock
from runtime.database import transaction
from runtime.faults import StaffError
from runtime.keys import Pepper

NOT_HEARD = "not read out to its end"
"""Why a PIN is revoked that its owner has not heard; it stands so from the moment it is drawn."""
_DRAWS = 100


def draw_pin(
    conn: Connection,
    now: datetime,
    pepper: Pepper,
    account_id: int,
    *,
    expires_at: datetime | None = None,
    range_name: str = "",
    revoked_for: str = "",
) -> str:
    """Eight random digits, never issued before, for an open account; in a transaction under way.

    With a reason in `revoked_for` they are taken, but open nothing. Raises as `billing.accounts.service.issue_pin`.
    """
    found = store.account_by_id(conn, account_id)
    if found is None or found.state is not AccountState.OPEN:
        raise StaffError("a PIN needs an open account")
    whose = None
    if range_name:
        whose = find_range(conn, store.operator_id_of(conn, account_id), range_name)
        take_from(conn, whose, 1)
        expires_at = expires_at or end_of(whose, now)
    digits = _free_digits(conn, pepper, whose.prefix if whose else "")
    store.insert_pin(
        conn,
        account_id=account_id,
        pin_hash=pepper.digest("pin", digits),
        at=now,
        expires_at=expires_at,
        range_id=whose.id if whose else None,
        revoked_for=revoked_for,
    )
    return digits


def issue_unheard(engine: Engine, clock: Clock, pepper: Pepper, account_id: int, range_name: str) -> str:
    """A new PIN that opens nothing until `confirm_heard`; raises as `billing.accounts.service.issue_pin`."""
    with transaction(engine) as conn:
        return draw_pin(conn, clock.now(), pepper, account_id, range_name=range_name, revoked_for=NOT_HEARD)


def confirm_heard(engine: Engine, pepper: Pepper, account_id: int, pin: str) -> bool:
    """From now on this PIN of `issue_unheard` opens its account. Safe to repeat; false when it is no such PIN."""
    with transaction(engine) as conn:
        hashes = pepper.digests("pin", pin)
        return store.give_pin(conn, account_id=account_id, pin_hashes=hashes, revoked_for=NOT_HEARD)


def _free_digits(conn: Connection, pepper: Pepper, prefix: str) -> str:
    free, reserved = PIN_DIGITS - len(prefix), () if prefix else prefixes(conn)
    for _ in range(_DRAWS):
        digits = f"{prefix}{secrets.randbelow(10**free):0{free}d}"
        if not digits.startswith(reserved) and not store.is_pin_taken(conn, pepper.digests("pin", digits)):
            return digits
    raise StaffError("nearly every PIN was issued before: none is free")
