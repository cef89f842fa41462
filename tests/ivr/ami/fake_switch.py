"""A scriptable manager interface: what each action gets for an answer is a function the test may replace."""

import asyncio
import ssl as tls
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

BANNER = b"Asterisk Call Manager/11.0.0\r\n"


class Session:
    """One client on the fake switch."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.actions: list[dict[str, str]] = []

    def raw(self, data: bytes) -> None:
        self.writer.write(data)

    def message(self, *headers: tuple[str, str]) -> None:
        self.raw("".join(f"{key}: {value}\r\n" for key, value in headers).encode() + b"\r\n")

    def answer(self, action: dict[str, str], status: str = "Success", **headers: str) -> None:
        self.message(("Response", status), ("ActionID", action["ActionID"]), *headers.items())

    def event(self, event_name: str, **headers: str) -> None:
        self.message(("Event", event_name), *headers.items())

    def item(self, action: dict[str, str], event_name: str, **headers: str) -> None:
        self.event(event_name, ActionID=action["ActionID"], **headers)

    def drop(self) -> None:
        self.writer.transport.abort()


Script = Callable[[Session, dict[str, str]], None]


def silence(session: Session, action: dict[str, str]) -> None:
    """Says nothing."""


def hang_up(session: Session, action: dict[str, str]) -> None:
    """Loses the link."""
    session.drop()


def log_in(session: Session, action: dict[str, str]) -> None:
    """Accepts, then FullyBooted."""
    session.answer(action, Message="Authentication accepted")
    session.event("FullyBooted", Status="Fully Booted")


def refuse(session: Session, action: dict[str, str]) -> None:
    """Authentication failed."""
    session.answer(action, "Error", Message="Authentication failed")


def succeed(session: Session, action: dict[str, str]) -> None:
    """Success, nothing more."""
    session.answer(action)


class FakeSwitch:
    """Answers Login and Ping well and everything else with Success, until told otherwise."""

    def __init__(self) -> None:
        self.banner = BANNER
        self.scripts: dict[str, Script] = {"Login": log_in}
        self.sessions: list[Session] = []
        self.port = 0
        self._server: asyncio.Server | None = None

    @property
    def last(self) -> Session:
        return self.sessions[-1]

    def received(self, name: str) -> list[dict[str, str]]:
        return [action for session in self.sessions for action in session.actions if action["Action"] == name]

    async def listen(self, ssl: tls.SSLContext | None = None) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=ssl)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for session in self.sessions:
            session.drop()
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session(writer)
        self.sessions.append(session)
        session.raw(self.banner)
        try:
            while True:
                block = (await reader.readuntil(b"\r\n\r\n")).decode()
                action = dict(line.split(": ", 1) for line in block.split("\r\n") if line)
                session.actions.append(action)
                self.scripts.get(action["Action"], succeed)(session, action)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def fake_switch(ssl: tls.SSLContext | None = None) -> AsyncIterator[FakeSwitch]:
    """A listening fake switch on a free port of the loopback address."""
    switch = FakeSwitch()
    await switch.listen(ssl)
    try:
        yield switch
    finally:
        await switch.stop()


async def until(fact: Callable[[], object], limit_s: float = 30.0) -> None:
    """Poll until the fact holds."""
    end_s = time.monotonic() + limit_s
    while not fact():
        assert time.monotonic() < end_s, "did not happen in time"
        await asyncio.sleep(0.005)
