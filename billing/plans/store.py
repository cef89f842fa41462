"""The SQL of plans and of which account has which: whoever writes of an account has its row locked."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from billing.allowances.tables import bundle_offer
from billing.operators.tables import operator
from billing.plans.cycle import Cycle, Every
from billing.plans.plan import Assigned, Chosen, FirstPeriod, Plan, PlanTariff, Shortage, Terms, Version, choose_tariff
from billing.plans.tables import account_plan, calling_plan, calling_plan_version
from billing.tariffs.tables import tariff
from runtime.database import Instant
from runtime.prepared import Prepared

_VERSIONS = (
    sa.select(
        calling_plan_version,
        tariff.c.name.label("tariff"),
        bundle_offer.c.name.label("offer"),
    )
    .outerjoin(tariff, tariff.c.id == calling_plan_version.c.tariff_id)
    .outerjoin(bundle_offer, bundle_offer.c.id == calling_plan_version.c.offer_id)
    .order_by(calling_plan_version.c.plan_id, calling_plan_version.c.number)
)
_PLANS = sa.select(calling_plan, operator.c.code.label("operator_code")).join(operator)
_ASSIGNED = (
    sa.select(
        account_plan,
        calling_plan.c.code,
        calling_plan.c.every,
        calling_plan.c.time_zone,
        calling_plan.c.ends_at.label("plan_ends_at"),
    )
    .join(calling_plan)
    .order_by(account_plan.c.begins_at, account_plan.c.id)
)
_TARIFF_OF = Prepared(
    sa.select(calling_plan.c.code, calling_plan_version.c.tariff_id)
    .join_from(account_plan, calling_plan)
    .join(calling_plan_version, calling_plan_version.c.plan_id == calling_plan.c.id)
    .where(
        account_plan.c.account_id == sa.bindparam("of_account"),
        account_plan.c.begins_at <= sa.bindparam("at", type_=Instant),
        sa.or_(account_plan.c.ends_at.is_(None), account_plan.c.ends_at > sa.bindparam("at", type_=Instant)),
        sa.or_(calling_plan.c.ends_at.is_(None), calling_plan.c.ends_at > sa.bindparam("at", type_=Instant)),
        calling_plan_version.c.from_at <= sa.bindparam("at", type_=Instant),
    )
    .order_by(calling_plan_version.c.from_at.desc(), calling_plan_version.c.number.desc())
    .limit(1)
)


def tariff_of(conn: Connection, account_id: int, at: datetime) -> PlanTariff | None:
    """The tariff of the plan that an account has then; none where it has no plan, or one without a tariff."""
    row = _TARIFF_OF.first(conn, of_account=account_id, at=at)
    return None if row is None or row[1] is None else PlanTariff(row[0], int(row[1]))


def chosen(conn: Connection, account_id: int, own_id: int | None, service_id: int, at: datetime) -> Chosen:
    """By which tariff an account is priced then: its own, else its plan's, else the service's."""
    if own_id is not None:
        return choose_tariff(own_id, None, service_id)
    return choose_tariff(None, tariff_of(conn, account_id, at), service_id)


def plans(conn: Connection, operator_code: str | None = None, customer_class: str | None = None) -> list[Plan]:
    """Plans by operator and code, those that have ended too; of a class by their latest version."""
    query = _PLANS.order_by(operator.c.code, calling_plan.c.code)
    if operator_code is not None:
        query = query.where(operator.c.code == operator_code)
    found = [_plan(conn, row) for row in conn.execute(query)]
    return [one for one in found if customer_class in {None, one.versions[-1].terms.customer_class}]


def plan_coded(conn: Connection, operator_id: int, code: str, *, lock: bool = False) -> Plan | None:
    """An operator's plan by its code; `lock` keeps who changes it or gives it to an account waiting."""
    query = _PLANS.where(calling_plan.c.operator_id == operator_id, calling_plan.c.code == code)
    row = conn.execute(query.with_for_update(of=calling_plan) if lock else query).first()
    return None if row is None else _plan(conn, row)


def versions_of(conn: Connection, plan_id: int) -> tuple[Version, ...]:
    """The versions of a plan by their numbers."""
    return tuple(_version(row) for row in conn.execute(_VERSIONS.where(calling_plan_version.c.plan_id == plan_id)))


def add_plan(conn: Connection, operator_id: int, plan: Plan, at: datetime, by: str) -> int:
    """Keep a plan without versions; gives its id. Raises IntegrityError when the operator has one of this code."""
    values = {
        "operator_id": operator_id,
        "code": plan.code,
        "currency": plan.currency,
        "every": plan.every.value,
        "time_zone": plan.time_zone,
        "ends_at": plan.ends_at,
        "created_at": at,
        "created_by": by,
    }
    return int(conn.execute(sa.insert(calling_plan).returning(calling_plan.c.id), values).scalar_one())


