"""The few things the gateway asks of a switch, typed; the only AMI vocabulary outside this folder.

Rights: `read=system,user`, `write=call,reporting`, `live_dangerously=no` are enough for everything here. What follows
was run on Asterisk 22.10.1 (manager banner 11.0.0) with that user:

[run] `eventfilter` works per user in both spellings (tried with read=call added) and hides no list items; FullyBooted
      must be included: `eventfilter(action(include),name(UserEvent)) =` (likewise FullyBooted, Shutdown), or
      `eventfilter=Event: UserEvent`. With read=system,user a whole call was UserEvents only, without any filter.
[run] A user without read=system never gets FullyBooted.
[run] AbsoluteTimeout takes fractions, a channel name or a Uniqueid; 0, negative and text are refused ("No timeout
      specified"). On the *called* leg, after TIMEOUT(absolute)=8.5 in the Dial U() subroutine, in mid-call: 2.75 s
      asked -> hang-up handler at 2.753 s; 1.25 -> 1.251 s; the 8.5 s untouched -> 8.501 s between the dialplan's own
      stamps.
[run] A deadline may fire up to 1 ms early: the switch cuts off what is less than a millisecond before it compares
      ([src] ast_check_hangup: ast_tvdiff_ms(whentohangup, now) <= 0, asked at each packet of speech). Of 200 legs armed
      in the dialplan 6 ended 0.1 to 0.6 ms before their time, by its own stamps; with EARLY_MS more, none of 200.
[run] When the called leg's timer fires, no T extension runs; Dial with `g` goes on with the caller at the next
      priority within 1 ms: DIALSTATUS=ANSWER, HANGUPCAUSE=16, as if the callee had hung up. What tells the ends apart
      is CHANNEL(hangupsource) in the called leg's handler: empty after timer or AMI Hangup, else the name of the leg
      (called or caller) that sent the BYE. ANSWEREDTIME_MS was 9025 for those 8501 ms: never bill from it.
[run] AMI Hangup with Cause 45: the called leg's handler sees HANGUPCAUSE 45, the caller after Dial sees 16.
[run] A handler pushed on the called leg in U() runs on every end (timer, AMI Hangup, either BYE): Set(DB()),
      UserEvent and STRFTIME(,UTC,%s.%6q) all work; its three steps took 0.1 to 0.6 ms and the BYE to the callee
      follows it.
[run] Getvar DB(f/k) is *blocked but answered Success with an empty Value* ("Dangerous function DB read blocked" in
      the log only); Setvar DB(f/k) is refused. So: read by DBGet, a family by DBGetTree (both need only reporting;
      the tree gives `/family/key`), delete by Setvar DB_DELETE(f/k) without a channel, which answers Success for a
      missing key too.
[run] PERIODIC_HOOK by Getvar or Setvar is blocked likewise: a hook cannot be attached, stopped or restarted over AMI,
      so it must be set by the dialplan before Dial, and it polls TG_WARN of its channel. It ran at answer, then each
      period (2 s), never twice at once. EXPORT(${HOOK_CHANNEL},TG_WARN)= in the hook clears it, so one Setvar = one
      announcement.
[run] **What a hook itself plays is heard by both parties** (it is ChanSpy with `B`), and it costs 3 ms of processor for
      each second of each call. So one watch of the switch looks at global slots TG_WARN_0..9 each second and whispers
      to the caller alone (`[tollgate-watch]` of the dialplan); Setvar sets a slot, no originate right is needed.
[run] Status: `TimeToHangup` is the epoch second of the hang-up (0 = none), not a remainder; `Seconds` is the age.
      An unset variable asked for in Status comes as `(null)`.
[run] A wrong secret is answered after 1 s ("Authentication failed"): a login wait must be longer.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, Protocol

from ivr.ami.faults import ActionRefused
from ivr.ami.protocol import Event, Response

WARN_SLOTS: Final = 10
EARLY_MS: Final = 1
"""How much too early the switch may fire: so much more it is told, here and in TG_GRANT_S, lest paid time be cut."""
_NO_CHANNEL: Final = "No such channel"
_WORD: Final = re.compile(r"[A-Za-z0-9_.:-]{1,200}\Z")
_CHANNEL: Final = re.compile(r"[A-Za-z0-9_-]+/[A-Za-z0-9_.@-]{1,120}(?:;[12])?")
_SOUND: Final = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*\Z")
_DEADLINE_MAX_S: Final = 30 * 86_400.0


class Verdict(StrEnum):
    """What became of an order to a channel."""

    DONE = "done"
    NO_SUCH_CHANNEL = "no_such_channel"


class Link(Protocol):
    """What is used of the client; see AmiClient for what the two raise."""

    async def call(self, action: Mapping[str, str], timeout_s: float = ...) -> Response:
        """Send one action, return its answer."""

    async def call_list(self, action: Mapping[str, str], timeout_s: float = ...) -> list[Event]:
        """Send one list action, return its items."""


@dataclass(frozen=True, slots=True)
class LiveChannel:
    """One channel as `Status` saw it."""

    name: str
    uniqueid: str
    linkedid: str
    seconds: int  # age of the channel
    hangup_at: datetime | None  # when the switch will end it, whole seconds; None = no deadline armed
    state: str  # ChannelStateDesc: Down, Ring, Ringing, Up, ...
    bridge_id: str  # empty while not bridged
    context: str
    exten: str
    application: str
    variable: str  # value of the variable asked for, empty if none or unset

    def time_to_hangup_s(self, now: datetime) -> float | None:
        """Seconds left at `now` by the switch's clock (whole seconds, so right to one second); None = no deadline."""
        return None if self.hangup_at is None else (self.hangup_at - now).total_seconds()


