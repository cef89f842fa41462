"""The comparison of database and switch, where calls come and go while it is made."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy.engine import Engine

from ivr.live_calls import LiveCall, LiveCalls
from ivr.recovery import Recovery
from runtime.clock import SystemClock


class Witness:
    """Switch, settler and log in one: a switch without calls, on which something happens while it is asked."""

    def __init__(self, live: LiveCalls) -> None:
        self.live = live
        self.settled: list[str] = []

    async def records(self, family: str) -> dict[str, str]:
        return {}

    async def channels(self) -> list[Any]:
        self.live.add(LiveCall("late", "uid-late", "PJSIP/late"))
        return []

    async def settle_unanswered(self, call: LiveCall, disposition: str, source: str) -> None:
        self.settled.append(call.call_id)


def test_a_call_that_came_during_the_comparison_is_left_alone(sqlite_engine: Engine) -> None:
    live = LiveCalls()
    live.add(LiveCall("lost", "uid-lost", "PJSIP/lost"))
    witness: Any = Witness(live)
    with ThreadPoolExecutor(1) as pool:
        recovery = Recovery(sqlite_engine, SystemClock(), witness, pool, live, witness, witness, "gw1", witness)
        asyncio.run(recovery.resync())
    assert witness.settled == ["lost"]
