"""Waiting for something to become true: look often, give up loudly."""

import time
from collections.abc import Callable


def wait_for(look: Callable[[], bool], what: str, timeout_s: float = 20.0) -> None:
    """Return when `look` says so; AssertionError with `what` after the time is over."""
    deadline = time.monotonic() + timeout_s
    while not look():
        assert time.monotonic() < deadline, f"not seen within {timeout_s} s: {what}"
        time.sleep(0.02)
