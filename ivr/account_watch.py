"""Notices that money came to an account with a call up, or that others on it started or ended (CHG-7, CALL-12).

Every such change counts the account's revision up, in the transaction that makes it, whichever process that is. The
revisions of all accounts with a call here are read once a second by their keys, and at once when this gateway itself
changed one that others here share.
"""

import asyncio
from concurrent.futures import Executor
from typing import Any

from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from billing.ledger import store as ledger_store
from ivr.live_calls import LiveCall, LiveCalls
from ivr.meters import Meters
from runtime import database

LOOK_EVERY_S = 1.0
LOOK_AGAIN_S = 0.05


class AccountWatch:
    """Has the meters of this gateway's calls look again when their account changed."""

    def __init__(self, engine: Engine, pool: Executor, live: LiveCalls, meters: Meters, log: Any) -> None:
        self._engine = engine
        self._pool = pool
        self._live = live
        self._meters = meters
        self._log = log
        self._nudged = asyncio.Event()

    async def run_for_ever(self) -> None:
        """Look every second, and soon after a nudge."""
        while True:
            try:
                await asyncio.wait_for(self._nudged.wait(), LOOK_EVERY_S)
                await asyncio.sleep(LOOK_AGAIN_S)
            except TimeoutError:
                pass
            self._nudged.clear()
            try:
                await self.look()
            except SQLAlchemyError as fault:
                self._log.debug("account-watch", fault=type(fault).__name__)

    def nudge(self, call: LiveCall) -> None:
        """This call was connected or settled: look at once if it shares its account with another one here."""
        if self._live.shares_account(call):
            self._nudged.set()

    async def look(self) -> None:
        """Compare the revisions once. Raises SQLAlchemyError."""
        accounts = {call.account_id for call in self._live if call.meter is not None and call.account_id is not None}
        if not accounts:
            return
        loop = asyncio.get_running_loop()
        revisions = await loop.run_in_executor(self._pool, self._read, tuple(accounts))
        for call in self._live:
            revision = revisions.get(call.account_id or 0)
            if revision is None or (call.seen_revision is not None and revision <= call.seen_revision):
                continue
            call.seen_revision = revision
            self._meters.reconsider(call)

    def _read(self, accounts: tuple[int, ...]) -> dict[int, int]:
        with database.reading(self._engine) as connection:
            return ledger_store.revisions(connection, accounts)
