"""The SQL of the ledger and of the money an account has.

Locks are always taken in the order call, charging session, account, line usage, ledger account, so that no two
transactions wait for each other. On SQLite every writing transaction is alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection

from billing.accounts.tables import account
from billing.ledger.tables import ledger_account, posting, transfer
from billing.ledger.transfer import (
    NO_LINK,
    ChangedReplayError,
    Funds,
    LedgerAccount,
    LedgerLine,
    Transfer,
    link_hash,
    sides_of,
)
from runtime.database import to_micros
from runtime.frozen import maker
from runtime.prepared import Prepared
from runtime.prepared_rows import KeyedRead, RowWrite


@dataclass(frozen=True, slots=True)
class Posted:
    """The row of a transfer; `is_replay` when it was there before, with the same content.

    `balance_after_micros` is the customer's, right after it; 0 when no customer took part.
    """

    transfer_id: int
    balance_after_micros: int
    is_replay: bool


FUNDS_COLUMNS = (
    account.c.id,
    account.c.operator_id,
    account.c.currency,
    account.c.state == sa.literal_column("'open'"),
    account.c.balance_micros,
    account.c.held_micros,
    account.c.limit_micros,
    account.c.revision,
    account.c.state == sa.literal_column("'suspended'"),
    account.c.expires_at,
)
_FUNDS = sa.select(*FUNDS_COLUMNS).with_for_update(key_share=True)
_FUNDS_BY_ID = Prepared(_FUNDS.where(account.c.id == sa.bindparam("account_id")))
_FUNDS_BY_NUMBER = Prepared(_FUNDS.where(account.c.number == sa.bindparam("number")))
# In order of their ids, so that no two transactions wait for each other.
_FUNDS_BY_IDS = KeyedRead(_FUNDS.order_by(account.c.id), account.c.id)
funds_of = maker(Funds)
"""Funds from the values of these columns."""
_MOVE_HOLDS = RowWrite(account, keys=("id",), adds=("held_micros",))
_MOVE = Prepared(
    sa.update(account)
    .where(account.c.id == sa.bindparam("account_id"))
    .values(
        balance_micros=account.c.balance_micros + sa.bindparam("by_micros", type_=sa.BigInteger),
        held_micros=account.c.held_micros + sa.bindparam("held_by_micros", type_=sa.BigInteger),
        revision=account.c.revision + sa.bindparam("revised_by", type_=sa.BigInteger),
    )
)
_REVISIONS = sa.select(account.c.id, account.c.revision).where(
    account.c.id.in_(sa.bindparam("account_ids", expanding=True))
)
_LEDGER_ACCOUNT_ID = sa.select(ledger_account.c.id).where(
    ledger_account.c.kind == sa.bindparam("kind"),
    ledger_account.c.owner == sa.bindparam("owner"),
    ledger_account.c.currency == sa.bindparam("currency"),
)
_LEDGER_ACCOUNT = Prepared(_LEDGER_ACCOUNT_ID)
_LOCK_LEDGER_ACCOUNT = Prepared(_LEDGER_ACCOUNT_ID.with_for_update(key_share=True))
_LAST_LINK = Prepared(
    sa.select(transfer.c.chain_number, transfer.c.chain_hash)
    .where(transfer.c.chain_id == sa.bindparam("chain_id"))
    .order_by(transfer.c.chain_number.desc())
    .limit(1)
)
# PostgreSQL's construct compiles to what SQLite reads as well.
_ADD_LEDGER_ACCOUNT = Prepared(
    postgresql.insert(ledger_account).on_conflict_do_nothing(), ("kind", "owner", "account_id", "currency")
)
_ADD_TRANSFER = Prepared(
    postgresql.insert(transfer).on_conflict_do_nothing(index_elements=["key"]).returning(transfer.c.id),
    ("key", "kind", "currency", "at", "made_by", "note", "chain_id", "chain_number", "chain_hash"),
)
_ADD_POSTING = Prepared(
    sa.insert(posting), ("transfer_id", "position", "ledger_account_id", "amount_micros", "balance_after_micros")
)
_TRANSFER_BY_KEY = Prepared(
    sa.select(transfer.c.id, transfer.c.kind, transfer.c.currency).where(transfer.c.key == sa.bindparam("key"))
)
_LINES = (
    sa.select(
        transfer.c.id,
        transfer.c.at,
        transfer.c.kind,
        ledger_account.c.kind,
        ledger_account.c.owner,
        posting.c.amount_micros,
        transfer.c.currency,
        posting.c.balance_after_micros,
        transfer.c.made_by,
        transfer.c.note,
    )
    .join_from(posting, transfer)
    .join(ledger_account, ledger_account.c.id == posting.c.ledger_account_id)
)
_LINES_OF_TRANSFER = Prepared(_LINES.where(transfer.c.id == sa.bindparam("transfer_id")).order_by(posting.c.position))
_LINES_OF_ACCOUNT = Prepared(
    _LINES.where(ledger_account.c.account_id == sa.bindparam("account_id"))
    .order_by(posting.c.transfer_id.desc(), posting.c.position)
    .limit(sa.bindparam("limit", type_=sa.Integer))
)


def lock_funds(conn: Connection, account_id: int) -> Funds | None:
    """What an account has, locked until the end of the transaction."""
    row = _FUNDS_BY_ID.first(conn, account_id=account_id)
    return None if row is None else Funds(*row)


def lock_many_funds(conn: Connection, account_ids: Iterable[int]) -> dict[int, Funds]:
    """Those of these accounts that there are, locked as by `lock_funds`."""
    return {row[0]: funds_of(row) for row in _FUNDS_BY_IDS.all(conn, {(one,) for one in account_ids})}


def lock_funds_of_number(conn: Connection, number: str) -> Funds | None:
    """The same, found by the account's number."""
    row = _FUNDS_BY_NUMBER.first(conn, number=number)
    return None if row is None else Funds(*row)


