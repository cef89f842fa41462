"""The checks of the books, each one statement that returns what does not agree."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from billing.accounts.tables import account
from billing.calls.tables import cdr
from billing.charging.tables import charging_session
from billing.ledger.tables import ledger_account, posting, transfer
from billing.ledger.transfer import Finding, LedgerKind

_ZERO = sa.literal(0, sa.BigInteger)

_postings_of_transfer = (
    sa.select(posting.c.transfer_id, sa.func.sum(posting.c.amount_micros).label("sum_micros"))
    .group_by(posting.c.transfer_id)
    .subquery()
)
_UNBALANCED = (
    sa.select(transfer.c.key, sa.func.coalesce(_postings_of_transfer.c.sum_micros, 0), _ZERO)
    .outerjoin_from(transfer, _postings_of_transfer, _postings_of_transfer.c.transfer_id == transfer.c.id)
    .where(sa.or_(_postings_of_transfer.c.sum_micros.is_(None), _postings_of_transfer.c.sum_micros != 0))
)

_postings_of_customer = (
    sa.select(ledger_account.c.account_id, sa.func.sum(posting.c.amount_micros).label("sum_micros"))
    .join_from(posting, ledger_account)
    .where(ledger_account.c.kind == LedgerKind.CUSTOMER.value)
    .group_by(ledger_account.c.account_id)
    .subquery()
)
_posted_micros = sa.func.coalesce(_postings_of_customer.c.sum_micros, 0)
_BALANCES = (
    sa.select(account.c.number, account.c.balance_micros, _posted_micros)
    .outerjoin_from(account, _postings_of_customer, _postings_of_customer.c.account_id == account.c.id)
    .where(account.c.balance_micros != _posted_micros)
)

_holds_of_account = (
    sa.select(charging_session.c.account_id, sa.func.sum(charging_session.c.held_micros).label("sum_micros"))
    .where(charging_session.c.state == "open")
    .group_by(charging_session.c.account_id)
    .subquery()
)
_open_holds_micros = sa.func.coalesce(_holds_of_account.c.sum_micros, 0)
_HOLDS = (
    sa.select(account.c.number, account.c.held_micros, _open_holds_micros)
    .outerjoin_from(account, _holds_of_account, _holds_of_account.c.account_id == account.c.id)
    .where(account.c.held_micros != _open_holds_micros)
)

_charge_posted_micros = (
    sa.select(-posting.c.amount_micros)
    .join_from(posting, transfer)
    .join(ledger_account, ledger_account.c.id == posting.c.ledger_account_id)
    .where(
        transfer.c.key == sa.literal("charge:") + charging_session.c.id,
        ledger_account.c.account_id == charging_session.c.account_id,
    )
    .correlate(charging_session)
    .scalar_subquery()
)
_CHARGES = sa.select(
    charging_session.c.id,
    sa.func.coalesce(charging_session.c.charged_micros, 0),
    sa.func.coalesce(_charge_posted_micros, 0),
).where(sa.func.coalesce(charging_session.c.charged_micros, 0) != sa.func.coalesce(_charge_posted_micros, 0))

_charge_of_call_micros = (
    sa.select(sa.func.coalesce(sa.func.sum(-posting.c.amount_micros), 0))
    .join_from(posting, ledger_account)
    .where(posting.c.transfer_id == cdr.c.transfer_id, ledger_account.c.account_id == cdr.c.account_id)
    .correlate(cdr)
    .scalar_subquery()
)
_CDRS = sa.select(cdr.c.call_id, cdr.c.charged_micros, _charge_of_call_micros).where(
    cdr.c.charged_micros != _charge_of_call_micros
)

_CHECKS = (
    ("postings of a transfer add up to zero", _UNBALANCED),
    ("balance of an account is the sum of its postings", _BALANCES),
    ("holds of an account are those of its open charging sessions", _HOLDS),
    ("charge of a charging session is posted", _CHARGES),
    ("charge of a CDR is posted", _CDRS),
)


def findings(conn: Connection) -> list[Finding]:
    """What every check found."""
    return [
        Finding(check, str(subject), int(found), int(expected))
        for check, statement in _CHECKS
        for subject, found, expected in conn.execute(statement)
    ]
