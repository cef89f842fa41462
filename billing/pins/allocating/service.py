"""PINs that an outside system supplies or asks for: each allocation once under the id it chose before (PIN-5).

A PIN that is drawn here is kept sealed beside its hash, so that a replay can give the same digits again. One that was
drawn before there were seals is made again of key 1, the operator, the id and the number of the draw.
"""

import secrets
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import IntegrityError

from billing.accounts import store as account_store
from billing.accounts.account import PIN_DIGITS, AccountState, is_pin
from billing.accounts.service import draw_number
from billing.ledger.transfer import ChangedReplayError
from billing.operators.store import operator_named
from billing.pins import store
from billing.pins.allocation import Allocated, AllocationRefusal, AllocationUse, KeptAllocation, Wanted
from billing.pins.pin_range import PinRange, ends_at
from billing.pins.tables import PIN_BOUND
from runtime.clock import Clock
from runtime.database import reading, transaction
from runtime.faults import NotFoundError
from runtime.keys import Pepper
from runtime.sealing import Place, open_sealed, seal

_DRAWS = 100
_ATTEMPTS = 3
_LATEST = timedelta(days=36_500)


def allocate(
    engine: Engine, clock: Clock, pepper: Pepper, wanted: Wanted, made_by: str
) -> Allocated | AllocationRefusal:
    """Let a PIN, drawn here or supplied, open an account, once for each id.

    The same id with the same content answers as the first time; with another content it raises ChangedReplayError and
    does nothing. A supplied PIN has to begin with the digits of a range of its operator, so that nobody finds out by
    supplying whether a PIN of somebody else is there.
    """
    content_hash = pepper.digest("allocation", *wanted.content())
    for _ in range(_ATTEMPTS):
        try:
            with transaction(engine) as conn:
                return _allocate(conn, clock.now(), pepper, wanted, content_hash, made_by)
        except IntegrityError:
            continue  # another request with this id, or this PIN, came first: its answer is there now
    raise RuntimeError("an allocation was refused by the database again and again")


def list_uses(
    engine: Engine,
    operator_id: int,
    *,
    after_id: int = 0,
    limit: int,
    key: str | None = None,
    range_name: str | None = None,
    used_since_at: datetime | None = None,
) -> list[AllocationUse]:
    """What became of the PINs allocated to an operator, in the order of their allocation."""
    with reading(engine) as conn:
        return store.allocation_uses(
            conn,
            operator_id,
            after_id=after_id,
            limit=limit,
            key=key,
            range_name=range_name,
            used_since_at=used_since_at,
        )


def operator_id_of(engine: Engine, code: str) -> int:
    """The row of an operator; raises NotFoundError."""
    with reading(engine) as conn:
        found = operator_named(conn, code)
    if found is None:
        raise NotFoundError(f"no operator {code}")
    return found.id


def _allocate(
    conn: Connection, now: datetime, pepper: Pepper, wanted: Wanted, content_hash: str, made_by: str
) -> Allocated | AllocationRefusal:
    before = store.allocation(conn, wanted.operator_id, wanted.key)
    if before is not None:
        return _replayed(conn, pepper, wanted, before)
    found = None if wanted.range_name is None else store.range_named(conn, wanted.operator_id, wanted.range_name)
    refusal = _refusal(wanted, found, now)
    account = _account(conn, wanted, now) if refusal is None else refusal
    if isinstance(account, AllocationRefusal):
        return account
    drawn = _pin(conn, pepper, wanted, found)
    if isinstance(drawn, AllocationRefusal):
        return drawn
    if found is not None and not store.count_issued(conn, found.id, 1):
        return AllocationRefusal.RANGE_FULL
    account_id, number = account
    account_id = account_id or _open_account(conn, wanted.operator_id, number, now)
    pin_hash = pepper.digest("pin", drawn)
    is_drawn = wanted.pin is None
    ends = wanted.expires_at or (None if found is None else ends_at(found.period, found.period_days, now))
    range_id = None if found is None else found.id
    account_store.insert_pin(conn, account_id=account_id, pin_hash=pin_hash, at=now, expires_at=ends, range_id=range_id)
    kept: dict[str, object] = {
        "operator_id": wanted.operator_id,
        "key": wanted.key,
        "content_hash": content_hash,
        "account_id": account_id,
        "pin_hash": pin_hash,
        "draw": None,
        "pin_sealed": seal(pepper, _place(wanted, content_hash), drawn) if is_drawn else None,
        "made_by": made_by[:80],
        "at": now,
    }
    store.insert_allocation(conn, kept)
    shown = drawn if is_drawn else None
    return Allocated(wanted.key, number, wanted.range_name, now, ends, is_replay=False, pin=shown)


