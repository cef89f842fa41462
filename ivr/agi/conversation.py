"""One conversation with Asterisk: one command at a time, each with its answer or a fault."""

import asyncio
from collections.abc import Sequence
from typing import Final

from ivr.agi.faults import ChannelBroken, ChannelDead, ChannelFault, CommandInvalid
from ivr.agi.protocol import Event, Failed, Hangup, Invalid, Malformed, Reply, ReplyParser, Success


class Conversation:
    """Commands wait for each other, so tasks may share it; once it has lost its place nothing more is sent.

    `hung_up` turns true when Asterisk says so, unasked or by 511. It is not proof that the person left.
    """

    __slots__ = ("_alarm", "_alarm_at", "_deadline", "_end", "_loop", "_parser", "_transport", "_waiter", "hung_up")

    def __init__(self, transport: asyncio.WriteTransport, loop: asyncio.AbstractEventLoop) -> None:
        self.hung_up = False
        self._transport: Final = transport
        self._loop: Final = loop
        self._parser: Final = ReplyParser()
        self._waiter: asyncio.Future[Reply] | None = None
        self._end: ChannelFault | None = None
        self._deadline = 0.0
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = 0.0

    @property
    def over(self) -> bool:
        """True once no command can be sent any more."""
        return self._end is not None

    async def command(self, line: bytes, limit_s: float) -> Success | Failed:
        """One round trip. Given up or late, the session is broken: its answer could come to the next command."""
        while (ahead := self._waiter) is not None:
            await asyncio.wait((ahead,))
        if self._end is not None:
            raise type(self._end)(*self._end.args)
        loop = self._loop
        waiter = self._waiter = loop.create_future()
        self._deadline = deadline = loop.time() + limit_s
        if self._alarm is None or self._alarm_at > deadline:
            self._arm(deadline)
        self._transport.write(line)
        try:
            reply = await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                waiter.exception()  # marks it seen: the cancellation is what the task hears of
            self.finish(ChannelBroken("a command was given up before its answer"))
            raise
        finally:
            self._waiter = None
        if isinstance(reply, (Success, Failed)):
            return reply
        if isinstance(reply, Invalid):
            raise CommandInvalid(f"Asterisk answered {reply.code}")
        self.hung_up = True
        raise ChannelDead("Asterisk answered 511")

    def received(self, chunk: bytes) -> None:
        """Take bytes from Asterisk. Called by the connection."""
        waiter = self._waiter
        events = self._parser.feed(chunk)
        if len(events) == 1 and waiter is not None and not waiter.done():
            (only,) = events
            if isinstance(only, Success):  # the way of nearly every command
                waiter.set_result(only)
                return
        self._received_any(events, waiter)

    def _received_any(self, events: Sequence[Event], waiter: asyncio.Future[Reply] | None) -> None:
        answer: Reply | None = None
        for event in events:
            if isinstance(event, Hangup):
                self.hung_up = True
            elif isinstance(event, Malformed):
                self.finish(ChannelBroken(f"not an AGI reply: {event.why}"))
                return
            elif answer is not None or waiter is None or waiter.done():
                self.finish(ChannelBroken("a reply to no command"))
                return
            else:
                answer = event
        if answer is not None and waiter is not None:
            waiter.set_result(answer)

    def finish(self, fault: ChannelFault) -> None:
        """Send nothing more; let the waiting command and all later ones raise `fault`. The first call counts."""
        if self._end is not None:
            return
        self._end = fault
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(fault)

    def _arm(self, deadline: float) -> None:
        # One timer serves many commands: moved only when it would come too late, it looks again when it is early.
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = deadline
        self._alarm = self._loop.call_at(deadline, self._look)

    def _look(self) -> None:
        self._alarm = None
        if self._waiter is None or self._waiter.done():
            return
        if self._loop.time() < self._deadline:
            self._arm(self._deadline)
            return
        self.finish(ChannelBroken("no answer in time"))
