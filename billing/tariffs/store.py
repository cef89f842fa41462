"""The only SQL of tariffs."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from billing.operators.tables import operator
from billing.rating import Rate
from billing.tariffs.tables import rate, tariff, tariff_version
from billing.tariffs.tariff import LONGEST_PREFIX, Tariff, Version
from runtime.prepared import Prepared

_RATE_COLUMNS = (
    rate.c.tariff_version_id,
    rate.c.prefix,
    rate.c.destination,
    tariff.c.currency,
    rate.c.price_per_minute_micros,
    rate.c.connect_fee_micros,
    rate.c.minimum_s,
    rate.c.initial_s,
    rate.c.increment_s,
    rate.c.blocked,
)
_RATES = (
    sa.select(*_RATE_COLUMNS)
    .select_from(rate.join(tariff_version).join(tariff))
    .where(rate.c.tariff_version_id == sa.bindparam("version_id"))
)
_ALL_RATES = Prepared(_RATES.order_by(rate.c.prefix))
_ADD_RATE = Prepared(sa.insert(rate), [column.name for column in rate.c])
_ONE_RATE = Prepared(_RATES.where(rate.c.prefix == sa.bindparam("prefix")))
_RATES_ALONG = _RATES.where(rate.c.prefix.in_(sa.bindparam("prefixes", expanding=True)))
_VERSION_COLUMNS = (
    tariff_version.c.id,
    tariff_version.c.tariff_id,
    tariff_version.c.number,
    tariff_version.c.effective_at,
    tariff_version.c.imported_at,
    tariff_version.c.source,
)
_VERSIONS = sa.select(*_VERSION_COLUMNS).order_by(tariff_version.c.tariff_id, tariff_version.c.number)
_STAMP = Prepared(sa.select(sa.func.coalesce(sa.func.max(tariff_version.c.id), 0), sa.func.count(tariff_version.c.id)))
_TARIFFS = sa.select(tariff.c.id, tariff.c.operator_id, tariff.c.name, tariff.c.currency, operator.c.code).join_from(
    tariff, operator
)


@dataclass(frozen=True, slots=True)
class TariffOwner:
    """The operator of a tariff, as far as tariffs need to know him."""

    id: int
    code: str
    currency: str
    home_country: str


@dataclass(frozen=True, slots=True)
class ListedTariff:
    """A tariff with the operator it belongs to."""

    tariff: Tariff
    operator_code: str


def find_owners(conn: Connection, code: str | None) -> list[TariffOwner]:
    """The operator of this code, or all of them."""
    query = sa.select(operator.c.id, operator.c.code, operator.c.currency, operator.c.home_country)
    if code is not None:
        query = query.where(operator.c.code == code)
    return [TariffOwner(*row) for row in conn.execute(query.order_by(operator.c.code))]


def list_tariffs(conn: Connection, operator_id: int | None = None) -> list[ListedTariff]:
    """Tariffs by operator and name."""
    query = _TARIFFS if operator_id is None else _TARIFFS.where(tariff.c.operator_id == operator_id)
    rows = conn.execute(query.order_by(operator.c.code, tariff.c.name))
    return [ListedTariff(Tariff(row.id, row.operator_id, row.name, row.currency), row.code) for row in rows]


def find_tariff(conn: Connection, operator_id: int, name: str, *, lock: bool = False) -> Tariff | None:
    """The operator's tariff of this name; `lock` keeps other imports of it waiting until the transaction ends."""
    query = sa.select(tariff.c.id, tariff.c.operator_id, tariff.c.name, tariff.c.currency).where(
        tariff.c.operator_id == operator_id, tariff.c.name == name
    )
    row = conn.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else Tariff(*row)


def add_tariff(conn: Connection, operator_id: int, name: str, currency: str) -> Tariff:
    """A new tariff without prices."""
    statement = sa.insert(tariff).values(operator_id=operator_id, name=name, currency=currency)
    tariff_id = conn.execute(statement.returning(tariff.c.id)).scalar_one()
    return Tariff(tariff_id, operator_id, name, currency)


def versions(conn: Connection, tariff_id: int | None = None) -> list[Version]:
    """The versions of a tariff, or of all, by tariff and number."""
    query = _VERSIONS if tariff_id is None else _VERSIONS.where(tariff_version.c.tariff_id == tariff_id)
    return [Version(*row) for row in conn.execute(query)]


def counted_versions(conn: Connection, tariff_id: int) -> list[Version]:
    """The versions of a tariff with the number of rates in each."""
    counted = (
        sa.select(sa.func.count()).where(rate.c.tariff_version_id == tariff_version.c.id).correlate(tariff_version)
    )
    query = _VERSIONS.add_columns(counted.scalar_subquery()).where(tariff_version.c.tariff_id == tariff_id)
    return [Version(*row) for row in conn.execute(query)]


def add_version(
    conn: Connection, tariff_id: int, effective_at: datetime, imported_at: datetime, source: str
) -> Version:
    """The next version of a tariff, still without rates; the tariff must be locked."""
    highest = sa.select(sa.func.coalesce(sa.func.max(tariff_version.c.number), 0)).where(
        tariff_version.c.tariff_id == tariff_id
    )
    number = conn.execute(highest).scalar_one() + 1
    statement = sa.insert(tariff_version).values(
        tariff_id=tariff_id, number=number, effective_at=effective_at, imported_at=imported_at, source=source[:200]
    )
    version_id = conn.execute(statement.returning(tariff_version.c.id)).scalar_one()
    return Version(version_id, tariff_id, number, effective_at, imported_at, source[:200])


def add_rates(conn: Connection, version_id: int, rates: Iterable[Rate]) -> None:
    """Put rates into a version; raises IntegrityError for a prefix it already has."""
    _ADD_RATE.run_each(
        conn,
        (
            {
                "tariff_version_id": version_id,
                "prefix": one.prefix,
                "destination": one.destination,
                "price_per_minute_micros": one.price_per_minute_micros,
                "connect_fee_micros": one.connect_fee_micros,
                "minimum_s": one.minimum_s,
                "initial_s": one.initial_s,
                "increment_s": one.increment_s,
                "blocked": one.blocked,
            }
            for one in rates
        ),
    )


def rates_of_version(conn: Connection, version_id: int) -> list[Rate]:
    """All rates of a version, by prefix."""
    return [Rate(*row) for row in _ALL_RATES.all(conn, version_id=version_id)]


def rates_along(conn: Connection, version_id: int, e164_digits: str) -> list[Rate]:
    """The rates of a version whose prefix the number begins with."""
    prefixes = [e164_digits[:length] for length in range(1, min(LONGEST_PREFIX, len(e164_digits)) + 1)]
    rows = conn.execute(_RATES_ALONG, {"version_id": version_id, "prefixes": prefixes})
    return [Rate(*tuple(row)) for row in rows]


def rate_of_session(conn: Connection, tariff_version_id: int, prefix: str) -> Rate:
    """The rate a charging session was opened with; raises LookupError when there is no such rate."""
    row = _ONE_RATE.first(conn, version_id=tariff_version_id, prefix=prefix)
    if row is None:
        raise LookupError(f"no rate for prefix {prefix} in tariff version {tariff_version_id}")
    return Rate(*row)


def stamp(conn: Connection) -> tuple[Any, ...]:
    """Differs as soon as a version was added, in whatever order their transactions ended."""
    return _STAMP.all(conn)[0]
