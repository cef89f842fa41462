"""One connection to the switch: bytes to pending actions and events. It is used once and never repaired."""

import asyncio
import itertools
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from panoramisk.ami_protocol import AMIProtocol

from ivr.ami.faults import ActionRefused, AnswerTimeout, LinkDown, ListIncomplete, OutcomeUnknown, PeerFault
from ivr.ami.last_packet import last_packet_age_s
from ivr.ami.protocol import Banner, BannerFault, Dropped, Event, Message, Parser, Response, encode_action
from runtime.clock import SystemClock

_now_s: Final = SystemClock().monotonic_s
LIST_MAX_ITEMS: Final = 100_000
WRITE_BACKLOG_MAX_BYTES: Final = 4 * 1024 * 1024


@dataclass(slots=True)
class _Pending:
    """One action on its way; `items` is None where a single answer is wanted."""

    answer: asyncio.Future[Response]
    items: list[Event] | None = None
    started: Response | None = None


@dataclass(slots=True)
class Hooks:
    """What a connection tells its owner; both are called inside the event loop and must not raise."""

    event: Callable[["Connection", Event], None]
    lost: Callable[["Connection", str], None]


@dataclass(slots=True)
class LinkCounters:
    """What a client has seen over all its connections; plain numbers for the metrics page."""

    dropped: Dropped = field(default_factory=Dropped)
    late_answers: int = 0
    events_dropped: int = 0
    callback_faults: int = 0
    links_up: int = 0
    links_lost: int = 0
    failed_attempts: int = 0


