"""Accounts, lines, access codes and PINs: what callers key and what staff do, one short transaction each.

What a caller keys is answered with a value, and counted when it is wrong in the same transaction (PIN-4, AGE-5). What
staff ask raises NotFoundError for what is not there and StaffError for what cannot be done.
"""

import secrets
from collections.abc import Callable
from datetime import datetime

from sqlalchemy.engine import Connection, Engine

from ani.access.service import Staff
from ani.lockout.lockout import UNKNOWN_WAY, Limits, Tell, Way, tell_nobody
from ani.lockout.store import is_locked, record_wrong
from ani.typed_line import typed_line
from billing.accounts import store
from billing.accounts.account import (
    NUMBER_DIGITS,
    Account,
    AccountLine,
    AccountRefusal,
    AccountState,
    IssuedPin,
    code_conflict,
    is_access_code,
    is_account_number,
)
from billing.accounts.issuing.service import draw_pin
from billing.accounts.own_tariff.service import tariff_id_of
from billing.cards.card import TopUpRefusal
from billing.cards.redeeming.service import ToppedUp, open_by_pin, pay_in
from billing.money import format_amount
from billing.operators.store import operator_named
from runtime.clock import Clock
from runtime.database import reading, transaction
from runtime.faults import NotFoundError, StaffError
from runtime.keys import Pepper

_DRAWS = 100


def check_access_code(
    engine: Engine,
    clock: Clock,
    pepper: Pepper,
    limits: Limits,
    ani: str,
    code: str,
    *,
    way: Way = UNKNOWN_WAY,
    tell: Tell = tell_nobody,
) -> int | AccountRefusal:
    """The account that an access code picks on a line (its id), or why none is given; `tell` hears of a lock-out.

    A wrong code counts against the line and the access number, and against the account when it is the only one there.
    """
    now = clock.now()
    with transaction(engine) as conn:
        accounts = store.accounts_on_line(conn, ani)
        only = accounts[0].account_id if len(accounts) == 1 else None
        if is_locked(conn, ani=ani, account_id=only, limits=limits, now=now, way=way, tell=tell):
            return AccountRefusal.LOCKED
        found = store.account_of_code(conn, ani, pepper.digests("code", ani, code)) if is_access_code(code) else None
        if found is None:
            record_wrong(conn, ani=ani, account_id=only, kind="access-code", at=now, way=way)
            return AccountRefusal.WRONG_CODE
        if found[0] != only and _is_shut(conn, found[0], limits, now, tell):
            record_wrong(conn, ani=ani, account_id=only, kind="access-code", at=now, way=way)
            return AccountRefusal.WRONG_CODE
        return _opened(*found)


def check_pin(
    engine: Engine,
    clock: Clock,
    pepper: Pepper,
    limits: Limits,
    ani: str,
    pin: str,
    *,
    operator_id: int | None = None,
    may_redeem: bool = True,
    way: Way = UNKNOWN_WAY,
    tell: Tell = tell_nobody,
) -> int | AccountRefusal:
    """The account that a PIN opens (its id), or why none is given.

    Unknown, revoked and ended PINs, those of cards that are not activated or void and, where it is told, those of
    another operator answer alike, by the same statements; so, and counted so, do those of an account that is locked,
    else a lock-out would tell which PIN is right. The first use of a card opens its account, if it may.
    """
    hashes = pepper.digests("pin", pin)
    with transaction(engine) as conn:
        return try_pin(
            conn, clock, limits, ani, hashes, operator_id=operator_id, may_redeem=may_redeem, way=way, tell=tell
        )


def try_pin(
    conn: Connection,
    clock: Clock,
    limits: Limits,
    ani: str,
    pin_hashes: tuple[str, ...],
    *,
    operator_id: int | None = None,
    may_redeem: bool = True,
    way: Way = UNKNOWN_WAY,
    tell: Tell = tell_nobody,
) -> int | AccountRefusal:
    """The same, within the caller's transaction; the PIN comes as its hash by each key, the oldest first."""
    now = clock.now()
    if is_locked(conn, ani=ani, account_id=None, limits=limits, now=now, way=way, tell=tell):
        return AccountRefusal.LOCKED
    found = open_by_pin(conn, pin_hashes, now, operator_id=operator_id, may_redeem=may_redeem)
    if found is None or _is_shut(conn, found[0], limits, now, tell):
        record_wrong(conn, ani=ani, account_id=None, kind="pin", at=now, way=way)
        return AccountRefusal.WRONG_PIN
    return _opened(*found)


