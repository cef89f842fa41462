"""Seals: each covers every transfer since the one before, in the order of their ids, and is signed (CHG-8)."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from billing.ledger.tables import ledger_seal, transfer
from runtime.database import to_micros
from runtime.prepared import Prepared

_BATCH = 20_000
_LOCK_WAIT = "SET LOCAL lock_timeout = '250ms'"
_SEALS = sa.select(ledger_seal).order_by(ledger_seal.c.number)
_TRANSFERS_BY_ID = Prepared(
    sa.select(transfer.c.id, sa.type_coerce(transfer.c.chain_hash, sa.types.NullType()))
    .where(transfer.c.id > sa.bindparam("after_id"), transfer.c.id <= sa.bindparam("last_id"))
    .order_by(transfer.c.id)
    .limit(_BATCH)
)
_LAST_SEAL = _SEALS.order_by(None).order_by(ledger_seal.c.number.desc()).limit(1)
_LAST_TRANSFER_ID = sa.select(sa.func.max(transfer.c.id))


@dataclass(frozen=True, slots=True)
class Seal:
    """A seal as it is kept; `hash` in hexadecimal digits, worth noting outside the database."""

    number: int
    first_transfer_id: int
    last_transfer_id: int
    transfers: int
    at: datetime
    made_by: str
    hash: str
    signature: str


def last_transfer_id(conn: Connection) -> int | None:
    """The last transfer, when all before it are decided too.

    PostgreSQL gives ids before it commits, so for the moment of this look nobody may append: a lock that waits for
    those who are appending, a quarter of a second at most (then it raises OperationalError), and goes with the
    transaction. It must be taken in a transaction that does nothing else. On SQLite a writing transaction is alone.
    """
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql(_LOCK_WAIT)
        conn.exec_driver_sql("LOCK TABLE transfer IN SHARE MODE")
    found = conn.execute(_LAST_TRANSFER_ID).scalar_one()
    return None if found is None else int(found)


def last_seal(conn: Connection) -> Seal | None:
    """The last seal there is."""
    row = conn.execute(_LAST_SEAL).first()
    return None if row is None else _seal(row)


def seals(conn: Connection) -> list[Seal]:
    """Every seal, in order."""
    return [_seal(row) for row in conn.execute(_SEALS)]


def unsealed(conn: Connection) -> int:
    """How many transfers no seal covers yet."""
    last = sa.select(sa.func.coalesce(sa.func.max(ledger_seal.c.last_transfer_id), 0)).scalar_subquery()
    return int(conn.execute(sa.select(sa.func.count()).where(transfer.c.id > last)).scalar_one())


def batch_after(conn: Connection, after_id: int, last_id: int) -> list[tuple[int, bytes]]:
    """The next transfers with their hashes, by id."""
    return [(int(row[0]), row[1]) for row in _TRANSFERS_BY_ID.all(conn, after_id=after_id, last_id=last_id)]


def seal_hash(
    before: bytes, fields: tuple[int, int, int, datetime, str], covered: Iterable[tuple[int, bytes]]
) -> tuple[bytes, int]:
    """SHA-256 of the seal before, of this one's fields, and of each transfer's id and hash; and how many there are."""
    number, first_id, last_id, at, made_by = fields
    running, transfers = hashlib.sha256(before), 0
    for transfer_id, link in covered:
        running.update(b"%d:" % transfer_id)
        running.update(link if isinstance(link, bytes) else str(link).encode())
        transfers += 1
    running.update(f"{number} {first_id} {last_id} {transfers} {to_micros(at)} {made_by}".encode())
    return running.digest(), transfers


def add_seal(conn: Connection, seal: Seal) -> None:
    """Keep a seal; raises IntegrityError when somebody else made one meanwhile."""
    conn.execute(
        sa.insert(ledger_seal),
        {
            "number": seal.number,
            "first_transfer_id": seal.first_transfer_id,
            "last_transfer_id": seal.last_transfer_id,
            "transfers": seal.transfers,
            "at": seal.at,
            "made_by": seal.made_by,
            "hash": bytes.fromhex(seal.hash),
            "signature": seal.signature,
        },
    )


def _seal(row: sa.Row[Any]) -> Seal:
    values = row._asdict()
    return Seal(**{**values, "hash": values["hash"].hex()})
