"""Waiting for something to become true: look often, give up loudly."""

import time
from collections.abc import Callable


class NotSeenError(Exception):
    """What was waited for did not come true in time."""


def wait_for(look: Callable[[], bool], what: str, timeout_s: float = 20.0) -> None:
    """Return when `look` says so; NotSeenError with `what` after the time is over."""
    deadline = time.monotonic() + timeout_s
    while not look():
        if time.monotonic() >= deadline:
            raise NotSeenError(f"not seen within {timeout_s} s: {what}")
        time.sleep(0.02)
