"""A SIP caller with full control of its bytes: what it sends is what the test wrote, well-formed or not.

One call each, UDP on loopback, digits as RFC 4733 events, digest answers to a challenge (RFC 3261, 4733, 8760 MD5).
"""

import contextlib
import hashlib
import itertools
import os
import re
import socket
import struct
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

LOOPBACK = "127.0.0.1"
EVENT_TYPE = 101
KEYS = "0123456789*#ABCD"
TICK_S = 0.02

_counter = itertools.count(1)
_CHALLENGED = re.compile(r'(\w+)="([^"]*)"')


class RawCall:
    """One call; the INVITE goes out when it is made. A context manager that hangs up at its end."""

    def __init__(
        self,
        gateway_port: int,
        user: bytes,
        *,
        from_header: bytes = b"<sip:anonymous@127.0.0.1>",
        headers: Sequence[bytes] = (),
        login: tuple[str, str] | None = None,
    ) -> None:
        """`user` is the user part of the request URI, `headers` are whole lines without their end."""
        self._gateway = (LOOPBACK, gateway_port)
        self._login = login
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((LOOPBACK, 0))
        self._media = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._media.bind((LOOPBACK, 0))
        self.call_id = f"raw-{os.getpid()}-{next(_counter)}"
        self.answers: list[int] = []
        self.ended = False
        self.is_up = False
        self._uri = b"sip:" + user + b"@%s:%d" % (LOOPBACK.encode(), gateway_port)
        self._from = from_header + b";tag=" + self.call_id.encode()
        self._to = b"<" + self._uri + b">"
        self._headers = tuple(headers)
        self._number = 0
        self._target = self._uri
        self._far_media = ("", 0)
        self._sequence, self._stamp = 1, 0
        self._invite()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.hang_up()
        self._socket.close()
        self._media.close()

    @property
    def status(self) -> int:
        """The last status of the INVITE; 0 when nothing came."""
        return self.answers[-1] if self.answers else 0

    def wait_final(self, timeout_s: float = 10.0) -> int:
        """Wait for a final answer and give its status; 0 when none came in time."""
        deadline = time.monotonic() + timeout_s
        while self.status < 200:
            if not self._hear(deadline):
                return 0
        return self.status

    def wait_heard(self, timeout_s: float = 10.0) -> int:
        """Wait for any answer to the INVITE, as a rule 100, and give its status; 0 when none came in time."""
        deadline = time.monotonic() + timeout_s
        while not self.status and self._hear(deadline):
            pass
        return self.status

    def wait_ended(self, timeout_s: float = 30.0) -> bool:
        """Wait for the other side's BYE; false when it did not come."""
        deadline = time.monotonic() + timeout_s
        while not self.ended:
            if not self._hear(deadline):
                return False
        return True

    def listen(self, seconds: float) -> None:
        """Stay on the line for a while as a person does; returns early when the other side hangs up."""
        self.wait_ended(seconds)

    def press(self, keys: str, *, tone_ticks: int = 5, gap_s: float = 0.08) -> None:
        """Key digits; with few ticks and no gap it is a flood."""
        for key in keys:
            event = KEYS.index(key)
            self._stamp += 8000
            for tick in range(tone_ticks):
                self._send_event(event, 160 * (tick + 1), marker=tick == 0)
                time.sleep(TICK_S if gap_s else 0.001)
            for _ in range(3):
                self._send_event(event, 160 * (tone_ticks + 1), ends=True)
            time.sleep(gap_s)

    def hang_up(self) -> None:
        """BYE where it is up, CANCEL where it still rings; nothing when it is over."""
        if 0 < self.status < 200:
            self._send(b"CANCEL", self._uri, self._number, self._invited)
            self.wait_final(2.0)
        # also where it was answered meanwhile
        if self.is_up and not self.ended:
            self._number += 1
            self._send(b"BYE", self._target, self._number, self._branch())
            deadline = time.monotonic() + 2.0
            while not self.ended and self._hear(deadline):
                pass
        self.ended = True

    def _invite(self, authorization: bytes = b"") -> None:
        self._number += 1
        self._invited = self._branch()
        port = self._media.getsockname()[1]
        body = (
            f"v=0\r\no=raw 1 1 IN IP4 {LOOPBACK}\r\ns=-\r\nc=IN IP4 {LOOPBACK}\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP 0 {EVENT_TYPE}\r\na=rtpmap:0 PCMU/8000\r\n"
            f"a=rtpmap:{EVENT_TYPE} telephone-event/8000\r\na=fmtp:{EVENT_TYPE} 0-15\r\n"
        ).encode()
        more = (*self._headers, *([authorization] if authorization else []), b"Content-Type: application/sdp")
        self._send(b"INVITE", self._uri, self._number, self._invited, more, body)

    def _branch(self) -> bytes:
        return f"z9hG4bK{os.getpid()}x{next(_counter)}".encode()

    def _send(
        self,
        method: bytes,
        uri: bytes,
        number: int,
        branch: bytes,
        headers: Sequence[bytes] = (),
        body: bytes = b"",
    ) -> None:
        port = self._socket.getsockname()[1]
        here = b"%s:%d" % (LOOPBACK.encode(), port)
        lines = (
            method + b" " + uri + b" SIP/2.0",
            b"Via: SIP/2.0/UDP " + here + b";rport;branch=" + branch,
            b"From: " + self._from,
            b"To: " + self._to,
            b"Call-ID: " + self.call_id.encode(),
            b"CSeq: %d %s" % (number, method),
            b"Contact: <sip:raw@" + here + b">",
            b"Max-Forwards: 70",
            *headers,
            b"Content-Length: %d" % len(body),
        )
        with contextlib.suppress(OSError):  # what is too long for UDP is not sent: the other side never sees it
            self._socket.sendto(b"\r\n".join(lines) + b"\r\n\r\n" + body, self._gateway)

    def _hear(self, deadline: float) -> bool:
        """Take one message and do what the protocol asks; false when none came before the deadline."""
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            return False
        self._socket.settimeout(left_s)
        try:
            data, sender = self._socket.recvfrom(65536)
        except TimeoutError:
            return False
        head, _, body = data.decode("utf-8", "replace").partition("\r\n\r\n")
        first = head.split("\r\n", 1)[0]
        if first.startswith("SIP/2.0 "):
            self._answered(int(first.split(" ")[1]), head, body)
        else:
            self._asked(first.split(" ", 1)[0], head, sender)
        return True

    def _answered(self, status: int, head: str, body: str) -> None:
        method = _header(head, "CSeq").split(" ")[-1]
        if method == "BYE":
            self.ended = True
        if method != "INVITE":
            return
        if status == 401 and self._login is not None and self._number == 1:
            self._send(b"ACK", self._uri, self._number, self._invited)
            self._invite(self._authorization(_header(head, "WWW-Authenticate")))
            return
        self.answers.append(status)
        if status < 200:
            return
        self._to = _header(head, "To").encode()
        if status >= 300:
            self._send(b"ACK", self._uri, self._number, self._invited)
            self.ended = True
            return
        self.is_up = True
        self._target = _header(head, "Contact").strip("<>").encode()
        self._far_media = (LOOPBACK, int(re.search(r"^m=audio (\d+)", body, re.MULTILINE)[1]))  # type: ignore[index]
        self._send(b"ACK", self._target, self._number, self._branch())

    def _asked(self, method: str, head: str, sender: tuple[str, int]) -> None:
        wanted = ("Via", "From", "To", "Call-ID", "CSeq")
        copied = "\r\n".join(f"{name}: {_header(head, name)}" for name in wanted)
        self._socket.sendto(f"SIP/2.0 200 OK\r\n{copied}\r\nContent-Length: 0\r\n\r\n".encode(), sender)
        if method == "BYE":
            self.ended = True

    def _authorization(self, challenge: str) -> bytes:
        assert self._login is not None
        username, password = self._login
        asked = dict(_CHALLENGED.findall(challenge))
        uri = self._uri.decode()
        first = _md5(f"{username}:{asked['realm']}:{password}")
        second = _md5(f"INVITE:{uri}")
        answer = _md5(f"{first}:{asked['nonce']}:00000001:raw:auth:{second}")
        return (
            f'Authorization: Digest username="{username}", realm="{asked["realm"]}", nonce="{asked["nonce"]}", '
            f'uri="{uri}", response="{answer}", algorithm=MD5, qop=auth, nc=00000001, cnonce="raw", '
            f'opaque="{asked.get("opaque", "")}"'
        ).encode()

    def _send_event(self, event: int, duration: int, *, marker: bool = False, ends: bool = False) -> None:
        kind = EVENT_TYPE | (0x80 if marker else 0)
        head = struct.pack("!BBHII", 0x80, kind, self._sequence & 0xFFFF, self._stamp & 0xFFFFFFFF, 0x7647)
        self._sequence += 1
        packet = head + struct.pack("!BBH", event, 0x8A if ends else 0x0A, duration)
        with contextlib.suppress(OSError):
            self._media.sendto(packet, self._far_media)


def _header(head: str, name: str) -> str:
    found = re.search(rf"^{name}: *(.*?)\r?$", head, re.MULTILINE | re.IGNORECASE)
    return found[1] if found else ""


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
