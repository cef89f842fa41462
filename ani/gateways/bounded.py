"""Connections of which every step ends at one moment, however many steps there are.

HTTP clients bound each read by itself, so a peer that sends a byte now and then may go on for ever.
"""

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from ssl import SSLContext

import httpcore2
import httpx2


class Deadline:
    """Until when the exchange of this thread may go on; connections outlive an exchange, so each sets its own."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._of_thread = threading.local()

    @contextmanager
    def within(self, left_s: float) -> Iterator[None]:
        """Let what this thread does inside end after so long."""
        self._of_thread.end_s = self._now_s() + left_s
        try:
            yield
        finally:
            self._of_thread.end_s = None

    def left_s(self, timeout_s: float | None) -> float:
        """What is left, at most `timeout_s`, never below zero; raises ReadTimeout at the deadline."""
        end_s: float | None = getattr(self._of_thread, "end_s", None)
        left_s = float("inf") if end_s is None else end_s - self._now_s()
        if left_s <= 0:
            raise httpcore2.ReadTimeout("the deadline has passed")
        return left_s if timeout_s is None else min(left_s, timeout_s)


class _Stream(httpcore2.NetworkStream):
    def __init__(self, inner: httpcore2.NetworkStream, deadline: Deadline) -> None:
        self._inner, self._deadline = inner, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._deadline.left_s(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._deadline.left_s(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        inner = self._inner.start_tls(ssl_context, server_hostname, self._deadline.left_s(timeout))
        return _Stream(inner, self._deadline)

    def get_extra_info(self, info: str) -> object:
        return self._inner.get_extra_info(info)


class _Backend(httpcore2.NetworkBackend):
    def __init__(self, deadline: Deadline) -> None:
        self._inner, self._deadline = httpcore2.SyncBackend(), deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """To the first address that answers; each of several gets its part of what is left."""
        addresses = self._addresses(host, port)
        for untried in range(len(addresses), 0, -1):
            part_s = self._deadline.left_s(timeout) / untried
            address = addresses[-untried]
            try:
                inner = self._inner.connect_tcp(address, port, part_s, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                if untried == 1:
                    raise
            else:
                return _Stream(inner, self._deadline)
        raise httpcore2.ConnectError("the name has no address")

    def _addresses(self, host: str, port: int) -> list[str]:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError:
            raise httpcore2.ConnectError("the name cannot be resolved") from None
        return [str(address[0]) for *_, address in found]


class BoundedTransport(httpx2.HTTPTransport):
    """What carries requests: verified TLS, HTTP/1.1, and each step within the deadline of the thread."""

    def __init__(self, deadline: Deadline, most_connections: int) -> None:
        limits = httpx2.Limits(max_connections=most_connections, max_keepalive_connections=most_connections)
        tls = httpx2.create_ssl_context(trust_env=False)
        super().__init__(verify=tls, limits=limits, trust_env=False)
        self._pool = httpcore2.ConnectionPool(
            ssl_context=tls,
            max_connections=most_connections,
            max_keepalive_connections=most_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=_Backend(deadline),
        )
