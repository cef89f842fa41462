"""What is done with the ledger: pay money in, and audit the books."""

from sqlalchemy.engine import Engine

from billing.ledger import audit_store, store, transfer
from billing.ledger.transfer import Credited, CreditRefusal, Finding
from runtime.clock import Clock
from runtime.database import reading, transaction


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
        posted = store.post(conn, moved, clock.now(), made_by, note)
        store.move(conn, funds.account_id, amount_micros, 0)
    return Credited(posted.balance_after_micros, posted.transfer_id, is_replay=False)


def audit(engine: Engine) -> list[Finding]:
    """Everything in the books that does not agree; empty when they are sound (CHG-8).

    Each check is one statement, so it may run while calls are up: it sees one moment of both sides it compares.
    """
    with reading(engine) as conn:
        return audit_store.findings(conn)
