"""Loading the listings of a region from its supplier's file, in short transactions, taken up where it was cut off.

Files differ: with or without address, the name in one column or two, the address in one or four, with the date a line
was given or without. Columns are mapped by name; what a file does not have is left unknown.
"""

import gc
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import lru_cache

from sqlalchemy.engine import Connection, Engine

from ani.importing import Source, parse_text
from ani.numbers import LONGEST_E164, parse_listed
from ani.qualification import store as qualification_store
from ani.reverse_match import import_store, store
from ani.reverse_match.import_store import ListingImport
from ani.reverse_match.listing import Identity, Listing, NoNews, Report, changes_hands, contradicts, succeed
from ani.reverse_match.names import split_name
from runtime.clock import Clock
from runtime.csv_import import BadRowError, Column, ImportResult, Rejected, Row, batches, read_rows
from runtime.database import reading, transaction

COLUMNS = tuple(
    Column(name, required=name == "ani")
    for name in (
        "ani",
        "name",
        "first_name",
        "last_name",
        "address",
        "street",
        "city",
        "region",
        "postal_code",
        "country",
        "line_type",
        "effective_on",
        "ends_on",
    )
)
LINE_TYPES = frozenset({"", "landline", "mobile", "voip", "toll-free", "payphone", "other"})
TWICE = "ani: the line is twice in this file, with different content"
_LONGEST_RAW = LONGEST_E164 + 16
_PUNCTUATION = str.maketrans("", "", " -.()")
_CHUNK_BYTES = 1 << 20


def load_listings(engine: Engine, clock: Clock, source: Source, supplier: str) -> ImportResult:
    """Load the file; what it says anew of a line supersedes the listing that held, which is kept with its dates.

    Progress is kept with each batch: a run of the same file that was cut off goes on where it stood, and adds to its
    reject file. A file that is loaded again only validates. Raises CsvFileError; what was loaded before it stays.
    """
    now = clock.now()
    is_rehearsal = bool(engine.get_execution_options().get("rehearsal", False))
    with transaction(engine) as conn:
        mark = _fingerprint(source, supplier)
        earlier = None if is_rehearsal else import_store.unfinished(conn, mark)
        run = earlier or import_store.start(conn, mark, source.path.name, supplier, now)
    if earlier is not None and earlier.reject_bytes:
        source.rejects.go_on(earlier.reject_bytes)

    def parse(fields: dict[str, str]) -> Report:
        return parse_report(fields, source.home_country, supplier, now)

    rows = read_rows(
        source.path,
        COLUMNS,
        source.mapping,
        parse,
        source.watch,
        skip=run.rows_read,
        tell_ignored=source.tell_ignored,
    )
    with source.rejects, _uncollected():
        for batch in batches(rows, source.batch_rows):
            run = _load_batch(engine, source, run, batch, now)
        with transaction(engine) as conn:
            import_store.advance(conn, replace(run, finished_at=clock.now()))
    return ImportResult(run.rows_loaded, run.rows_rejected, run.rows_unchanged)


def imports(engine: Engine, limit: int) -> list[ListingImport]:
    """The newest imports, those that were cut off too."""
    with reading(engine) as conn:
        return import_store.list_imports(conn, limit)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Rows hold no cycles: looking for some among them takes a sixth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _load_batch(
    engine: Engine, source: Source, run: ListingImport, batch: Sequence[Row[Report] | Rejected], now: datetime
) -> ListingImport:
    good = [row for row in batch if isinstance(row, Row)]
    with transaction(engine) as conn:
        changed, twice = _write(conn, good, now, run.import_id)
        bad = sorted((*(row for row in batch if isinstance(row, Rejected)), *twice), key=lambda row: row.line)
        for rejected in bad:
            source.rejects.write(rejected)
        run = replace(
            run,
            rows_read=run.rows_read + len(batch),
            rows_loaded=run.rows_loaded + changed,
            rows_unchanged=run.rows_unchanged + len(good) - len(twice) - changed,
            rows_rejected=run.rows_rejected + len(bad),
            reject_bytes=source.rejects.flushed_bytes(),
        )
        import_store.advance(conn, run)
    return run


class _Batch:
    """The listings a batch finds, ends and begins; the lines that `moved` are others' now, `vacant` ones nobody's."""

    def __init__(self, current: dict[str, Listing], former: dict[str, Listing]) -> None:
        self.current = current
        self.former = former
        self.begun: dict[str, list[Listing]] = {}
        self.ended: dict[str, datetime] = {}
        self.seen: set[str] = set()
        self.moved: set[str] = set()
        self.vacant: set[str] = set()

    def begin(self, ani: str, new: Listing) -> None:
        """Let a listing hold instead of the one that does; one of this batch that had no time of its own goes."""
        chain = self.begun.setdefault(ani, [])
        if chain and chain[-1].valid_from_at == new.valid_from_at:
            chain.pop()
        elif chain and chain[-1].valid_until_at is None:
            chain[-1] = replace(chain[-1], valid_until_at=new.valid_from_at)
        elif ani in self.current:
            self.ended[ani] = new.valid_from_at
        if changes_hands(self.current.get(ani) or self.former.get(ani), new):
            self.moved.add(ani)
        self.vacant.discard(ani)
        chain.append(new)
        self.current[ani] = new

    def end(self, ani: str, at: datetime) -> None:
        """Let the line be nobody's from then on."""
        held = self.current.pop(ani)
        until_at = max(at, held.valid_from_at)
        self.former[ani] = replace(held, valid_until_at=until_at)
        self.vacant.add(ani)
        chain = self.begun.get(ani)
        if chain:
            chain[-1] = replace(chain[-1], valid_until_at=until_at)
        else:
            self.ended[ani] = until_at


