"""The calls this gateway knows to be up: a cache of what the database and the switch hold, never the truth itself."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from billing.calls.call import CallEvent
from billing.rating import Rate
from ivr.call_time import Anchor
from ivr.metering import Extend, Meter

SETTLED_REMEMBERED = 4096


@dataclass(slots=True)
class LiveCall:
    """One call from its authorisation or its story's start until it is settled."""

    call_id: str
    uniqueid: str
    channel: str
    rate: Rate | None = None
    cap_ms: int = 0
    account_id: int | None = None
    meter: Meter | None = None
    trunks_left: tuple[str, ...] = ()
    ani: str = ""
    destination: str = ""
    trunk: str = ""
    shown_number: str = ""
    answered_at: datetime | None = None
    anchor: Anchor | None = None
    """The answer on this process's own clock; set with `answered_at` when the meter starts."""
    ordered_s: float | None = None
    """When the switch was told to dial, by that clock."""
    called_uniqueid: str = ""
    disposition: str | None = None
    ended_for: StrEnum | None = None
    """The refusal for which it was ended in mid-call; its disposition, and what its caller is told."""
    events: list[CallEvent] = field(default_factory=list)
    waits_ms: list[float] = field(default_factory=list)
    timer: asyncio.TimerHandle | None = None
    arm_due: bool = False
    """More was granted than the switch is known to know of."""
    asked: Extend | None = None
    """A request whose answer is not known: it is repeated as it was, since it may have been heard."""
    stepping: bool = False
    """A step of the meter is being taken."""
    reconsider_due: bool = False
    """The account changed: the meter looks again, also at what it took for final."""
    seen_revision: int | None = None
    """How far the changes of its account were followed; None: not at all yet."""
    in_turn: bool = False
    """An AGI turn of this process runs: it sees for itself that the caller is gone, and says at which step."""
    gone: bool = False
    """The switch said that the caller's leg is over and nobody was connected."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    settled: asyncio.Event = field(default_factory=asyncio.Event)

    def stop_timer(self) -> None:
        """No step of the meter is due any more."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class LiveCalls:
    """Looked up by Tollgate's call id and by Asterisk's uniqueid of the caller's leg."""

    __slots__ = ("_by_id", "_by_uniqueid", "_settled")

    def __init__(self) -> None:
        self._by_id: dict[str, LiveCall] = {}
        self._by_uniqueid: dict[str, LiveCall] = {}
        self._settled: OrderedDict[str, LiveCall] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[LiveCall]:
        return iter(tuple(self._by_id.values()))

    def add(self, call: LiveCall) -> LiveCall:
        """Keep this call; gives the one already kept under its id, if there is one."""
        kept = self._by_id.setdefault(call.call_id, call)
        self._by_uniqueid[kept.uniqueid] = kept
        return kept

    def find(self, call_id: str, uniqueid: str = "") -> LiveCall | None:
        """The call of this id, else the one on this caller's leg."""
        return self._by_id.get(call_id) or self._by_uniqueid.get(uniqueid)

    def shares_account(self, call: LiveCall) -> bool:
        """Whether another call here has the same account."""
        return call.account_id is not None and any(
            other.account_id == call.account_id for other in self._by_id.values() if other is not call
        )

    def was_settled(self, uniqueid: str) -> bool:
        """Whether the call on this caller's leg was settled here, not too long ago."""
        return uniqueid in self._settled

    def settled_on(self, uniqueid: str) -> LiveCall | None:
        """The call on this caller's leg, if it was settled here not too long ago: he may still be listening."""
        return self._settled.get(uniqueid)

    def forget(self, call: LiveCall) -> None:
        """The call is settled: nothing more will happen to it."""
        call.stop_timer()
        self._settled[call.uniqueid] = call
        if len(self._settled) > SETTLED_REMEMBERED:
            self._settled.popitem(last=False)
        self._by_id.pop(call.call_id, None)
        if self._by_uniqueid.get(call.uniqueid) is call:
            del self._by_uniqueid[call.uniqueid]
