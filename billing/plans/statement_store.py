"""The SQL of statements, and of the links of a chain they are made of."""

from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from billing.ledger.tables import ledger_account, posting, transfer
from billing.plans.statement import Link, Statement
from billing.plans.tables import account_statement

_STATEMENTS = sa.select(account_statement).order_by(account_statement.c.number.desc())
_CHAIN = sa.select(transfer.c.chain_number, transfer.c.chain_hash).join(
    ledger_account, ledger_account.c.id == transfer.c.chain_id
)


def last(conn: Connection, account_id: int) -> Statement | None:
    """The latest statement of an account."""
    found = statements(conn, account_id, 1)
    return found[0] if found else None


def statements(conn: Connection, account_id: int, limit: int) -> list[Statement]:
    """Statements of an account, the latest first."""
    query = _STATEMENTS.where(account_statement.c.account_id == account_id).limit(limit)
    return [Statement(*row) for row in conn.execute(query)]


def add(conn: Connection, made: Statement) -> None:
    """Keep a statement; raises IntegrityError when the account has one of its number."""
    conn.execute(sa.insert(account_statement), asdict(made))


def link_before(conn: Connection, account_id: int, at: datetime, at_least: Link) -> Link:
    """The last link of a locked account's chain that was posted before a moment, `at_least` this one."""
    query = _CHAIN.where(ledger_account.c.account_id == account_id, transfer.c.at < at)
    row = conn.execute(query.order_by(transfer.c.chain_number.desc()).limit(1)).first()
    return Link(int(row[0]), row[1]) if row is not None and row[0] > at_least.number else at_least


def moved(conn: Connection, account_id: int, after_link: int, last_link: int) -> dict[str, int]:
    """What moved an account's balance between two links, by kind of transfer."""
    query = (
        sa.select(transfer.c.kind, sa.func.sum(posting.c.amount_micros))
        .join_from(ledger_account, transfer, transfer.c.chain_id == ledger_account.c.id)
        .join(
            posting,
            sa.and_(posting.c.transfer_id == transfer.c.id, posting.c.ledger_account_id == ledger_account.c.id),
        )
        .where(
            ledger_account.c.account_id == account_id,
            transfer.c.chain_number > after_link,
            transfer.c.chain_number <= last_link,
        )
        .group_by(transfer.c.kind)
    )
    return {row[0]: int(row[1]) for row in conn.execute(query)}
