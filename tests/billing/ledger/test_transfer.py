"""Transfers add up, and refuse what must not be."""

import pytest

from billing.ledger import transfer
from billing.ledger.transfer import (
    CreditRefusal,
    Funds,
    LedgerAccount,
    LedgerKind,
    Posting,
    Transfer,
    TransferError,
    TransferKind,
)

FUNDS = Funds(7, 3, "USD", is_open=True, balance_micros=500, held_micros=200, limit_micros=50)
CUSTOMER = LedgerAccount(LedgerKind.CUSTOMER, "7", 7)
CASH = LedgerAccount(LedgerKind.CASH, "3")


def test_available_is_balance_less_holds_and_what_may_be_owed() -> None:
    assert FUNDS.available_micros == 350


def test_a_credit_goes_from_cash_to_the_customer() -> None:
    assert transfer.credit("k", FUNDS, 25) == Transfer(
        "credit:k", TransferKind.CREDIT, "USD", (Posting(CUSTOMER, 25, 525), Posting(CASH, -25))
    )


def test_a_charge_goes_from_the_customer_to_revenue() -> None:
    moved = transfer.charge("s", FUNDS, 30)
    assert moved.key == transfer.charge_key("s") == "charge:s"
    assert moved.postings == (Posting(CUSTOMER, -30, 470), Posting(LedgerAccount(LedgerKind.REVENUE, "3"), 30))


@pytest.mark.parametrize(
    ("key", "amounts"),
    [("k", ()), ("k", (5,)), ("k", (5, -4)), ("k", (0, 0)), ("", (5, -5)), ("k" * 81, (5, -5))],
)
def test_a_transfer_that_does_not_add_up_cannot_be_made(key: str, amounts: tuple[int, ...]) -> None:
    with pytest.raises(TransferError):
        Transfer(key, TransferKind.CREDIT, "USD", tuple(Posting(CASH, amount) for amount in amounts))


@pytest.mark.parametrize(
    ("funds", "amount", "refusal"),
    [
        (FUNDS, 1, None),
        (FUNDS, 0, CreditRefusal.NOT_POSITIVE),
        (FUNDS, -1, CreditRefusal.NOT_POSITIVE),
        (None, 1, CreditRefusal.UNKNOWN_ACCOUNT),
        (Funds(7, 3, "USD", False, 0, 0, 0), 1, CreditRefusal.ACCOUNT_CLOSED),
        (FUNDS, 10**15, None),
        (FUNDS, 10**15 + 1, CreditRefusal.TOO_LARGE),
        (Funds(7, 3, "USD", True, 4 * 10**18, 0, 0), 1, CreditRefusal.TOO_LARGE),
    ],
)
def test_what_may_be_credited(funds: Funds | None, amount: int, refusal: CreditRefusal | None) -> None:
    assert transfer.credit_refusal(funds, amount) is refusal