class Connection(AMIProtocol):  # type: ignore[misc]  # panoramisk ships no types
    """AMIProtocol with everything that touches the wire replaced.

    Action ids are a random word per connection and a counter, so a line smuggled into the stream cannot answer for the
    switch. When the connection ends every pending action fails at once with OutcomeUnknown and nothing is kept.
    """

    def __init__(self, hooks: Hooks, counters: LinkCounters) -> None:
        loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport | None = None
        self.closed = False
        self.heard_s = _now_s()
        self.greeted: asyncio.Future[Banner] = loop.create_future()
        self.booted: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[str] = loop.create_future()
        self._hooks = hooks
        self._counters = counters
        self._parser = Parser(dropped=counters.dropped)
        self._pending: dict[str, _Pending] = {}
        self._word = f"tg{secrets.token_hex(6)}-"
        self._numbers = itertools.count(1)
        self._reason = "closed by the switch"

    # asyncio.Protocol -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; nothing is sent before the banner has been read."""
        self.transport = transport  # type: ignore[assignment]  # uvloop's transport is no asyncio.Transport subclass

    def data_received(self, data: bytes) -> None:
        """Parse and hand on; a peer that is no Asterisk is left at once."""
        if self.closed:
            return
        self.heard_s = _now_s()
        try:
            messages = self._parser.feed(data)
        except BannerFault as fault:
            self.abort(str(fault))
            return
        if self._parser.banner is not None and not self.greeted.done():
            self.greeted.set_result(self._parser.banner)
        for message in messages:
            self.handle_message(message)

    def eof_received(self) -> None:
        """The switch closed, or is dead: since when, its last packet says, not the moment at which we read that."""
        if self.closed or self.transport is None:
            return
        now_s, age_s = _now_s(), last_packet_age_s(self.transport.get_extra_info("socket"))
        self.heard_s = now_s if age_s is None else now_s - age_s

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what is pending and tell the owner, once."""
        self._finish(self._reason if exc is None else f"{self._reason}: {type(exc).__name__}")

    # panoramisk's AMIProtocol -----------------------------------------------------------------------------------

    def handle_message(self, message: Message) -> None:
        """Match an answer or a list item to its action; every other event goes to the owner."""
        action_id = message.headers.get("ActionID")
        pending = self._pending.get(action_id) if action_id is not None else None
        if isinstance(message, Response):
            if pending is None:
                self._counters.late_answers += 1
            else:
                _take_answer(pending, message)
        elif pending is not None and pending.items is not None and pending.started is not None:
            _take_item(pending, message)
        else:
            if message.name == "FullyBooted" and not self.booted.done():
                self.booted.set_result(None)
            self._hooks.event(self, message)

    def send(self, *_: object, **__: object) -> None:
        """Refused: panoramisk's way to send neither checks headers nor times out."""
        raise TypeError("use request() or request_list()")

    def close(self) -> None:
        """End the connection without waiting for the peer; pending actions fail at once."""
        self.abort("closed by us")

    # what the client uses ---------------------------------------------------------------------------------------

    def abort(self, reason: str) -> None:
        """End now. Idempotent; the first reason stands."""
        if self.closed:
            return
        self._reason = reason
        if self.transport is not None:
            self.transport.abort()
        self._finish(reason)

    async def request(self, action: Mapping[str, str], timeout_s: float) -> Response:
        """Send once, wait for the one answer. Raises ValueError (nothing sent), LinkDown (nothing sent),
        AnswerTimeout or OutcomeUnknown (sent)."""
        return await self._exchange(action, timeout_s, items=None)

    async def request_list(self, action: Mapping[str, str], timeout_s: float) -> list[Event]:
        """Send once, wait for the whole list. Also raises ActionRefused (the switch said Error) and ListIncomplete."""
        items: list[Event] = []
        answer = await self._exchange(action, timeout_s, items)
        if not answer.success:
            raise ActionRefused(answer.message)
        return items

    async def _exchange(self, action: Mapping[str, str], timeout_s: float, items: list[Event] | None) -> Response:
        if "ActionID" in action:
            raise ValueError("the link chooses the ActionID")
        action_id = f"{self._word}{next(self._numbers)}"
        wire = encode_action({**action, "ActionID": action_id})
        if self.closed or self.transport is None:
            raise LinkDown(self._reason)
        if self.transport.get_write_buffer_size() > WRITE_BACKLOG_MAX_BYTES:
            self.abort("the switch does not read")
            raise LinkDown(self._reason)
        pending = _Pending(asyncio.get_running_loop().create_future(), items)
        self._pending[action_id] = pending
        try:
            self.transport.write(wire)
            async with asyncio.timeout(timeout_s):
                return await pending.answer
        except TimeoutError:
            raise AnswerTimeout(f"no answer to {action['Action']} in {timeout_s:g} s") from None
        finally:
            self._pending.pop(action_id, None)

    def _finish(self, reason: str) -> None:
        if self.closed:
            return
        self.closed = True
        for pending in self._pending.values():
            if not pending.answer.done():
                pending.answer.set_exception(OutcomeUnknown(reason))
        self._pending.clear()
        for future in (self.greeted, self.booted):
            if not future.done():
                future.cancel(reason)
        self.ended.set_result(reason)
        self._hooks.lost(self, reason)


def _take_answer(pending: _Pending, answer: Response) -> None:
    if pending.answer.done():
        return
    if pending.items is not None and answer.success and answer.get("EventList").casefold() == "start":
        pending.started = answer
    else:
        pending.answer.set_result(answer)


def _take_item(pending: _Pending, item: Event) -> None:
    items, started = pending.items, pending.started
    if items is None or started is None or pending.answer.done():
        return
    mark = item.get("EventList").casefold()
    if mark not in {"complete", "cancelled"}:
        if len(items) >= LIST_MAX_ITEMS:
            pending.answer.set_exception(ListIncomplete("too many items"))
        else:
            items.append(item)
        return
    announced = item.get("ListItems")
    if mark == "cancelled" or (announced.isdecimal() and int(announced) != len(items)):
        pending.answer.set_exception(ListIncomplete(f"{len(items)} items of {announced or '?'}"))
    else:
        pending.answer.set_result(started)


def require_version(banner: Banner, majors: frozenset[int]) -> None:
    """Raise PeerFault unless the manager's major version is one of those we know."""
    if banner.major not in majors:
        raise PeerFault(f"unsupported manager version {banner.version[:20]!r}")
