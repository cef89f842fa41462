"""The SQL of periods of plans, and of the bundles they bring. Whoever writes of an account has its row locked."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from billing.accounts.tables import account
from billing.allowances.tables import bundle
from billing.plans.plan import Period, PeriodState
from billing.plans.tables import account_plan, plan_period
from runtime.database import Instant

_IS_UNPAID = plan_period.c.state == sa.literal_column(f"'{PeriodState.UNPAID}'")
"""Written out, so that PostgreSQL takes the index of those."""
_PERIODS = sa.select(plan_period).order_by(plan_period.c.begins_at, plan_period.c.account_plan_id, plan_period.c.number)
_PAGE = (
    sa.union(
        sa.select(account_plan.c.account_id).where(
            account_plan.c.due_at <= sa.bindparam("at", type_=Instant),
            account_plan.c.account_id > sa.bindparam("after"),
        ),
        sa.select(plan_period.c.account_id).where(_IS_UNPAID, plan_period.c.account_id > sa.bindparam("after")),
    )
).subquery()
_DUE = (
    sa.select(_PAGE.c.account_id, account.c.number)
    .join(account, account.c.id == _PAGE.c.account_id)
    .where(account.c.state == "open")
    .order_by(_PAGE.c.account_id)
)


def due(conn: Connection, at: datetime, after: int, limit: int) -> list[tuple[int, str]]:
    """Open accounts with something to be done then, id and number, by their ids."""
    return [(row[0], row[1]) for row in conn.execute(_DUE.limit(limit), {"at": at, "after": after})]


def unpaid(conn: Connection, account_id: int) -> list[Period]:
    """The periods of an account whose fee is still to be paid, the oldest first."""
    query = _PERIODS.where(plan_period.c.account_id == account_id, _IS_UNPAID)
    return [_period(row) for row in conn.execute(query)]


def last_of(conn: Connection, assigned_id: int) -> Period | None:
    """The latest period of a stretch."""
    query = sa.select(plan_period).where(plan_period.c.account_plan_id == assigned_id)
    row = conn.execute(query.order_by(plan_period.c.number.desc()).limit(1)).first()
    return None if row is None else _period(row)


def periods_of(conn: Connection, account_id: int, limit: int) -> list[Period]:
    """The periods of an account, the latest first."""
    query = sa.select(plan_period).where(plan_period.c.account_id == account_id)
    order = (plan_period.c.begins_at.desc(), plan_period.c.account_plan_id.desc(), plan_period.c.number.desc())
    return [_period(row) for row in conn.execute(query.order_by(*order).limit(limit))]


def add(conn: Connection, made: Period) -> None:
    """Keep a period; raises IntegrityError when it is there already."""
    conn.execute(
        sa.insert(plan_period).values(
            account_plan_id=made.assigned_id,
            number=made.number,
            account_id=made.account_id,
            begins_at=made.begins_at,
            ends_at=made.ends_at,
            version=made.version,
            fee_micros=made.fee_micros,
            state=made.state.value,
            transfer_id=made.transfer_id,
            bundle_id=made.bundle_id,
            share=made.units_of[0],
            share_of=made.units_of[1],
        )
    )


def put(conn: Connection, changed: Period) -> None:
    """Keep what became of a period."""
    statement = sa.update(plan_period).where(
        plan_period.c.account_plan_id == changed.assigned_id, plan_period.c.number == changed.number
    )
    conn.execute(
        statement.values(
            state=changed.state.value,
            ends_at=changed.ends_at,
            transfer_id=changed.transfer_id,
            bundle_id=changed.bundle_id,
        )
    )


def bundle_of(conn: Connection, assigned_id: int, number: int) -> int | None:
    """The bundle that a period brought."""
    query = sa.select(plan_period.c.bundle_id).where(
        plan_period.c.account_plan_id == assigned_id, plan_period.c.number == number
    )
    return conn.execute(query).scalar()


def carried(conn: Connection, bundle_id: int, measure: str, most: int, at: datetime) -> int:
    """Take what is free of an expired bundle, `most` at most; 0 where it is closed or counts otherwise."""
    row = conn.execute(sa.select(bundle).where(bundle.c.id == bundle_id).with_for_update()).one()
    is_over = row.expires_at is not None and row.expires_at <= at
    if not is_over or row.closed_at is not None or row.next_id is not None or row.measure != measure:
        return 0
    units = min(int(row.units - row.held), most)
    conn.execute(sa.update(bundle).where(bundle.c.id == bundle_id).values(units=bundle.c.units - units))
    return units


def follow(conn: Connection, bundle_id: int, next_id: int) -> None:
    """Note which bundle is the next period's."""
    conn.execute(sa.update(bundle).where(bundle.c.id == bundle_id).values(next_id=next_id))


def _period(row: sa.Row[Any]) -> Period:
    return Period(
        row.account_plan_id,
        row.number,
        row.account_id,
        row.begins_at,
        row.ends_at,
        row.version,
        row.fee_micros,
        PeriodState(row.state),
        row.transfer_id,
        row.bundle_id,
        (row.share, row.share_of),
    )
