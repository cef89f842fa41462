"""What a PIN opens: an account, or a card that is used for the first time and gets its account at that moment.

A card may also be paid into an account that is there; its PIN opens nothing then.

For callers who already are in a transaction, the one in which wrong entries are counted (PIN-4).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.engine import Connection

from billing.accounts import store as account_store
from billing.accounts.account import AccountState
from billing.cards import store
from billing.cards.batch import expires_at
from billing.cards.card import CardEvent, CardState, TopUpRefusal, opens, serial_of
from billing.ledger import store as ledger_store
from billing.ledger import transfer

MADE_BY = "card"


def open_by_pin(
    conn: Connection,
    pin_hashes: Sequence[str],
    now: datetime,
    *,
    operator_id: int | None = None,
    may_redeem: bool = True,
) -> tuple[int, AccountState] | None:
    """The account a PIN opens and its state; none for every PIN that opens nothing, whatever the reason.

    The PIN comes as its hash by each key, the oldest first.

    Where it is told, only PINs of this operator open anything; where it may not redeem, no card that is not used yet.

    The first use of an activated card opens its account, puts the face value on it, once for the serial number, and
    starts its days. Who comes with the same PIN at the same moment waits, and finds that account.
    """
    found = store.find_pin(conn, pin_hashes)
    if found is None or not opens(found, now) or operator_id not in {None, found.operator_id}:
        return None
    account_id, state = found.account_id, found.account_state
    if account_id is None and found.card_id is not None and may_redeem:
        locked = store.lock_card(conn, found.card_id)
        found = store.find_pin(conn, pin_hashes)
        if locked is None or found is None or not opens(found, now):
            return None
        account_id, state = found.account_id, found.account_state
        if account_id is None:
            account_id, state = _redeem(conn, found.pin_id, found.card_id or 0, locked[:2], now), AccountState.OPEN
    if account_id is None or state is None:
        return None
    store.touch_pin(conn, found.pin_id, now)
    return account_id, state


def _redeem(conn: Connection, pin_id: int, card_id: int, half_serials: tuple[int, int], now: datetime) -> int:
    """Open the account of a locked card with its face value; gives the account's row."""
    batch = store.batch_by_id(conn, half_serials[0])
    if batch is None:
        raise RuntimeError("a card without its batch")
    serial = serial_of(*half_serials)
    until = expires_at(batch.card_class, now)
    account_id = account_store.insert_account(
        conn,
        operator_id=batch.operator_id,
        number=serial,
        name=f"card {serial}",
        currency=batch.currency,
        limit_micros=0,
        at=now,
        tariff_id=batch.tariff_id,
        expires_at=until,
    )
    funds = ledger_store.lock_funds(conn, account_id)
    if funds is None:
        raise RuntimeError("an account that was just written is not there")
    face_micros = batch.card_class.face_micros
    paid = transfer.credit(f"card:{serial}", funds, face_micros)
    ledger_store.post(conn, paid, now, MADE_BY, f"batch {batch.name}")
    ledger_store.move(conn, account_id, face_micros, 0)
    event = CardEvent(CardState.USED, now, MADE_BY, "first use")
    store.redeem_card(conn, card_id, pin_id, account_id, until, event)
    return account_id


@dataclass(frozen=True, slots=True)
class ToppedUp:
    """What a card added to an account, and what is on it then."""

    serial: str
    face_micros: int
    balance_micros: int
    currency: str


def pay_in(conn: Connection, pin_hashes: Sequence[str], account_id: int, now: datetime) -> ToppedUp | TopUpRefusal:
    """Pay the face value of an activated card into an account of its operator, once.

    WRONG for every PIN that is not of such a card, whatever the reason; FAILED when the account may not be credited. An
    account that ends lives on as long as this card would, if that is longer.
    """
    found = store.find_pin(conn, pin_hashes)
    locked = store.lock_card(conn, found.card_id) if found is not None and found.card_id is not None else None
    found = store.find_pin(conn, pin_hashes)
    if found is None or locked is None or found.account_id is not None or not opens(found, now):
        return TopUpRefusal.WRONG
    batch, funds = store.batch_by_id(conn, locked[0]), ledger_store.lock_funds(conn, account_id)
    if batch is None or funds is None or (batch.operator_id, batch.currency) != (funds.operator_id, funds.currency):
        return TopUpRefusal.WRONG
    serial, face_micros = serial_of(*locked[:2]), batch.card_class.face_micros
    if transfer.credit_refusal(funds, face_micros) is not None:
        return TopUpRefusal.FAILED
    paid = transfer.credit(f"card:{serial}", funds, face_micros)
    posted = ledger_store.post(conn, paid, now, MADE_BY, f"batch {batch.name}")
    ledger_store.move(conn, account_id, face_micros, 0)
    event = CardEvent(CardState.USED, now, MADE_BY, "paid in")
    store.spend_card(conn, found.card_id or 0, found.pin_id, account_id, event)
    _prolong(conn, account_id, expires_at(batch.card_class, now))
    return ToppedUp(serial, face_micros, posted.balance_after_micros, funds.currency)


def _prolong(conn: Connection, account_id: int, until: datetime | None) -> None:
    account = account_store.account_by_id(conn, account_id)
    if account is None or account.expires_at is None or (until is not None and until <= account.expires_at):
        return
    account_store.set_expiry(conn, account_id, until)
    store.prolong_pins(conn, account_id, account.expires_at, until)
