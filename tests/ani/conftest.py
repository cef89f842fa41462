"""What the tests of lines share: CSV files, and doing one thing several times at once."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ani.importing import Source
from runtime.csv_import import RejectFile


@pytest.fixture
def side_by_side() -> Callable[[int, Callable[[], None]], None]:
    """Runs a thing so many times at once, each in a thread of its own; raises what any of them raises."""

    def run(times: int, thing: Callable[[], None]) -> None:
        gate = threading.Barrier(times, timeout=30)

        def one() -> None:
            gate.wait()
            thing()

        with ThreadPoolExecutor(times) as pool:
            for done in [pool.submit(one) for _ in range(times)]:
                done.result(timeout=30)

    return run


@pytest.fixture
def csv_source(tmp_path: Path) -> Callable[..., Source]:
    """Makes a file to import out of its lines, two rows a batch."""

    def make(*lines: str, batch_rows: int = 2) -> Source:
        path = tmp_path / "rows.csv"
        path.write_text("\n".join(lines) + "\n")
        return Source(path, RejectFile(RejectFile.beside(path)), batch_rows=batch_rows)

    return make
