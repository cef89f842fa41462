"""Prepaid accounts and what opens them: a line, an access code on a shared line, or a PIN (ACC-1, ACC-3, PIN-1)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

PIN_DIGITS = 8
NUMBER_DIGITS = 10
_ACCESS_CODE = re.compile(r"\*?[0-9]{1,4}")
_PIN = re.compile(rf"[0-9]{{{PIN_DIGITS}}}")
_NUMBER = re.compile(r"[0-9A-Za-z-]{1,32}")


class AccountState(StrEnum):
    """Whether an account may be used."""

    OPEN = "open"
    SUSPENDED = "suspended"
    CLOSED = "closed"


class AccountKind(StrEnum):
    """How an account is paid for (ACC-7): before use; after it, up to a limit; or so, with a statement each period."""

    PREPAID = "prepaid"
    POSTPAID = "postpaid"
    PERIODIC = "periodic"


class AccountRefusal(StrEnum):
    """Why a caller gets no account. Unknown and wrong are the same answer (PIN-4)."""

    WRONG_PIN = "pin-wrong"
    WRONG_CODE = "access-code-wrong"
    LOCKED = "locked-out"
    CLOSED = "account-closed"
    SUSPENDED = "account-suspended"
    EXPIRED = "account-expired"


class BindRefusal(StrEnum):
    """Why a caller cannot bind the line he calls from, or take it off again."""

    ALREADY = "line-bound-already"
    TAKEN = "line-taken"
    NOT_BOUND = "line-not-bound"
    NOT_ASSERTED = "line-not-asserted"


@dataclass(frozen=True, slots=True)
class Account:
    """A prepaid customer's account; money in micro-units of its currency."""

    id: int
    number: str
    operator_code: str
    home_country: str
    name: str
    currency: str
    state: AccountState
    balance_micros: int
    held_micros: int
    limit_micros: int
    created_at: datetime
    closed_at: datetime | None
    tariff_id: int | None = None
    """Prices its calls in place of the service's tariff; an account that came from a card of a class with one."""
    expires_at: datetime | None = None
    is_periodic: bool = False

    @property
    def kind(self) -> AccountKind:
        """How it is paid for: billed by the period or else by whether it may go below zero."""
        if self.is_periodic:
            return AccountKind.PERIODIC
        return AccountKind.POSTPAID if self.limit_micros else AccountKind.PREPAID

    def is_expired(self, now: datetime) -> bool:
        """True when the card it came from is past its time."""
        return self.expires_at is not None and self.expires_at <= now

    @property
    def is_open(self) -> bool:
        """True while it may be used."""
        return self.state is AccountState.OPEN

    @property
    def available_micros(self) -> int:
        """What may still be reserved."""
        return self.balance_micros + self.limit_micros - self.held_micros


@dataclass(frozen=True, slots=True)
class LineAccount:
    """An account that a line opens, and whether an access code is asked for it."""

    account_id: int
    number: str
    state: AccountState
    has_code: bool
    since_at: datetime | None = None
    code_set_at: datetime | None = None
    """None for a code that was set before this was kept, too."""

    @property
    def told(self) -> dict[str, object]:
        """What a call's record says of an account that the line alone opens: which, and since when it does."""
        return {"account": self.number, **self.told_bound}

    @property
    def told_bound(self) -> dict[str, object]:
        """Since when the line opens it, and how old the code is that picks it."""
        told: dict[str, object] = {"bound_since": _told_at(self.since_at)}
        return told | {"code_set": _told_at(self.code_set_at)} if self.has_code else told


@dataclass(frozen=True, slots=True)
class AccountLine:
    """A line of an account, as staff see it; the code itself is known to nobody."""

    account_id: int
    account_number: str
    ani: str
    has_code: bool
    added_at: datetime


@dataclass(frozen=True, slots=True)
class IssuedPin:
    """A PIN as staff see it: never its digits."""

    id: int
    issued_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    range_name: str | None = None
    uses: int = 0
    last_used_at: datetime | None = None

    def is_valid(self, now: datetime) -> bool:
        """True while it opens the account."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def is_access_code(keyed: str) -> bool:
    """One to four digits, or such with a star before them (ACC-3)."""
    return keyed.isascii() and _ACCESS_CODE.fullmatch(keyed) is not None


def is_pin(keyed: str) -> bool:
    """Eight digits."""
    return keyed.isascii() and _PIN.fullmatch(keyed) is not None


def is_account_number(text: str) -> bool:
    """Letters, digits and dashes, 32 at most."""
    return text.isascii() and _NUMBER.fullmatch(text) is not None


def reachable(found: Sequence[LineAccount]) -> list[LineAccount]:
    """The open accounts of a line; the closed ones only when none is open, so that the caller hears why."""
    kept = [account for account in found if account.state is not AccountState.CLOSED]
    return [account for account in kept if account.state is AccountState.OPEN] or kept or list(found)


def code_conflict(others: Sequence[LineAccount], *, with_code: bool) -> str | None:
    """Why an account cannot join a line that opens these others; none when it can.

    Accounts that share a line are told apart by their codes, so each of them needs one.
    """
    shared = [account for account in others if account.state is not AccountState.CLOSED]
    if not shared:
        return None
    if not with_code:
        return "other accounts are on this line: this one needs an access code (--with-code)"
    bare = [account.number for account in shared if not account.has_code]
    if bare:
        return f"account {bare[0]} is on this line without an access code: give it one first (`tollgate code set`)"
    return None


def kind_conflict(kind: AccountKind, limit_micros: int) -> str | None:
    """Why an account of this kind cannot have this limit; none when it can."""
    if limit_micros < 0:
        return "limit: not below zero"
    if kind is AccountKind.PREPAID and limit_micros:
        return "a prepaid account has no limit below zero: say --kind postpaid or periodic"
    return "a postpaid account has a limit below zero: say --limit" if _lacks_limit(kind, limit_micros) else None


def _lacks_limit(kind: AccountKind, limit_micros: int) -> bool:
    return kind is AccountKind.POSTPAID and not limit_micros


def _told_at(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")
