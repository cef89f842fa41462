"""A scripted Asterisk for the tests: connects, says the environment, answers commands as it is told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self

from ivr.agi.channel import Channel
from ivr.agi.faults import SessionFault
from ivr.agi.server import AgiServer, Handler

TOKEN = "the-token"
LIMIT_S = 5.0


def environment(path: str = "call", *args: str, token: str | None = TOKEN, **changed: str) -> bytes:
    """The environment as Asterisk 22.10.1 sends it, in its order."""
    fields = {
        "agi_network": "yes",
        "agi_network_script": path,
        "agi_request": f"agi://127.0.0.1/{path}",
        "agi_channel": "PJSIP/trunk-00000001",
        "agi_language": "en",
        "agi_type": "PJSIP",
        "agi_uniqueid": "1795223889.21",
        "agi_version": "22.10.1",
        "agi_callerid": "12025550123",
        "agi_calleridname": "unknown",
        "agi_callingpres": "67",
        "agi_callingani2": "0",
        "agi_callington": "0",
        "agi_callingtns": "0",
        "agi_dnid": "19005550100",
        "agi_rdnis": "unknown",
        "agi_context": "toll-in",
        "agi_extension": "19005550100",
        "agi_priority": "2",
        "agi_enhanced": "0.0",
        "agi_accountcode": "",
        "agi_threadid": "139635213584064",
        **changed,
    }
    words = (*args, token) if token is not None else args
    lines = [f"{key}: {value}" for key, value in fields.items()]
    lines += [f"agi_arg_{n}: {word}" for n, word in enumerate(words, 1)]
    return ("\n".join(lines) + "\n\n").encode("utf-8", "surrogateescape")


class Peer:
    """One connection to the server under test."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, port: int) -> Self:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    def send(self, text: bytes) -> None:
        self.writer.write(text)

    async def command(self) -> bytes:
        """The next line the server sends; empty at its end."""
        return await asyncio.wait_for(self.reader.readline(), LIMIT_S)

    async def serve(self, *replies: bytes) -> list[bytes]:
        """Answer one command after the other; give the commands."""
        seen = []
        for reply in replies:
            seen.append(await self.command())
            self.send(reply)
        return seen

    async def rest(self) -> bytes:
        """Everything until the server closes."""
        return await asyncio.wait_for(self.reader.read(), LIMIT_S)

    async def heard(self) -> bytes:
        """As `rest`, where a reset connection has said nothing either."""
        try:
            return await self.rest()
        except ConnectionError:
            return b""

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except ConnectionError:
            return


class House:
    """A running server and the faults it told of."""

    def __init__(self, server: AgiServer, faults: list[SessionFault]) -> None:
        self.server, self.faults = server, faults
        self._peers: list[Peer] = []

    async def peer(self) -> Peer:
        peer = await Peer.connect(self.server.port)
        self._peers.append(peer)
        return peer

    async def call(self, path: str = "call", *args: str, **changed: str) -> Peer:
        peer = await self.peer()
        peer.send(environment(path, *args, **changed))
        return peer

    async def close(self) -> None:
        for peer in self._peers:
            await peer.close()
        await self.server.drain(0.05)


@asynccontextmanager
async def house(routes: Mapping[str, Handler] | Handler, **settings: Any) -> AsyncIterator[House]:
    """A server on a free port, drained at the end. A lone handler is the route `call`."""
    faults: list[SessionFault] = []
    table = routes if isinstance(routes, Mapping) else {"call": routes}
    server = AgiServer("127.0.0.1", 0, table, TOKEN, on_fault=faults.append, **settings)
    await server.start()
    running = House(server, faults)
    try:
        yield running
    finally:
        await running.close()


async def until(fact: Callable[[], bool]) -> None:
    """Poll until `fact` holds; AssertionError when it does not in time."""
    end = asyncio.get_running_loop().time() + LIMIT_S
    while not fact():
        assert asyncio.get_running_loop().time() < end, "waited in vain"
        await asyncio.sleep(0.002)


async def outcome(
    work: Callable[[Channel], Awaitable[object]], *replies: bytes, environment_args: tuple[str, ...] = ()
) -> tuple[object, list[bytes]]:
    """Run `work` on a channel whose peer gives `replies`; give its result or its exception, and the commands sent."""
    result: list[object] = []

    async def handler(channel: Channel) -> None:
        try:
            result.append(await work(channel))
        except Exception as error:  # noqa: BLE001 - the test looks at it
            result.append(error)

    async with house(handler) as running:
        peer = await running.call("call", *environment_args)
        commands = await peer.serve(*replies)
        await until(lambda: bool(result))
    return result[0], commands
