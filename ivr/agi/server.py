"""The FastAGI server: who may ask, which handler answers, how many at once, and how it stops.

Every session that is not served to its end writes a line beginning with `failure`, which Asterisk turns into
AGISTATUS=FAILURE; a connection merely closed would be AGISTATUS=SUCCESS to the dialplan. The decision variable, set
as a handler's last act, stays the only proof of a decision.
"""

import asyncio
import contextlib
import hmac
import ipaddress
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final, cast

from ivr.agi.channel import Channel
from ivr.agi.counters import Counters
from ivr.agi.faults import CallerGone, ChannelBroken, FaultKind, SessionFault, raised_at
from ivr.agi.protocol import Environment, EnvironmentParser, EnvironmentRefusal

Handler = Callable[[Channel], Awaitable[None]]
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

LOOPBACK: Final[tuple[IPNetwork, ...]] = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
_FAILURE: Final = b"failure\n"
_PEERS_REMEMBERED: Final = 1_024
_CANCEL_GRACE_S: Final = 5.0


class AgiServer:
    """FastAGI on one address. Runs on asyncio and on uvloop.

    `routes` maps request paths (no slashes around, no query) to handlers and is fixed. Asterisk must give `token` as
    its last AGI argument; handlers see the arguments without it. Connections from outside `allowed_peers` are dropped
    unheard. One that sends nothing for `header_timeout_s` is dropped. Beyond `session_cap` live sessions a call gets
    its failure line at once. `on_fault` must not block; what it raises is dropped.
    """

    def __init__(
        self,
        host: str,
        port: int,
        routes: Mapping[str, Handler],
        token: str,
        allowed_peers: Sequence[IPNetwork] = LOOPBACK,
        header_timeout_s: float = 10.0,
        session_cap: int = 1_000,
        on_fault: Callable[[SessionFault], None] | None = None,
    ) -> None:
        if not token:
            raise ValueError("an AGI server needs a token")
        self.counters = Counters()
        self._host, self._port = host, port
        self._routes = {path.strip("/"): handler for path, handler in routes.items()}
        self._token = token.encode()
        self._allowed_peers = tuple(allowed_peers)
        self._known_peers: dict[str, bool] = {}
        self.header_timeout_s: Final = header_timeout_s
        self._session_cap = session_cap
        self._on_fault = on_fault
        self._server: asyncio.Server | None = None
        self._draining = False
        self._waiting: set[_Connection] = set()
        self._live: dict[asyncio.Task[None], Channel] = {}

    async def start(self) -> None:
        """Begin to listen. Raises OSError when the address is not to be had."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self, loop), self._host, self._port, backlog=1_024)

    @property
    def port(self) -> int:
        """The port listened on, also when 0 was asked for."""
        if self._server is None:
            return self._port
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def live(self) -> tuple[Channel, ...]:
        """The sessions that run now."""
        return tuple(self._live.values())

    async def drain(self, timeout_s: float) -> int:
        """Stop accepting, wait up to `timeout_s` for the live sessions, cancel the rest and give their number."""
        self._draining = True
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._waiting):
            connection.refuse(FaultKind.DRAINED)
        if self._live:
            await asyncio.wait(tuple(self._live), timeout=timeout_s)
        late = tuple(self._live)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=_CANCEL_GRACE_S)
        if self._server is not None:
            with contextlib.suppress(TimeoutError):  # a peer that reads nothing must not hold the process
                await asyncio.wait_for(self._server.wait_closed(), _CANCEL_GRACE_S)
        return len(late)

    def admits(self, host: str) -> bool:
        """Whether a connection from `host` is heard."""
        known = self._known_peers.get(host)
        if known is None:
            known = _within(host, self._allowed_peers)
            if len(self._known_peers) < _PEERS_REMEMBERED:
                self._known_peers[host] = known
        return known

    def enter(self, connection: "_Connection") -> bool:
        """Take in a connection whose environment is still to come. False: too many of them."""
        self.counters.connections += 1
        if len(self._waiting) + len(self._live) > 2 * self._session_cap + 64:
            self.counters.refused_full += 1
            return False
        self._waiting.add(connection)
        self.counters.waiting = len(self._waiting)
        return True

    def leave(self, connection: "_Connection") -> None:
        """Forget a connection that waits no more."""
        self._waiting.discard(connection)
        self.counters.waiting = len(self._waiting)

    def open(self, environment: Environment, transport: asyncio.Transport, peer: str) -> Channel | FaultKind:
        """Start the session an environment asks for, or say why not."""
        given = environment.args[-1].encode("utf-8", "replace") if environment.args else b""
        if not hmac.compare_digest(given, self._token):
            return FaultKind.TOKEN
        handler = self._routes.get(environment.path)
        if handler is None:
            return FaultKind.ROUTE
        if self._draining:
            return FaultKind.DRAINED  # accepted by the loop just before the listener closed
        if len(self._live) >= self._session_cap:
            return FaultKind.FULL
        loop = asyncio.get_running_loop()
        channel = Channel(environment.without_last_argument(), transport, loop)
        task = loop.create_task(self._run(handler, channel, transport, peer))
        self._live[task] = channel
        self.counters.sessions += 1
        self.counters.live = len(self._live)
        task.add_done_callback(partial(self._closed, transport))
        return channel

    async def _run(self, handler: Handler, channel: Channel, transport: asyncio.Transport, peer: str) -> None:
        served = False
        try:
            await handler(channel)
            self.counters.completed += 1
            served = True
        except CallerGone:
            self.counters.callers_gone += 1
            served = True
        except asyncio.CancelledError as error:
            # Only drain() cancels a session, and it waits for the end of this task: nobody above wants to hear of it.
            self.counters.drained += 1
            self.report(FaultKind.DRAINED, peer, channel.environment, error)
        except ChannelBroken as error:
            self.counters.broken += 1
            self.report(FaultKind.BROKEN, peer, channel.environment, error)
        except Exception as error:  # noqa: BLE001 - the outermost edge of a call: its fault must not end the others
            self.counters.crashed += 1
            self.report(FaultKind.HANDLER, peer, channel.environment, error)
        finally:
            channel.finish(ChannelBroken("the session is over"))
            _close(transport, served=served)

    def _closed(self, transport: asyncio.Transport, task: asyncio.Task[None]) -> None:
        _close(transport, served=False)  # only if the task was cancelled before its first step
        self._live.pop(task, None)
        self.counters.live = len(self._live)

    def report(
        self, kind: FaultKind, peer: str, environment: Environment | None = None, error: BaseException | None = None
    ) -> None:
        """Tell `on_fault`."""
        if self._on_fault is None:
            return
        fault = SessionFault(
            kind,
            peer,
            environment.path if environment else "",
            environment.uniqueid if environment else "",
            type(error).__name__ if error else "",
            raised_at(error) if error else (),
        )
        try:
            self._on_fault(fault)
        except Exception:  # noqa: BLE001 - a reporter that fails must not take the call with it; it is counted
            self.counters.reporter_failures += 1


class _Connection(asyncio.Protocol):
    """One TCP connection: waits for the environment, then hands bytes to its channel."""

    __slots__ = ("_channel", "_loop", "_parser", "_peer", "_server", "_timer", "_transport")

    def __init__(self, server: AgiServer, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        self._loop = loop
        self._parser: EnvironmentParser | None = None
        self._channel: Channel | None = None
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._peer = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hear the peer, if it is one of ours."""
        stream = cast(asyncio.Transport, transport)  # uvloop's TCP transport has the methods but not the base class
        peername = stream.get_extra_info("peername")
        self._peer = str(peername[0]) if peername else ""
        server = self._server
        if not server.admits(self._peer):
            server.counters.connections += 1
            server.counters.refused(FaultKind.PEER)
            server.report(FaultKind.PEER, self._peer)
            stream.abort()
        elif not server.enter(self):
            server.report(FaultKind.FULL, self._peer)
            stream.abort()
        else:
            self._transport = stream
            self._parser = EnvironmentParser()
            self._timer = self._loop.call_later(server.header_timeout_s, self.refuse, FaultKind.SILENT)

    def data_received(self, data: bytes) -> None:
        """Give bytes to whoever they are for: nearly always the channel."""
        if self._channel is not None:
            self._channel.received(data)
        elif self._parser is not None:
            environment = self._parser.feed(data)
            if isinstance(environment, EnvironmentRefusal):
                self.refuse(FaultKind.HEADER)
            elif environment is not None:
                self._begin(environment)

    def eof_received(self) -> bool:
        """Let the transport close itself."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio gives it; why does not matter
        """Asterisk ended the session, or a health check its connection."""
        if self._channel is not None:
            self._channel.hung_up = True
            self._channel.finish(CallerGone("Asterisk closed the connection"))
        elif self._parser is not None:
            self._server.counters.health_checks += 1
            self._dismiss()

    def refuse(self, kind: FaultKind, environment: Environment | None = None) -> None:
        """End a connection that did not become a session, with a failure line for an Asterisk that listens."""
        transport = self._transport
        if self._parser is None or transport is None:
            return
        self._dismiss()
        self._server.counters.refused(kind)
        self._server.report(kind, self._peer, environment)
        _close(transport, served=False)

    def _begin(self, environment: Environment) -> None:
        transport = self._transport
        if transport is None:
            return
        opened = self._server.open(environment, transport, self._peer)
        if isinstance(opened, FaultKind):
            self.refuse(opened, environment)
        else:
            self._channel = opened
            self._dismiss()

    def _dismiss(self) -> None:
        self._parser = None
        self._server.leave(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _close(transport: asyncio.Transport, *, served: bool) -> None:
    if transport.is_closing():
        return
    if not served:
        transport.write(_FAILURE)
    transport.close()


def _within(host: str, networks: Sequence[IPNetwork]) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return any((mapped or address) in network for network in networks)
