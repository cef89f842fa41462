"""Taking calls up again: after a start, after the link to the switch was lost, and for holds that outlive their grant.

There is no other recovery: a gateway that was killed and one that was upgraded come back the same way (crash-only).
"""

import asyncio
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from billing.calls import store as call_store
from billing.calls.call import Call, Disposition
from billing.calls.call import LiveCall as KeptCall
from billing.charging import store as charging_store
from billing.charging.session import Session
from billing.rating import Rate
from billing.tariffs import store as tariff_store
from ivr.ami.faults import AmiFault, LinkDown
from ivr.ami.switch import LiveChannel, Switch
from ivr.live_calls import LiveCall, LiveCalls
from ivr.metering import Meter
from ivr.meters import Meters
from ivr.settlement import Settler
from ivr.switch_record import FAMILY, SwitchRecord, parse_record
from runtime import database
from runtime.clock import Clock, read_both

NETWORK_OUT_OF_ORDER = 38
RESYNC_EVERY_S = 15.0
RETRY_EVERY_S = 2.0
YOUNG = timedelta(seconds=10)
DISPOSITION_OF_DIALSTATUS = {
    "BUSY": Disposition.BUSY,
    "NOANSWER": Disposition.NO_ANSWER,
    "CONGESTION": Disposition.CONGESTION,
    "CHANUNAVAIL": Disposition.FAILED,
    "CANCEL": Disposition.CALLER_HUNG_UP,
}
GATEWAY_LOST = "gateway-lost"
"""The disposition of a call whose gateway died before it was connected."""


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
        self._heard_s: float | None = None
        self._due_s = 0.0

    async def run_for_ever(self) -> None:
        """Resync now and then: an event may be lost, and a hold must not outlive its grant for long."""
        while True:
            await asyncio.sleep(RETRY_EVERY_S)
            await self._settler.settle_put_off()
            if self._clock.monotonic_s() >= self._due_s:
                await self.resync_or_retry()

    async def resync_or_retry(self) -> None:
        """Resync; when the switch or the database does not answer, soon again."""
        self._due_s = self._clock.monotonic_s() + RESYNC_EVERY_S
        try:
            await self.resync()
        except LinkDown:
            return  # said already, and the first thing done with a new link is to resync
        except (AmiFault, SQLAlchemyError) as fault:
            self._log.warning("resync-put-off", fault=type(fault).__name__)
            self._due_s = 0.0

    async def resync(self) -> None:
        """Take up every call that is up, and settle every one that is not.

        The order of the three looks matters: a call kept in the database had its channel before, and a call that is
        recorded as answered was up before; so what is missing in a later look has ended in between. What this process
        took up since the first look is none of this turn's business: no look could show it.
        """
        ours = tuple(self._live)
        calls = await self._kept()
        records = {key: parse_record(value) for key, value in (await self._switch.records(FAMILY)).items()}
        asked_s = self._clock.monotonic_s()
        channels = await self._switch.channels()
        open_ids = {kept.call.call_id for kept in calls}
        for kept in calls:
            await self._take_up(kept, channels, records.get(kept.call.call_id))
        await self._drop_unkept(ours, open_ids, channels)
        await self._forget_stale(open_ids, records)
        self._heard_s = asked_s

    def link_lost(self, heard_s: float) -> None:
        """The switch was last heard then (monotonic clock): its calls were up, or it would have said otherwise."""
        if self._heard_s is not None:
            self._heard_s = max(self._heard_s, heard_s)

    async def load(self, call_id: str, uniqueid: str = "") -> LiveCall | None:
        """A call this process has not seen, by its id or its caller's leg, as the database has it; None if it has not.

        A leg without an id of which no gateway ever had a call is that of a caller who left before any was asked: it
        is not known who he was or what he wanted, so there is no CDR, but a line in the log. Raises SQLAlchemyError.
        """
        loop = asyncio.get_running_loop()
        kept = await loop.run_in_executor(self._pool, self._read_one, call_id, uniqueid)
        if isinstance(kept, Kept):
            return self._adopt(kept)
        if not call_id and not kept and self._live.find("", uniqueid) is None:
            self._log.info("call-abandoned", uniqueid=uniqueid)
        return None

    async def _kept(self) -> list[Kept]:
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._read_kept)

    def _read_kept(self) -> list[Kept]:
        with database.reading(self._engine) as connection:
            calls = call_store.live_calls(connection, self._switch_name)
            return [Kept(live.call, live.session, _rate(connection, live)) for live in calls]

    def _read_one(self, call_id: str, uniqueid: str) -> Kept | bool:
        """The call while it is not settled, else whether there ever was one on that leg."""
        with database.reading(self._engine) as connection:
            live = call_store.live_call(connection, self._switch_name, call_id, uniqueid)
            if live is not None:
                return Kept(live.call, live.session, _rate(connection, live))
            return call_store.is_known(connection, self._switch_name, uniqueid)

    def _adopt(self, kept: Kept) -> LiveCall:
        row, session = kept.call, kept.session
        call = self._live.find(row.call_id)
        if call is None:
            call = self._live.add(LiveCall(row.call_id, row.uniqueid, row.channel))
        if call.meter is None and session is not None:
            # Seen for the first time, or while another process, draining now, was still in dialogue with the caller.
            call.rate, call.destination, call.cap_ms = kept.rate, row.destination, session.cap_ms
            call.ani = row.ani
            call.account_id = session.account_id
            call.meter = Meter(session.granted_ms, session.final, session.request_number)
        return call

    async def _take_up(self, kept: Kept, channels: list[LiveChannel], record: SwitchRecord | None) -> None:
        row = kept.call
        settled = self._live.settled_on(row.uniqueid)
        if settled is not None and settled.call_id == row.call_id and settled.settled.is_set():
            return  # by this process, since the database was read
        legs = [channel for channel in channels if channel.linkedid == row.uniqueid]
        called = [leg for leg in legs if leg.uniqueid != row.uniqueid]
        known = self._live.find(row.call_id) is not None
        call = self._adopt(kept)
        if record is not None and record.ended_at is None and called:
            await self._meters.take_up(call, record, called[0])
            if not known:
                self._log.info("call-taken-up", call=row.call_id)
        elif record is not None and record.ended_at is not None:
            await self._settler.settle_answered(call, record, "switch-record")
        elif not legs and not call.in_turn:
            await self._settle_ended(call, kept, known=known)

    async def _settle_ended(self, call: LiveCall, kept: Kept, *, known: bool) -> None:
        """Nothing of the call is up: by the record as it is now, or, where that is not complete, by what is known."""
        text = await self._switch.read_record(FAMILY, call.call_id)
        record = parse_record(text) if text else None
        if record is not None and record.ended_at is not None:
            await self._settler.settle_answered(call, record, "switch-record")
            return
        answered_at = record.answered_at if record is not None else call.answered_at
        if answered_at is None:
            disposition = call.disposition or (Disposition.CALLER_HUNG_UP if known else GATEWAY_LOST)
            await self._settler.settle_unanswered(call, disposition, NETWORK_OUT_OF_ORDER, "resync")
            return
        ended_at = await self._last_known_up_at(call, kept, answered_at)
        await self._settler.settle_lost(call, answered_at, ended_at, NETWORK_OUT_OF_ORDER)

    async def _last_known_up_at(self, call: LiveCall, kept: Kept, answered_at: datetime) -> datetime:
        """When the switch was last heard, else when an earlier process last extended the call."""
        if self._heard_s is not None and call.anchor is not None:
            return answered_at + timedelta(milliseconds=call.anchor.elapsed_ms(self._heard_s))
        now = read_both(self._clock)
        if self._heard_s is not None:
            heard_at: datetime | None = now.wall_at - timedelta(seconds=now.monotonic_s - self._heard_s)
        else:
            heard_at = await self._last_extended_at(kept)
        return max(answered_at, min(heard_at or answered_at, now.wall_at))

    async def _last_extended_at(self, kept: Kept) -> datetime | None:
        """When an earlier process last asked for more, which it did only for a call that was up."""
        if kept.session is None:
            return None
        session_id = kept.session.session_id
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._read_last_extended, session_id)

    def _read_last_extended(self, session_id: str) -> datetime | None:
        with database.reading(self._engine) as connection:
            requests = charging_store.requests(connection, session_id)
        return max((request.at for request in requests if request.kind == "update"), default=None)

    async def _drop_unkept(self, ours: Iterable[LiveCall], open_ids: set[str], channels: list[LiveChannel]) -> None:
        """Calls of this process that the database never kept, or has settled by another process, and that are over."""
        up = {channel.uniqueid for channel in channels}
        for call in ours:
            if call.call_id not in open_ids and call.uniqueid not in up and not call.in_turn:
                await self._settler.settle_unanswered(call, call.disposition or GATEWAY_LOST, source="resync")

    async def _forget_stale(self, open_ids: set[str], records: Mapping[str, SwitchRecord | None]) -> None:
        """Records that nobody will ask for: of calls that are settled."""
        young_at = self._clock.now() - YOUNG
        for call_id, record in records.items():
            if call_id in open_ids or self._live.find(call_id) is not None:
                continue
            if record is None or (record.ended_at or record.answered_at) < young_at:
                await self._settler.forget_record(call_id)


def ended_as(dialstatus: str) -> str:
    """How a call ended that was never answered, by the DIALSTATUS of its last attempt; without one it was in dialogue.

    A process that was in dialogue with the caller knows better; this is for a call that was taken over.
    """
    return DISPOSITION_OF_DIALSTATUS.get(dialstatus, GATEWAY_LOST)


def _rate(connection: Connection, live: KeptCall) -> Rate | None:
    session = live.session
    if session is None:
        return None
    return tariff_store.rate_of_session(connection, session.tariff_version_id, session.rate_prefix)