def add_version(conn: Connection, plan_id: int, made: Version) -> None:
    """Keep a version of a locked plan."""
    values = asdict(made.terms) | {
        "plan_id": plan_id,
        "number": made.number,
        "from_at": made.from_at,
        "tariff_id": made.tariff_id,
        "offer_id": made.offer_id,
        "made_at": made.made_at,
        "made_by": made.made_by,
    }
    del values["tariff"], values["offer"]
    conn.execute(sa.insert(calling_plan_version), values)


def end_plan(conn: Connection, plan_id: int, ends_at: datetime | None, by: str, note: str) -> None:
    """Let a plan end then, or not any more."""
    values = {"ends_at": ends_at, "ended_by": by, "end_note": note}
    conn.execute(sa.update(calling_plan).where(calling_plan.c.id == plan_id).values(values))


def offer_id(conn: Connection, operator_id: int, name: str) -> int | None:
    """An operator's offer of bundles that is not closed."""
    query = sa.select(bundle_offer.c.id).where(
        bundle_offer.c.operator_id == operator_id, bundle_offer.c.name == name, bundle_offer.c.closed_at.is_(None)
    )
    return conn.execute(query).scalar()


def having(conn: Connection, plan_id: int, at: datetime) -> int:
    """How many accounts have a plan then, or will."""
    query = sa.select(sa.func.count(account_plan.c.account_id.distinct())).where(
        account_plan.c.plan_id == plan_id,
        sa.or_(account_plan.c.ends_at.is_(None), account_plan.c.ends_at > at),
        sa.or_(account_plan.c.ends_at.is_(None), account_plan.c.ends_at > account_plan.c.begins_at),
    )
    return int(conn.execute(query).scalar_one())


def assignments(conn: Connection, account_id: int) -> list[Assigned]:
    """Which plans an account had, has and will have, from the first."""
    return [_assigned(row) for row in conn.execute(_ASSIGNED.where(account_plan.c.account_id == account_id))]


def add_assigned(conn: Connection, made: Assigned) -> int:
    """Give a locked account a plan; gives the id of the stretch."""
    values = {
        "account_id": made.account_id,
        "plan_id": made.plan_id,
        "billing_day": made.cycle.billing_day,
        "begins_at": made.begins_at,
        "due_at": made.begins_at,
        "set_at": made.set_at,
        "set_by": made.set_by,
        "note": made.note,
    }
    return int(conn.execute(sa.insert(account_plan).returning(account_plan.c.id), values).scalar_one())


def end_assigned(conn: Connection, assigned_id: int, ends_at: datetime | None, by: str) -> None:
    """Let a stretch end then, or not any more."""
    statement = sa.update(account_plan).where(account_plan.c.id == assigned_id)
    conn.execute(statement.values(ends_at=ends_at, ended_by=None if ends_at is None else by))


def set_due(conn: Connection, assigned_id: int, due_at: datetime | None) -> None:
    """When the next period of a stretch is to begin; none when there is no other."""
    conn.execute(sa.update(account_plan).where(account_plan.c.id == assigned_id).values(due_at=due_at))


def _plan(conn: Connection, row: sa.Row[Any]) -> Plan:
    return Plan(
        row.id,
        row.operator_code,
        row.code,
        row.currency,
        Every(row.every),
        row.time_zone,
        row.ends_at,
        versions_of(conn, row.id),
        row.created_by,
        row.ended_by,
    )


def _version(row: sa.Row[Any]) -> Version:
    terms = Terms(
        row.name,
        row.customer_class,
        row.tariff,
        row.offer,
        row.fee_micros,
        FirstPeriod(row.first_period),
        Shortage(row.shortage),
    )
    return Version(row.number, row.from_at, terms, row.tariff_id, row.offer_id, row.made_at, row.made_by)


def _assigned(row: sa.Row[Any]) -> Assigned:
    return Assigned(
        row.id,
        row.account_id,
        row.plan_id,
        row.code,
        Cycle(Every(row.every), row.billing_day, row.time_zone),
        row.begins_at,
        row.ends_at,
        row.due_at,
        row.plan_ends_at,
        row.set_at,
        row.set_by,
        row.note,
    )


def in_force(found: Sequence[Assigned], at: datetime) -> Assigned | None:
    """Of an account's stretches the one that holds then."""
    return next((one for one in found if one.begins_at <= at and not one.is_over(at)), None)
