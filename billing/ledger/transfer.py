"""Transfers: money from one ledger account to another, in postings that add up to zero (CHG-8).

A customer's balance is the sum of the postings to his ledger account: what he paid in is positive there, what he was
charged negative. Amounts are integer micro-units.

Every transfer is a link of one chain: it carries the hash of its own content and of the link before it. There is a
chain for each customer, not one for the whole ledger, because a chain needs an order and an order needs a lock: a
customer's row is locked anyhow by whoever moves his money, so his chain costs one indexed look-up, and customers never
wait for each other; one chain for all would make every settlement of every gateway queue for its last link. What one
chain for all would give beside that, that no end of it can be cut off unseen, is given by seals: each covers every
transfer since the seal before, in order, and is signed with the key that is not in the database.
"""

import enum
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

LONGEST_KEY = 80
LARGEST_TRANSFER_MICROS = 10**15
"""The most one transfer may move: a thousand million units of a currency; more is a slip of the keyboard."""
LARGEST_BALANCE_MICROS = 4 * 10**18
"""Beyond this a row could not hold the sum; SQLite would quietly turn it into a fraction."""


class TransferError(ValueError):
    """A transfer that must not be: it does not add up, is empty, or has no usable key. A fault of the program."""


class ChangedReplayError(Exception):
    """A request came again under the same key with another content. Nothing was done."""


class LedgerKind(enum.StrEnum):
    """What a ledger account stands for."""

    CUSTOMER = "customer"
    CASH = "cash"
    REVENUE = "revenue"
    CORRECTION = "correction"


class TransferKind(enum.StrEnum):
    """Why money moved."""

    CREDIT = "credit"
    CHARGE = "charge"
    DEBIT = "debit"
    FEE = "fee"
    REFUND = "refund"
    CORRECTION = "correction"
    REVERSAL = "reversal"


class CreditRefusal(enum.StrEnum):
    """Why an account was not credited."""

    UNKNOWN_ACCOUNT = "account-unknown"
    ACCOUNT_CLOSED = "account-closed"
    ACCOUNT_SUSPENDED = "account-suspended"
    NOT_POSITIVE = "amount-not-positive"
    TOO_LARGE = "amount-too-large"


class MovementRefusal(enum.StrEnum):
    """Why staff could not debit, refund, correct or reverse."""

    UNKNOWN_ACCOUNT = "account-unknown"
    UNKNOWN_TRANSFER = "transfer-unknown"
    NOTHING = "amount-is-nothing"
    TOO_LARGE = "amount-too-large"
    NOT_AVAILABLE = "not-available"
    NOT_REVERSIBLE = "not-reversible"


@dataclass(frozen=True, slots=True)
class LedgerAccount:
    """Whose money: `owner` is the id of the account for customers, of the operator for cash and revenue."""

    kind: LedgerKind
    owner: str
    account_id: int | None = None


@dataclass(frozen=True, slots=True)
class Posting:
    """One side of a transfer; `balance_after_micros` is kept for customers, whose balance it explains."""

    ledger_account: LedgerAccount
    amount_micros: int
    balance_after_micros: int | None = None


@dataclass(frozen=True, slots=True)
class Transfer:
    """A movement of money under a key chosen before it was asked for; raises TransferError unless it adds up."""

    key: str
    kind: TransferKind
    currency: str
    postings: tuple[Posting, ...]

    def __post_init__(self) -> None:
        if not 0 < len(self.key) <= LONGEST_KEY:
            raise TransferError(f"a key has 1 to {LONGEST_KEY} characters")
        if len(self.postings) < 2 or any(posting.amount_micros == 0 for posting in self.postings):
            raise TransferError("a transfer has two postings or more, none of them of nothing")
        if sum(posting.amount_micros for posting in self.postings) != 0:
            raise TransferError("the postings of a transfer add up to zero")

    @property
    def chain(self) -> LedgerAccount:
        """Whose chain it is a link of: the first customer's, else that of the first side."""
        sides = [side.ledger_account for side in self.postings]
        return next((side for side in sides if side.kind is LedgerKind.CUSTOMER), sides[0])


@dataclass(frozen=True, slots=True)
class Funds:
    """What an account has, holds and may owe."""

    account_id: int
    operator_id: int
    currency: str
    is_open: bool
    balance_micros: int
    held_micros: int
    limit_micros: int
    revision: int = 0
    """Counted up when a session starts or ends or money comes."""
    is_suspended: bool = False
    expires_at: datetime | None = None
    """When the card it came from ends; none for never."""

    def is_expired(self, now: datetime) -> bool:
        """True when nothing may be charged to it any more."""
        return self.expires_at is not None and self.expires_at <= now

    @property
    def available_micros(self) -> int:
        """What may still be held: balance - holds + limit; never negative while the database is sound."""
        return self.balance_micros - self.held_micros + self.limit_micros


