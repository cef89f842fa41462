"""Holds that nobody ends: of other services looked for every few seconds, of switches this gateway cannot ask each
minute."""

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from datetime import timedelta
from typing import Any

from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from billing.calls.reaping import service as call_reaping
from billing.charging.reaping import LOOK_EVERY_S, Reaped
from billing.consumption import service as consumption
from runtime.clock import Clock

REAP_EVERY_S = 60.0


class Reaper:
    """Settles what is past its time by what is known of it (CHG-10)."""

    def __init__(
        self, engine: Engine, clock: Clock, pool: Executor, after_s: int, asked: Callable[[], str | None], log: Any
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._pool = pool
        self._after = timedelta(seconds=after_s)
        self._asked = asked
        """The switch that answers now, whose calls are settled from its own record."""
        self._log = log

    async def run_for_ever(self) -> None:
        """Look again and again, whether the database answers or not; that it does not is said once."""
        calls_due_s = self._clock.monotonic_s() + REAP_EVERY_S
        is_told = False
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.reap_silent()
                if self._clock.monotonic_s() >= calls_due_s:
                    calls_due_s = self._clock.monotonic_s() + REAP_EVERY_S
                    await self.reap_calls()
                is_told = False
            except SQLAlchemyError as fault:
                if not is_told:
                    self._log.warning("reap-put-off", fault=type(fault).__name__)
                is_told = True

    async def reap_calls(self) -> list[Reaped]:
        """Look once for calls. Raises SQLAlchemyError."""
        loop = asyncio.get_running_loop()
        asked = self._asked()
        return self._told(
            await loop.run_in_executor(self._pool, call_reaping.reap, self._engine, self._clock, self._after, asked)
        )

    async def reap_silent(self) -> list[Reaped]:
        """Look once for sessions of other services. Raises SQLAlchemyError."""
        loop = asyncio.get_running_loop()
        return self._told(await loop.run_in_executor(self._pool, consumption.end_overdue, self._engine, self._clock))

    def _told(self, done: Iterable[Reaped]) -> list[Reaped]:
        ended = list(done)
        for one in ended:
            self._log.warning(
                "reaped",
                session=one.session_id,
                service=one.service,
                call=one.call_id,
                switch=one.switch,
                account=one.account_id,
                used=one.used,
                charged_micros=one.charged_micros,
                freed_micros=one.freed_micros,
                currency=one.currency,
            )
        return ended
