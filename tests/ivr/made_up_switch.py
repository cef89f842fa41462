"""A recovery over real books and a switch that is made up."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

import structlog

from billing.accounts.account import Account
from billing.calls import service as call_service
from billing.calls import store as call_store
from billing.calls.call import Authorise, Authorised, Cdr, NewCall
from billing.operators import store as operator_store
from billing.rating import Rate
from billing.tariffs.service import RateBook
from ivr.ami.switch import LiveChannel, Switch, Verdict
from ivr.live_calls import LiveCalls
from ivr.metering import MeterPolicy
from ivr.meters import Meters
from ivr.recovery import Recovery
from ivr.settlement import Settler
from runtime import database
from runtime.database import to_micros
from tests.clock import SettableClock
from tests.ivr.town import ANN, CALLING, Town

CALL, CALLER_LEG, CALLED_LEG = "0192f3aa", "1772452800.1", "1772452800.2"
PARIS = "+33142685300"


def stamp(moment: datetime) -> str:
    """As the dialplan writes it."""
    return f"{to_micros(moment) // 1_000_000}.{to_micros(moment) % 1_000_000:06d}"


def leg(uniqueid: str, hangup_at: datetime | None = None) -> LiveChannel:
    """A channel of the call."""
    return LiveChannel("PJSIP/x-1", uniqueid, CALLER_LEG, 5, hangup_at, "Up", "", "", "", "", "")


@dataclass
class MadeUpSwitch:
    """Answers what it is told to; `before_channels` happens after the records were looked at."""

    kept: dict[str, str] = field(default_factory=dict)
    up: list[LiveChannel] = field(default_factory=list)
    deadlines: list[tuple[str, float]] = field(default_factory=list)
    before_channels: Callable[[], None] = lambda: None

    async def records(self, family: str) -> dict[str, str]:
        return dict(self.kept)

    async def channels(self) -> list[LiveChannel]:
        self.before_channels()
        return list(self.up)

    async def read_record(self, family: str, key: str) -> str | None:
        return self.kept.get(key)

    async def delete_record(self, family: str, key: str) -> None:
        self.kept.pop(key, None)

    async def set_deadline(self, channel: str, seconds: float) -> Verdict:
        self.deadlines.append((channel, seconds))
        return Verdict.DONE


class House:
    """A recovery with a call that holds money for 60 s."""

    def __init__(self, town: Town, clock: SettableClock, pool: ThreadPoolExecutor) -> None:
        self.town, self.clock = town, clock
        self.switch = MadeUpSwitch()
        switch, log = cast(Switch, self.switch), structlog.get_logger()
        self.live = LiveCalls()
        self.settler = Settler(town.engine, clock, switch, pool, self.live, log)
        self.meters = Meters(town.engine, clock, switch, pool, MeterPolicy(60_000, 20_000, ()), log)
        self.recovery = Recovery(town.engine, clock, switch, pool, self.live, self.meters, self.settler, "gw1", log)
        self.ann = town.account("ann", 5_000_000, line=ANN)
        self.authorised_at = clock.now()
        self._authorise(self.ann)

    def _authorise(self, account: Account) -> None:
        town, now = self.town, self.clock.now()
        with database.transaction(town.engine) as connection:
            profile = operator_store.profile_for(connection, CALLING)
            assert profile is not None
            arrived = NewCall(CALL, "gw1", CALLER_LEG, "PJSIP/x-1", CALLING, ANN, now, profile.id)
            call_service.open_call(connection, arrived)
        rate = RateBook(town.engine, self.clock).rate_for(profile.tariff_id, PARIS.removeprefix("+"), now)
        assert isinstance(rate, Rate)
        wanted = Authorise(
            CALL, "session", account.id, rate, PARIS, "network", ANN, 1_860_000, 5_580_000, 60_000, 5_000, profile.id
        )
        assert isinstance(call_service.authorise(town.engine, self.clock, wanted), Authorised)

    def answered(self, at: datetime) -> None:
        self.switch.kept[CALL] = f"{stamp(at)}||"

    def ended(self, answered_at: datetime, at: datetime) -> None:
        self.switch.kept[CALL] = f"{stamp(answered_at)}|{stamp(at)}|16"

    def run(self, *steps: Callable[[], Awaitable[Any]]) -> None:
        async def all_steps() -> None:
            for step in steps:
                await step()
            for call in self.live:
                call.stop_timer()

        asyncio.run(all_steps())

    @property
    def cdr(self) -> Cdr | None:
        with database.reading(self.town.engine) as connection:
            return call_store.find_cdr(connection, CALL)
