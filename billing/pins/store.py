"""Ranges and allocations in the database; of PINs only keyed hashes are ever here."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from billing.accounts.tables import account, pin
from billing.ledger.tables import ledger_account, posting, transfer
from billing.operators.tables import operator
from billing.pins.allocation import AllocationUse, KeptAllocation
from billing.pins.pin_range import Period, PinRange, RangeTerms, RangeUse
from billing.pins.tables import pin_allocation, pin_range

_RANGE: sa.Select[Any] = sa.select(
    pin_range.c.id,
    pin_range.c.operator_id,
    operator.c.code,
    pin_range.c.name,
    pin_range.c.site,
    pin_range.c.campaign,
    pin_range.c.prefix,
    pin_range.c.period,
    pin_range.c.period_days,
    pin_range.c.most,
    pin_range.c.issued,
).join(operator, operator.c.id == pin_range.c.operator_id)
_OWNERS = {
    "range": operator.c.code + "/" + pin_range.c.name,
    "site": operator.c.code + "/" + pin_range.c.site,
    "campaign": operator.c.code + "/" + pin_range.c.campaign,
    "operator": operator.c.code,
}
TAKING = ("charge", "debit")


def range_named(conn: Connection, operator_id: int, name: str) -> PinRange | None:
    """A range of an operator."""
    query = _RANGE.where(pin_range.c.operator_id == operator_id, pin_range.c.name == name)
    return _range(conn.execute(query).first())


def prefixes(conn: Connection) -> tuple[str, ...]:
    """Digits that belong to ranges: no PIN that is drawn from no range, or one without digits, begins so."""
    query = sa.select(pin_range.c.prefix).where(pin_range.c.prefix != "")
    return tuple(conn.execute(query).scalars())


def has_range(conn: Connection, operator_id: int, name: str) -> bool:
    """True when an operator has this range."""
    return range_named(conn, operator_id, name) is not None


def range_by_id(conn: Connection, range_id: int) -> PinRange | None:
    """A range by its row."""
    return _range(conn.execute(_RANGE.where(pin_range.c.id == range_id)).first())


def ranges(conn: Connection, operator_code: str | None = None) -> list[PinRange]:
    """Every range, by operator and name."""
    query = _RANGE if operator_code is None else _RANGE.where(operator.c.code == operator_code)
    rows = conn.execute(query.order_by(operator.c.code, pin_range.c.name))
    return [found for row in rows if (found := _range(row)) is not None]


def insert_range(conn: Connection, operator_id: int, terms: RangeTerms, most: int, at: datetime, by: str) -> None:
    """A new range."""
    values = {
        "operator_id": operator_id,
        "name": terms.name,
        "site": terms.site,
        "campaign": terms.campaign,
        "prefix": terms.prefix,
        "period": terms.period.value,
        "period_days": terms.period_days,
        "most": most,
        "created_at": at,
        "created_by": by,
    }
    conn.execute(sa.insert(pin_range), values)


def count_issued(conn: Connection, range_id: int, more: int) -> bool:
    """Count so many PINs more; false when the range is too full for them, and nothing is counted."""
    statement = (
        sa.update(pin_range)
        .where(pin_range.c.id == range_id, pin_range.c.issued + more <= pin_range.c.most)
        .values(issued=pin_range.c.issued + more)
    )
    return conn.execute(statement).rowcount == 1


def range_uses(conn: Connection, by: str, now: datetime, operator_code: str | None = None) -> list[RangeUse]:
    """What became of the PINs, by `range`, `site`, `campaign` or `operator`."""
    owner = _OWNERS[by]
    is_ended = sa.and_(pin.c.revoked_at.is_(None), pin.c.expires_at <= now)
    is_revoked = pin.c.revoked_at.is_not(None)
    counted = (
        sa.select(
            owner.label("owner"),
            sa.func.count(pin.c.id).label("issued"),
            _sum(sa.and_(pin.c.id.is_not(None), sa.not_(is_revoked), sa.or_(pin.c.expires_at.is_(None), ~is_ended))),
            _sum(pin.c.uses > 0),
            _sum(is_ended),
            _sum(is_revoked),
            sa.func.coalesce(sa.func.sum(pin.c.uses), 0),
            sa.func.max(pin.c.last_used_at),
            operator.c.currency,
        )
        .select_from(pin_range)
        .join(operator, operator.c.id == pin_range.c.operator_id)
        .outerjoin(pin, pin.c.range_id == pin_range.c.id)
        .group_by(owner, operator.c.currency)
        .order_by(owner)
    )
    if operator_code is not None:
        counted = counted.where(operator.c.code == operator_code)
    charged = {row[0]: int(row[1]) for row in conn.execute(_taken(owner, operator_code))}
    uses = []
    for row in conn.execute(counted):
        issued, in_force, used, ended, revoked, times = (int(part) for part in row[1:7])
        last, currency = row[7:]
        taken_micros = charged.get(row[0], 0)
        uses.append(RangeUse(row[0], issued, in_force, used, ended, revoked, times, last, taken_micros, currency))
    return uses


def _taken(owner: sa.ColumnElement[str], operator_code: str | None) -> sa.Select[Any]:
    """What was taken from the accounts that the PINs of each owner open, each account once."""
    opened = (
        sa.select(owner.label("owner"), pin.c.account_id)
        .select_from(pin)
        .join(pin_range, pin_range.c.id == pin.c.range_id)
        .join(operator, operator.c.id == pin_range.c.operator_id)
        .where(pin.c.account_id.is_not(None), operator.c.code == operator_code if operator_code else sa.true())
        .distinct()
        .subquery()
    )
    return (
        sa.select(opened.c.owner, -sa.func.sum(posting.c.amount_micros))
        .select_from(opened)
        .join(ledger_account, ledger_account.c.account_id == opened.c.account_id)
        .join(posting, posting.c.ledger_account_id == ledger_account.c.id)
        .join(transfer, transfer.c.id == posting.c.transfer_id)
        .where(transfer.c.kind.in_(TAKING))
        .group_by(opened.c.owner)
    )


def operator_of(conn: Connection, operator_id: int) -> tuple[str, str] | None:
    """Code and currency of an operator."""
    row = conn.execute(sa.select(operator.c.code, operator.c.currency).where(operator.c.id == operator_id)).first()
    return None if row is None else (row.code, row.currency)


def allocation(conn: Connection, operator_id: int, key: str) -> KeptAllocation | None:
    """What is kept of an allocation that a replay is answered from."""
    query = sa.select(pin_allocation.c.content_hash, pin_allocation.c.draw, pin_allocation.c.pin_sealed).where(
        pin_allocation.c.operator_id == operator_id, pin_allocation.c.key == key
    )
    row = conn.execute(query).first()
    return None if row is None else KeptAllocation(*row)


def insert_allocation(conn: Connection, values: dict[str, object]) -> None:
    """Keep an allocation: a value for each column."""
    conn.execute(sa.insert(pin_allocation), values)


def allocation_uses(
    conn: Connection,
    operator_id: int,
    *,
    after_id: int = 0,
    limit: int,
    key: str | None = None,
    range_name: str | None = None,
    used_since_at: datetime | None = None,
) -> list[AllocationUse]:
    """What became of the PINs allocated to an operator, in the order of their allocation."""
    query: sa.Select[Any] = (
        sa.select(
            pin_allocation.c.id,
            pin_allocation.c.key,
            account.c.number,
            pin_range.c.name,
            pin_range.c.site,
            pin_range.c.campaign,
            pin_allocation.c.at,
            pin.c.expires_at,
            pin.c.revoked_at,
            pin.c.first_used_at,
            pin.c.last_used_at,
            pin.c.uses,
            account.c.balance_micros,
            account.c.currency,
            account.c.id,
        )
        .join(account, account.c.id == pin_allocation.c.account_id)
        .join(pin, pin.c.pin_hash == pin_allocation.c.pin_hash)
        .outerjoin(pin_range, pin_range.c.id == pin.c.range_id)
        .where(pin_allocation.c.operator_id == operator_id, pin_allocation.c.id > after_id)
        .order_by(pin_allocation.c.id)
        .limit(limit)
    )
    if key is not None:
        query = query.where(pin_allocation.c.key == key)
    if range_name is not None:
        query = query.where(pin_range.c.name == range_name)
    if used_since_at is not None:
        query = query.where(pin.c.last_used_at >= used_since_at)
    return [AllocationUse(*row) for row in conn.execute(query)]


def _sum(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0)


def _range(row: Sequence[Any] | None) -> PinRange | None:
    if row is None:
        return None
    values = list(row)
    values[7] = Period(row[7])
    return PinRange(*values)
