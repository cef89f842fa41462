"""Use-cases of tariffs: read a file, load it as a new version, and know the price of a number at any moment."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy.engine import Connection, Engine

from billing.rating import Rate
from billing.tariffs import store
from billing.tariffs.tariff import (
    Changes,
    ImportRefusal,
    RateFieldError,
    RateRefusal,
    RateTable,
    Tariff,
    Version,
    compare,
    find_rate,
    read_rate,
    version_in_effect,
)
from runtime.clock import Clock, SystemClock
from runtime.csv_import import BadRowError, Column, ImportResult, Rejected, RejectFile, Watch, read_rows
from runtime.database import reading, transaction
from runtime.faults import NotFoundError, StaffError

COLUMNS = (
    Column("prefix"),
    Column("destination", required=False),
    Column("price_per_minute"),
    Column("connect_fee", required=False),
    Column("minimum_s", required=False),
    Column("increments", required=False),
    Column("blocked", required=False),
)


@dataclass(frozen=True, slots=True)
class TariffImport:
    """What is to be loaded, and as what; a new tariff is made in `currency`. Without a moment it holds at once."""

    operator_id: int
    name: str
    currency: str
    effective_at: datetime | None
    source: str


@dataclass(frozen=True, slots=True)
class Imported:
    """A version that was loaded, and what it changes in the one that was in effect before it."""

    tariff: Tariff
    version: Version
    changes: Changes


@dataclass(frozen=True, slots=True)
class PriceAnswer:
    """The price of a number, the version it is from, and the rates of all its prefixes, the longest first."""

    answer: Rate | RateRefusal
    version: Version | None
    considered: tuple[Rate, ...]


def read_tariff_file(
    path: Path, mapping: Mapping[str, str], currency: str, rejects: RejectFile, watch: Watch | None = None
) -> tuple[list[Rate], ImportResult]:
    """The good rows of a tariff file; bad ones go to the reject file. Raises CsvFileError for an unusable file.

    Of two rows for one prefix the first is kept. Touches no database, so that no transaction waits for a disk.
    """

    def parse(fields: dict[str, str]) -> Rate:
        try:
            rate = read_rate(fields, currency)
        except RateFieldError as error:
            raise BadRowError(str(error)) from None
        if rate.prefix in seen:
            raise BadRowError(f"prefix: {rate.prefix} is in this file already")
        seen.add(rate.prefix)
        return rate

    seen: set[str] = set()
    rates: list[Rate] = []
    rejected = 0
    for row in read_rows(path, COLUMNS, mapping, parse, watch):
        if isinstance(row, Rejected):
            rejected += 1
            rejects.write(row)
        else:
            rates.append(row.value)
    return rates, ImportResult(len(rates), rejected)


def import_tariff(
    engine: Engine, clock: Clock, wanted: TariffImport, rates: Sequence[Rate]
) -> Imported | ImportRefusal:
    """Load rates as the next version of a tariff, making the tariff when it is new; one writing transaction.

    A version is whole: a prefix that is not in it has no price of its own from then on. It never takes effect in the
    past, and one that changes nothing is not made. Versions are compared before the transaction, so that on SQLite
    calls wait only while rows are written (some 8 µs each); if another import comes in between, it is done again.
    """
    if not rates:
        return ImportRefusal.EMPTY
    while True:
        with reading(engine) as conn:
            before = _version_before(conn, wanted, clock.now())
            old = store.rates_of_version(conn, before.id) if before else []
        changes = compare(old, rates)
        with transaction(engine) as conn:
            now = clock.now()
            if wanted.effective_at is not None and wanted.effective_at < now:
                return ImportRefusal.PAST
            tariff = store.find_tariff(conn, wanted.operator_id, wanted.name, lock=True)
            if tariff is not None and tariff.currency != wanted.currency:
                return ImportRefusal.CURRENCY
            if _version_before(conn, wanted, now) != before:
                continue
            if before is not None and changes == Changes(0, 0, 0, len(rates)):
                return ImportRefusal.UNCHANGED
            if tariff is None:
                tariff = store.add_tariff(conn, wanted.operator_id, wanted.name, wanted.currency)
            version = store.add_version(conn, tariff.id, wanted.effective_at or now, now, wanted.source)
            store.add_rates(conn, version.id, rates)
        return Imported(tariff, version, changes)


def _version_before(conn: Connection, wanted: TariffImport, now: datetime) -> Version | None:
    tariff = store.find_tariff(conn, wanted.operator_id, wanted.name)
    versions = store.versions(conn, tariff.id) if tariff else ()
    return version_in_effect(versions, wanted.effective_at or now)


def find_owner(conn: Connection, code: str | None) -> store.TariffOwner:
    """The operator of this code, or the only one; raises NotFoundError, or StaffError when it could be several."""
    owners = store.find_owners(conn, code)
    if not owners:
        raise NotFoundError(f"there is no operator {code}" if code else "there is no operator yet")
    if len(owners) > 1:
        raise StaffError(f"--operator is needed: {', '.join(owner.code for owner in owners)}")
    return owners[0]


def find_tariff(conn: Connection, owner: store.TariffOwner, name: str) -> Tariff:
    """The operator's tariff of this name; raises NotFoundError."""
    tariff = store.find_tariff(conn, owner.id, name)
    if tariff is None:
        raise NotFoundError(f"{owner.code} has no tariff {name}")
    return tariff


