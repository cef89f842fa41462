"""Notices that the database has secrets under a key that this machine's key file has not (AGE-5).

Another machine rotated before the file was brought here: callers with right PINs are refused.
"""

import asyncio
from concurrent.futures import Executor
from typing import Any

from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from runtime.key_record.service import require_keys
from runtime.keys import KeyFileError, Pepper

LOOK_EVERY_S = 60.0


class KeyWatch:
    """Compares the keys of this process with those of the database; tells the log when that changes."""

    def __init__(self, engine: Engine, pepper: Pepper, pool: Executor, log: Any) -> None:
        self._engine = engine
        self._pepper = pepper
        self._pool = pool
        self._log = log
        self._told: str | None = None

    async def run_for_ever(self) -> None:
        """Look each minute; a database that does not answer is asked again the minute after."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.look()
            except SQLAlchemyError as fault:
                self._log.debug("key-watch", fault=type(fault).__name__)

    async def look(self) -> None:
        """Look once. Raises SQLAlchemyError."""
        why = await asyncio.get_running_loop().run_in_executor(self._pool, self._fault)
        if why == self._told:
            return
        self._told = why
        if why is None:
            self._log.info("keys-complete")
        else:
            self._log.error("key-fault", why=why)

    def _fault(self) -> str | None:
        try:
            require_keys(self._engine, self._pepper)
        except KeyFileError as fault:
            return str(fault)
        return None
