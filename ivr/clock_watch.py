"""Notices that somebody set the wall clock, by which the switch times its deadlines, and has them armed anew.

A wall set back by an hour would let every call talk an hour longer than was paid for; one set forward would end it. The
switch is told its deadlines as seconds from now, so telling them again puts them right.
"""

import asyncio
from datetime import timedelta
from typing import Any

from ivr.call_time import STEP
from ivr.live_calls import LiveCalls
from ivr.meters import Meters
from runtime.clock import Clock, read_both

LOOK_EVERY_S = 0.5


class ClockWatch:
    """Compares the wall with the clock that cannot be set."""

    def __init__(self, clock: Clock, live: LiveCalls, meters: Meters, log: Any) -> None:
        self._clock = clock
        self._live = live
        self._meters = meters
        self._log = log
        self._before = read_both(clock)

    async def run_for_ever(self) -> None:
        """Look twice a second."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.look()

    def look(self) -> None:
        """Look once."""
        now = read_both(self._clock)
        stepped = now.stepped_since(self._before)
        self._before = now
        if abs(stepped) < STEP:
            return
        self._log.warning("clock-set", by_ms=stepped // timedelta(milliseconds=1), calls=len(self._live))
        for call in self._live:
            self._meters.arm_anew(call)