def price_of_number(conn: Connection, tariff_id: int, e164: str, now: datetime) -> PriceAnswer:
    """What a call to `e164` would cost at `now`, and why: the choice RateBook makes, straight from the tables."""
    version = version_in_effect(store.versions(conn, tariff_id), now)
    if version is None:
        return PriceAnswer(RateRefusal.UNPRICED, None, ())
    digits = e164.removeprefix("+")
    table = RateTable(store.rates_along(conn, version.id, digits))
    return PriceAnswer(find_rate(table, digits), version, table.along(digits))


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What a RateBook knows: the versions that can matter by tariff, and the tables that were read."""

    stamp: tuple[object, ...]
    versions: Mapping[int, tuple[Version, ...]]
    tables: dict[int, RateTable]


class RateBook:
    """The prices in effect, held in memory; safe to ask from many threads.

    Looks for new versions at most every `refresh_s` seconds, by a stamp; so a version loaded with immediate effect is
    in use that much later at most, and one loaded ahead of its time exactly at it. While one thread reads new tables,
    the others go on with what they have. Raises the database's errors when it must look and cannot.
    """

    def __init__(self, engine: Engine, clock: Clock | None = None, refresh_s: float = 5.0) -> None:
        self._engine = engine
        self._clock = clock or SystemClock()
        self._refresh_s = refresh_s
        self._lock = threading.Lock()
        self._due_s = self._clock.monotonic_s()
        self._known: _Snapshot | None = None

    def rate_for(self, tariff_id: int, e164: str, now: datetime) -> Rate | RateRefusal:
        """The rate of a number in the version of the tariff that is in effect at `now`, or why there is none."""
        known = self._known
        if known is None or self._clock.monotonic_s() >= self._due_s:
            known = self._look(now, known)
        version = version_in_effect(known.versions.get(tariff_id, ()), now)
        if version is None:
            return RateRefusal.UNPRICED
        table = known.tables.get(version.id)
        if table is None:
            table = self._read_late(known, version.id)
        return find_rate(table, e164.removeprefix("+"))

    def _look(self, now: datetime, known: _Snapshot | None) -> _Snapshot:
        if not self._lock.acquire(blocking=known is None) and known is not None:
            return known
        try:
            known = self._known
            if known is not None and self._clock.monotonic_s() < self._due_s:
                return known
            with reading(self._engine) as conn:
                stamp = store.stamp(conn)
                if known is None or known.stamp != stamp:
                    known = _read_snapshot(conn, stamp, now, known.tables if known else {})
            self._known, self._due_s = known, self._clock.monotonic_s() + self._refresh_s
            return known
        finally:
            self._lock.release()

    def _read_late(self, known: _Snapshot, version_id: int) -> RateTable:
        """The table of a version that was over when the snapshot was made, for whoever asks with an earlier moment."""
        with self._lock:
            table = known.tables.get(version_id)
            if table is None:
                with reading(self._engine) as conn:
                    table = RateTable(store.rates_of_version(conn, version_id))
                known.tables[version_id] = table
        return table


def _read_snapshot(
    conn: Connection, stamp: tuple[object, ...], now: datetime, read_before: Mapping[int, RateTable]
) -> _Snapshot:
    """Versions from the last but one on; tables of those in effect or still to come, read again only when unknown."""
    by_tariff: dict[int, list[Version]] = {}
    for version in store.versions(conn):
        by_tariff.setdefault(version.tariff_id, []).append(version)
    kept: dict[int, tuple[Version, ...]] = {}
    tables: dict[int, RateTable] = {}
    for tariff_id, versions in by_tariff.items():
        versions.sort(key=lambda version: (version.effective_at, version.number))
        begun = sum(version.effective_at <= now for version in versions)
        kept[tariff_id] = tuple(versions[max(0, begun - 2) :])
        for version in versions[max(0, begun - 1) :]:
            table = read_before.get(version.id)
            tables[version.id] = RateTable(store.rates_of_version(conn, version.id)) if table is None else table
    return _Snapshot(stamp, kept, tables)