class Switch:
    """Typed verbs over one link. All raise what AmiClient.call raises; ValueError for an argument that cannot be meant;
    ActionRefused for an error answer other than a missing channel."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._next_slot = 0

    async def set_deadline(self, channel: str, seconds: float) -> Verdict:
        """End the channel (name or Uniqueid) that many seconds from now, no sooner, replacing its deadline.

        Safe to repeat.
        """
        if not (math.isfinite(seconds) and 0.001 <= seconds <= _DEADLINE_MAX_S):
            raise ValueError("a deadline is between 1 ms and 30 days")
        told = f"{seconds + EARLY_MS / 1000:.3f}"
        return await self._order({"Action": "AbsoluteTimeout", "Channel": _one(channel), "Timeout": told})

    async def hang_up(self, channel: str, cause: int) -> Verdict:
        """End the channel (name or Uniqueid) now with a Q.850 cause (1 to 127). Safe to repeat."""
        if not 1 <= cause <= 127:
            raise ValueError("a hangup cause is 1 to 127")
        return await self._order({"Action": "Hangup", "Channel": _one(channel), "Cause": str(cause)})

    async def set_variable(self, channel: str | None, name: str, value: str) -> Verdict:
        """Set a variable (or writable function) of a channel, or a global with None. Functions the switch holds for
        dangerous are refused: ActionRefused."""
        return await self._order({"Action": "Setvar", **_where(channel), "Variable": _named(name), "Value": value})

    async def get_variable(self, channel: str | None, expr: str) -> str | None:
        """Value of a variable or function, empty where unset **or blocked** (see above), None where no such channel."""
        answer = await self._link.call({"Action": "Getvar", **_where(channel), "Variable": _named(expr)})
        return answer.get("Value") if _verdict(answer) is Verdict.DONE else None

    async def channels(self, variable: str | None = None) -> list[LiveChannel]:
        """Every live channel, with the value of one of its variables if asked for."""
        return await self._status({}, variable)

    async def channel(self, channel: str, variable: str | None = None) -> LiveChannel | None:
        """One live channel by name or Uniqueid, None if it is gone."""
        try:
            found = await self._status({"Channel": _one(channel)}, variable)
        except ActionRefused as refused:
            if str(refused) == _NO_CHANNEL:
                return None
            raise
        return found[0] if found else None

    async def read_record(self, family: str, key: str) -> str | None:
        """One line of the switch's own database, None if it is not there."""
        try:
            items = await self._link.call_list({"Action": "DBGet", "Family": _word(family), "Key": _word(key)})
        except ActionRefused as refused:
            if str(refused) == "Database entry not found":
                return None
            raise
        return items[0].get("Val") if items else None

    async def records(self, family: str) -> dict[str, str]:
        """Key and value of every line of a family; keys of sub-families as `sub/key`."""
        items = await self._link.call_list({"Action": "DBGetTree", "Family": _word(family)})
        root = f"/{family}/"
        return {item.get("Key").removeprefix(root): item.get("Val") for item in items}

    async def delete_record(self, family: str, key: str) -> None:
        """Remove one line; a missing one is no error. Safe to repeat."""
        await self.set_variable(None, f"DB_DELETE({_word(family)}/{_word(key)})", "")

    async def play_warning(self, channel: str, files: Sequence[str]) -> None:
        """Leave sound files for the switch to whisper to the channel (name), once, in order, within some two seconds.

        Noted, not heard: of more than ten warnings in a second the oldest may be lost.
        """
        if not files or not all(_SOUND.match(file) for file in files):
            raise ValueError("a warning is one or more sound names")
        if _CHANNEL.fullmatch(channel) is None:
            raise ValueError("not the name of one channel")
        slot, self._next_slot = self._next_slot, (self._next_slot + 1) % WARN_SLOTS
        await self.set_variable(None, f"TG_WARN_{slot}", f"{channel}|{'&'.join(files)}")

    async def _order(self, action: Mapping[str, str]) -> Verdict:
        return _verdict(await self._link.call(action))

    async def _status(self, where: Mapping[str, str], variable: str | None) -> list[LiveChannel]:
        wanted = {} if variable is None else {"Variables": _word(variable)}
        items = await self._link.call_list({"Action": "Status", **where, **wanted})
        return [_live_channel(item, variable) for item in items if item.name == "Status"]