def prove_pin(
    engine: Engine,
    clock: Clock,
    pepper: Pepper,
    limits: Limits,
    *,
    ani: str,
    account_id: int,
    pin: str,
    way: Way = UNKNOWN_WAY,
    tell: Tell = tell_nobody,
) -> AccountRefusal | None:
    """None when this PIN opens this account; that of another is as wrong as any, and counted against both."""
    now = clock.now()
    with transaction(engine) as conn:
        if is_locked(conn, ani=ani, account_id=account_id, limits=limits, now=now, way=way, tell=tell):
            return AccountRefusal.LOCKED
        found = open_by_pin(conn, pepper.digests("pin", pin), now, may_redeem=False)
        if found is not None and found[0] == account_id:
            return None
        record_wrong(conn, ani=ani, account_id=account_id, kind="pin", at=now, way=way)
        return AccountRefusal.WRONG_PIN


def top_up(
    engine: Engine,
    clock: Clock,
    pepper: Pepper,
    limits: Limits,
    *,
    ani: str,
    account_id: int,
    digits: str,
    way: Way = UNKNOWN_WAY,
    tell: Tell = tell_nobody,
) -> ToppedUp | TopUpRefusal:
    """Pay a card into an account by its PIN; a wrong one counts against the line and the account, as any wrong PIN."""
    now = clock.now()
    with transaction(engine) as conn:
        if is_locked(conn, ani=ani, account_id=account_id, limits=limits, now=now, way=way, tell=tell):
            return TopUpRefusal.LOCKED
        answer = pay_in(conn, pepper.digests("pin", digits), account_id, now)
        if answer is TopUpRefusal.WRONG:
            record_wrong(conn, ani=ani, account_id=account_id, kind="card", at=now, way=way)
        return answer


def create_account(
    engine: Engine,
    clock: Clock,
    *,
    operator_code: str,
    name: str = "",
    number: str | None = None,
    limit_micros: int = 0,
    tariff: str | None = None,
    by: Staff | None = None,
    is_periodic: bool = False,
    then: Callable[[Connection, Account], object] | None = None,
) -> Account:
    """A new account without money, in its operator's currency; its number is drawn at random unless it is given.

    `tariff` names the one of its own, which prices its calls in place of the service's. Who made it is kept. What has
    to be done with it in the same transaction is `then`.
    """
    if number is not None and not is_account_number(number):
        raise StaffError("number: 1 to 32 letters, digits and dashes")
    if len(name) > 80 or limit_micros < 0:
        raise StaffError("name: at most 80 characters; limit: not below zero")
    with transaction(engine) as conn:
        operator = operator_named(conn, operator_code)
        if operator is None:
            raise NotFoundError(f"no operator {operator_code}")
        if number is not None and store.is_number_taken(conn, number):
            raise StaffError(f"there is an account {number} already")
        account_id = store.insert_account(
            conn,
            operator_id=operator.id,
            number=number or draw_number(conn),
            name=name,
            currency=operator.currency,
            limit_micros=limit_micros,
            at=clock.now(),
            tariff_id=tariff_id_of(conn, operator.id, tariff, operator.currency, "account"),
            is_periodic=is_periodic,
        )
        if by is not None:
            priced = "" if tariff is None else f", tariff {tariff}"
            by.keep_change(conn, account_id, f"account create: limit {format_amount(limit_micros)}{priced}")
        found = store.account_by_id(conn, account_id)
        if found is None:
            raise RuntimeError("an account that was just written is not there")
        if then is not None:
            then(conn, found)
    return found


def close_account(engine: Engine, clock: Clock, *, number: str, by: str, note: str) -> Account:
    """Close an account: nothing opens it any more. What is left on it stays in the ledger.

    Refused while a call holds money of it.
    """
    with transaction(engine) as conn:
        found = named_account(conn, number, lock=True)
        if found.held_micros > 0:
            raise StaffError(f"a call is using account {number}: try again when it has ended")
        if found.state is AccountState.CLOSED:
            raise StaffError(f"account {number} is closed already")
        store.close_account(conn, found.id, at=clock.now(), by=by, note=note)
        return named_account(conn, number)


def find_account(engine: Engine, number: str) -> Account:
    """An account by its number."""
    with reading(engine) as conn:
        return named_account(conn, number)


def describe_account(engine: Engine, number: str) -> tuple[Account, list[AccountLine], list[IssuedPin]]:
    """An account with its lines and its PINs, as they are at one moment."""
    with reading(engine) as conn:
        found = named_account(conn, number)
        return found, store.lines(conn, account_id=found.id, limit=1000), store.pins(conn, found.id)


def list_accounts(engine: Engine, *, operator_code: str | None = None, limit: int = 1000) -> list[Account]:
    """Accounts by number, of one operator or all."""
    with reading(engine) as conn:
        return store.accounts(conn, operator_code=operator_code, limit=limit)


