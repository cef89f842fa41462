"""The only SQL of bundles and of what accounts used in a month.

Whoever holds or takes units has the account's row locked, as for money; the constraint of the table guards them all the
same.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from billing.allowances.period import end_of
from billing.allowances.tables import bundle, bundle_use, month_use
from billing.pricing.bundles import Bundle, CoverRule, Draw, in_order, renewed
from runtime.prepared import Prepared

_COLUMNS = (
    bundle.c.id,
    bundle.c.units - bundle.c.held,
    bundle.c.measure,
    bundle.c.rule,
    bundle.c.priority,
    bundle.c.expires_at,
    bundle.c.services,
    bundle.c.prefixes,
    bundle.c.price_micros,
    bundle.c.covers_fees,
    bundle.c.rolls_over,
    bundle.c.name,
)
_BUNDLES = Prepared(
    sa.select(*_COLUMNS, bundle.c.period, bundle.c.period_units, bundle.c.begins_at).where(
        bundle.c.account_id == sa.bindparam("of_account"),
        bundle.c.begins_at <= sa.bindparam("at"),
        bundle.c.closed_at.is_(None),
        sa.or_(
            bundle.c.expires_at.is_(None),
            bundle.c.expires_at > sa.bindparam("at"),
            sa.and_(bundle.c.renews, bundle.c.next_id.is_(None)),
        ),
    )
)
_OF_SESSION = Prepared(
    sa.select(*_COLUMNS, bundle_use.c.held + bundle_use.c.used, bundle.c.closed_at)
    .join_from(bundle_use, bundle, bundle.c.id == bundle_use.c.bundle_id)
    .where(bundle_use.c.session_id == sa.bindparam("of_session"))
)
_OPEN_USE = Prepared(sa.insert(bundle_use), ("session_id", "bundle_id", "held"))
_HOLD = Prepared(
    sa.update(bundle)
    .where(bundle.c.id == sa.bindparam("bundle_id"), bundle.c.units - bundle.c.held >= sa.bindparam("more"))
    .values(held=bundle.c.held + sa.bindparam("more"))
)
_NOTE_HOLD = Prepared(
    sa.update(bundle_use)
    .where(bundle_use.c.session_id == sa.bindparam("of_session"), bundle_use.c.bundle_id == sa.bindparam("of_bundle"))
    .values(held=bundle_use.c.held + sa.bindparam("more"))
)
_HELD = Prepared(
    sa.select(bundle_use.c.bundle_id, bundle_use.c.held).where(bundle_use.c.session_id == sa.bindparam("of_session"))
)
_TAKE = Prepared(
    sa.update(bundle)
    .where(bundle.c.id == sa.bindparam("bundle_id"))
    .values(units=bundle.c.units - sa.bindparam("taken"), held=bundle.c.held - sa.bindparam("freed"))
)
_NOTE_TAKEN = Prepared(
    sa.update(bundle_use)
    .where(bundle_use.c.session_id == sa.bindparam("of_session"), bundle_use.c.bundle_id == sa.bindparam("of_bundle"))
    .values(held=0, used=bundle_use.c.used + sa.bindparam("taken"))
)
_MONTH = Prepared(
    sa.select(month_use.c.used, month_use.c.cost_micros).where(
        month_use.c.account_id == sa.bindparam("of_account"),
        month_use.c.month == sa.bindparam("in_month"),
        month_use.c.service == sa.bindparam("of_service"),
    )
)
_ADD_MONTH = Prepared(
    sa.text(
        "INSERT INTO month_use (account_id, month, service, used, cost_micros)"
        " VALUES (:account_id, :month, :service, :used, :cost_micros)"
        " ON CONFLICT (account_id, month, service) DO UPDATE SET used = month_use.used + excluded.used,"
        " cost_micros = month_use.cost_micros + excluded.cost_micros"
    )
)


@dataclass(frozen=True, slots=True)
class MonthUse:
    """What an account used of a service in a month, in base units, and what it cost before rounding the total."""

    used: int = 0
    cost_micros: int = 0


class UnitsGoneError(Exception):
    """Included units were to be held that are not there: they were taken since they were read. Nothing was held."""


@dataclass(frozen=True, slots=True)
class Owned:
    """A bundle of an account with the units that are free, and what its next period will be.

    A period of no length never ends. Each gives `period_units` anew.
    """

    bundle: Bundle
    period: str
    period_units: int
    begins_at: datetime

    def is_over(self, at: datetime) -> bool:
        """Whether another period has begun."""
        return self.bundle.expires_at is not None and self.bundle.expires_at <= at

    def at(self, moment: datetime) -> "Owned":
        """The period that holds at this moment, with what is carried over from each to the next."""
        now = self
        while now.bundle.expires_at is not None and now.bundle.expires_at <= moment:
            begins_at = now.bundle.expires_at
            following = renewed(now.bundle, self.period_units, end_of(begins_at, self.period))
            now = Owned(following, self.period, self.period_units, begins_at)
        return now


@dataclass(frozen=True, slots=True)
class Standing:
    """A bundle with the units a session has of it, held or taken, and those that are free for anybody."""

    bundle: Bundle
    free: int


def add_bundle(
    conn: Connection,
    account_id: int,
    given: Bundle,
    begins_at: datetime,
    period_units: int | None = None,
    period: str = "",
    *,
    renews: bool = False,
    by: str = "",
) -> int:
    """Give an account a bundle; `period_units` is what it gets anew each period (its units, if nothing is said)."""
    statement = sa.insert(bundle).values(
        account_id=account_id,
        name=given.name,
        measure=given.measure,
        rule=given.rule.value,
        priority=given.priority,
        services=" ".join(given.services),
        prefixes=" ".join(given.prefixes),
        price_micros=given.price_micros,
        covers_fees=given.covers_fees,
        units=given.units,
        held=0,
        period_units=given.units if period_units is None else period_units,
        rolls_over=given.rolls_over,
        begins_at=begins_at,
        expires_at=given.expires_at,
        period=period,
        renews=renews,
        granted_by=by,
    )
    return int(conn.execute(statement.returning(bundle.c.id)).scalar_one())


def owned(conn: Connection, account_id: int, at: datetime) -> list[Owned]:
    """The bundles of an account that hold then, and those whose next period has to begin first."""
    return [Owned(_bundle(row[:12]), *row[12:]) for row in _BUNDLES.all(conn, of_account=account_id, at=at)]


def bundles_for(
    conn: Connection, account_id: int, service: str, destination: str, measure: str, at: datetime
) -> tuple[Bundle, ...]:
    """The bundles that may pay for a session that starts at `at`, with the units that are free, in order of use."""
    found = [one.at(at).bundle for one in owned(conn, account_id, at)]
    return in_order(found, service, destination, measure, at)


def open_use(conn: Connection, session_id: str, bundles: Iterable[Bundle]) -> None:
    """Note which bundles a session may use; it holds nothing of them yet."""
    _OPEN_USE.run_each(conn, [{"session_id": session_id, "bundle_id": one.id, "held": 0} for one in bundles])


def of_session(conn: Connection, session_id: str, at: datetime) -> dict[int, Standing]:
    """The bundles a session may use; what expired or was closed by then has nothing free."""
    standings = {}
    for row in _OF_SESSION.all(conn, of_session=session_id):
        known, has, closed_at = _bundle(row[:12]), int(row[12]), row[13]
        is_over = closed_at is not None or (known.expires_at is not None and known.expires_at <= at)
        standings[known.id] = Standing(replace(known, units=has), 0 if is_over else known.units)
    return standings


def hold(conn: Connection, session_id: str, wanted: Iterable[Draw]) -> None:
    """Hold units for a session that may use these bundles, in all as many as `wanted` says; raises UnitsGoneError."""
    held = {int(bundle_id): int(units) for bundle_id, units in _HELD.all(conn, of_session=session_id)}
    for draw in wanted:
        more = draw.units - held[draw.bundle_id]
        if more <= 0:
            continue
        if not _HOLD.run(conn, bundle_id=draw.bundle_id, more=more):
            raise UnitsGoneError(f"bundle {draw.bundle_id}")
        _NOTE_HOLD.run(conn, of_session=session_id, of_bundle=draw.bundle_id, more=more)


def take(conn: Connection, session_id: str, used: Iterable[Draw]) -> None:
    """End a session's holds: what was used (never more than was held) is taken, the rest is free again. Once only."""
    wanted = {draw.bundle_id: draw.units for draw in used}
    for bundle_id, held in _HELD.all(conn, of_session=session_id):
        taken = min(wanted.get(bundle_id, 0), held)
        _TAKE.run(conn, bundle_id=bundle_id, taken=taken, freed=held)
        _NOTE_TAKEN.run(conn, of_session=session_id, of_bundle=bundle_id, taken=taken)


