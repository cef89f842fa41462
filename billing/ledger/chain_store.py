"""Reading the chains and the seals again, in order and a batch at a time, to prove that nothing was edited (CHG-8).

Each batch is a reading transaction of its own, so a long proof holds up nobody and needs the memory of one batch only.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from billing.ledger.seal_store import batch_after, seal_hash, seals
from billing.ledger.tables import ledger_account, posting, transfer
from billing.ledger.transfer import NO_LINK, Finding, LedgerKind, Side, link_hash
from runtime.database import reading
from runtime.prepared import Prepared

BATCH = 5_000
Watch = Callable[[str, int, int], None]
"""Told how far a check is: its name, rows done, rows in all (0 when not known)."""
IsSigned = Callable[[str, str], bool]
"""Whether a seal's hash has this signature, by a key that is not in the database."""

# Moments and hashes as they are in the row: a million conversions would be a third of the time.
_AT = sa.type_coerce(transfer.c.at, sa.BigInteger)
_HASH = sa.type_coerce(transfer.c.chain_hash, sa.types.NullType())
_LINKS = (
    sa.select(
        transfer.c.id,
        transfer.c.chain_id,
        transfer.c.chain_number,
        _HASH.label("hash"),
        transfer.c.key,
        transfer.c.kind,
        transfer.c.currency,
        _AT.label("at"),
        transfer.c.made_by,
        transfer.c.note,
    )
    .where(
        sa.tuple_(transfer.c.chain_id, transfer.c.chain_number)
        > sa.tuple_(sa.bindparam("chain_id", type_=sa.BigInteger), sa.bindparam("number", type_=sa.BigInteger))
    )
    .order_by(transfer.c.chain_id, transfer.c.chain_number)
    .limit(sa.literal_column(str(BATCH)))  # written out: PostgreSQL plans for it
    .subquery()
)
_LINKS_WITH_SIDES = Prepared(
    sa.select(
        *_LINKS.c,
        posting.c.position,
        ledger_account.c.kind,
        ledger_account.c.owner,
        posting.c.amount_micros,
        posting.c.balance_after_micros,
        ledger_account.c.id,
        ledger_account.c.currency,
    )
    .select_from(
        _LINKS.outerjoin(posting, posting.c.transfer_id == _LINKS.c.id).outerjoin(
            ledger_account, ledger_account.c.id == posting.c.ledger_account_id
        )
    )
    .order_by(_LINKS.c.chain_id, _LINKS.c.chain_number, posting.c.position)
)
_WIDTH = len(_LINKS.c)
_KINDS = {(int, str, str, int, int), (int, str, str, int, type(None))}
_CUSTOMER = LedgerKind.CUSTOMER.value
_HOW_MANY = Prepared(sa.select(sa.func.count()).select_from(transfer))


@dataclass(slots=True)
class _Chain:
    """Where a walk along the chains is: the last link seen, and what its customer had then."""

    chain_id: int | None = None
    number: int = 0
    hash: bytes = NO_LINK
    balance_micros: int = 0


def broken_links(engine: Engine, watch: Watch) -> Iterator[Finding]:
    """Every transfer that is not what was appended: edited, missing, not balanced, or not where it was."""
    total, done, at = _how_many(engine), 0, _Chain()
    after = (-(2**62), 0)
    while True:
        try:
            with reading(engine) as conn:
                rows = _LINKS_WITH_SIDES.all(conn, chain_id=after[0], number=after[1])
        except sa.exc.OperationalError as error:
            if "decode" not in str(error.orig):
                raise
            yield Finding("every transfer can be read", f"after {at.number} of chain {at.chain_id}", "no text", "text")
            return
        if not rows:
            return
        for _, group in groupby(rows, key=itemgetter(0)):
            yield from _broken(at, list(group))
            done += 1
        after = (rows[-1][1], rows[-1][2])
        watch("chain of transfers", done, total)