def _replayed(conn: Connection, pepper: Pepper, wanted: Wanted, before: KeptAllocation) -> Allocated:
    if not pepper.is_digest(before.content_hash, "allocation", *wanted.content()):
        raise ChangedReplayError("this id was used for another allocation")
    (use,) = store.allocation_uses(conn, wanted.operator_id, limit=1, key=wanted.key)
    found = None if use.range_name is None else store.range_named(conn, wanted.operator_id, use.range_name)
    pin = None
    if before.pin_sealed is not None:
        pin = open_sealed(pepper, _place(wanted, before.content_hash), before.pin_sealed)
    elif before.draw is not None:
        pin = _redrawn(pepper, wanted, found.prefix if found else "", before.draw)
    made = Allocated(use.key, use.account_number, use.range_name, use.at, use.expires_at, is_replay=False, pin=pin)
    return replace(made, is_replay=True)


def _refusal(wanted: Wanted, found: PinRange | None, now: datetime) -> AllocationRefusal | None:
    if wanted.expires_at is not None and not now < wanted.expires_at < now + _LATEST:
        return AllocationRefusal.EXPIRY
    if found is None and wanted.range_name is not None:
        return AllocationRefusal.RANGE_UNKNOWN
    if wanted.pin is None:
        return None
    if found is None or not found.prefix or not is_pin(wanted.pin) or not wanted.pin.startswith(found.prefix):
        return AllocationRefusal.PIN_NOT_IN_RANGE
    return None


def _account(conn: Connection, wanted: Wanted, now: datetime) -> tuple[int | None, str] | AllocationRefusal:
    """Row and number of the account; no row yet for one that is to be opened."""
    if wanted.account_number is None:
        return None, draw_number(conn)
    found = account_store.account_by_number(conn, wanted.account_number)
    if found is None or account_store.operator_id_of(conn, found.id) != wanted.operator_id:
        return AllocationRefusal.ACCOUNT_UNKNOWN
    if found.state is not AccountState.OPEN or found.is_expired(now):
        return AllocationRefusal.ACCOUNT_CLOSED
    return found.id, found.number


def _open_account(conn: Connection, operator_id: int, number: str, now: datetime) -> int:
    whose = store.operator_of(conn, operator_id)
    if whose is None:
        raise RuntimeError("an API key without its operator")
    return account_store.insert_account(
        conn, operator_id=operator_id, number=number, name="", currency=whose[1], limit_micros=0, at=now
    )


def _pin(conn: Connection, pepper: Pepper, wanted: Wanted, found: PinRange | None) -> str | AllocationRefusal:
    """The digits: those that were supplied, or random ones that nobody has."""
    if wanted.pin is not None:
        is_taken = account_store.is_pin_taken(conn, pepper.digests("pin", wanted.pin))
        return AllocationRefusal.PIN_TAKEN if is_taken else wanted.pin
    prefix = found.prefix if found else ""
    free, reserved = PIN_DIGITS - len(prefix), () if prefix else store.prefixes(conn)
    for _ in range(_DRAWS):
        digits = f"{prefix}{secrets.randbelow(10**free):0{free}d}"
        if not digits.startswith(reserved) and not account_store.is_pin_taken(conn, pepper.digests("pin", digits)):
            return digits
    return AllocationRefusal.RANGE_FULL


def _place(wanted: Wanted, content_hash: str) -> Place:
    row = {"content_hash": content_hash, "operator_id": wanted.operator_id, "key": wanted.key}
    return PIN_BOUND.place("pin_allocation", "pin_sealed", row)


def _redrawn(pepper: Pepper, wanted: Wanted, prefix: str, draw: int) -> str:
    free = PIN_DIGITS - len(prefix)
    number = int(pepper.first_digest("allocated-pin", str(wanted.operator_id), wanted.key, str(draw)), 16)
    return f"{prefix}{number % 10**free:0{free}d}"
