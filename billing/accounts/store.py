"""Accounts, their lines, access codes and PINs in the database. Only keyed hashes of codes and PINs are ever here."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from billing.accounts.account import Account, AccountLine, AccountState, IssuedPin, LineAccount, reachable
from billing.accounts.tables import account, account_line, pin
from billing.operators.tables import operator
from billing.pins.tables import pin_range
from billing.tariffs.tables import tariff
from runtime.database import Instant
from runtime.frozen import maker
from runtime.prepared import Prepared

_ACCOUNT: sa.Select[Any] = sa.select(
    account.c.id,
    account.c.number,
    operator.c.code,
    operator.c.home_country,
    account.c.name,
    account.c.currency,
    account.c.state,
    account.c.balance_micros,
    account.c.held_micros,
    account.c.limit_micros,
    account.c.created_at,
    account.c.closed_at,
    account.c.tariff_id,
    account.c.expires_at,
    account.c.is_periodic,
).join(operator, operator.c.id == account.c.operator_id)
_STATE_AT = 6
_ACCOUNT_OF = maker(Account)
_BY_ID = Prepared(_ACCOUNT.where(account.c.id == sa.bindparam("account_id")))
_BY_NUMBER = _ACCOUNT.where(account.c.number == sa.bindparam("number"))
ON_LINE = (
    sa.select(
        account.c.id,
        account.c.number,
        account.c.state,
        account_line.c.access_code_hash.is_not(None),
        account_line.c.added_at,
        account_line.c.code_set_at,
    )
    .join(account, account.c.id == account_line.c.account_id)
    .where(account_line.c.ani == sa.bindparam("line"), account_line.c.removed_at.is_(None))
    .order_by(account.c.id)
)
"""The accounts on a `line`, as `line_accounts` reads them."""
_ON_LINE = Prepared(ON_LINE)
_BY_CODE = Prepared(
    sa.select(account.c.id, account.c.state)
    .join(account_line, account_line.c.account_id == account.c.id)
    .where(
        account_line.c.ani == sa.bindparam("line"),
        account_line.c.access_code_hash == sa.bindparam("code_hash"),
        account_line.c.removed_at.is_(None),
    )
)
_HAS_PIN = Prepared(
    sa.select(sa.literal(1))
    .where(
        pin.c.account_id == sa.bindparam("account_id"),
        pin.c.revoked_at.is_(None),
        sa.or_(pin.c.expires_at.is_(None), pin.c.expires_at > sa.bindparam("now", type_=Instant)),
    )
    .limit(1)
)
_PIN_ISSUED = Prepared(sa.select(pin.c.issued_at).where(pin.c.pin_hash == sa.bindparam("pin_hash")))
_PIN_TAKEN = sa.select(sa.literal(1)).where(pin.c.pin_hash == sa.bindparam("pin_hash"))
_NUMBER_TAKEN = sa.select(sa.literal(1)).where(account.c.number == sa.bindparam("number"))


def account_by_id(conn: Connection, account_id: int) -> Account | None:
    """An account by its row."""
    return _account(_BY_ID.first(conn, account_id=account_id))


def account_by_number(conn: Connection, number: str, *, lock: bool = False) -> Account | None:
    """An account by its number; `lock` keeps other writers of it waiting until the transaction ends."""
    query = _BY_NUMBER.with_for_update(of=account) if lock else _BY_NUMBER
    return _account(conn.execute(query, {"number": number}).first())


def account_numbers(conn: Connection, ids: Iterable[int | None]) -> dict[int, str]:
    """The numbers of these accounts, by which people know them; none for None."""
    wanted = {account_id for account_id in ids if account_id is not None}
    rows = conn.execute(sa.select(account.c.id, account.c.number).where(account.c.id.in_(wanted))) if wanted else ()
    return {row[0]: row[1] for row in rows}


def accounts(conn: Connection, *, operator_code: str | None = None, limit: int) -> list[Account]:
    """Accounts by number."""
    query = _ACCOUNT if operator_code is None else _ACCOUNT.where(operator.c.code == operator_code)
    rows = conn.execute(query.order_by(account.c.number).limit(limit))
    return [found for row in rows if (found := _account(row)) is not None]


def accounts_on_line(conn: Connection, ani: str) -> list[LineAccount]:
    """The accounts a line opens: the open ones; closed ones only when none is open. `has_code` says what to ask."""
    return reachable(every_account_on_line(conn, ani))


def every_account_on_line(conn: Connection, ani: str) -> list[LineAccount]:
    """The accounts on a line, closed ones too."""
    return line_accounts(_ON_LINE.all(conn, line=ani))


def line_accounts(rows: Sequence[tuple[Any, ...]]) -> list[LineAccount]:
    """The accounts of a line, by their rows."""
    return [LineAccount(row[0], row[1], AccountState(row[2]), bool(row[3]), *row[4:]) for row in rows]


def account_of_code(conn: Connection, ani: str, code_hashes: Sequence[str]) -> tuple[int, AccountState] | None:
    """The account an access code picks on a line; its hash by each key, the oldest first."""
    rows = (_BY_CODE.first(conn, line=ani, code_hash=one) for one in code_hashes)
    return _opened(next((row for row in rows if row is not None), None))


def operator_id_of(conn: Connection, account_id: int) -> int:
    """Whose customer an account is."""
    return int(conn.execute(sa.select(account.c.operator_id).where(account.c.id == account_id)).scalar_one())


def pin_issued_at(conn: Connection, pin_hashes: Sequence[str]) -> datetime | None:
    """When a PIN was issued; its hash by each key, the oldest first."""
    rows = (_PIN_ISSUED.first(conn, pin_hash=one) for one in pin_hashes)
    return next((row[0] for row in rows if row is not None), None)


def has_pin(conn: Connection, account_id: int, now: datetime) -> bool:
    """True when a PIN opens this account now."""
    return _HAS_PIN.first(conn, account_id=account_id, now=now) is not None


def is_pin_taken(conn: Connection, pin_hashes: Sequence[str]) -> bool:
    """True when this PIN was ever issued; its hash by each key, the oldest first."""
    return any(conn.execute(_PIN_TAKEN, {"pin_hash": one}).first() is not None for one in pin_hashes)


def is_number_taken(conn: Connection, number: str) -> bool:
    """True when an account has this number."""
    return conn.execute(_NUMBER_TAKEN, {"number": number}).first() is not None


def lines(conn: Connection, *, account_id: int | None = None, limit: int) -> list[AccountLine]:
    """Lines now on an account (or on all), by account and number."""
    query = (
        sa.select(
            account.c.id,
            account.c.number,
            account_line.c.ani,
            account_line.c.access_code_hash.is_not(None),
            account_line.c.added_at,
        )
        .join(account, account.c.id == account_line.c.account_id)
        .where(account_line.c.removed_at.is_(None))
        .order_by(account.c.number, account_line.c.ani)
        .limit(limit)
    )
    if account_id is not None:
        query = query.where(account_line.c.account_id == account_id)
    return [AccountLine(*row) for row in conn.execute(query)]


def pins(conn: Connection, account_id: int) -> list[IssuedPin]:
    """Every PIN ever issued to an account, the newest first; never their digits."""
    rows = conn.execute(
        sa.select(
            pin.c.id,
            pin.c.issued_at,
            pin.c.expires_at,
            pin.c.revoked_at,
            pin_range.c.name,
            pin.c.uses,
            pin.c.last_used_at,
        )
        .outerjoin(pin_range, pin_range.c.id == pin.c.range_id)
        .where(pin.c.account_id == account_id)
        .order_by(pin.c.id.desc())
    )
    return [IssuedPin(*row) for row in rows]


def insert_account(
    conn: Connection,
    *,
    operator_id: int,
    number: str,
    name: str,
    currency: str,
    limit_micros: int,
    at: datetime,
    tariff_id: int | None = None,
    expires_at: datetime | None = None,
    is_periodic: bool = False,
) -> int:
    """A new open account with nothing on it; gives its id."""
    values = {
        "operator_id": operator_id,
        "number": number,
        "name": name,
        "currency": currency,
        "limit_micros": limit_micros,
        "created_at": at,
        "tariff_id": tariff_id,
        "expires_at": expires_at,
        "is_periodic": is_periodic,
    }
    return int(conn.execute(sa.insert(account).returning(account.c.id), values).scalar_one())


def set_expiry(conn: Connection, account_id: int, expires_at: datetime | None) -> None:
    """Let an account end at another moment, or never."""
    conn.execute(sa.update(account).where(account.c.id == account_id).values(expires_at=expires_at))


def tariff_name(conn: Connection, tariff_id: int) -> str | None:
    """What a tariff is called."""
    return conn.execute(sa.select(tariff.c.name).where(tariff.c.id == tariff_id)).scalar()


def set_tariff(conn: Connection, account_id: int, tariff_id: int | None) -> None:
    """Price an account by another tariff, or by that of the service."""
    conn.execute(sa.update(account).where(account.c.id == account_id).values(tariff_id=tariff_id))


def set_limit(conn: Connection, account_id: int, limit_micros: int, *, is_periodic: bool) -> None:
    """How far below zero an account may go, and whether it is billed by the period.

    The database refuses a limit that does not cover what is owed and held.
    """
    values = {"limit_micros": limit_micros, "is_periodic": is_periodic}
    conn.execute(sa.update(account).where(account.c.id == account_id).values(values))


def close_account(conn: Connection, account_id: int, *, at: datetime, by: str, note: str) -> None:
    """Mark an account closed."""
    values = {"state": AccountState.CLOSED.value, "closed_at": at, "closed_by": by, "close_note": note}
    conn.execute(sa.update(account).where(account.c.id == account_id).values(values))


def insert_line(conn: Connection, *, account_id: int, ani: str, code_hash: str | None, at: datetime) -> None:
    """Let a line open an account."""
    values = {
        "account_id": account_id,
        "ani": ani,
        "access_code_hash": code_hash,
        "added_at": at,
        "code_set_at": None if code_hash is None else at,
    }
    conn.execute(sa.insert(account_line), values)


def remove_line(conn: Connection, *, account_id: int, ani: str, at: datetime, by: str, note: str) -> bool:
    """Take a line off an account; false when it is not on it."""
    statement = sa.update(account_line).where(_current(account_id, ani))
    return conn.execute(statement.values(removed_at=at, removed_by=by, remove_note=note)).rowcount == 1


def set_code(conn: Connection, *, account_id: int, ani: str, code_hash: str | None, at: datetime) -> bool:
    """Set or clear the access code of an account on a line; false when the line is not on it."""
    statement = sa.update(account_line).where(_current(account_id, ani))
    values = {"access_code_hash": code_hash, "code_set_at": None if code_hash is None else at}
    return conn.execute(statement.values(values)).rowcount == 1


def insert_pin(
    conn: Connection,
    *,
    account_id: int,
    pin_hash: str,
    at: datetime,
    expires_at: datetime | None,
    range_id: int | None = None,
    revoked_for: str = "",
) -> None:
    """Let a PIN open an account; with a reason in `revoked_for`, not yet."""
    values = {
        "account_id": account_id,
        "pin_hash": pin_hash,
        "issued_at": at,
        "expires_at": expires_at,
        "range_id": range_id,
    }
    if revoked_for:
        values |= {"revoked_at": at, "revoked_by": "gateway", "revoke_note": revoked_for}
    conn.execute(sa.insert(pin), values)


def give_pin(conn: Connection, *, account_id: int, pin_hashes: Sequence[str], revoked_for: str) -> bool:
    """Let a PIN that was inserted as revoked for this reason open its account; false when there is none."""
    statement = sa.update(pin).where(
        pin.c.account_id == account_id, pin.c.pin_hash.in_(pin_hashes), pin.c.revoke_note == revoked_for
    )
    return conn.execute(statement.values(revoked_at=None, revoked_by=None, revoke_note=None)).rowcount == 1


def revoke_pins(conn: Connection, *, account_id: int, pin_id: int | None, at: datetime, by: str, note: str) -> int:
    """Revoke one PIN of an account, or all that are not revoked yet; gives how many."""
    statement = sa.update(pin).where(pin.c.account_id == account_id, pin.c.revoked_at.is_(None))
    if pin_id is not None:
        statement = statement.where(pin.c.id == pin_id)
    return conn.execute(statement.values(revoked_at=at, revoked_by=by, revoke_note=note)).rowcount


def _current(account_id: int, ani: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        account_line.c.account_id == account_id, account_line.c.ani == ani, account_line.c.removed_at.is_(None)
    )


def _account(row: Sequence[Any] | None) -> Account | None:
    if row is None:
        return None
    values = list(row)
    values[_STATE_AT] = AccountState(row[_STATE_AT])
    return _ACCOUNT_OF(values)


def _opened(row: Sequence[Any] | None) -> tuple[int, AccountState] | None:
    return None if row is None else (row[0], AccountState(row[1]))