def _verdict(answer: Response) -> Verdict:
    if answer.success:
        return Verdict.DONE
    if answer.message == _NO_CHANNEL:
        return Verdict.NO_SUCH_CHANNEL
    raise ActionRefused(answer.message)


def _live_channel(item: Event, variable: str | None) -> LiveChannel:
    hangup_s = _whole(item.get("TimeToHangup"))
    named, _, value = item.get("Variable").partition("=")
    return LiveChannel(
        name=item.get("Channel"),
        uniqueid=item.get("Uniqueid"),
        linkedid=item.get("Linkedid"),
        seconds=_whole(item.get("Seconds")),
        hangup_at=datetime.fromtimestamp(hangup_s, UTC) if hangup_s else None,
        state=item.get("ChannelStateDesc"),
        bridge_id=item.get("BridgeID"),
        context=item.get("Context"),
        exten=item.get("Exten"),
        application=item.get("Application"),
        # An unset variable is printed as C prints a null string.
        variable=value if variable is not None and named == variable and value != "(null)" else "",
    )


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() else 0


def _one(channel: str) -> str:
    # Empty means "the global" to Setvar, and a leading slash is a pattern to Hangup: neither is one channel.
    if not channel or channel.startswith("/") or channel != channel.strip():
        raise ValueError("not the name or Uniqueid of one channel")
    return channel


def _where(channel: str | None) -> dict[str, str]:
    return {} if channel is None else {"Channel": _one(channel)}


def _named(name: str) -> str:
    if not name:
        raise ValueError("a variable has a name")
    return name


def _word(text: str) -> str:
    if not _WORD.match(text):
        raise ValueError("not a plain word")
    return text