def _write(conn: Connection, rows: Sequence[Row[Report]], now: datetime, import_id: int) -> tuple[int, list[Rejected]]:
    """The number of rows that changed something, and those that contradict an earlier row of the file."""
    store.lock(conn)
    lines = {row.value.identity.ani for row in rows}
    current = store.current_listings(conn, lines)
    batch = _Batch(current, store.former_listings(conn, lines - current.keys()))
    changed, twice = 0, []
    for row in rows:
        report, ani = row.value, row.value.identity.ani
        held = batch.current.get(ani)
        if report.ends_at is not None:
            if held is not None and not contradicts(held.identity, report.identity):
                batch.end(ani, report.ends_at)
                changed += 1
            continue
        if held is not None and _is_contradiction(held, report, import_id):
            twice.append(row.refused(TWICE))
            continue
        found = succeed(held, report, now, import_id, batch.former.get(ani))
        if isinstance(found, Listing):
            batch.begin(ani, found)
            changed += 1
        elif found is NoNews.SAME and held is not None and held.import_id != import_id:
            batch.current[ani] = replace(held, import_id=import_id)
            batch.seen.add(ani)
    store.validate_listings(conn, sorted(batch.seen - batch.begun.keys()), now, import_id)
    store.end_listings(conn, sorted(batch.ended.items()))
    store.insert_listings(conn, [new for ani in sorted(batch.begun) for new in batch.begun[ani]])
    qualification_store.end_evidence_on(conn, sorted(batch.moved | batch.vacant), now)
    return changed, twice


def _is_contradiction(held: Listing, report: Report, import_id: int) -> bool:
    """What a row of this file said before of that time cannot hold beside this one: no second run would settle it."""
    if held.import_id != import_id or (report.effective_at not in {None, held.valid_from_at}):
        return False
    return contradicts(held.identity, report.identity)


def parse_report(fields: dict[str, str], home_country: str, supplier: str, now: datetime) -> Report:
    """A row of a file; raises BadRowError."""
    number = fields["ani"]
    if not number.isalnum():
        number = number.translate(_PUNCTUATION)
    line = parse_listed(number, home_country) if len(fields["ani"]) <= _LONGEST_RAW else None
    if line is None:
        raise BadRowError("ani: not a telephone number")
    country = fields["country"].upper() or line.country
    if not (len(country) == 2 and country.isascii() and country.isalpha()):
        raise BadRowError("country: not two letters (ISO 3166)")
    first_name, last_name = _names(fields)
    line_type = fields["line_type"].lower()
    if line_type not in LINE_TYPES:
        raise BadRowError(f"line_type: one of {', '.join(sorted(LINE_TYPES - {''}))}")
    postal_code = parse_text(fields, "postal_code", 16)
    identity = Identity(line.e164, first_name, last_name, _address(fields), postal_code, country, supplier, line_type)
    effective_at = _date("effective_on", text, now) if (text := fields["effective_on"]) else None
    ends_at = _date("ends_on", text, now) if (text := fields["ends_on"]) else None
    if effective_at is not None and ends_at is not None and ends_at < effective_at:
        raise BadRowError("ends_on: before effective_on")
    return Report(identity, effective_at, ends_at)


def _names(fields: dict[str, str]) -> tuple[str, str]:
    first_name, last_name = fields["first_name"], fields["last_name"]
    if first_name or last_name:
        first_name, last_name = parse_text(fields, "first_name", 80), parse_text(fields, "last_name", 80)
    else:
        if not fields["name"]:
            raise BadRowError("last_name: neither first nor last name")
        first_name, last_name = split_name(parse_text(fields, "name", 160))
        if max(len(first_name), len(last_name)) > 80:
            raise BadRowError("name: first or last name has more than 80 characters")
    return first_name, last_name


def _address(fields: dict[str, str]) -> str:
    if fields["address"] or not fields["street"]:
        return parse_text(fields, "address", 200)
    address = ", ".join(filter(None, (fields["street"], fields["city"], fields["region"])))
    if len(address) > 200:
        raise BadRowError(f"street: {len(address)} characters with city and region, at most 200")
    return address


@lru_cache(maxsize=20_000)
def _date(name: str, text: str, now: datetime) -> datetime:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise BadRowError(f"{name}: not a date (YYYY-MM-DD)") from None
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    if moment > now:
        raise BadRowError(f"{name}: not yet; load the row on that day")
    return moment


def _fingerprint(source: Source, supplier: str) -> str:
    """What tells that a run is of the same file, read in the same way."""
    digest = hashlib.sha256(
        "\x1f".join((supplier, source.home_country, *map(str, sorted(source.mapping.items())))).encode()
    )
    try:
        with source.path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError:
        # The reader says what is wrong with it.
        return digest.hexdigest()
    return digest.hexdigest()
