"""The FastAGI wire format: bytes in, events out, no input or output of its own.

Source: res_agi.c of Asterisk 22, and what a running 22.10.1 sends. The promises:

* any split of the same bytes gives the same events; no bytes make a parser raise, loop or grow past its limit;
* a reply is never guessed: what is not exactly one known shape is `Malformed`, and after it a parser stays silent;
* no `repr` in this module shows what a caller keyed, what a variable held, or an AGI argument.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum, unique
from types import MappingProxyType
from typing import Final

ENVIRONMENT_LIMIT_BYTES: Final = 16_384
REPLY_LINE_LIMIT_BYTES: Final = 8_192
REPLY_BLOCK_LIMIT_BYTES: Final = 32_768
COMMAND_LIMIT_BYTES: Final = 4_096
"""Half of the 8191 bytes at which Asterisk cuts a line *and runs the rest as a second command*."""
ARGUMENT_LIMIT: Final = 100
"""Asterisk silently drops what comes after its 127th word."""


@unique
class EnvironmentRefusal(StrEnum):
    """Why an AGI environment was not believed."""

    OVERLONG = "overlong"
    NOT_AGI = "not_agi"
    REPEATED_KEY = "repeated_key"
    INCOMPLETE = "incomplete"
    EARLY_BYTES = "early_bytes"


@dataclass(frozen=True, slots=True)
class Environment:
    """What Asterisk says about the channel before the first command. `fields` are raw and partly the caller's words."""

    path: str
    query: str = field(repr=False)
    uniqueid: str
    args: tuple[str, ...] = field(repr=False)
    fields: Mapping[str, str] = field(repr=False)

    def without_last_argument(self) -> "Environment":
        """The same, the token left out. Spelled out: `dataclasses.replace` costs ten times as much."""
        return Environment(self.path, self.query, self.uniqueid, self.args[:-1], self.fields)


@dataclass(frozen=True, slots=True)
class Success:
    """`200 result=…`. `result` is a number for most commands, the keyed digits (leading zeros count) for GET DATA."""

    result: str = field(repr=False)
    data: str | None = field(default=None, repr=False)
    endpos: int | None = None

    @property
    def timed_out(self) -> bool:
        """True for GET DATA ended by silence. Means nothing for commands whose data is a value."""
        return self.data == "timeout"


@dataclass(frozen=True, slots=True)
class Failed:
    """`200 result=-1` (or another negative): not done. It does not say whether the caller is still there."""

    code: int


@dataclass(frozen=True, slots=True)
class Dead:
    """`511`: the command is not permitted because the channel is hung up, redirected or past its time limit."""


@dataclass(frozen=True, slots=True)
class Invalid:
    """`510` or `520`, read to the end of its block: a command of ours that Asterisk does not understand."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Hangup:
    """The unasked line `HANGUP`. Comes before or between replies and answers no command."""


@unique
class Malformation(StrEnum):
    """Why a byte stream is no longer a sequence of replies."""

    OVERLONG = "overlong"
    UNKNOWN_SHAPE = "unknown_shape"


@dataclass(frozen=True, slots=True)
class Malformed:
    """The stream cannot be trusted any more. Carries no content."""

    why: Malformation


Reply = Success | Failed | Dead | Invalid
Event = Reply | Hangup | Malformed

_FIELD: Final = re.compile(r"^(agi_[a-z0-9_]+): ?(.*)$", re.MULTILINE)
_RESULT: Final = re.compile(rb"200 result=(-[0-9]{1,3}|[0-9A-D*#]*)(?: \((.*)\))?(?: endpos=([0-9]{1,12}))?", re.DOTALL)
_REFUSING: Final = frozenset({b"510", b"511", b"520"})

_COMMON: Final[Mapping[bytes, tuple[Event, ...]]] = {
    b"HANGUP\n": (Hangup(),),
    b"200 result=-1\n": (Failed(-1),),
    b"200 result= (timeout)\n": (Success("", "timeout"),),
    b"511 Command Not Permitted on a dead channel or intercept routine\n": (Dead(),),
    **{b"200 result=%d\n" % code: (Success(str(code)),) for code in range(64)},
}
"""The lines that make up nearly all traffic, parsed once: numbers up to 63 include every single DTMF code."""


class EnvironmentParser:
    """Collects the `agi_` lines up to the blank line. Feed it until it answers; it answers once."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> Environment | EnvironmentRefusal | None:
        """Give the environment, a refusal, or None while the blank line is still to come."""
        buffer = self._buffer
        searched = max(len(buffer) - 1, 0)
        buffer += chunk
        if buffer[:4] != b"agi_"[: len(buffer)]:
            return EnvironmentRefusal.NOT_AGI  # at once: a health check that speaks HTTP sends no blank line of ours
        end = buffer.find(b"\n\n", searched)
        if (end if end >= 0 else len(buffer) - 1) > ENVIRONMENT_LIMIT_BYTES:
            return EnvironmentRefusal.OVERLONG
        if end < 0:
            return None
        if end + 2 != len(buffer):
            # Asterisk says nothing after the blank line until it is asked: more bytes are somebody else's words.
            return EnvironmentRefusal.EARLY_BYTES
        return _environment(buffer[:end].decode("utf-8", "replace"))


