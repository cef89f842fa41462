"""The outermost edge of a request: its size, its log line, and what is answered when everything else fails."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

from runtime.clock import Clock
from runtime.logs import get_logger
from web.problem import MEDIA_TYPE, OWN_FAULT, TOO_LARGE, Problem

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

HEADERS = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)


class _TooLargeError(Exception):
    """More was sent than is read."""


class Edge:
    """ASGI middleware: at most `limit_bytes` of a body are read; every request is logged once, without its values."""

    def __init__(self, app: App, clock: Clock, limit_bytes: int) -> None:
        self._app = app
        self._clock = clock
        self._limit_bytes = limit_bytes
        self._log = get_logger("web")

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun_s = self._clock.monotonic_s()
        read, status = 0, 0

        async def bounded() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._limit_bytes:
                raise _TooLargeError
            return message

        async def guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), *HEADERS]
            await send(message)

        try:
            if self._says_too_large(scope):
                raise _TooLargeError
            await self._app(scope, bounded, guarded)
        except _TooLargeError:
            await _answer(guarded, TOO_LARGE)
        except Exception as fault:  # noqa: BLE001 - the outermost edge: whoever asked gets an answer, and the log the fault
            self._log.error("request-fault", fault=type(fault).__name__, exc_info=fault)
            if not status:
                await _answer(guarded, OWN_FAULT)
        route = scope.get("route")
        self._log.info(
            "request",
            method=scope["method"],
            path=getattr(route, "path", "unknown"),
            status=status,
            key=scope.get("state", {}).get("key_id"),
            ms=round((self._clock.monotonic_s() - begun_s) * 1000, 1),
        )

    def _says_too_large(self, scope: MutableMapping[str, Any]) -> bool:
        lengths = [value for name, value in scope["headers"] if name == b"content-length"]
        return any(not value.isdigit() or int(value) > self._limit_bytes for value in lengths)


async def _answer(send: Send, problem: Problem) -> None:
    body = orjson.dumps(problem.document())
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
