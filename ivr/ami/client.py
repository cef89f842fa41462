"""The manager client: keeps one link to one switch, and says honestly what became of each action.

Promises: an action is sent at most once and never again by itself; it ends in its answer, in LinkDown (not sent) or in
OutcomeUnknown (sent, nobody knows). Events are delivered one at a time and in order. A raising callback is counted and
logged and does not touch the link. Works on asyncio and uvloop.
"""

import asyncio
import logging
import random
import ssl as tls
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from panoramisk import Manager

from ivr.ami.connection import Connection, Hooks, LinkCounters, require_version
from ivr.ami.delivery import Callbacks, Delivery
from ivr.ami.faults import AmiFault, LinkDown, LoginRefused, OutcomeUnknown, PeerFault
from ivr.ami.protocol import Event, Response

# Only 11.0.0 (Asterisk 22.10.1) was run; its neighbours are taken to speak the same for what is used here.
SUPPORTED_MAJORS: Final = frozenset({8, 9, 10, 11, 12})

_jitter = random.SystemRandom().random
_log = logging.getLogger("tollgate.ami")


@dataclass(frozen=True, slots=True)
class Timing:
    """Every wait of the link, in seconds, and the bound of the event queue.

    Calls that are up are extended by this link alone, so a switch that is back is found soon; one that refuses us is
    asked more seldom the longer it does.
    """

    connect_s: float = 3.0
    login_s: float = 5.0
    ping_every_s: float = 10.0
    ping_answer_s: float = 5.0
    retry_floor_s: float = 0.5
    retry_cap_s: float = 2.0
    refused_floor_s: float = 5.0
    refused_cap_s: float = 30.0
    settled_after_s: float = 10.0
    resync_retry_s: float = 2.0
    event_queue_max: int = 10_000


def retry_delay_s(attempt: int, floor_s: float, cap_s: float, jitter: float) -> float:
    """Back-off before attempt number `attempt` (from 1): doubled each time, capped, then scaled by 0.5 to 1.0.

    `jitter` is a number in [0, 1).
    """
    return min(cap_s, floor_s * 2.0 ** min(attempt - 1, 20)) * (0.5 + jitter / 2)


