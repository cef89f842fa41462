"""What is done with the ledger: pay money in, move it by hand, seal it, and prove that nothing was edited."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from itertools import islice

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import IntegrityError, OperationalError

from billing.ledger import audit_store, chain_store, seal_store, store, transfer
from billing.ledger.chain_store import Watch
from billing.ledger.seal_store import Seal
from billing.ledger.transfer import (
    Credited,
    CreditRefusal,
    Finding,
    Funds,
    LedgerKind,
    MovementRefusal,
    Transfer,
    TransferKind,
)
from runtime.clock import Clock
from runtime.database import reading, transaction
from runtime.faults import BusyError
from runtime.keys import Pepper

_SEAL_KIND = "ledger-seal"
_MOVEMENTS: dict[TransferKind, Callable[[str, Funds, int], Transfer]] = {
    TransferKind.DEBIT: transfer.debit,
    TransferKind.REFUND: transfer.refund,
    TransferKind.CORRECTION: transfer.correction,
}


def credit(
    engine: Engine, clock: Clock, account_number: str, amount_micros: int, key: str, made_by: str, note: str = ""
) -> Credited | CreditRefusal:
    """Pay money into an account, once for each key; balance and posting change in one transaction.

    The same key with the same account and amount answers as the first time, and changes nothing; with another account
    or amount it raises ChangedReplayError. A key has 1 to 73 characters, else TransferError.
    """
    with transaction(engine) as conn:
        funds = store.lock_funds_of_number(conn, account_number)
        refusal = transfer.credit_refusal(funds, amount_micros)
        if funds is None or refusal in {CreditRefusal.NOT_POSITIVE, CreditRefusal.UNKNOWN_ACCOUNT}:
            return refusal or CreditRefusal.UNKNOWN_ACCOUNT
        moved = transfer.credit(key, funds, amount_micros)
        before = store.find_posted(conn, moved)
        if before is not None:
            return Credited(before.balance_after_micros, before.transfer_id, is_replay=True)
        if refusal is not None:
            return refusal
        return _move(conn, clock, funds, moved, amount_micros, made_by, note)


def adjust(
    engine: Engine,
    clock: Clock,
    kind: TransferKind,
    account_number: str,
    amount_micros: int,
    *,
    key: str,
    made_by: str,
    reason: str,
) -> Credited | MovementRefusal:
    """Debit or refund (a positive amount) or correct (either sign) an account, once for each key, with a reason.

    Replays as `credit` does. Also for a closed account: what is on it can be put right. Never takes what a call holds
    or more than there is. A key has 1 to 70 characters, else TransferError.
    """
    with transaction(engine) as conn:
        funds = store.lock_funds_of_number(conn, account_number)
        if funds is None:
            return MovementRefusal.UNKNOWN_ACCOUNT
        if amount_micros == 0 or (amount_micros < 0 and kind is not TransferKind.CORRECTION):
            return MovementRefusal.NOTHING
        moved = _MOVEMENTS[kind](key, funds, amount_micros)
        before = store.find_posted(conn, moved)
        if before is not None:
            return Credited(before.balance_after_micros, before.transfer_id, is_replay=True)
        by_micros = -amount_micros if kind is TransferKind.DEBIT else amount_micros
        refusal = transfer.movement_refusal(funds, by_micros)
        return refusal or _move(conn, clock, funds, moved, by_micros, made_by, reason)


def reverse(engine: Engine, clock: Clock, key: str, *, made_by: str, reason: str) -> Credited | MovementRefusal:
    """Take a transfer of one customer back by its opposite, once; again answers as the first time.

    A charge that is reversed stays on its CDR: the CDR says what the call cost, the reversal that it was given back. A
    reversal is not reversed.
    """
    with transaction(engine) as conn:
        found = store.posted_under(conn, key)
        if found is None:
            return MovementRefusal.UNKNOWN_TRANSFER
        lines = store.lines_of_transfer(conn, found.transfer_id)
        customers = [line for line in lines if line.ledger_kind == LedgerKind.CUSTOMER]
        if len(customers) != 1 or lines[0].transfer_kind == TransferKind.REVERSAL:
            return MovementRefusal.NOT_REVERSIBLE
        funds = store.lock_funds(conn, int(customers[0].owner))
        if funds is None:
            return MovementRefusal.UNKNOWN_ACCOUNT
        moved = transfer.reversal(found.transfer_id, lines[0].currency, lines, funds)
        before = store.find_posted(conn, moved)
        if before is not None:
            return Credited(before.balance_after_micros, before.transfer_id, is_replay=True)
        by_micros = -customers[0].amount_micros
        refusal = transfer.movement_refusal(funds, by_micros)
        return refusal or _move(conn, clock, funds, moved, by_micros, made_by, reason)


def seal(engine: Engine, clock: Clock, pepper: Pepper, made_by: str) -> Seal | None:
    """Seal every transfer since the last seal; none when there is nothing new. Run it often: each minute is cheap.

    The seal's hash is worth noting where the database cannot reach: whoever can write the database, but has not the
    key and not that note, cannot take a sealed transfer away. Raises BusyError when another seal is being made, or
    the ledger does not rest for a quarter of a second.
    """
    try:
        with transaction(engine) as conn:
            last_id = seal_store.last_transfer_id(conn)
    except OperationalError as error:
        raise BusyError("the ledger does not rest for a moment: seal it later") from error
    with reading(engine) as conn:
        last = seal_store.last_seal(conn)
    number, first_id = (last.number + 1, last.last_transfer_id + 1) if last else (1, 1)
    if last_id is None or last_id < first_id:
        return None
    at = clock.now()
    covered = chain_store.covered(engine, first_id, last_id, _nobody)
    before = bytes.fromhex(last.hash) if last else transfer.NO_LINK
    digest, transfers = seal_store.seal_hash(before, (number, first_id, last_id, at, made_by), covered)
    made = Seal(number, first_id, last_id, transfers, at, made_by, digest.hex(), sign(pepper, digest.hex()))
    try:
        with transaction(engine) as conn:
            seal_store.add_seal(conn, made)
    except IntegrityError as error:
        raise BusyError("somebody else sealed the ledger at this moment") from error
    return made


def sign(pepper: Pepper, digest: str) -> str:
    """How seals are signed: a keyed hash of their hash, by the key in use."""
    return pepper.digest(_SEAL_KIND, digest)


def audit(
    engine: Engine, pepper: Pepper | None = None, watch: Watch | None = None, now: datetime | None = None
) -> list[Finding]:
    """Everything in the books that does not agree; empty when they are sound (CHG-8).

    It may run while calls are up, holds up nobody, and needs little memory whatever the ledger's length. With the key
    the seals' signatures are checked too, with the time holds that are too old. Of each check 100 findings are given at
    most.
    """
    said = watch or _nobody
    is_signed = None if pepper is None else partial(_is_signed, pepper)
    found = list(islice(chain_store.broken_links(engine, said), audit_store.MOST_FINDINGS))
    found += islice(chain_store.broken_seals(engine, said, is_signed), audit_store.MOST_FINDINGS)
    for done, name in enumerate(audit_store.NAMES):
        said(name, done, len(audit_store.NAMES))
        found += audit_store.findings(engine, name, now)
    return found


def _is_signed(pepper: Pepper, digest: str, signature: str) -> bool:
    return pepper.is_digest(signature, _SEAL_KIND, digest)


def unsealed(engine: Engine) -> int:
    """How many transfers no seal covers yet."""
    with reading(engine) as conn:
        return seal_store.unsealed(conn)


def _move(
    conn: Connection, clock: Clock, funds: Funds, moved: Transfer, by_micros: int, made_by: str, note: str
) -> Credited:
    posted = store.post(conn, moved, clock.now(), made_by, note)
    store.move(conn, funds.account_id, by_micros, 0)
    return Credited(posted.balance_after_micros, posted.transfer_id, is_replay=False)


def _nobody(check: str, done: int, total: int) -> None:
    del check, done, total
