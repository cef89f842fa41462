"""Load a tariff file of any length as one version: filled bit by bit where nobody looks, then published at once.

The same file loaded again after an interruption goes on after the rates that are there. Each bit is a short transaction
of its own, so calls wait for none of them; memory does not grow with the file but for the prefixes seen.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import IntegrityError

from billing.rating import Rate
from billing.tariffs import store
from billing.tariffs.service import Deck, Imported, TariffImport
from billing.tariffs.tariff import Changes, ImportRefusal, Tariff, Version, version_in_effect
from runtime.clock import Clock
from runtime.csv_import import RejectFile, Watch
from runtime.database import reading, transaction
from runtime.faults import BusyError

ROWS_AT_ONCE = 5_000
_FORGOTTEN_AFTER = timedelta(days=7)
_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Loaded:
    """How a file was loaded: rates in all, of which some were there from an interrupted load, and bad rows."""

    answer: Imported | ImportRefusal
    rates: int
    resumed: int
    rejected: int


class BadRowsError(Exception):
    """A file was to be loaded whole and has bad rows; nothing of it is kept."""


def load_file(
    engine: Engine,
    clock: Clock,
    wanted: TariffImport,
    deck: Deck,
    rejects: RejectFile,
    watch: Watch | None = None,
    *,
    whole: bool = False,
) -> Loaded:
    """Load the good rows of a file as the next version of a tariff, making the tariff when it is new.

    What cannot be is refused, as `service.import_tariff` does. Raises CsvFileError for an unusable file, BadRowsError
    for bad rows of a file that was to be loaded `whole`, BusyError while another process loads the same file.
    """
    if wanted.effective_at is not None and wanted.effective_at < clock.now():
        return Loaded(ImportRefusal.PAST, 0, 0, 0)
    rates = deck.rates(rejects, watch)
    first = list(islice(rates, ROWS_AT_ONCE))
    if not first:
        return Loaded(ImportRefusal.EMPTY, 0, 0, rejects.count)
    digest = _digest(deck)
    with transaction(engine) as conn:
        tariff = store.find_tariff(conn, wanted.operator_id, wanted.name, lock=True)
        if tariff is not None and tariff.currency != wanted.currency:
            return Loaded(ImportRefusal.CURRENCY, 0, 0, rejects.count)
        if tariff is None:
            tariff = store.add_tariff(conn, wanted.operator_id, wanted.name, wanted.currency)
        forgotten = store.staged_before(conn, tariff.id, clock.now() - _FORGOTTEN_AFTER)
        staged = store.find_staged(conn, tariff.id, digest)
        if staged is None or staged[0] in forgotten:
            staged = store.add_staged(conn, tariff.id, digest, clock.now(), wanted.source), 0
    for version_id in forgotten:
        _drop(engine, version_id)
    version_id, resumed = staged
    total = _fill(engine, version_id, first, rates, resumed)
    if whole and rejects.count:
        _drop(engine, version_id)
        raise BadRowsError(f"{rejects.count} bad rows")
    answer = _publish(engine, clock, wanted, tariff, version_id, total)
    if isinstance(answer, ImportRefusal):
        _drop(engine, version_id)
    return Loaded(answer, total, resumed, rejects.count)


def _digest(deck: Deck) -> str:
    """What the file and the way it is read come to: the same digest, the same rates."""
    found = hashlib.sha256(repr((deck.currency, sorted(deck.mapping.items()), sorted(deck.usual.items()))).encode())
    found.update(b"negative" if deck.negative else b"")
    with deck.path.open("rb") as file:
        while octets := file.read(_READ_BYTES):
            found.update(octets)
    return found.hexdigest()


def _fill(engine: Engine, version_id: int, first: list[Rate], rest: Iterator[Rate], resumed: int) -> int:
    """Put the rates into the version, but for the first `resumed`, which are there; gives how many it has then."""
    total = 0
    batch = first
    while batch:
        fresh = batch[max(0, resumed - total) :]
        if fresh:
            try:
                with transaction(engine) as conn:
                    store.add_rates(conn, version_id, fresh)
            except IntegrityError as error:
                raise BusyError("this file is being loaded by another process") from error
        total += len(batch)
        batch = list(islice(rest, ROWS_AT_ONCE))
    return total


def _publish(
    engine: Engine, clock: Clock, wanted: TariffImport, tariff: Tariff, version_id: int, total: int
) -> Imported | ImportRefusal:
    """Make the filled version count. Versions are compared before the transaction, again if another came in between."""
    while True:
        with reading(engine) as conn:
            before = _version_before(conn, tariff, wanted.effective_at or clock.now())
            changes = store.differences(conn, before.id if before else None, version_id)
        if before is not None and changes == Changes(0, 0, 0, total):
            return ImportRefusal.UNCHANGED
        with transaction(engine) as conn:
            now = clock.now()
            if wanted.effective_at is not None and wanted.effective_at < now:
                return ImportRefusal.PAST
            store.find_tariff(conn, wanted.operator_id, wanted.name, lock=True)
            if _version_before(conn, tariff, wanted.effective_at or now) != before:
                continue
            filled = Version(version_id, tariff.id, 0, wanted.effective_at or now, now, wanted.source[:200])
            version = store.publish(conn, replace(filled, rates=total))
        return Imported(tariff, version, changes)


def _version_before(conn: Connection, tariff: Tariff, moment: datetime) -> Version | None:
    return version_in_effect(store.versions(conn, tariff.id), moment)


def _drop(engine: Engine, version_id: int) -> None:
    """Take back a version that was not published, bit by bit."""
    while True:
        with transaction(engine) as conn:
            if not store.drop_some_staged(conn, version_id, ROWS_AT_ONCE):
                return