def move(
    conn: Connection, account_id: int, by_micros: int, held_by_micros: int, *, concerns_others: bool = True
) -> None:
    """Change balance and holds of a locked account; the database refuses what would pass the limit.

    What `concerns_others` counts the account's revision up, by which all its running sessions learn of it (CHG-7).
    """
    _MOVE.run(
        conn,
        account_id=account_id,
        by_micros=by_micros,
        held_by_micros=held_by_micros,
        revised_by=int(concerns_others),
    )


def move_holds(conn: Connection, by_micros: Mapping[int, int]) -> None:
    """Change what is held of locked accounts; it concerns nobody else."""
    _MOVE_HOLDS.run(conn, list(by_micros.items()))


def revisions(conn: Connection, account_ids: Iterable[int]) -> dict[int, int]:
    """The revision of each of these accounts, by one look-up."""
    return {row[0]: row[1] for row in conn.execute(_REVISIONS, {"account_ids": list(account_ids)})}


def post(conn: Connection, moved: Transfer, at: datetime, made_by: str, note: str = "") -> Posted:
    """Append a transfer, once for its key; raises ChangedReplayError when the key has another content.

    The ledger account of its chain stays locked until the end of the transaction: that is the order of the links.
    """
    chain_id = _ledger_account_id(conn, moved.chain, moved.currency, _LOCK_LEDGER_ACCOUNT)
    last_number, last_hash = _LAST_LINK.first(conn, chain_id=chain_id) or (0, NO_LINK)
    number = last_number + 1
    kind, currency = moved.kind.value, moved.currency
    fields = (moved.key, kind, currency, to_micros(at), made_by, note)
    row = _ADD_TRANSFER.first(
        conn,
        key=moved.key,
        kind=kind,
        currency=currency,
        at=at,
        made_by=made_by,
        note=note,
        chain_id=chain_id,
        chain_number=number,
        chain_hash=link_hash(last_hash, number, fields, sides_of(moved)),
    )
    if row is None:
        before = find_posted(conn, moved)
        if before is None:
            raise ChangedReplayError("a transfer refused by its key is not there")
        return before
    transfer_id = int(row[0])
    _ADD_POSTING.run_each(
        conn,
        [
            {
                "transfer_id": transfer_id,
                "position": position,
                "ledger_account_id": chain_id
                if side.ledger_account == moved.chain
                else _ledger_account_id(conn, side.ledger_account, moved.currency),
                "amount_micros": side.amount_micros,
                "balance_after_micros": side.balance_after_micros,
            }
            for position, side in enumerate(moved.postings)
        ],
    )
    balances = [side.balance_after_micros for side in moved.postings if side.balance_after_micros is not None]
    return Posted(transfer_id, balances[0] if balances else 0, is_replay=False)


def find_posted(conn: Connection, moved: Transfer) -> Posted | None:
    """What is there under the transfer's key; raises ChangedReplayError when that is another transfer."""
    row = _TRANSFER_BY_KEY.first(conn, key=moved.key)
    if row is None:
        return None
    transfer_id, kind, currency = row
    lines = lines_of_transfer(conn, transfer_id)
    before = sorted((line.ledger_kind, line.owner, line.amount_micros) for line in lines)
    now = sorted(
        (side.ledger_account.kind.value, side.ledger_account.owner, side.amount_micros) for side in moved.postings
    )
    if (kind, currency, before) != (moved.kind.value, moved.currency, now):
        raise ChangedReplayError("this key was used for another transfer")
    return _as_posted(int(transfer_id), lines)


def posted_under(conn: Connection, key: str) -> Posted | None:
    """The transfer under a key, or none."""
    row = _TRANSFER_BY_KEY.first(conn, key=key)
    if row is None:
        return None
    return _as_posted(int(row[0]), lines_of_transfer(conn, row[0]))


def lines_of_transfer(conn: Connection, transfer_id: int) -> list[LedgerLine]:
    """Both sides of a transfer, in the order they were posted."""
    return [LedgerLine(*row) for row in _LINES_OF_TRANSFER.all(conn, transfer_id=transfer_id)]


def lines_of_account(conn: Connection, account_id: int, limit: int = 100) -> list[LedgerLine]:
    """What moved a customer's balance, the newest first."""
    return [LedgerLine(*row) for row in _LINES_OF_ACCOUNT.all(conn, account_id=account_id, limit=limit)]


def _as_posted(transfer_id: int, lines: list[LedgerLine]) -> Posted:
    balances = [line.balance_after_micros for line in lines if line.balance_after_micros is not None]
    return Posted(transfer_id, balances[0] if balances else 0, is_replay=True)


def _ledger_account_id(
    conn: Connection, wanted: LedgerAccount, currency: str, look_up: Prepared = _LEDGER_ACCOUNT
) -> int:
    """The row of a ledger account, made if it is missing; whoever makes it first, all find the same."""
    for _ in range(2):
        row = look_up.first(conn, kind=wanted.kind.value, owner=wanted.owner, currency=currency)
        if row is not None:
            return int(row[0])
        _ADD_LEDGER_ACCOUNT.run(
            conn, kind=wanted.kind.value, owner=wanted.owner, account_id=wanted.account_id, currency=currency
        )
    row = look_up.first(conn, kind=wanted.kind.value, owner=wanted.owner, currency=currency)
    if row is None:
        raise LookupError(f"the ledger account {wanted.kind.value} {wanted.owner} has another currency")
    return int(row[0])
