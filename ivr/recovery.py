"""Taking calls up again: after a start, after the link to the switch was lost, and for holds that outlive their grant.

There is no other recovery: a gateway that was killed and one that was upgraded come back the same way (crash-only).
"""

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from billing.calls import store as call_store
from billing.calls.call import Call
from billing.calls.call import LiveCall as KeptCall
from billing.charging.session import Session
from billing.rating import Rate
from billing.tariffs import store as tariff_store
from ivr.ami.faults import AmiFault
from ivr.ami.switch import LiveChannel, Switch
from ivr.live_calls import LiveCall, LiveCalls
from ivr.metering import Meter
from ivr.meters import Meters
from ivr.settlement import Settler
from ivr.switch_record import FAMILY, SwitchRecord, parse_record
from runtime import database
from runtime.clock import Clock

NETWORK_OUT_OF_ORDER = 38
RESYNC_EVERY_S = 15.0
YOUNG = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Kept:
    """A call that is not settled, as the database has it, with the rate it is charged at."""

    call: Call
    session: Session | None
    rate: Rate | None


class Recovery:
    """Compares what the database believes of a switch with what the switch says."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        switch: Switch,
        pool: Executor,
        live: LiveCalls,
        meters: Meters,
        settler: Settler,
        switch_name: str,
        log: Any,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._switch = switch
        self._pool = pool
        self._live = live
        self._meters = meters
        self._settler = settler
        self._switch_name = switch_name
        self._log = log
        self._last_heard_at = clock.now()

    async def run_for_ever(self) -> None:
        """Resync now and then: an event may be lost, and a hold must not outlive its grant for long."""
        while True:
            await asyncio.sleep(RESYNC_EVERY_S)
            try:
                await self.resync()
            except (AmiFault, SQLAlchemyError) as fault:
                self._log.warning("resync", fault=type(fault).__name__)

    async def resync(self) -> None:
        """Take up every call that is up, and settle every one that is not."""
        calls = await self._kept()
        channels = await self._switch.channels()
        records = {key: parse_record(value) for key, value in (await self._switch.records(FAMILY)).items()}
        open_ids = {kept.call.call_id for kept in calls}
        for kept in calls:
            await self._take_up(kept, channels, records.get(kept.call.call_id))
        for call_id, record in records.items():
            if call_id not in open_ids and (record is None or record.ended_at is not None):
                await self._settler.forget_record(call_id)
        self._last_heard_at = self._clock.now()

    async def load(self, call_id: str) -> LiveCall | None:
        """One call by id, from the database, for an event about a call this process has not seen."""
        return next((self._adopt(kept) for kept in await self._kept() if kept.call.call_id == call_id), None)

    async def _kept(self) -> list[Kept]:
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._read_kept)

    def _read_kept(self) -> list[Kept]:
        with database.reading(self._engine) as connection:
            calls = call_store.live_calls(connection, self._switch_name)
            return [Kept(live.call, live.session, _rate(connection, live)) for live in calls]

    def _adopt(self, kept: Kept) -> LiveCall:
        row, session = kept.call, kept.session
        call = self._live.find(row.call_id)
        if call is None:
            call = LiveCall(row.call_id, row.uniqueid, row.channel, kept.rate, destination=row.destination)
            if session is not None:
                call.cap_ms = session.cap_ms
                call.meter = Meter(session.granted_ms, session.final, session.request_number)
            self._live.add(call)
        return call

    async def _take_up(self, kept: Kept, channels: list[LiveChannel], record: SwitchRecord | None) -> None:
        row = kept.call
        legs = [channel for channel in channels if channel.linkedid == row.uniqueid]
        known = self._live.find(row.call_id) is not None
        call = self._adopt(kept)
        if record is not None and record.ended_at is not None:
            await self._settler.settle_answered(call, record, "switch-record")
        elif record is not None:
            called = [leg.uniqueid for leg in legs if leg.uniqueid != row.uniqueid]
            if called:
                self._meters.start(call, record, called[0])
                if not known:
                    self._log.info("call-taken-up", call=row.call_id)
            else:
                await self._settle_lost(call, record)
        elif not legs and self._clock.now() - row.arrived_at > YOUNG:
            call.disposition = call.disposition or "gateway-lost"
            await self._settler.settle_unanswered(call, call.disposition, NETWORK_OUT_OF_ORDER, "resync")

    async def _settle_lost(self, call: LiveCall, record: SwitchRecord) -> None:
        """The switch died with the call: charge to the last moment it was known to be up, no second more."""
        ended_at = max(record.answered_at, min(self._last_heard_at, self._clock.now()))
        lost = SwitchRecord(record.answered_at, ended_at, NETWORK_OUT_OF_ORDER)
        await self._settler.settle_answered(call, lost, "switch-lost")


def _rate(connection: Connection, live: KeptCall) -> Rate | None:
    session = live.session
    if session is None:
        return None
    return tariff_store.rate_of_session(connection, session.tariff_version_id, session.rate_prefix)
