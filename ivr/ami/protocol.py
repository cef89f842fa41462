"""AMI on the wire without I/O: bytes in, frozen messages out; one action in, bytes out.

Framing as Asterisk 22 writes it: one banner line, then messages of `Key: value` lines ended by CRLF, each message ended
by an empty line. A message is an `Event` or a `Response` by its *first* header only (`OriginateResponse` events carry a
`Response:` header too). Keys keep the case they came in and are looked up exactly.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

BANNER_PREFIX: Final = b"Asterisk Call Manager/"
BANNER_MAX_BYTES: Final = 128
MESSAGE_MAX_BYTES: Final = 65_536
# manager.c reads a line into 1025 bytes and throws a longer one away; 128 headers is its table.
LINE_MAX_BYTES: Final = 1_000
HEADERS_MAX: Final = 100

# A forged line inside a value shows as one of these coming twice (asterisk.md 6.5): such a message is worth nothing.
KEY_HEADERS: Final = frozenset(
    {
        "Event",
        "Response",
        "ActionID",
        "EventList",
        "ListItems",
        "UserEvent",
        "Channel",
        "Uniqueid",
        "Linkedid",
        "DestChannel",
        "DestUniqueid",
        "DestLinkedid",
        "DialStatus",
        "Cause",
        "TimeToHangup",
        "BridgeID",
        "Timestamp",
        "CallId",
        "Family",
        "Key",
        "Val",
        "Variable",
        "Value",
    }
)
_END: Final = b"\r\n\r\n"
_KEY: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}\Z")
_FORBIDDEN: Final = re.compile(r"[\r\n\0]")


class BannerFault(Exception):  # noqa: N818 - the house calls exceptions faults
    """The first line is not an Asterisk manager's: the peer must be left."""


@dataclass(frozen=True, slots=True)
class Banner:
    """First line of a link; `version` is what follows the slash, e.g. `11.0.0` for Asterisk 22."""

    version: str

    @property
    def major(self) -> int | None:
        """Leading number of the version, None where there is none."""
        head = self.version.partition(".")[0]
        return int(head) if head.isascii() and head.isdigit() else None


@dataclass(frozen=True, slots=True)
class Event:
    """Something the switch says unasked, or one item of a list answer."""

    name: str
    headers: dict[str, str]

    def get(self, key: str) -> str:
        """Value of a header, empty where it is missing."""
        return self.headers.get(key, "")


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to one action."""

    status: str
    headers: dict[str, str]

    def get(self, key: str) -> str:
        """Value of a header, empty where it is missing."""
        return self.headers.get(key, "")

    @property
    def success(self) -> bool:
        """False for `Error` and for anything this release of the switch was not seen to say."""
        return self.status in {"Success", "Follows", "Goodbye"}

    @property
    def message(self) -> str:
        """The switch's own words, never more than 200 characters of them."""
        return self.headers.get("Message", "")[:200]


Message = Event | Response


@dataclass(slots=True)
class Dropped:
    """What the parser threw away since it was made; for counters."""

    repeated_key: int = 0
    malformed: int = 0
    oversize: int = 0


@dataclass(slots=True)
class Parser:
    """Incremental parser of one link; any split of the same bytes gives the same messages.

    Holds at most `message_max_bytes` + one read. Invalid UTF-8 becomes U+FFFD. A line without a colon is ignored; the
    first of two equal headers wins; a message is dropped (counted) if a key header repeats, if it does not start with
    Event or Response, or if it is over the size cap.
    """

    message_max_bytes: int = MESSAGE_MAX_BYTES
    dropped: Dropped = field(default_factory=Dropped)
    banner: Banner | None = None
    _buffer: bytearray = field(default_factory=bytearray)
    _searched: int = 0
    _skipping: bool = False

    def feed(self, piece: bytes) -> list[Message]:
        """Messages completed by this piece. Raises BannerFault until a good banner has been read."""
        buffer = self._buffer
        buffer += piece
        if self.banner is None and not self._read_banner():
            return []
        found: list[Message] = []
        start = 0
        end = buffer.find(_END, self._searched)
        while end >= 0:
            if self._skipping:
                self._skipping = False
            elif end - start > self.message_max_bytes:
                self.dropped.oversize += 1
            elif end > start:
                message = self._parse(buffer[start:end])
                if message is not None:
                    found.append(message)
            start = end + 4
            end = buffer.find(_END, start)
        if start:
            del buffer[:start]
        self._keep_rest()
        return found

    def _keep_rest(self) -> None:
        # Three bytes of an end mark may already be here, so only what is longer for certain is given up.
        buffer = self._buffer
        if self._skipping or len(buffer) > self.message_max_bytes + 3:
            if not self._skipping:
                self.dropped.oversize += 1
                self._skipping = True
            del buffer[:-3]
        self._searched = max(0, len(buffer) - 3)

    def _read_banner(self) -> bool:
        buffer = self._buffer
        head = bytes(buffer[: len(BANNER_PREFIX)])
        if head != BANNER_PREFIX[: len(head)]:
            raise BannerFault("not an Asterisk manager banner")
        end = buffer.find(b"\n", 0, BANNER_MAX_BYTES)
        if end < 0:
            if len(buffer) >= BANNER_MAX_BYTES:
                raise BannerFault("manager banner without end")
            return False
        self.banner = Banner(buffer[len(BANNER_PREFIX) : end].decode("ascii", "replace").strip())
        del buffer[: end + 1]
        return True

    def _parse(self, block: bytearray) -> Message | None:
        headers: dict[str, str] = {}
        for line in block.decode("utf-8", "replace").split("\r\n"):
            key, colon, value = line.partition(": ")
            if not colon:
                if not line.endswith(":"):
                    continue
                key = line[:-1]
            if key not in headers:
                headers[key] = value
            elif key in KEY_HEADERS:
                self.dropped.repeated_key += 1
                return None
        for key, value in headers.items():
            if key == "Event":
                return Event(value, headers)
            if key == "Response":
                return Response(value, headers)
            break
        if headers or block.strip():
            self.dropped.malformed += 1
        return None


def encode_action(headers: Mapping[str, str]) -> bytes:
    """One action as bytes.

    Raises ValueError (naming the header, never its value) where a key is no plain word, a value holds CR, LF or NUL,
    does not encode, or makes a line over 1000 bytes, or where there are more than 100 headers or no `Action`.
    """
    if not headers.get("Action") or len(headers) > HEADERS_MAX:
        raise ValueError("an action needs an Action header and at most 100 headers")
    lines = []
    for key, value in headers.items():
        if not _KEY.match(key):
            raise ValueError("header key is not a plain word")
        if _FORBIDDEN.search(value):
            raise ValueError(f"control character in header {key}")
        try:
            line = f"{key}: {value}\r\n".encode()
        except UnicodeEncodeError:
            line = b""
        if not line or len(line) > LINE_MAX_BYTES:
            raise ValueError(f"header {key} is too long or does not encode")
        lines.append(line)
    return b"".join(lines) + b"\r\n"
