"""What the kernel knows of the peer is asked of it, also when nobody read for a while."""

import socket
import time
from collections.abc import Iterator

import pytest

from dialplan.lab.polling import wait_for
from ivr.ami.last_packet import last_packet_age_s


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a TCP connection on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as near:
        far, _ = listener.accept()
        with far:
            yield near, far


def test_the_end_of_the_peer_is_dated_when_it_came_and_not_when_it_is_read(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    near, far = pair
    before_s = time.monotonic()
    wait_for(lambda: time.monotonic() - before_s > 0.2, "some silence")
    closed_s = time.monotonic()
    far.close()
    wait_for(lambda: time.monotonic() - closed_s > 0.3, "nobody reads")
    assert near.recv(1) == b""
    age_s = last_packet_age_s(near)
    now_s = time.monotonic()
    assert age_s is not None
    assert now_s - age_s <= closed_s, "never later than it was"
    assert now_s - age_s >= closed_s - 0.15


def test_what_is_no_tcp_tells_nothing() -> None:
    near, far = socket.socketpair()
    with near, far:
        assert last_packet_age_s(near) is None
    assert last_packet_age_s(near) is None, "closed"
    assert last_packet_age_s(None) is None
