"""When the peer of a connection was last heard, as the kernel knows it: also where we were too busy to read."""

import socket
import struct
from typing import Protocol

_LAST_ACK_RECV = 56
"""Offset of tcpi_last_ack_recv, milliseconds, in Linux's struct tcp_info (linux/tcp.h), which only grows at its end."""
_TICK_S = 0.01
"""The kernel counts these in ticks of its clock, of 10 ms at the longest."""


class Socket(Protocol):
    """What is asked of a socket; uvloop's is none of Python's own."""

    def getsockopt(self, level: int, option: int, buflen: int) -> bytes:
        """An option as the kernel has it."""
        ...


def last_packet_age_s(connection: Socket | None) -> float | None:
    """Seconds since the last packet of a TCP peer came, its FIN too, rounded up; None where the system does not tell.

    A process that is killed sends its FIN while it dies: so this is when it died, however late we look.
    """
    option = getattr(socket, "TCP_INFO", None)
    if connection is None or option is None:
        return None
    try:
        told = connection.getsockopt(socket.IPPROTO_TCP, option, _LAST_ACK_RECV + 4)
    except OSError:
        return None
    if len(told) < _LAST_ACK_RECV + 4:
        return None
    (age_ms,) = struct.unpack_from("=I", told, _LAST_ACK_RECV)
    return float(age_ms) / 1000 + _TICK_S
