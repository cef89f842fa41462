"""What many callers key, sent to the switch as RFC 4733 events, each digit at its moment.

SIPp can key digits itself, but opens a raw socket for each call that does, and with a hundred of those the kernel
spends more on each packet of this machine, the switch's too, than on anything else; and its clock for digits runs late.
"""

import contextlib
import heapq
import itertools
import random
import re
import socket
import struct
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

TONE_MS = 80
"""Length of a digit's tone, and of the gap after it; 80 is the shortest that Asterisk takes, and fingers are slower."""

EVENT_PAYLOAD_TYPE = 96  # as the SDP of the callers says
FRAME_MS = 20
SAMPLES_A_MS = 8
EVENTS = {digit: code for code, digit in enumerate("0123456789*#")}
VOLUME_DBM0 = 10
LOOK_EVERY_S = 0.002


@dataclass(frozen=True, slots=True)
class Keyed:
    """Digits, and when after the answer the first of them is pressed."""

    after_ms: int
    digits: str


def keying_ms(digits: str) -> int:
    """How long it takes to key them."""
    return 2 * TONE_MS * len(digits)


def packets(keyed: Sequence[Keyed], chance: random.Random) -> list[tuple[int, bytes]]:
    """Every packet of one caller, with its milliseconds after the answer: per digit one each 20 ms, the last one thrice
    (RFC 4733, 2.5.1).
    """
    sequence, start, source = chance.randrange(1 << 15), chance.randrange(1 << 31), chance.randrange(1 << 32)
    made = []
    for one in keyed:
        for number, digit in enumerate(one.digits):
            at_ms = one.after_ms + keying_ms(one.digits[:number])
            stamp = start + at_ms * SAMPLES_A_MS
            for frame in range(TONE_MS // FRAME_MS + 3):
                sounded_ms = min((frame + 1) * FRAME_MS, TONE_MS)
                ended = 0x80 if frame * FRAME_MS >= TONE_MS else 0
                marked = 0x80 if frame == 0 else 0
                header = struct.pack(">BBHII", 0x80, EVENT_PAYLOAD_TYPE | marked, sequence % (1 << 16), stamp, source)
                event = struct.pack(">BBH", EVENTS[digit], ended | VOLUME_DBM0, sounded_ms * SAMPLES_A_MS)
                made.append((at_ms + frame * FRAME_MS, header + event))
                sequence += 1
    return made


class Ears:
    """Sockets of the callers: their digits leave here, and the switch's speech arrives, unread.

    Without one for each call every packet of speech would be answered by an ICMP error, and what that costs the switch
    would be taken for the cost of a call. To be opened after everything that wants a port of its own choice.
    """

    FIRST_PORT = 40_000
    LAST_PORT = 60_000
    MOST = 2500

    def __init__(self, calls: int) -> None:
        self._sockets: list[socket.socket] = []
        for port in range(self.FIRST_PORT, self.LAST_PORT, 2):
            if len(self._sockets) >= min(calls, self.MOST):
                break
            ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            ear.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            try:
                ear.bind(("127.0.0.1", port))
            except OSError:  # somebody else has this one
                ear.close()
                continue
            self._sockets.append(ear)

    def of_call(self, number: int) -> socket.socket:
        """The socket of this call; a later call has the same when there are more calls than sockets."""
        return self._sockets[number % len(self._sockets)]

    def close(self) -> None:
        """Close all."""
        for ear in self._sockets:
            ear.close()


class Fingers:
    """Keys for every call in SIPp's log of answered ones, `CALL m=audio PORT`, from the moment it is
    read there; a context manager."""

    def __init__(self, answered: Path, ears: Ears, keyed: Mapping[int, Sequence[Keyed]]) -> None:
        self._answered = answered
        self._ears = ears
        chance = random.Random(4733)
        self._packets = {number: packets(one, chance) for number, one in keyed.items()}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fingers", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        due: list[tuple[float, int, bytes, socket.socket, int]] = []
        order = itertools.count()
        read_to = 0
        while not self._over.wait(LOOK_EVERY_S):
            now_s = time.monotonic()
            answered, read_to = self._newly_answered(read_to)
            for call, port in answered:
                ear = self._ears.of_call(call)
                for at_ms, packet in self._packets[call]:
                    heapq.heappush(due, (now_s + at_ms / 1000, next(order), packet, ear, port))
            while due and due[0][0] <= now_s:
                _, _, packet, ear, port = heapq.heappop(due)
                with contextlib.suppress(
                    OSError
                ):  # the call is over: what its caller still keys is lost, as on any line
                    ear.sendto(packet, ("127.0.0.1", port))

    def _newly_answered(self, read_to: int) -> tuple[list[tuple[int, int]], int]:
        try:
            with self._answered.open("rb") as log:
                log.seek(read_to)
                text = log.read()
        except FileNotFoundError:
            return [], read_to
        whole = text[: text.rfind(b"\n") + 1]
        return [(int(call), int(port)) for call, port in _ANSWERED.findall(whole)], read_to + len(whole)


_ANSWERED = re.compile(rb"answered ([0-9]+) m=audio ([0-9]+)")
