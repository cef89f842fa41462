"""The only SQL of tariffs."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from billing.operators.tables import operator
from billing.pricing.notation import terms_of_text
from billing.pricing.terms import Terms
from billing.rating import VOICE, Rate
from billing.tariffs.tables import rate, rate_terms, tariff, tariff_version
from billing.tariffs.tariff import LONGEST_CODE, Changes, Tariff, Version
from runtime.prepared import Prepared

_PAGE_ROWS = 20_000
_COPIED_ROWS = 500
_RATE_NAMES = tuple(column.name for column in rate.c)

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
    rate.c.service,
    rate_terms.c.text,
)
_RATES = (
    sa.select(*_RATE_COLUMNS)
    .select_from(rate.join(tariff_version).join(tariff).outerjoin(rate_terms))
    .where(rate.c.tariff_version_id == sa.bindparam("version_id"))
)
_PAGE_OF_RATES = Prepared(
    _RATES.where(sa.tuple_(rate.c.service, rate.c.prefix) > sa.tuple_(sa.bindparam("service"), sa.bindparam("prefix")))
    .order_by(rate.c.service, rate.c.prefix)
    .limit(_PAGE_ROWS)
)
_ADD_RATE = Prepared(sa.insert(rate), [column.name for column in rate.c])
_ONE_RATE = Prepared(_RATES.where(rate.c.service == sa.bindparam("service"), rate.c.prefix == sa.bindparam("prefix")))
_RATES_ALONG = _RATES.where(
    rate.c.service == sa.bindparam("service"), rate.c.prefix.in_(sa.bindparam("prefixes", expanding=True))
)
_FIND_TERMS = Prepared(sa.select(rate_terms.c.id).where(rate_terms.c.digest == sa.bindparam("digest")))
_ADD_TERMS = Prepared(
    sa.text("INSERT INTO rate_terms (digest, text) VALUES (:digest, :text) ON CONFLICT (digest) DO NOTHING")
)
_VERSION_COLUMNS = (
    tariff_version.c.id,
    tariff_version.c.tariff_id,
    tariff_version.c.number,
    tariff_version.c.effective_at,
    tariff_version.c.imported_at,
    tariff_version.c.source,
    tariff_version.c.rates,
)
_VERSIONS = (
    sa.select(*_VERSION_COLUMNS)
    .where(tariff_version.c.number.is_not(None))
    .order_by(tariff_version.c.tariff_id, tariff_version.c.number)
)
_STAMP = Prepared(
    sa.select(sa.func.coalesce(sa.func.max(tariff_version.c.id), 0), sa.func.count(tariff_version.c.number))
)
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
    """The published versions of a tariff, or of all, by tariff and number."""
    query = _VERSIONS if tariff_id is None else _VERSIONS.where(tariff_version.c.tariff_id == tariff_id)
    return [Version(*row) for row in conn.execute(query)]


def add_version(
    conn: Connection, tariff_id: int, effective_at: datetime, imported_at: datetime, source: str
) -> Version:
    """The next version of a tariff, still without rates; the tariff must be locked."""
    version_id = add_staged(conn, tariff_id, "", imported_at, source)
    return publish(conn, Version(version_id, tariff_id, 0, effective_at, imported_at, source[:200]))


def add_staged(conn: Connection, tariff_id: int, digest: str, now: datetime, source: str) -> int:
    """A version that nobody is priced by yet, to be filled bit by bit; `digest` tells what it is filled from."""
    statement = sa.insert(tariff_version).values(
        tariff_id=tariff_id, effective_at=now, imported_at=now, source=source[:200], digest=digest
    )
    return int(conn.execute(statement.returning(tariff_version.c.id)).scalar_one())


def find_staged(conn: Connection, tariff_id: int, digest: str) -> tuple[int, int] | None:
    """The version that was being filled from this, and how many rates it has."""
    query = sa.select(tariff_version.c.id).where(
        tariff_version.c.tariff_id == tariff_id,
        tariff_version.c.digest == digest,
        tariff_version.c.number.is_(None),
    )
    version_id = conn.execute(query.order_by(tariff_version.c.id)).scalars().first()
    if version_id is None:
        return None
    counted = sa.select(sa.func.count()).where(rate.c.tariff_version_id == version_id)
    return int(version_id), int(conn.execute(counted).scalar_one())


def publish(conn: Connection, filled: Version) -> Version:
    """Give a filled version the next number of its tariff, which must be locked: from now on it counts."""
    highest = sa.select(sa.func.coalesce(sa.func.max(tariff_version.c.number), 0)).where(
        tariff_version.c.tariff_id == filled.tariff_id
    )
    published = replace(filled, number=conn.execute(highest).scalar_one() + 1)
    conn.execute(
        sa.update(tariff_version)
        .where(tariff_version.c.id == published.id)
        .values(
            number=published.number,
            effective_at=published.effective_at,
            imported_at=published.imported_at,
            rates=published.rates,
        )
    )
    return published


def drop_some_staged(conn: Connection, version_id: int, most: int) -> int:
    """Take back some rates of a version that was never published, and with the last of them the version; how many."""
    some = sa.select(rate.c.service, rate.c.prefix).where(rate.c.tariff_version_id == version_id).limit(most)
    found = [tuple(row) for row in conn.execute(some)]
    if found:
        gone = sa.tuple_(rate.c.service, rate.c.prefix).in_(found)
        conn.execute(sa.delete(rate).where(rate.c.tariff_version_id == version_id, gone))
    else:
        unpublished = tariff_version.c.number.is_(None)
        conn.execute(sa.delete(tariff_version).where(tariff_version.c.id == version_id, unpublished))
    return len(found)


def staged_before(conn: Connection, tariff_id: int, moment: datetime) -> list[int]:
    """Versions of a tariff that were begun before a moment and never published."""
    query = sa.select(tariff_version.c.id).where(
        tariff_version.c.tariff_id == tariff_id,
        tariff_version.c.number.is_(None),
        tariff_version.c.imported_at < moment,
    )
    return list(conn.execute(query).scalars())


def add_rates(conn: Connection, version_id: int, rates: Iterable[Rate]) -> int:
    """Put rates into a version and say how many; raises IntegrityError for a prefix it already has."""
    known: dict[str, int] = {}
    rows: list[dict[str, object]] = [
        {
            "tariff_version_id": version_id,
            "service": one.service,
            "prefix": one.prefix,
            "destination": one.destination,
            "price_per_minute_micros": one.price_per_minute_micros,
            "connect_fee_micros": one.connect_fee_micros,
            "minimum_s": one.minimum_s,
            "initial_s": one.initial_s,
            "increment_s": one.increment_s,
            "blocked": one.blocked,
            "terms_id": None if one.terms is None else _terms_id(conn, one.terms, known),
        }
        for one in rates
    ]
    if conn.dialect.name == "postgresql" and len(rows) >= _COPIED_ROWS:
        _copy(conn, rows)
    else:
        _ADD_RATE.run_each(conn, rows)
    return len(rows)


def _copy(conn: Connection, rows: list[dict[str, object]]) -> None:
    """Put many rows in by COPY, which PostgreSQL takes several times faster than INSERT."""
    conn.execute(sa.text("SELECT 1"))  # so that the transaction has begun
    driver: Any = conn.connection.driver_connection
    text = f"COPY rate ({', '.join(_RATE_NAMES)}) FROM STDIN"
    try:
        with driver.cursor() as cursor, cursor.copy(text) as copy:
            for row in rows:
                copy.write_row([row[name] for name in _RATE_NAMES])
    except conn.dialect.loaded_dbapi.Error as error:
        raise sa.exc.DBAPIError.instance(
            text, None, error, conn.dialect.loaded_dbapi.Error, hide_parameters=True, dialect=conn.dialect
        ) from error


def count_rates(conn: Connection, version_id: int) -> None:
    """Note how many rates a version has."""
    counted = sa.select(sa.func.count()).where(rate.c.tariff_version_id == version_id).scalar_subquery()
    conn.execute(sa.update(tariff_version).where(tariff_version.c.id == version_id).values(rates=counted))


def differences(conn: Connection, before_id: int | None, after_id: int) -> Changes:
    """How the rates of two versions differ, by service and prefix."""
    old, new = rate.alias("old"), rate.alias("new")
    terms = [
        old.c[column.name].is_not_distinct_from(new.c[column.name])
        for column in rate.c
        if column.name not in {"tariff_version_id", "service", "prefix"}
    ]
    both = old.join(new, sa.and_(old.c.service == new.c.service, old.c.prefix == new.c.prefix))
    query = (
        sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(sa.case((sa.and_(*terms), 1), else_=0)), 0))
        .select_from(both)
        .where(old.c.tariff_version_id == before_id, new.c.tariff_version_id == after_id)
    )
    common, same = conn.execute(query).one()
    counts = {}
    for version_id in (before_id, after_id):
        counted = sa.select(sa.func.count()).where(rate.c.tariff_version_id == version_id)
        counts[version_id] = conn.execute(counted).scalar_one()
    return Changes(counts[after_id] - common, common - same, counts[before_id] - common, same)


def rates_in_order(conn: Connection, version_id: int) -> Iterator[Rate]:
    """All rates of a version, by service and prefix, read in pages: memory does not grow with them."""
    service, prefix = "", ""
    while True:
        page = _PAGE_OF_RATES.all(conn, version_id=version_id, service=service, prefix=prefix)
        for row in page:
            yield _rate(row)
        if len(page) < _PAGE_ROWS:
            return
        service, prefix = page[-1][-2], page[-1][1]


def rates_of_version(conn: Connection, version_id: int) -> list[Rate]:
    """All rates of a version, by service and prefix."""
    return list(rates_in_order(conn, version_id))


def rates_along(conn: Connection, version_id: int, digits: str, service: str = VOICE) -> list[Rate]:
    """The rates of a version whose prefix the number (or code) begins with."""
    prefixes = [digits[:length] for length in range(min(LONGEST_CODE, len(digits)) + 1)]
    rows = conn.execute(_RATES_ALONG, {"version_id": version_id, "service": service, "prefixes": prefixes})
    return [_rate(tuple(row)) for row in rows]


def rate_of_session(conn: Connection, tariff_version_id: int, prefix: str, service: str = VOICE) -> Rate:
    """The rate a charging session was opened with; raises LookupError when there is no such rate."""
    row = _ONE_RATE.first(conn, version_id=tariff_version_id, prefix=prefix, service=service)
    if row is None:
        raise LookupError(f"no rate for prefix {prefix} in tariff version {tariff_version_id}")
    return _rate(row)


def _rate(row: tuple[Any, ...]) -> Rate:
    text = row[-1]
    values: tuple[Any, ...] = (*row[:-1], None if text is None else terms_of_text(text))
    return Rate(*values)


def _terms_id(conn: Connection, terms: Terms, known: dict[str, int]) -> int:
    """The row of these terms, made when it is new; `known` saves asking again."""
    if not terms.text:
        raise ValueError("terms that were not read from their notation cannot be kept")
    found = known.get(terms.text)
    if found is None:
        digest = hashlib.sha256(terms.text.encode()).hexdigest()
        row = _FIND_TERMS.first(conn, digest=digest)
        if row is None:
            _ADD_TERMS.run(conn, digest=digest, text=terms.text)
            row = _FIND_TERMS.first(conn, digest=digest)
        if row is None:
            raise LookupError("terms just added are not there")
        found = known[terms.text] = int(row[0])
    return found


def stamp(conn: Connection) -> tuple[Any, ...]:
    """Differs as soon as a version was published, in whatever order their transactions ended."""
    return _STAMP.all(conn)[0]