def _environment(text: str) -> Environment | EnvironmentRefusal:
    pairs = _FIELD.findall(text)
    if len(pairs) != text.count("\n") + 1:
        return EnvironmentRefusal.NOT_AGI
    fields: dict[str, str] = dict(pairs)
    if len(fields) != len(pairs):
        return EnvironmentRefusal.REPEATED_KEY
    script, uniqueid = fields.get("agi_network_script"), fields.get("agi_uniqueid")
    if not (script and uniqueid and fields.get("agi_channel") and fields.get("agi_threadid")):
        return EnvironmentRefusal.INCOMPLETE
    args: list[str] = []
    while (arg := fields.pop(f"agi_arg_{len(args) + 1}", None)) is not None:
        args.append(arg)
    if text.count("\nagi_arg_") != len(args):
        return EnvironmentRefusal.NOT_AGI
    path, _, query = script.partition("?")
    return Environment(path.strip("/"), query, uniqueid, tuple(args), MappingProxyType(fields))


class ReplyParser:
    """Cuts what Asterisk sends after the environment into events. Silent after the first `Malformed`."""

    __slots__ = ("_block", "_block_code", "_block_size", "_buffer", "_spoilt")

    def __init__(self) -> None:
        self._buffer = b""
        self._block: list[bytes] = []
        self._block_code = b""
        self._block_size = 0
        self._spoilt = False

    def feed(self, chunk: bytes) -> Sequence[Event]:
        """Give the events that `chunk` completes, in order."""
        if not self._buffer and not self._block_code and not self._spoilt:
            common = _COMMON.get(chunk)
            if common is not None:
                return common
            if 0 < chunk.find(b"\n") == len(chunk) - 1 <= REPLY_LINE_LIMIT_BYTES:
                matched = _RESULT.fullmatch(chunk, 0, len(chunk) - 1)
                if matched is not None:
                    return (_result(matched),)
        return self._feed_any(chunk)

    def _feed_any(self, chunk: bytes) -> Sequence[Event]:
        if self._spoilt:
            return ()
        *lines, self._buffer = (self._buffer + chunk).split(b"\n")
        events: list[Event] = []
        for line in lines:
            event = self._line(line)
            if event is not None:
                events.append(event)
            if isinstance(event, Malformed):
                return events
        if len(self._buffer) > REPLY_LINE_LIMIT_BYTES:
            events.append(self._spoil(Malformation.OVERLONG))
        return events

    def _line(self, line: bytes) -> Event | None:
        if len(line) > REPLY_LINE_LIMIT_BYTES:
            return self._spoil(Malformation.OVERLONG)
        if self._block_code:
            return self._block_line(line)
        matched = _RESULT.fullmatch(line)
        if matched is not None:
            return _result(matched)
        if line == b"HANGUP":
            return Hangup()
        return self._coded(line[:3], line[3:4], line)

    def _coded(self, code: bytes, mark: bytes, line: bytes) -> Event | None:
        if mark == b"-" and code in _REFUSING:
            self._block_code, self._block_size = code, 0
            return self._block_line(line)
        if mark in {b" ", b""}:
            if code in _REFUSING:
                return _refusal(code, line[4:])
            if code == b"100":
                return None
        return self._spoil(Malformation.UNKNOWN_SHAPE)

    def _block_line(self, line: bytes) -> Event | None:
        self._block.append(line)
        self._block_size += len(line) + 1
        if self._block_size > REPLY_BLOCK_LIMIT_BYTES:
            return self._spoil(Malformation.OVERLONG)
        code = self._block_code
        if line[:4] != code + b" ":
            return None
        text = b"\n".join(self._block)
        self._block, self._block_code = [], b""
        return _refusal(code, text)

    def _spoil(self, why: Malformation) -> Malformed:
        self._spoilt = True
        self._buffer, self._block = b"", []
        return Malformed(why)


def _result(matched: re.Match[bytes]) -> Reply:
    result, data, endpos = matched.groups()
    if result[:1] == b"-":
        return Failed(int(result))
    return Success(
        result.decode("ascii"),
        None if data is None else data.decode("utf-8", "replace"),
        None if endpos is None else int(endpos),
    )


def _refusal(code: bytes, text: bytes) -> Reply:
    return Dead() if code == b"511" else Invalid(int(code), text.decode("utf-8", "replace"))


_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def quote(args: Sequence[str]) -> bytes:
    r"""Build one command line, each argument one word for Asterisk, newline included.

    Raises ValueError, never showing the argument, for CR, LF, NUL or another control character (a newline would run a
    second command), for text that is not UTF-8, for a line over 4096 bytes and for more than 100 words.
    """
    if len(args) > ARGUMENT_LIMIT:
        raise ValueError("an AGI command has too many words")
    line = " ".join([arg if arg.isalnum() else _quoted(arg) for arg in args])
    if _CONTROL.search(line) is not None:
        raise ValueError("an AGI command holds a control character")
    try:
        encoded = line.encode() + b"\n"
    except UnicodeEncodeError:
        raise ValueError("an AGI command is not UTF-8 text") from None
    if len(encoded) > COMMAND_LIMIT_BYTES:
        raise ValueError("an AGI command is too long")
    return encoded


def _quoted(arg: str) -> str:
    if "\\" in arg or '"' in arg:
        arg = arg.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{arg}"'
