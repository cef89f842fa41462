"""A gateway's charging of calls that are up, in real time, and a switch on paper that ends them at their time."""

import asyncio
from collections import Counter as Tally
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import structlog
from sqlalchemy.engine import Engine

from billing.accounts import service as account_service
from billing.accounts.account import Account
from billing.calls import service as call_service
from billing.calls.call import Authorise, Authorised, NewCall
from billing.ledger import service as ledger_service
from billing.operators import store as operator_store
from billing.rating import Rate
from billing.tariffs.book.service import RateBook
from ivr.ami.switch import Switch
from ivr.live_calls import LiveCalls
from ivr.metering import MeterPolicy
from ivr.meters import Meters
from ivr.recovery import Recovery
from ivr.settlement import Settler
from runtime import database
from runtime.clock import Clock
from runtime.database import transaction
from runtime.ids import new_id
from tests.proof.counter import CODES, DNIS, OPERATOR
from tests.proof.paper_switch import MILLISECOND, PaperSwitch

SWITCH = "gw1"
MONEY_MICROS = 50_000_000
_TICK_S = 0.02


class PaperGateway:
    """Meters, settler and recovery of a gateway; what they log is counted."""

    def __init__(self, engine: Engine, clock: Clock, folder: Path, policy: MeterPolicy) -> None:
        self.engine, self.clock, self.policy = engine, clock, policy
        self.switch = PaperSwitch(folder, clock)
        self.said: Tally[str] = Tally()
        self.payers: dict[str, Account] = {}
        self._rates = RateBook(engine, clock)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """It takes up what is there, and goes on until the end."""
        switch, log = cast(Switch, self.switch), structlog.wrap_logger(None, processors=[self._count])
        live = LiveCalls()
        with ThreadPoolExecutor(2) as pool:
            settler = Settler(self.engine, self.clock, switch, pool, live, log)
            meters = Meters(self.engine, self.clock, switch, pool, self.policy, log)
            recovery = Recovery(self.engine, self.clock, switch, pool, live, meters, settler, SWITCH, log)
            await recovery.resync()
            tasks = [asyncio.create_task(work) for work in (recovery.run_for_ever(), self._end_calls())]
            try:
                yield
                broken = [task.exception() for task in tasks if task.done()]
                assert broken == []
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                for call in live:
                    call.stop_timer()

    def call(self, number: int) -> None:
        """Somebody with an account of his own calls, and is answered at once."""
        engine, clock = self.engine, self.clock
        payer = account_service.create_account(engine, clock, operator_code=OPERATOR)
        ledger_service.credit(engine, clock, payer.number, MONEY_MICROS, new_id(), "test")
        with database.reading(engine) as conn:
            profile = operator_store.profile_for(conn, DNIS)
        assert profile is not None
        rate = self._rates.rate_for(profile.tariff_id, CODES["voice"], clock.now())
        assert isinstance(rate, Rate)
        call_id, ani = new_id(), f"+1212556{number % 10_000:04}"
        self.switch.ring(call_id)
        new = NewCall(call_id, SWITCH, call_id, f"PJSIP/{call_id}", DNIS, ani, clock.now(), profile.id)
        with transaction(engine) as conn:
            call_service.open_call(conn, new)
        wanted = Authorise(
            call_id=call_id,
            session_id=call_id,
            account_id=payer.id,
            rate=rate,
            destination="+" + CODES["voice"],
            trunk="network",
            ani=ani,
            session_cap_ms=3_600_000,
            month_cap_ms=2**50,
            wanted_ms=self.policy.first_grant_ms,
            minimum_ms=1_000,
            profile_id=profile.id,
        )
        answer = call_service.authorise(engine, clock, wanted)
        assert isinstance(answer, Authorised)
        self.payers[call_id] = payer
        self.switch.answer(call_id, clock.now(), answer.grant.granted_ms)

    def up(self) -> int:
        """How many calls are up."""
        return sum(leg.used_ms is None for leg in self.switch.legs())

    def has_extended(self) -> bool:
        """Whether one of them was told that it may go on."""
        armed = [leg.armed_ms for leg in self.switch.legs() if leg.used_ms is None]
        return max(armed, default=0) > self.policy.first_grant_ms

    def put_off(self) -> int:
        """How often a call that was over could not be settled, or not even looked for."""
        return self.said["settle-put-off"] + self.said["resync-put-off"]

    def hang_up(self) -> None:
        """All who talk have talked enough."""
        for leg in self.switch.legs():
            if leg.used_ms is None:
                self.switch.hang_up(leg.call_id, self._talked_ms(leg.answered_us))

    async def _end_calls(self) -> None:
        """The switch ends each call when the time it was told is over."""
        while True:
            for leg in self.switch.legs():
                if leg.used_ms is None and self._talked_ms(leg.answered_us) >= leg.armed_ms:
                    self.switch.hang_up(leg.call_id, leg.armed_ms)
            await asyncio.sleep(_TICK_S)

    def _talked_ms(self, answered_us: int | None) -> int:
        assert answered_us is not None
        return (self.clock.now() - database.from_micros(answered_us)) // MILLISECOND

    def _count(self, _: object, __: object, line: Any) -> Any:
        self.said[line["event"]] += 1
        raise structlog.DropEvent
