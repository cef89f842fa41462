"""What a period of an account came to (ACC-7): opening balance, movements, closing balance, to a link of its chain.

A statement covers links of the account's chain in the ledger, from the one after the last statement's to the last that
was posted before its end: so no transfer is in two, and none in none. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from billing.ledger.transfer import NO_LINK

_CHARGES = ("charge", "debit", "fee")
_PAYMENTS = ("credit",)


@dataclass(frozen=True, slots=True)
class Link:
    """A link of an account's chain: its number and hash; number 0 is before the first."""

    number: int = 0
    hash: bytes = NO_LINK


@dataclass(frozen=True, slots=True)
class Statement:
    """Numbered within its account; money in micro-units, what was charged is negative.

    What was neither paid in nor charged (refunds, corrections, reversals) is `other_micros`.
    """

    account_id: int
    number: int
    begins_at: datetime
    ends_at: datetime
    opening_micros: int
    paid_micros: int
    charged_micros: int
    other_micros: int
    closing_micros: int
    after_link: int
    last_link: int
    link_hash: bytes
    made_at: datetime
    made_by: str


def stated(
    account_id: int,
    before: Statement | None,
    span: tuple[datetime, datetime],
    opening_micros: int,
    links: tuple[int, Link],
    sums: Mapping[str, int],
    made: tuple[datetime, str],
) -> Statement:
    """The statement that follows `before`, of what moved by kind of transfer between two links."""
    paid = sum(sums.get(kind, 0) for kind in _PAYMENTS)
    charged = sum(sums.get(kind, 0) for kind in _CHARGES)
    moved = sum(sums.values())
    after, last = links
    return Statement(
        account_id,
        1 if before is None else before.number + 1,
        *span,
        opening_micros,
        paid,
        charged,
        moved - paid - charged,
        opening_micros + moved,
        after,
        last.number,
        last.hash,
        *made,
    )