class AmiClient(Manager):  # type: ignore[misc]  # panoramisk ships no types
    """One manager login, reconnecting for ever until `close()`.

    Callbacks, all awaited by one consumer, in the order things happened:
    `on_event(event)`; `on_up()` after each login and FullyBooted, and again after events had to be dropped because the
    consumer was too slow (or after `on_up` itself raised while the link stood): compare with the live channels there;
    `on_down(reason)`. `connected` and `up` change at once, ahead of the callbacks. `on_fault(fault)` is called for each
    failed attempt (LoginRefused is retried, but only after `refused_floor_s`, doubling to the cap).
    """

    def __init__(
        self,
        host: str,
        port: int,
        username: str,
        secret: str,
        on_event: Callable[[Event], Awaitable[None] | None],
        on_up: Callable[[], Awaitable[None]],
        on_down: Callable[[str], Awaitable[None]],
        *,
        on_fault: Callable[[AmiFault], None] | None = None,
        ssl: tls.SSLContext | None = None,
        timing: Timing | None = None,
        majors: frozenset[int] = SUPPORTED_MAJORS,
        jitter: Callable[[], float] = _jitter,
    ) -> None:
        super().__init__(host=host, port=port, ssl=ssl or False, protocol_factory=self._new_connection, log=_log)
        self.timing = timing or Timing()
        self.counters = LinkCounters()
        self.up = asyncio.Event()
        self.last_fault: AmiFault | None = None
        self.heard_s = 0.0
        """When the switch was last heard on the link that was lost last, by the monotonic clock."""
        self._username, self._secret = username, secret
        self._on_fault, self._majors, self._jitter = on_fault, majors, jitter
        self._link: Connection | None = None
        self._delivery = Delivery(
            Callbacks(on_event, on_up, on_down),
            self.counters,
            queue_max=self.timing.event_queue_max,
            resync_retry_s=self.timing.resync_retry_s,
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._closed = False

    def __repr__(self) -> str:
        return f"<AmiClient {self.config['host']}:{self.config['port']} connected={self.connected}>"

    # life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to connect, in the background. Call once, inside the loop."""
        if self._tasks or self._closed:
            raise RuntimeError("an AmiClient is started once")
        self.loop = asyncio.get_running_loop()
        self._tasks = [
            self.loop.create_task(self._keep_connected(), name="ami-link"),
            self.loop.create_task(self._delivery.run(), name="ami-events"),
        ]

    async def wait_up(self, timeout_s: float) -> None:
        """Return once up; LinkDown (caused by the last fault, e.g. LoginRefused) when the time is over."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.up.wait()
        except TimeoutError:
            raise LinkDown(f"not up after {timeout_s:g} s") from self.last_fault

    async def close(self) -> None:
        """End the link, the back-off and the consumer; pending actions fail with OutcomeUnknown, and no callback
        runs any more. Idempotent; may be called from a callback."""
        self._closed = True
        if self._link is not None:
            self._link.abort("closed by us")
        me = asyncio.current_task()
        others = [task for task in self._tasks if task is not me]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def connected(self) -> bool:
        """Logged in and fully booted."""
        return self.up.is_set()

    # actions ------------------------------------------------------------------------------------------------------

    async def call(self, action: Mapping[str, str], timeout_s: float = 5.0) -> Response:
        """Send one action, return its answer (`success` may be False).

        Raises ValueError (a header that cannot be sent) and LinkDown: nothing was sent. AnswerTimeout and
        OutcomeUnknown: it was sent.
        """
        return await self._live().request(action, timeout_s)

    async def call_list(self, action: Mapping[str, str], timeout_s: float = 10.0) -> list[Event]:
        """Send one list action, return its items without the closing event.

        As `call`, and raises ActionRefused where the switch answers Error, ListIncomplete where items are missing.
        """
        return await self._live().request_list(action, timeout_s)

    def _live(self) -> Connection:
        if self._link is None or not self.up.is_set():
            raise LinkDown("no link to the switch") from self.last_fault
        return self._link

    # panoramisk's own entry points, which queue, resend and neither check nor time out ---------------------------

    def send_action(self, *_: object, **__: object) -> None:
        """Refused: use `call`."""
        raise TypeError("use call() or call_list()")

    send_command = send_agi_command = connect = send_action

    def register_event(self, pattern: str, callback: object = None) -> None:  # noqa: ARG002 - signature of the base
        """Refused (the base class hooks its resending here, which is left out): events go to `on_event`."""
        if pattern != "FullyBooted":
            raise TypeError("events go to on_event")

    # link ---------------------------------------------------------------------------------------------------------

    def _new_connection(self) -> Connection:
        return Connection(Hooks(self._event_came, self._link_lost), self.counters)

    async def _keep_connected(self) -> None:
        loop = asyncio.get_running_loop()
        attempt = 0
        while not self._closed:
            floor_s, cap_s = self.timing.retry_floor_s, self.timing.retry_cap_s
            try:
                link = await self._open()
            except AmiFault as fault:
                self._report(fault)
                if isinstance(fault, PeerFault):
                    floor_s, cap_s = self.timing.refused_floor_s, self.timing.refused_cap_s
            else:
                since = loop.time()
                await self._watch(link)
                if loop.time() - since >= self.timing.settled_after_s:
                    attempt = 0
            attempt += 1
            await asyncio.sleep(retry_delay_s(attempt, floor_s, cap_s, self._jitter()))

    async def _open(self) -> Connection:
        """Connect, greet, log in, wait for FullyBooted; an AmiFault leaves nothing open."""
        config = self.config
        try:
            async with asyncio.timeout(self.timing.connect_s):
                link: Connection
                _, link = await asyncio.get_running_loop().create_connection(
                    config["protocol_factory"], config["host"], config["port"], ssl=config["ssl"] or None
                )
        except (OSError, TimeoutError) as error:
            raise LinkDown(f"cannot connect: {type(error).__name__}") from error
        step = "banner"
        try:
            async with asyncio.timeout(self.timing.login_s):
                require_version(await _unless_lost(link.greeted, link), self._majors)
                step = "login answer"
                await self._log_in(link)
                step = "FullyBooted (the user needs read=system)"
                await _unless_lost(link.booted, link)
        except TimeoutError:
            link.abort("silent")
            raise PeerFault(f"no {step} in {self.timing.login_s:g} s") from None
        except BaseException:
            link.abort("not logged in")
            raise
        return link

    async def _log_in(self, link: Connection) -> None:
        self._link = link
        login = {"Action": "Login", "Username": self._username, "Secret": self._secret, "Events": "on"}
        try:
            answer = await link.request(login, self.timing.login_s)
        except ValueError:
            raise LoginRefused("user or secret cannot be sent") from None
        except OutcomeUnknown as fault:
            raise PeerFault(f"no login answer: {fault}") from None
        if not answer.success:
            raise LoginRefused(answer.message)

    async def _watch(self, link: Connection) -> None:
        """Ping until the link is lost; a half-open peer is dropped after ping_every + ping_answer seconds."""
        while True:
            await asyncio.wait([link.ended], timeout=self.timing.ping_every_s)
            if link.ended.done():
                return
            try:
                await link.request({"Action": "Ping"}, self.timing.ping_answer_s)
            except AmiFault:
                link.abort("no answer to Ping")

    def _link_lost(self, link: Connection, reason: str) -> None:
        if link is not self._link:
            return
        self._link = None
        if self.up.is_set():
            self.up.clear()
            self.heard_s = link.heard_s
            self.counters.links_lost += 1
            _log.log(logging.INFO if self._closed else logging.WARNING, "link to the switch lost: %s", reason)
            self._delivery.down(reason)

    def _report(self, fault: AmiFault) -> None:
        self.last_fault = fault
        self.counters.failed_attempts += 1
        _log.warning("no link to the switch: %s: %s", type(fault).__name__, fault)
        if self._on_fault is not None:
            try:
                self._on_fault(fault)
            except Exception:  # noqa: BLE001 - the callback is foreign code; it must not end the link's task
                self.counters.callback_faults += 1
                _log.exception("on_fault raised")

    def _event_came(self, link: Connection, event: Event) -> None:
        if event.name == "FullyBooted" and link is self._link and not self.up.is_set():
            self.last_fault = None
            self.counters.links_up += 1
            self.up.set()
            self._delivery.up()
        self._delivery.event(event)


async def _unless_lost(future: asyncio.Future[Any], link: Connection) -> Any:
    await asyncio.wait([future, link.ended], return_when=asyncio.FIRST_COMPLETED)
    if link.closed and (not future.done() or future.cancelled()):
        raise PeerFault(link.ended.result())
    return future.result()
