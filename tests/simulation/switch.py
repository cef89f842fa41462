"""A switch made up of dictionaries: legs, deadlines, records and the events it says, some of them lost or late.

It does what `ivr/ami/switch.py` says of the real one. Its stamps are the wall's, its deadlines run by true time.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from ivr.ami.faults import AnswerTimeout, LinkDown
from ivr.ami.protocol import Event
from ivr.ami.switch import LiveChannel, Verdict
from runtime.database import from_micros
from tests.simulation.virtual import SECOND, VirtualClock, VirtualLoop

NEVER_US = 2**62
T = TypeVar("T")


@dataclass(slots=True)
class SimCall:
    """A call as it truly is."""

    call_id: str
    account_id: int
    ani: str
    number: str
    talk_us: int
    ring_us: int
    fate: str
    uniqueid: str
    session_id: str
    caller_up: bool = True
    state: str = "dialogue"
    """dialogue, ringing, up, over."""
    status: str = ""
    """DIALSTATUS, once there is one."""
    answered_us: int = 0
    answered_wall_us: int | None = None
    ended_wall_us: int | None = None
    over_us: int = 0
    deadline_us: int = NEVER_US
    steps_at_answer: int = 0
    switch_died: bool = False
    settled: bool = False

    @property
    def called_uniqueid(self) -> str:
        """The called leg."""
        return f"{self.uniqueid}-b"


def stamp(wall_us: int) -> str:
    """As the dialplan writes it."""
    return f"{wall_us // SECOND}.{wall_us % SECOND:06d}"


class SimSwitch:
    """The switch."""

    def __init__(self, loop: VirtualLoop, clock: VirtualClock, chance: random.Random) -> None:
        self._loop = loop
        self._clock = clock
        self._chance = chance
        self.calls: dict[str, SimCall] = {}
        self._by_leg: dict[str, SimCall] = {}
        self.kept: dict[str, str] = {}
        self.link_up = True
        self.calm = False
        self.say: Callable[[Event], None] = lambda _: None
        """Where its events go."""
        self.dialled: Callable[[SimCall, str, str], None] = lambda _call, _status, _record: None
        """The dialplan goes on after Dial."""

    def arrive(self, call: SimCall) -> None:
        """A caller is there."""
        self.calls[call.call_id] = call

    def dial(self, call: SimCall, granted_ms: int) -> None:
        """The gateway decided: the called leg may live so long."""
        if not call.caller_up or call.state != "dialogue":
            return
        call.state = "ringing"
        self._loop.after(call.ring_us, self._after_ringing, call, granted_ms)

    def _after_ringing(self, call: SimCall, granted_ms: int) -> None:
        if call.state != "ringing":
            return
        if call.fate != "answer":
            call.state = "over"
            call.over_us = self._clock.elapsed_us
            call.status = call.fate
            self.dialled(call, call.fate, "")
            return
        call.state = "up"
        call.status = "ANSWER"
        call.answered_us = self._clock.elapsed_us
        call.answered_wall_us = self._clock.wall_us
        call.steps_at_answer = self._clock.steps
        self._by_leg[call.called_uniqueid] = call
        self.kept[call.call_id] = f"{stamp(call.answered_wall_us)}||"
        self._tell(call, "TollgateAnswered")
        self._loop.after(call.talk_us, self.hang_up, call)
        self._arm(call, granted_ms * 1000)

    def _arm(self, call: SimCall, remaining_us: int) -> None:
        call.deadline_us = self._clock.elapsed_us + remaining_us
        self._loop.after(remaining_us, self._deadline, call, call.deadline_us)

    def _deadline(self, call: SimCall, armed_us: int) -> None:
        if call.state == "up" and call.deadline_us == armed_us:
            self.hang_up(call)

    def hang_up(self, call: SimCall) -> None:
        """The conversation is over, by whoever."""
        if call.state != "up":
            return
        call.state = "over"
        call.over_us = self._clock.elapsed_us
        call.ended_wall_us = max(self._clock.wall_us, call.answered_wall_us or 0)
        self._by_leg.pop(call.called_uniqueid, None)
        self.kept[call.call_id] = self._record(call)
        self._tell(call, "TollgateEnded")
        self.dialled(call, "ANSWER", self.kept[call.call_id])

    def _record(self, call: SimCall) -> str:
        ended = "" if call.ended_wall_us is None else stamp(call.ended_wall_us)
        return f"{stamp(call.answered_wall_us or 0)}|{ended}|16"

    def caller_leaves(self, call: SimCall) -> None:
        """The caller's leg is gone, and with it whatever rings or talks."""
        if not call.caller_up:
            return
        if call.state == "up":
            self.hang_up(call)
        call.caller_up = False
        if call.state != "over":
            if call.state == "ringing":
                call.status = "CANCEL"
            call.state = "over"
            call.over_us = self._clock.elapsed_us
        self._tell(call, "TollgateGone")

    def die(self) -> None:
        """Every leg is gone and nobody was told; what was written down is kept."""
        for call in self.calls.values():
            if call.state != "over" or call.caller_up:
                call.switch_died = call.switch_died or call.state == "up"
                if call.state != "over":
                    call.over_us = self._clock.elapsed_us
                call.state, call.caller_up = "over", False
        self._by_leg.clear()

    def _tell(self, call: SimCall, kind: str) -> None:
        leg = call.uniqueid if kind == "TollgateGone" else call.called_uniqueid
        headers = {
            "UserEvent": kind,
            "Call": call.call_id,
            "Linkedid": call.uniqueid,
            "Uniqueid": leg,
            "Dialstatus": call.status,
            "Answered": "" if call.answered_wall_us is None else stamp(call.answered_wall_us),
            "Ended": "" if call.ended_wall_us is None else stamp(call.ended_wall_us),
            "Cause": "16",
        }
        event = Event("UserEvent", headers)
        for _ in range(1 if self.calm else self._chance.choice((0, 1, 1, 1, 1, 1, 1, 1, 1, 2))):
            late = self._chance.choice((0, 1_000, 1_000, 20_000, 300_000, 3 * SECOND))
            self._loop.after(0 if self.calm else late, self._deliver, event)

    def _deliver(self, event: Event) -> None:
        if self.link_up:
            self.say(event)

    def forget(self, call_id: str) -> None:
        """A call that is over and settled."""
        self.calls.pop(call_id, None)

    def set_deadline(self, leg: str, seconds: float) -> Verdict:
        """Re-arm a called leg."""
        call = self._by_leg.get(leg)
        if call is None:
            return Verdict.NO_SUCH_CHANNEL
        self._arm(call, round(seconds * SECOND))
        return Verdict.DONE

    def channels(self) -> list[LiveChannel]:
        """Every leg that is up."""
        found = []
        for call in self.calls.values():
            if call.caller_up:
                found.append(_leg(call, call.uniqueid, None))
            if call.state == "ringing":
                found.append(_leg(call, call.called_uniqueid, None))
            elif call.state == "up":
                left_us = call.deadline_us - self._clock.elapsed_us
                hangup_at = from_micros((self._clock.wall_us + left_us) // SECOND * SECOND)
                found.append(_leg(call, call.called_uniqueid, hangup_at))
        return found


def _leg(call: SimCall, uniqueid: str, hangup_at: datetime | None) -> LiveChannel:
    return LiveChannel("PJSIP/x-1", uniqueid, call.uniqueid, 5, hangup_at, "Up", "", "", "", "", "")


class SwitchLink:
    """What one gateway process has of the switch: `ivr.ami.switch.Switch` over a link that fails."""

    def __init__(self, switch: SimSwitch, loop: VirtualLoop, chance: random.Random, alive: Callable[[], bool]) -> None:
        self._switch = switch
        self._loop = loop
        self._chance = chance
        self._alive = alive

    async def records(self, family: str) -> dict[str, str]:
        return await self._ask(lambda: dict(self._switch.kept))

    async def channels(self, variable: str | None = None) -> list[LiveChannel]:
        return await self._ask(self._switch.channels)

    async def read_record(self, family: str, key: str) -> str | None:
        return await self._ask(lambda: self._switch.kept.get(key))

    async def delete_record(self, family: str, key: str) -> None:
        await self._ask(lambda: self._switch.kept.pop(key, None))

    async def set_deadline(self, channel: str, seconds: float) -> Verdict:
        return await self._ask(lambda: self._switch.set_deadline(channel, seconds))

    async def play_warning(self, channel: str, files: Sequence[str]) -> None:
        await self._ask(lambda: None)

    async def _ask(self, verb: Callable[[], T]) -> T:
        switch = self._switch
        if not switch.calm and self._chance.random() < 0.3:
            answer = self._loop.create_future()
            self._loop.after(self._chance.choice((1_000, 30_000, 500_000)), _wake, answer)
            await answer
        if not self._alive():
            await self._loop.create_future()  # a dead process hears nothing
        if not switch.link_up:
            raise LinkDown("no link")
        draw = 1.0 if switch.calm else self._chance.random()
        if draw < 0.01:
            raise AnswerTimeout("not carried out")
        done = verb()
        if draw < 0.02:
            raise AnswerTimeout("carried out")
        return done


def _wake(answer: Any) -> None:
    if not answer.done():
        answer.set_result(None)
