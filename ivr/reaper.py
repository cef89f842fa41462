"""Holds that nobody ends, looked for each minute: of switches this gateway cannot ask, and of other services."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import timedelta
from typing import Any

from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from billing.calls.reaping import service as call_reaping
from billing.charging.reaping import Reaped
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
        """Look each minute; a database that does not answer is asked again the minute after."""
        while True:
            await asyncio.sleep(REAP_EVERY_S)
            try:
                await self.reap()
            except SQLAlchemyError as fault:
                self._log.warning("reap-put-off", fault=type(fault).__name__)

    async def reap(self) -> list[Reaped]:
        """Look once. Raises SQLAlchemyError."""
        loop = asyncio.get_running_loop()
        calls = await loop.run_in_executor(
            self._pool, call_reaping.reap, self._engine, self._clock, self._after, self._asked()
        )
        sessions = await loop.run_in_executor(self._pool, consumption.end_overdue, self._engine, self._clock)
        for one in (*calls, *sessions):
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
        return [*calls, *sessions]
