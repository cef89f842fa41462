"""Transfers: money from one ledger account to another, in postings that add up to zero (CHG-8).

A customer's balance is the sum of the postings to his ledger account: what he paid in is positive there, what he was
charged negative. Amounts are integer micro-units.
"""

import enum
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


class TransferKind(enum.StrEnum):
    """Why money moved."""

    CREDIT = "credit"
    CHARGE = "charge"


class CreditRefusal(enum.StrEnum):
    """Why an account was not credited."""

    UNKNOWN_ACCOUNT = "account-unknown"
    ACCOUNT_CLOSED = "account-closed"
    NOT_POSITIVE = "amount-not-positive"
    TOO_LARGE = "amount-too-large"


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
    """Something in the books that does not agree: what was checked, of which row, what is there and what should be."""

    check: str
    subject: str
    found_micros: int
    expected_micros: int


def credit_refusal(funds: Funds | None, amount_micros: int) -> CreditRefusal | None:
    """Why this amount may not be credited, or none."""
    if amount_micros <= 0:
        return CreditRefusal.NOT_POSITIVE
    if funds is None:
        return CreditRefusal.UNKNOWN_ACCOUNT
    if not funds.is_open:
        return CreditRefusal.ACCOUNT_CLOSED
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
