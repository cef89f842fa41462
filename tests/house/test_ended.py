"""A run of the tests that is told to end says so."""

import signal
import subprocess
import sys
from pathlib import Path

from dialplan.lab.polling import wait_for
from tests.house.tree import HOUSE

WAITS = """
from pathlib import Path
from threading import Event
import pytest

@pytest.fixture
def lent():
    yield
    Path("given-back").touch()

def test_quick():
    pass

def test_slow(lent):
    Path("begun").touch()
    Event().wait(60)
"""


def test_a_run_that_is_told_to_end_ends_with_a_summary_and_cleans_up(tmp_path: Path) -> None:
    (tmp_path / "test_waits.py").write_text(WAITS)
    command = [sys.executable, "-m", "pytest", "-p", "tests.ended", "-p", "no:cacheprovider", "-q"]
    run = subprocess.Popen(
        [*command, "--rootdir", str(tmp_path), "test_waits.py"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(HOUSE), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wait_for((tmp_path / "begun").exists, "the slow test has begun", 60.0)
    run.send_signal(signal.SIGTERM)
    said, _ = run.communicate(timeout=60)
    assert run.returncode == 128 + signal.SIGTERM, said
    assert "told to end by SIGTERM" in said
    assert "1 passed" in said
    assert (tmp_path / "given-back").exists()
