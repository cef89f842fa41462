"""A supplier's file of millions of lines: how fast it loads, what it takes on the disk, how long a look-up takes then.

Numbers with punctuation, the name in one column and the address in four, a date, and a bad row in each thousand: the
form of file that costs most. It is cut off in the middle and taken up again. Then comes the same file, and one in which
every line is another customer's, each as fast.
"""

import os
import random
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from ani.importing import Source
from ani.reverse_match import service, store
from ani.reverse_match.loading import service as loading
from runtime.csv_import import ImportResult, RejectFile
from runtime.database import reading, sqlite_file
from tests.clock import SettableClock

pytestmark = pytest.mark.load
ROWS = int(os.environ.get("BENCH_ROWS", "1_000_000"))
LEAST_ROWS_PER_S, MOST_MS = 20_000, 1.0
LOOK_UPS, BAD_EVERY = 20_000, 1_000
HEADER = "Phone No,Name,Street,City,Region,Postal_Code,Line_Type,Effective_On\n"
MAPPING = {"phone no": "ani"}
FIRST_NAMES = ("Ana", "Bob María", "Eve", "José", "Zoë Q", "J")


class _CutOffError(Exception):
    """The run ends here."""


def test_twenty_thousand_rows_a_second_and_a_look_up_in_a_millisecond(
    engine: Engine, clock: SettableClock, tmp_path: Path
) -> None:
    """BENCH_ROWS rows (a million), in the order of the numbers as suppliers write them."""
    path, rejects = _file(tmp_path, "Lee"), tmp_path / "rejects.csv"
    before_bytes, most_bytes = _size_bytes(engine), path.stat().st_size

    def cut_off(rows: int, position: int, size: int) -> None:
        del position, size
        if rows >= ROWS // 2:
            raise _CutOffError

    start_s = time.perf_counter()
    with pytest.raises(_CutOffError):
        service.import_listings(engine, clock, Source(path, RejectFile(rejects), MAPPING, watch=cut_off), "acme")
    (cut,) = loading.imports(engine, 2)
    result = service.import_listings(engine, clock, Source(path, RejectFile(rejects), MAPPING), "acme")
    took_s = time.perf_counter() - start_s
    bad = ROWS // BAD_EVERY
    assert 0 < cut.rows_read < ROWS
    assert result == ImportResult(ROWS - bad, bad, 0)
    assert rejects.read_text().count("not a telephone number") == bad
    waits_ms = sorted(_look_ups(engine))
    p99_ms = waits_ms[len(waits_ms) * 99 // 100]
    print(
        f"\n{engine.dialect.name}: {ROWS:,} rows ({most_bytes / 1e6:,.0f} MB of CSV) in {took_s:.0f} s, "
        f"{ROWS / took_s:,.0f} rows/s (bound {LEAST_ROWS_PER_S:,}), cut off at {cut.rows_read:,} and taken up, "
        f"{bad:,} rejected; {(_size_bytes(engine) - before_bytes) / 1e6:,.0f} MB on the disk; "
        f"look-up median {statistics.median(waits_ms):.3f} ms, p99 {p99_ms:.3f} ms (bound {MOST_MS} ms)"
    )
    again = _again(engine, clock, "the same file again", path, ImportResult(0, bad, ROWS - bad))
    ash = _file(tmp_path, "Ash")
    changed = _again(engine, clock, "every line changed hands", ash, ImportResult(ROWS - bad, bad, 0))
    print(f"(BENCH_ROWS={ROWS} make bench T=tests/bench/test_listing_load.py)")
    assert p99_ms <= MOST_MS
    assert min(ROWS / took_s, again, changed) >= LEAST_ROWS_PER_S


def _again(engine: Engine, clock: SettableClock, what: str, path: Path, wanted: ImportResult) -> float:
    """Load a file over what is there, a day later, and give the rows in a second."""
    clock.advance(86_400)
    rejects = RejectFile(path.with_suffix(".again.csv"))
    start_s = time.perf_counter()
    assert service.import_listings(engine, clock, Source(path, rejects, MAPPING), "acme") == wanted
    rows_per_s = ROWS / (time.perf_counter() - start_s)
    print(f"{engine.dialect.name}: {what}: {rows_per_s:,.0f} rows/s (bound {LEAST_ROWS_PER_S:,})")
    return rows_per_s


def _file(folder: Path, family: str) -> Path:
    path = folder / f"{family}.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write(HEADER)
        file.writelines(_rows(family))
    return path


def _look_ups(engine: Engine) -> Iterator[float]:
    """Milliseconds of each, of lines all over the table."""
    chosen = random.Random(5)
    with reading(engine) as conn:
        for _ in range(LOOK_UPS):
            at = chosen.randrange(ROWS)
            start_s = time.perf_counter()
            found = store.current_listing(conn, f"+1{_line(at)}")
            yield (time.perf_counter() - start_s) * 1000
            assert (found is None) is _is_bad(at)


def _rows(family: str) -> Iterator[str]:
    for at in range(ROWS):
        if _is_bad(at):
            yield "555,nobody,,,,,,\n"
            continue
        number = str(_line(at))
        yield (
            f'({number[:3]}) {number[3:6]}-{number[6:]},"{family}{at % 9973}, {FIRST_NAMES[at % 6]}",'
            f"{at % 9999} Main Street,Springfield,NY,{10_000 + at % 89_999},Landline,{2008 + at % 14}-02-1{at % 10}\n"
        )


def _is_bad(at: int) -> bool:
    return at % BAD_EVERY == BAD_EVERY - 1


def _line(at: int) -> int:
    return (212 + at // 7_000_000) * 10_000_000 + 2_000_000 + at % 7_000_000


def _size_bytes(engine: Engine) -> int:
    path = sqlite_file(str(engine.url))
    if path is not None:
        return sum(one.stat().st_size for one in path.parent.glob(f"{path.name}*"))
    with engine.connect() as conn:
        return int(conn.execute(sa.text("SELECT pg_database_size(current_database())")).scalar_one())