@dataclass(frozen=True, slots=True)
class Credited:
    """The balance right after a credit, the same when it is asked for again."""

    balance_micros: int
    transfer_id: int
    is_replay: bool


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """One posting with its transfer, as it is shown."""

    transfer_id: int
    at: datetime
    transfer_kind: str
    ledger_kind: str
    owner: str
    amount_micros: int
    currency: str
    balance_after_micros: int | None
    made_by: str
    note: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in the books that does not agree: what was checked, of which row, what is there and what should be.

    Amounts are micro-units; a hash is its first digits.
    """

    check: str
    subject: str
    found: int | str
    expected: int | str


NO_LINK = bytes(32)
"""What the first link of a chain, and the first seal, come after."""

Side = tuple[int, str, str, int, int | None]
"""A posting as it is hashed: position, kind and owner of its ledger account, amount, balance after it."""


def link_hash(
    before: bytes,
    number: int,
    fields: tuple[str, str, str, int, str, str],
    sides: Sequence[Side],
) -> bytes:
    """SHA-256 of the link before, this link's number, and all that is kept of the transfer.

    `fields`: key, kind, currency, moment in microseconds since 1970, made by, note. Every text is led by its length, so
    that no two contents are written alike.
    """
    key, kind, currency, at_micros, made_by, note = fields
    text = (
        f"{number} {at_micros} {len(key)}:{key}{len(kind)}:{kind}{len(currency)}:{currency}"
        f"{len(made_by)}:{made_by}{len(note)}:{note}"
    )
    for position, ledger_kind, owner, amount_micros, balance_micros in sides:
        text += f"|{position} {len(ledger_kind)}:{ledger_kind}{len(owner)}:{owner}{amount_micros} {balance_micros}"
    return hashlib.sha256(before + text.encode()).digest()


def sides_of(moved: Transfer) -> list[Side]:
    """Its postings as they are hashed."""
    return [
        (
            position,
            side.ledger_account.kind.value,
            side.ledger_account.owner,
            side.amount_micros,
            side.balance_after_micros,
        )
        for position, side in enumerate(moved.postings)
    ]


def credit_refusal(funds: Funds | None, amount_micros: int) -> CreditRefusal | None:
    """Why this amount may not be credited, or none."""
    if amount_micros <= 0:
        return CreditRefusal.NOT_POSITIVE
    if funds is None:
        return CreditRefusal.UNKNOWN_ACCOUNT
    if not funds.is_open:
        return CreditRefusal.ACCOUNT_SUSPENDED if funds.is_suspended else CreditRefusal.ACCOUNT_CLOSED
    if amount_micros > LARGEST_TRANSFER_MICROS or funds.balance_micros + amount_micros > LARGEST_BALANCE_MICROS:
        return CreditRefusal.TOO_LARGE
    return None


def credit(key: str, funds: Funds, amount_micros: int) -> Transfer:
    """Money paid in: from the operator's cash to the customer."""
    return _customer_transfer(f"credit:{key}", TransferKind.CREDIT, funds, amount_micros, LedgerKind.CASH)


def charge(session_id: str, funds_before: Funds, amount_micros: int) -> Transfer:
    """The price of a charging session: from the customer to the operator's revenue; once for each session."""
    return _customer_transfer(
        charge_key(session_id), TransferKind.CHARGE, funds_before, -amount_micros, LedgerKind.REVENUE
    )


def debit(key: str, funds: Funds, amount_micros: int) -> Transfer:
    """A service paid for outside a charging session: from the customer to the operator's revenue."""
    return _customer_transfer(f"debit:{key}", TransferKind.DEBIT, funds, -amount_micros, LedgerKind.REVENUE)


def fee(key: str, funds: Funds, amount_micros: int) -> Transfer:
    """The fee of a period of a plan: from the customer to the operator's revenue; once for each account and period."""
    return _customer_transfer(f"fee:{key}", TransferKind.FEE, funds, -amount_micros, LedgerKind.REVENUE)


def refund(key: str, funds: Funds, amount_micros: int) -> Transfer:
    """What was charged is given back: from the operator's revenue to the customer."""
    return _customer_transfer(f"refund:{key}", TransferKind.REFUND, funds, amount_micros, LedgerKind.REVENUE)


def correction(key: str, funds: Funds, amount_micros: int) -> Transfer:
    """A balance put right: up or, with a negative amount, down; against the operator's corrections."""
    return _customer_transfer(f"correct:{key}", TransferKind.CORRECTION, funds, amount_micros, LedgerKind.CORRECTION)


def reversal(transfer_id: int, currency: str, lines: Sequence[LedgerLine], funds: Funds) -> Transfer:
    """The opposite of a transfer of this customer, once for each transfer."""
    customer = LedgerAccount(LedgerKind.CUSTOMER, str(funds.account_id), funds.account_id)
    postings = []
    for line in lines:
        side = LedgerAccount(LedgerKind(line.ledger_kind), line.owner)
        is_his = (side.kind, side.owner) == (customer.kind, customer.owner)
        amount_micros = -line.amount_micros
        after_micros = funds.balance_micros + amount_micros if is_his else None
        postings.append(Posting(customer if is_his else side, amount_micros, after_micros))
    return Transfer(f"reversal:{transfer_id}", TransferKind.REVERSAL, currency, tuple(postings))


def movement_refusal(funds: Funds, amount_micros: int) -> MovementRefusal | None:
    """Why this much, negative when it is taken, may not be moved by hand; a closed account may be put right."""
    if amount_micros == 0:
        return MovementRefusal.NOTHING
    balance_micros = funds.balance_micros + amount_micros
    if abs(amount_micros) > LARGEST_TRANSFER_MICROS or balance_micros > LARGEST_BALANCE_MICROS:
        return MovementRefusal.TOO_LARGE
    if amount_micros < 0 and funds.available_micros + amount_micros < 0:
        return MovementRefusal.NOT_AVAILABLE
    return None


def charge_key(session_id: str) -> str:
    """The key of the transfer that pays for a charging session."""
    return f"charge:{session_id}"


def _customer_transfer(key: str, kind: TransferKind, funds: Funds, amount_micros: int, against: LedgerKind) -> Transfer:
    customer = LedgerAccount(LedgerKind.CUSTOMER, str(funds.account_id), funds.account_id)
    return Transfer(
        key,
        kind,
        funds.currency,
        (
            Posting(customer, amount_micros, funds.balance_micros + amount_micros),
            Posting(LedgerAccount(against, str(funds.operator_id)), -amount_micros),
        ),
    )