def _broken(at: _Chain, rows: list[tuple[Any, ...]]) -> Iterator[Finding]:
    """What is wrong with one transfer; its rows differ only in the postings."""
    _, chain_id, number, stored_hash, key, kind, currency, at_micros, made_by, note = rows[0][:_WIDTH]
    if chain_id != at.chain_id:
        at.chain_id, at.number, at.hash, at.balance_micros = chain_id, 0, NO_LINK, 0
    if number != at.number + 1:
        yield Finding("links of a chain follow each other", f"{key}", number, at.number + 1)
    sides = [row[_WIDTH:] for row in rows]
    if not _is_readable((key, kind, currency, made_by, note), stored_hash, sides):
        yield Finding("a transfer and its postings can be read", f"{key}", "something else", "text and numbers")
    else:
        hashed: list[Side] = [side[:5] for side in sides]
        real_hash = link_hash(at.hash, number, (key, kind, currency, at_micros, made_by, note), hashed)
        if real_hash != stored_hash:
            yield Finding("a transfer is what was appended", key, real_hash.hex()[:16], stored_hash.hex()[:16])
        yield from _unsound(at, key, currency, sides)
    at.number = number
    at.hash = stored_hash if isinstance(stored_hash, bytes) else NO_LINK


def _unsound(at: _Chain, key: str, currency: str, sides: list[tuple[Any, ...]]) -> Iterator[Finding]:
    """What would be wrong with a transfer even if it were appended so."""
    total, home = 0, None
    for _, ledger_kind, _, amount_micros, after_micros, ledger_account_id, side_currency in sides:
        total += amount_micros
        if side_currency != currency:
            yield Finding("a transfer has one currency", key, f"{side_currency}", currency)
        if ledger_kind != _CUSTOMER:
            continue
        home = home or ledger_account_id
        if ledger_account_id == at.chain_id:
            at.balance_micros += amount_micros
            if after_micros != at.balance_micros:
                yield Finding("balance after a posting", key, f"{after_micros}", at.balance_micros)
                at.balance_micros = after_micros or 0
    if total != 0 or len(sides) < 2:
        yield Finding("postings of a transfer add up to zero", key, total, 0)
    home = home or sides[0][5]
    if home != at.chain_id:
        yield Finding("a transfer is in the chain of its customer", key, f"{at.chain_id}", f"{home}")


def _is_readable(texts: tuple[Any, ...], stored_hash: object, sides: list[tuple[Any, ...]]) -> bool:
    """Whether the values are of the kinds they were written with; SQLite keeps anything anywhere."""
    if not sides or type(stored_hash) is not bytes or {*map(type, texts)} != {str}:
        return False
    return all((*map(type, side[:5]),) in _KINDS for side in sides)


def broken_seals(engine: Engine, watch: Watch, is_signed: IsSigned | None) -> Iterator[Finding]:
    """Every seal that does not fit what it covers; with `is_signed`, also every one not made with a key of ours."""
    before, last_number, last_id = NO_LINK, 0, 0
    with reading(engine) as conn:
        found = seals(conn)
    for seal in found:
        subject = f"seal {seal.number}"
        if (seal.number, seal.first_transfer_id) != (last_number + 1, last_id + 1):
            yield Finding("seals follow each other", subject, seal.first_transfer_id, last_id + 1)
        links = covered(engine, seal.first_transfer_id, seal.last_transfer_id, watch)
        fields = (seal.number, seal.first_transfer_id, seal.last_transfer_id, seal.at, seal.made_by)
        real_hash, transfers = seal_hash(before, fields, links)
        if real_hash.hex() != seal.hash or transfers != seal.transfers:
            yield Finding("a seal fits the transfers it covers", subject, transfers, seal.transfers)
        if is_signed is not None and not is_signed(seal.hash, seal.signature):
            yield Finding("a seal is signed with the key", subject, seal.signature[:16], "a signature with the key")
        before, last_number, last_id = bytes.fromhex(seal.hash), seal.number, seal.last_transfer_id


def covered(engine: Engine, first_id: int, last_id: int, watch: Watch) -> Iterator[tuple[int, bytes]]:
    """Every transfer of this range with its hash, by id."""
    after, done = first_id - 1, 0
    while after < last_id:
        with reading(engine) as conn:
            rows = batch_after(conn, after, last_id)
        if not rows:
            return
        yield from rows
        after = rows[-1][0]
        done += len(rows)
        watch("seals", done, 0)


def _how_many(engine: Engine) -> int:
    with reading(engine) as conn:
        row = _HOW_MANY.first(conn)
    return 0 if row is None else int(row[0])
