"""The rate of any number at any moment, without asking the database; new versions are taken up while calls run."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.engine import Connection, Engine

from billing.rating import VOICE, Rate
from billing.tariffs import store
from billing.tariffs.tariff import RateRefusal, RateTable, Version, find_rate, version_in_effect
from runtime.clock import Clock, SystemClock
from runtime.database import reading

LARGEST_READ_AT_ONCE = 20_000
"""Versions with more rates are read beside the calls, by a thread of their own."""


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What a RateBook knows: the versions that can matter by tariff, and the tables that were read."""

    stamp: tuple[object, ...]
    versions: Mapping[int, tuple[Version, ...]]
    tables: dict[int, RateTable]


class RateBook:
    """The prices in effect, held in memory; safe to ask from many threads.

    Looks for new versions at most every `refresh_s` seconds, by a stamp; so a version loaded with immediate effect is
    in use that much later at most, or, when it is large, as soon as it has been read; one loaded ahead of its time
    exactly at it. While new tables are read, everybody goes on with what there is. A session keeps the rate it was
    opened with. Raises the database's errors when it must look and cannot.
    """

    def __init__(self, engine: Engine, clock: Clock | None = None, refresh_s: float = 5.0) -> None:
        self._engine = engine
        self._clock = clock or SystemClock()
        self._refresh_s = refresh_s
        self._lock = threading.Lock()
        self._due_s = self._clock.monotonic_s()
        self._known: _Snapshot | None = None
        self._reader: threading.Thread | None = None

    def rate_for(self, tariff_id: int, e164: str, now: datetime, service: str = VOICE) -> Rate | RateRefusal:
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
        return find_rate(table, e164.removeprefix("+"), service)

    def wait(self, timeout_s: float) -> bool:
        """Wait until no table is being read; False when it took longer."""
        reader = self._reader
        if reader is not None:
            reader.join(timeout_s)
        return reader is None or not reader.is_alive()

    def _look(self, now: datetime, known: _Snapshot | None) -> _Snapshot:
        if not self._lock.acquire(blocking=known is None) and known is not None:
            return known
        try:
            known = self._known
            if known is not None and (self._clock.monotonic_s() < self._due_s or not self.wait(0)):
                return known
            with reading(self._engine) as conn:
                stamp = store.stamp(conn)
                if known is None or known.stamp != stamp:
                    versions = store.versions(conn)
                    read_before = known.tables if known else {}
                    fresh = [one for one in _needed(versions, now) if one.id not in read_before]
                    if known is not None and any(one.rates > LARGEST_READ_AT_ONCE for one in fresh):
                        self._read_beside(now)
                    else:
                        known = self._known = _read_snapshot(conn, stamp, versions, now, read_before)
            self._due_s = self._clock.monotonic_s() + self._refresh_s
            return known
        finally:
            self._lock.release()

    def _read_beside(self, now: datetime) -> None:
        """Read the new tables in a thread of their own; what it read is known to all at once, when all of it is."""

        def read() -> None:
            known = self._known
            with reading(self._engine) as conn:
                stamp = store.stamp(conn)
                tables = known.tables if known else {}
                self._known = _read_snapshot(conn, stamp, store.versions(conn), now, tables)

        self._reader = threading.Thread(target=read, name="rate-book", daemon=True)
        self._reader.start()

    def _read_late(self, known: _Snapshot, version_id: int) -> RateTable:
        """The table of a version that was over when the snapshot was made, for whoever asks with an earlier moment."""
        with self._lock:
            table = known.tables.get(version_id)
            if table is None:
                with reading(self._engine) as conn:
                    table = RateTable(store.rates_in_order(conn, version_id))
                known.tables[version_id] = table
        return table


def _by_tariff(versions: list[Version]) -> dict[int, list[Version]]:
    """Versions by tariff, as they take effect."""
    found: dict[int, list[Version]] = {}
    for version in sorted(versions, key=lambda version: (version.effective_at, version.number)):
        found.setdefault(version.tariff_id, []).append(version)
    return found


def _needed(versions: list[Version], now: datetime) -> list[Version]:
    """The versions in effect and those still to come."""
    found = []
    for of_tariff in _by_tariff(versions).values():
        begun = sum(version.effective_at <= now for version in of_tariff)
        found += of_tariff[max(0, begun - 1) :]
    return found


def _read_snapshot(
    conn: Connection,
    stamp: tuple[object, ...],
    versions: list[Version],
    now: datetime,
    read_before: Mapping[int, RateTable],
) -> _Snapshot:
    """Versions from the last but one on; tables of those in effect or still to come, read again only when unknown."""
    kept = {}
    for tariff_id, of_tariff in _by_tariff(versions).items():
        begun = sum(version.effective_at <= now for version in of_tariff)
        kept[tariff_id] = tuple(of_tariff[max(0, begun - 2) :])
    tables = {}
    for version in _needed(versions, now):
        table = read_before.get(version.id)
        tables[version.id] = RateTable(store.rates_in_order(conn, version.id)) if table is None else table
    return _Snapshot(stamp, kept, tables)
