"""Use-cases of tariffs: read a file, load it as a new version, and know the price of a number at any moment."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy.engine import Connection, Engine

from billing.pricing.notation import TERM_FIELDS
from billing.rating import VOICE, Rate
from billing.tariffs import store
from billing.tariffs.book.service import RateBook
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
from runtime.clock import Clock
from runtime.csv_import import BadRowError, Column, ImportResult, Rejected, RejectFile, Tell, Watch, read_rows
from runtime.database import reading, transaction
from runtime.faults import NotFoundError, StaffError

__all__ = [
    "COLUMNS",
    "Deck",
    "Imported",
    "PriceAnswer",
    "RateBook",
    "TariffImport",
    "find_owner",
    "find_tariff",
    "import_tariff",
    "price_of_number",
    "read_tariff_file",
]

_TERM_NAMES = frozenset(TERM_FIELDS)
COLUMNS = (
    Column("prefix"),
    Column("destination", required=False),
    Column("price_per_minute", required=False),
    Column("price", required=False),
    Column("connect_fee", required=False),
    Column("minimum_s", required=False),
    Column("increments", required=False),
    Column("blocked", required=False),
    Column("service", required=False),
    *(Column(name, required=False) for name in TERM_FIELDS),
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


@dataclass(frozen=True, slots=True)
class Deck:
    """A tariff file and how it is read: `usual` fills empty cells, and those of fields that the file does not have."""

    path: Path
    currency: str
    mapping: Mapping[str, str] = field(default_factory=dict)
    usual: Mapping[str, str] = field(default_factory=dict)
    negative: bool = False
    tell_ignored: Tell | None = None

    def rates(self, rejects: RejectFile, watch: Watch | None = None) -> Iterator[Rate]:
        """The good rows in the order of the file; bad ones go to the reject file.

        Of two rows for one service and prefix the first is good. Raises CsvFileError for an unusable file.
        """
        seen: dict[str, set[str]] = {}

        def parse(fields: dict[str, str]) -> Rate:
            for name, text in self.usual.items():
                fields[name] = fields.get(name) or text
            try:
                rate = read_rate(fields, self.currency, negative=self.negative)
            except RateFieldError as error:
                raise BadRowError(str(error)) from None
            of_service = seen.setdefault(rate.service, set())
            if rate.prefix in of_service:
                raise BadRowError(f"prefix: {rate.prefix} is in this file already")
            of_service.add(rate.prefix)
            return rate

        columns = self._columns()
        rows = read_rows(
            self.path, columns, self.mapping, parse, watch, tell_ignored=self.tell_ignored, further=_TERM_NAMES
        )
        for row in rows:
            if isinstance(row, Rejected):
                rejects.write(row)
            else:
                yield row.value

    def _columns(self) -> list[Column]:
        """The columns to look for: those of terms only where the file may have them, for the sake of a million rows."""
        try:
            with self.path.open(encoding="utf-8-sig", errors="replace") as file:
                header = {" ".join(name.split()).strip('"').lower() for name in file.readline().split(",")}
        except OSError:
            return list(COLUMNS)  # and reading the rows says what is wrong
        wanted = header | set(self.mapping.values())
        return [one for one in COLUMNS if one.name not in _TERM_NAMES or one.name in wanted]


def read_tariff_file(
    path: Path, mapping: Mapping[str, str], currency: str, rejects: RejectFile, watch: Watch | None = None
) -> tuple[list[Rate], ImportResult]:
    """The good rows of a tariff file, all at once; see `Deck.rates`."""
    rates = list(Deck(path, currency, mapping).rates(rejects, watch))
    return rates, ImportResult(len(rates), rejects.count)


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
            store.count_rates(conn, version.id)
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


def price_of_number(conn: Connection, tariff_id: int, e164: str, now: datetime, service: str = VOICE) -> PriceAnswer:
    """What a call to `e164` would cost at `now`, and why: the choice RateBook makes, straight from the tables."""
    version = version_in_effect(store.versions(conn, tariff_id), now)
    if version is None:
        return PriceAnswer(RateRefusal.UNPRICED, None, ())
    digits = e164.removeprefix("+")
    table = RateTable(store.rates_along(conn, version.id, digits, service))
    return PriceAnswer(find_rate(table, digits, service), version, table.along(digits, service))
