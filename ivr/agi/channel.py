"""One AGI session: commands to one channel of Asterisk, in order, each with its answer.

How to play a list of prompts and keep the digit that interrupts it. Tried on Asterisk 22.10.1 (res_agi, Local channels
with SendDTMF); times are from the command to its answer:

* `GET DATA "a&b" …` and `STREAM FILE "a&b" …` look for one file of that name: `200 result=-1` at once. No list there.
* `EXEC Background "a&b&c,n,,CONTEXT"` plays a list; a digit ends it and is returned (`200 result=55` for 7, 35 for
  #), the next GET DATA got the other digits, none lost at 120 ms between them. Without `n` it answers the channel; it
  may match the digit against extensions of the current context, so CONTEXT names one that does not exist. A missing
  file ends the list in silence with `200 result=0`; on a dead channel it answers `200 result=0` too.
* `GET DATA file ms n` keeps the digit that interrupts its own prompt and waits `ms` for the first and for each next
  digit.
* `EXEC Read` would be one command for all, but puts what was keyed into a channel variable: not for PINs.
* Between two commands Asterisk reads and *drops* the caller's frames: a digit that ends then is lost (seen: three
  seconds of thought lost all of `7123`). So the seam belongs inside a prompt, never between the last prompt and the
  entry.
* After a -1, `CHANNEL STATUS` answers 511 on a channel that is gone, whatever AGISIGHUP says, and 200 on one that is
  up.

Hence `get_data`: one prompt is one round trip (GET DATA); a list is two: Background for all but the last prompt, then
GET DATA with the last one, or with no prompt if a digit was keyed during the first part, which stays the first digit
of the entry. A live test holds all of this against a real switch.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, LiteralString

from ivr.agi.conversation import Conversation
from ivr.agi.faults import CallerGone, CommandFailed
from ivr.agi.protocol import Environment, Success, quote

ANY_DIGIT: Final = "0123456789*#"
COMMAND_LIMIT_S: Final = 10.0
"""Longest wait for a command that plays and collects nothing, and the margin on top of those that do."""
PROMPTS_LIMIT_S: Final = 180.0
"""Longest time any list of prompts may play."""

_NO_CONTEXT: Final = "tollgate-no-digits"
_FILES: Final = re.compile(r"[A-Za-z0-9_./-]{1,200}(?:&[A-Za-z0-9_./-]{1,200})*", re.ASCII)
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}(?:\([A-Za-z0-9_,./-]{0,120}\))?", re.ASCII)
_EXPRESSION: Final = re.compile(
    r"\$\{[A-Za-z_][A-Za-z0-9_]{0,79}(?:\([A-Za-z0-9_,./-]{0,120}\))?(?::-?[0-9]{1,3}){0,2}\}"
)
_ESCAPE: Final = re.compile(r"[0-9*#]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Keyed:
    """What a caller keyed, without the closing '#'.

    Nothing at all: no digits, `timed_out`. Only '#': no digits, not `timed_out`. Digits, then silence: both. Full or
    closed by '#': digits, not `timed_out`. Shows no digits in its repr.
    """

    digits: str = field(repr=False)
    timed_out: bool


class Channel(Conversation):
    """The commands of one session. Tasks may share it: commands wait for each other.

    Any command can raise `CallerGone` (`ChannelDead` for 511) or, once the conversation has lost its place,
    `ChannelBroken`; a command that plays or collects also `CommandFailed` (missing prompt file). ValueError means the
    arguments could not be sent and nothing was.
    """

    __slots__ = ("environment",)

    def __init__(
        self, environment: Environment, transport: asyncio.WriteTransport, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(transport, loop)
        self.environment: Final = environment

    def __repr__(self) -> str:
        return f"<Channel {self.environment.uniqueid} /{self.environment.path}>"

    # What Asterisk said about the channel, raw: `unknown` and the empty string are its words.

    @property
    def uniqueid(self) -> str:
        """Asterisk's id of the channel."""
        return self.environment.uniqueid

    @property
    def name(self) -> str:
        """Channel name, `PJSIP/trunk-0000001a`."""
        return self._field("agi_channel")

    @property
    def caller_number(self) -> str:
        """The caller id number as claimed, unchecked."""
        return self._field("agi_callerid")

    @property
    def dnid(self) -> str:
        """The number dialled to reach us."""
        return self._field("agi_dnid")

    @property
    def extension(self) -> str:
        """The dialplan extension that runs."""
        return self._field("agi_extension")

    @property
    def context(self) -> str:
        """The dialplan context that runs."""
        return self._field("agi_context")

    @property
    def language(self) -> str:
        """CHANNEL(language) at the start of the session."""
        return self._field("agi_language")

    @property
    def path(self) -> str:
        """The request path without slashes and query."""
        return self.environment.path

    @property
    def args(self) -> tuple[str, ...]:
        """The AGI arguments, the shared token left out."""
        return self.environment.args

    def _field(self, key: str) -> str:
        return self.environment.fields.get(key, "")

    # Prompts and digits.

    async def get_data(self, files: Sequence[str], timeout_ms: int, max_digits: int) -> Keyed:
        """Play `files`, interruptible, and collect up to `max_digits`, waiting `timeout_ms` for each one.

        The digit that interrupts is the first of the entry. One round trip for one file or none, two for more. In the
        list, a missing file but the last ends the playing without a fault: the gateway looks for them when it starts.
        """
        if not 1 <= max_digits <= 64 or not 1 <= timeout_ms <= 3_600_000:
            raise ValueError("max_digits or timeout_ms out of range")
        first, last = "", ""
        if files:
            heads, _, last = _playable(files).rpartition("&")
            first = await self._background(heads) if heads else ""
        if first == "#":
            return Keyed("", timed_out=False)
        wanted = max_digits - len(first)
        if wanted == 0:
            return Keyed(first, timed_out=False)
        limit_s = PROMPTS_LIMIT_S + COMMAND_LIMIT_S + timeout_ms / 1000 * wanted
        command = f'GET DATA "{"" if first else last}" {timeout_ms} {wanted}\n'
        reply = await self._media(command, limit_s)
        return Keyed(first + reply.result, reply.timed_out)

    async def ask(
        self, files: Sequence[str], max_digits: int, timeout_ms: int, first_timeout_ms: int | None = None
    ) -> Keyed:
        """As `get_data`, with a longer or shorter patience for the first digit.

        A different `first_timeout_ms` costs one more round trip when a digit is keyed.
        """
        if first_timeout_ms is None or first_timeout_ms == timeout_ms or max_digits == 1:
            return await self.get_data(files, first_timeout_ms or timeout_ms, max_digits)
        first = await self.get_data(files, first_timeout_ms, 1)
        if not first.digits:
            return first
        rest = await self.get_data((), timeout_ms, max_digits - 1)
        return Keyed(first.digits + rest.digits, rest.timed_out)

    async def say(self, files: Sequence[str], escape_digits: str = "") -> str | None:
        """Play `files`; give the digit out of `escape_digits` that ended them, or None. Never answers the channel.

        One round trip for one file, for no escape digits, or for `ANY_DIGIT`; otherwise one for each file. In a list
        played in one trip a missing file ends the playing without a fault; the dialplan reads BACKGROUNDSTATUS before
        it dials, which costs no trip.
        """
        if len(files) > 1 and not escape_digits:
            await self._playback(files)
            return None
        if len(files) > 1 and escape_digits == ANY_DIGIT:
            return await self._background(_playable(files)) or None
        for name in files:
            digit = await self.stream_file(name, escape_digits)
            if digit is not None:
                return digit
        return None

    async def say_whole(self, files: Sequence[str]) -> bool:
        """Play `files` whatever is keyed; false when one could not be played, or the caller left before the end.

        Two round trips: Playback goes on after a file that is missing, answers 0 even when the caller hung up, and
        tells in a variable alone.
        """
        await self._playback(files)
        return await self.get_variable("PLAYBACKSTATUS") == "SUCCESS"

    async def stream_file(self, name: str, escape_digits: str = "") -> str | None:
        """Play one file; give the escape digit that ended it, or None."""
        if _ESCAPE.fullmatch(escape_digits) is None:
            raise ValueError("escape_digits holds something that is not a key")
        command = f'STREAM FILE {_playable((name,))} "{escape_digits}"\n'
        return _key(await self._media(command, PROMPTS_LIMIT_S + COMMAND_LIMIT_S))

    async def wait_for_digit(self, timeout_ms: int) -> str | None:
        """Give the next digit, or None after `timeout_ms`."""
        if not 1 <= timeout_ms <= 3_600_000:
            raise ValueError("timeout_ms out of range")
        return _key(await self._media(f"WAIT FOR DIGIT {timeout_ms}\n", timeout_ms / 1000 + COMMAND_LIMIT_S))

    async def _playback(self, files: Sequence[str]) -> None:
        await self._media(f'EXEC Playback "{_playable(files)},noanswer"\n', PROMPTS_LIMIT_S + COMMAND_LIMIT_S)

    async def _background(self, listed: str) -> str:
        command = f'EXEC Background "{listed},n,,{_NO_CONTEXT}"\n'
        digit = _key(await self._media(command, PROMPTS_LIMIT_S + COMMAND_LIMIT_S))
        if self.hung_up:
            # On a dead channel Background answers 0, which would pass for a caller who listened.
            raise CallerGone("the channel is gone")
        return digit or ""

    # The channel and its variables.

    async def answer(self) -> None:
        """Answer the channel. Takes about half a second in Asterisk."""
        await self._media("ANSWER\n", COMMAND_LIMIT_S)

    async def hangup(self) -> None:
        """Hang the channel up. Quiet when it already is."""
        try:
            await self.command(b"HANGUP\n", COMMAND_LIMIT_S)
        except CallerGone:
            return

    async def set_variable(self, name: str, value: str) -> None:
        """Set a channel variable or writable function. `${…}` in `value` is not substituted."""
        await self._done(quote(("SET", "VARIABLE", _variable(name), value)))

    async def get_variable(self, name: str) -> str | None:
        """Read a variable or function; None if unset. At most 1023 bytes come back."""
        return _value(await self._done(quote(("GET", "VARIABLE", _variable(name)))))

    async def get_full_variable(self, expression: LiteralString) -> str | None:
        """Evaluate one `${NAME}` or `${FUNCTION(constant)}`. Never build it from caller data: Asterisk substitutes."""
        if _EXPRESSION.fullmatch(expression) is None:
            raise ValueError("not a constant expression")
        return _value(await self._done(quote(("GET", "FULL", "VARIABLE", expression))))

    async def exec(self, app: str, *args: str, limit_s: float = COMMAND_LIMIT_S) -> int:
        """Run a dialplan application, at most `limit_s` long, and give its result. No comma inside an argument."""
        if any("," in arg for arg in args):
            raise ValueError("an application argument holds a comma")
        line = quote(("EXEC", app, ",".join(args)))
        reply = await self._tried(line, limit_s)
        return int(reply.result or 0)

    async def database_get(self, family: str, key: str) -> str | None:
        """Read from the switch's own database (AstDB); None if absent."""
        return _value(await self._done(quote(("DATABASE", "GET", family, key))))

    async def database_put(self, family: str, key: str, value: str) -> None:
        """Write to the switch's own database."""
        await self._done(quote(("DATABASE", "PUT", family, key, value)))

    async def database_del(self, family: str, key: str) -> None:
        """Delete from the switch's own database. Quiet when the key is absent (Asterisk 22 answers 1 either way)."""
        await self._done(quote(("DATABASE", "DEL", family, key)))

    async def noop(self) -> None:
        """One empty round trip."""
        await self._done(b"NOOP\n")

    async def _media(self, command: str, limit_s: float) -> Success:
        """Send what needs a living channel."""
        if self.hung_up:
            raise CallerGone("the channel is gone")
        return await self._tried(command.encode("ascii"), limit_s)

    async def _tried(self, line: bytes, limit_s: float) -> Success:
        """After a negative result ask Asterisk whether there still is a channel: 511 if not."""
        reply = await self.command(line, limit_s)
        if isinstance(reply, Success):
            return reply
        if not self.hung_up:
            await self.command(b"CHANNEL STATUS\n", COMMAND_LIMIT_S)
        if self.hung_up:
            raise CallerGone("the channel is gone")
        raise CommandFailed("a negative result on a living channel")

    async def _done(self, line: bytes) -> Success:
        reply = await self.command(line, COMMAND_LIMIT_S)
        if isinstance(reply, Success):
            return reply
        raise CommandFailed("a negative result")


def _playable(files: Sequence[str]) -> str:
    listed = "&".join(files)
    if len(listed) > 3_800 or _FILES.fullmatch(listed) is None:
        raise ValueError("not a list of prompt files")
    return listed


def _variable(name: str) -> str:
    if _VARIABLE.fullmatch(name) is None:
        raise ValueError("not a variable name")
    return name


def _key(reply: Success) -> str | None:
    code = int(reply.result or 0)
    return chr(code) if code > 0 else None


def _value(reply: Success) -> str | None:
    return reply.data if reply.result == "1" else None
