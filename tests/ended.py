"""Tests that are told to end (SIGTERM, as a time limit does) say so, with a summary, and leave nothing behind."""

import os
import signal
from types import FrameType

import pytest


def pytest_configure() -> None:
    """Heed SIGTERM as Ctrl-C is heeded; the workers of a run are ended by its first process."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        signal.signal(signal.SIGTERM, _end)


def _end(number: int, frame: FrameType | None) -> None:
    del frame
    pytest.exit(f"told to end by {signal.Signals(number).name}", returncode=128 + number)
