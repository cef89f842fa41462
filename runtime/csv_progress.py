"""Saying how far the reading of a file is."""

from collections.abc import Callable
from typing import TextIO


class Progress:
    """A Watch that says how far a file is: a line every `every_s` seconds, rewritten in place on a terminal."""

    def __init__(self, stream: TextIO, now_s: Callable[[], float], every_s: float = 10.0) -> None:
        self._stream = stream
        self._now_s = now_s
        self._in_place = stream.isatty()
        self._every_s = 0.5 if self._in_place else every_s
        self._started_s = self._said_s = now_s()

    def __call__(self, rows: int, position: int, size: int) -> None:
        """Say it, when it is time."""
        now_s = self._now_s()
        if now_s - self._said_s < self._every_s:
            return
        self._said_s = now_s
        spent_s = now_s - self._started_s
        left_s = spent_s * (size - position) / position if position else 0.0
        share = 100 * position // size if size else 100
        text = f"{rows} rows, {share} %, {rows / spent_s:.0f} rows/s, {left_s:.0f} s left"
        self._stream.write(f"\r\x1b[K{text}" if self._in_place else f"{text}\n")
        self._stream.flush()

    def end(self) -> None:
        """Clear the terminal's line."""
        if self._in_place:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