def renew(conn: Connection, bundle_id: int, at: datetime) -> int:
    """Begin the period of a bundle that holds then, as a bundle of its own, with what rolls over; gives its id.

    The old one is left without what was carried over: sessions that hold of it take from it.
    """
    row = conn.execute(sa.select(bundle).where(bundle.c.id == bundle_id).with_for_update()).one()
    before = Owned(
        _bundle(tuple(conn.execute(sa.select(*_COLUMNS).where(bundle.c.id == bundle_id)).one())),
        row.period,
        row.period_units,
        row.begins_at,
    )
    now = before.at(at)
    carried = min(before.bundle.units, before.bundle.rolls_over)
    next_id = add_bundle(
        conn, row.account_id, now.bundle, now.begins_at, row.period_units, row.period, renews=row.renews, by="renewal"
    )
    statement = sa.update(bundle).where(bundle.c.id == bundle_id)
    conn.execute(statement.values(units=bundle.c.units - carried, next_id=next_id))
    return next_id


def month_used(conn: Connection, account_id: int, month: str, service: str) -> MonthUse:
    """What an account used of a service in a month (YYYY-MM)."""
    row = _MONTH.first(conn, of_account=account_id, in_month=month, of_service=service)
    return MonthUse() if row is None else MonthUse(int(row[0]), int(row[1]))


def add_month_use(conn: Connection, account_id: int, month: str, service: str, used: int, cost_micros: int) -> None:
    """Add what a session used to the account's month."""
    _ADD_MONTH.run(conn, account_id=account_id, month=month, service=service, used=used, cost_micros=cost_micros)


def _bundle(row: tuple[object, ...]) -> Bundle:
    number, units, measure, rule, priority, expires_at, services, prefixes, price, covers, rolls_over, name = row
    return Bundle(
        id=int(str(number)),
        units=int(str(units)),
        measure=str(measure),
        rule=CoverRule(str(rule)),
        priority=int(str(priority)),
        expires_at=expires_at if isinstance(expires_at, datetime) else None,
        services=tuple(str(services).split()),
        prefixes=tuple(str(prefixes).split()),
        price_micros=int(str(price)),
        covers_fees=bool(covers),
        rolls_over=int(str(rolls_over)),
        name=str(name),
    )