def add_line(engine: Engine, clock: Clock, pepper: Pepper, *, number: str, line: str, code: str | None = None) -> str:
    """Let a line open an account, with an access code where several share the line; gives the line in E.164."""
    check_code(code)
    with transaction(engine) as conn:
        found = open_account(conn, number)
        ani = typed_line(line, found.home_country)
        others = store.every_account_on_line(conn, ani)
        if any(other.account_id == found.id for other in others):
            raise StaffError(f"{ani} is on account {number} already")
        conflict = code_conflict(others, with_code=code is not None)
        if conflict is not None:
            raise StaffError(conflict)
        code_hash = free_code_hash(conn, pepper, ani, code, found.id)
        store.insert_line(conn, account_id=found.id, ani=ani, code_hash=code_hash, at=clock.now())
    return ani


def remove_line(engine: Engine, clock: Clock, *, number: str, line: str, by: str, note: str) -> str:
    """Take a line off an account, with a note; gives the line in E.164."""
    with transaction(engine) as conn:
        found = named_account(conn, number)
        ani = typed_line(line, found.home_country)
        if not store.remove_line(conn, account_id=found.id, ani=ani, at=clock.now(), by=by, note=note):
            raise NotFoundError(f"{ani} is not on account {number}")
    return ani


def list_lines(engine: Engine, *, number: str | None = None, limit: int = 1000) -> list[AccountLine]:
    """Lines of one account or of all."""
    with reading(engine) as conn:
        account_id = None if number is None else named_account(conn, number).id
        return store.lines(conn, account_id=account_id, limit=limit)


def issue_pin(
    engine: Engine,
    clock: Clock,
    pepper: Pepper,
    account_id: int,
    *,
    expires_at: datetime | None = None,
    range_name: str = "",
) -> str:
    """A new PIN of an open account: eight random digits, never issued before. Shown this once and kept as a hash.

    From a range of the account's operator it begins with the range's digits and, unless told otherwise, ends with the
    range's period. Raises NotFoundError for an unknown range, StaffError for a full one.
    """
    now = clock.now()
    if expires_at is not None and expires_at <= now:
        raise StaffError("a PIN cannot end before it is issued")
    with transaction(engine) as conn:
        return draw_pin(conn, now, pepper, account_id, expires_at=expires_at, range_name=range_name)


def revoke_pins(engine: Engine, clock: Clock, *, number: str, by: str, note: str, pin_id: int | None = None) -> int:
    """Revoke one PIN of an account, or all; gives how many."""
    with transaction(engine) as conn:
        found = named_account(conn, number)
        revoked = store.revoke_pins(conn, account_id=found.id, pin_id=pin_id, at=clock.now(), by=by, note=note)
    if revoked == 0:
        raise NotFoundError(f"account {number} has no such PIN that is not revoked")
    return revoked


def named_account(conn: Connection, number: str, *, lock: bool = False) -> Account:
    """An account by its number, in a transaction under way; raises NotFoundError."""
    found = store.account_by_number(conn, number, lock=lock)
    if found is None:
        raise NotFoundError(f"no account {number}")
    return found


def open_account(conn: Connection, number: str) -> Account:
    """An open account by its number, in a transaction under way; raises NotFoundError, StaffError for a closed one."""
    found = named_account(conn, number)
    if found.state is not AccountState.OPEN:
        raise StaffError(f"account {number} is {found.state}")
    return found


def check_code(code: str | None) -> None:
    """Raises StaffError for what cannot be an access code."""
    if code is not None and not is_access_code(code):
        raise StaffError("access code: one to four digits, a star may stand before them")


def free_code_hash(conn: Connection, pepper: Pepper, ani: str, code: str | None, account_id: int) -> str | None:
    """The hash a code is kept as; raises StaffError when another account on the line has this code."""
    if code is None:
        return None
    taken = store.account_of_code(conn, ani, pepper.digests("code", ani, code))
    if taken is not None and taken[0] != account_id:
        raise StaffError("another account on this line has this access code: choose another")
    return pepper.digest("code", ani, code)


def draw_number(conn: Connection) -> str:
    """A random account number that nobody has; in a transaction under way."""
    for _ in range(_DRAWS):
        number = str(secrets.randbelow(9 * 10 ** (NUMBER_DIGITS - 1)) + 10 ** (NUMBER_DIGITS - 1))
        if not store.is_number_taken(conn, number):
            return number
    raise RuntimeError("no free account number was drawn")


def _is_shut(conn: Connection, account_id: int, limits: Limits, now: datetime, tell: Tell) -> bool:
    return is_locked(conn, ani=None, account_id=account_id, limits=limits, now=now, tell=tell)


def _opened(account_id: int, state: AccountState) -> int | AccountRefusal:
    """Right digits still open neither a suspended nor a closed account."""
    if state is AccountState.SUSPENDED:
        return AccountRefusal.SUSPENDED
    return account_id if state is AccountState.OPEN else AccountRefusal.CLOSED
