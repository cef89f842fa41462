"""What the gateway's switch tells of its calls, made into lines and a picture of each call. Pure.

The demonstration invents nothing: a line comes from an event of the manager interface, or (money) from the database.
Digits that are secrets become stars here and go no further.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from ivr.demo.caption import caption

Message = Mapping[str, str]

_PLAYED = re.compile(r'(?:GET DATA|EXEC Background|EXEC Playback) "([^",]+)')
_STREAMED = re.compile(r"STREAM FILE (\S+)")
_QUESTIONS = {
    "tollgate/enter-ssn-last-four": "age check",
    "tollgate/enter-ssn": "age check",
    "tollgate/enter-date-of-birth": "age check",
    "tollgate/enter-licence": "age check",
    "tollgate/enter-name": "age check",
    "tollgate/enter-pin": "PIN",
    "tollgate/enter-access-code": "access code",
    # the balance leads into the question: who keys during it keys the destination already
    "tollgate/your-balance-is": "destination",
    "tollgate/enter-destination": "destination",
}
SHOWN_DIGITS = frozenset({"tollgate/your-balance-is", "tollgate/enter-destination"})


class Who(StrEnum):
    """Whose doing a line is."""

    CALLER = "caller"
    GATEWAY = "gateway"
    NETWORK = "network"
    MONEY = "money"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened."""

    who: Who
    text: str


@dataclass(slots=True)
class Scene:
    """One call as the switch shows it."""

    uniqueid: str
    channel: str
    dialled: str
    step: str = "rings"
    hears: str = ""
    asked: str = ""
    keys: str = field(default="", repr=False)
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    warned: bool = False
    gone: bool = False

    def used_ms(self, now: datetime) -> int:
        """Milliseconds of conversation, as the switch stamped them; up to now while it lasts."""
        if self.answered_at is None:
            return 0
        return max(0, ((self.ended_at or now) - self.answered_at) // timedelta(milliseconds=1))


class Watch:
    """All calls of the gateway's switch, by the unique id of the caller's leg."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._whispered_to = ""
        self.scenes: dict[str, Scene] = {}

    def see(self, message: Message) -> list[Line]:
        """Take one event of the manager interface in; the lines to show for it."""
        kind = message.get("Event", "")
        if kind == "Newchannel":
            return self._arrive(message)
        if kind == "Newexten":
            return self._whisper(message)
        scene = self.scenes.get(message.get("Linkedid", "")) or self.scenes.get(message.get("Uniqueid", ""))
        if scene is None:
            return []
        tell = {
            "AGIExecStart": _play,
            "AGIExecEnd": _fall_silent,
            "DTMFEnd": _key,
            "DialBegin": _dial,
            "UserEvent": _stamp,
            "Hangup": _hang_up,
        }.get(kind)
        return list(tell(scene, message, self._texts)) if tell else []

    def _arrive(self, message: Message) -> list[Line]:
        uniqueid = message.get("Uniqueid", "")
        if message.get("Context") != "tollgate-in" or uniqueid != message.get("Linkedid"):
            return []
        scene = Scene(uniqueid, message.get("Channel", ""), message.get("Exten", "").removeprefix("+"))
        self.scenes[uniqueid] = scene
        return [Line(Who.NETWORK, f"an INVITE for {scene.dialled} arrives on {scene.channel}: ringing")]

    def _whisper(self, message: Message) -> list[Line]:
        """A warning goes by a channel of its own: who listens in says to whom, what is played says what."""
        application, told = message.get("Application", ""), message.get("AppData", "")
        if message.get("Context") == "tollgate-whisper" and application == "ChanSpy":
            self._whispered_to = told.partition(",")[0]
        if message.get("Context") != "tollgate-say" or application != "Playback":
            return []
        words = caption(told.partition(",")[0].split("&"), self._texts)
        for scene in self.scenes.values():
            if scene.answered_at and not scene.ended_at and self._whispered_to in {"", scene.channel}:
                scene.warned = True
                scene.hears = f"whispered: “{words}”"
        return [Line(Who.GATEWAY, f"warns the caller, unheard by the other side: “{words}”")]


def _play(scene: Scene, message: Message, texts: Mapping[str, str]) -> Iterator[Line]:
    files = played(message.get("Command", ""))
    if scene.keys and (files or "MSet" in message.get("Command", "")):
        yield Line(Who.CALLER, f"keys {scene.keys}")
        scene.keys = ""
    if not files:
        return
    if scene.step == "rings":
        scene.step = "answered"
    asked = next((name for name in reversed(files) if name in _QUESTIONS), "")
    if asked:
        scene.asked, scene.step = asked, _QUESTIONS[asked]
    elif "tollgate/connecting" in files:
        scene.step = "price and talk time"
    elif scene.ended_at is not None or "tollgate/goodbye" in files:
        scene.step = "goodbye"
    words = caption(files, texts)
    scene.hears = f"“{words}”"
    yield Line(Who.GATEWAY, f"says “{words}”")


def _fall_silent(scene: Scene, message: Message, texts: Mapping[str, str]) -> Iterator[Line]:
    del texts
    if played(message.get("Command", "")):
        scene.hears = ""
    return iter(())


def _key(scene: Scene, message: Message, texts: Mapping[str, str]) -> Iterator[Line]:
    del texts
    if message.get("Direction") == "Received" and message.get("Uniqueid") == scene.uniqueid:
        digit = message.get("Digit", "")
        scene.keys += digit if scene.asked in SHOWN_DIGITS or digit == "#" else "*"
    return iter(())


def _dial(scene: Scene, message: Message, texts: Mapping[str, str]) -> Iterator[Line]:
    del texts
    if message.get("Uniqueid") == scene.uniqueid:
        number, _, trunk = message.get("DialString", "").partition("@")
        scene.step, scene.hears = f"rings +{number}", "the ringing tone"
        yield Line(Who.GATEWAY, f"lets the switch dial +{number} on trunk {trunk}")


def _stamp(scene: Scene, message: Message, texts: Mapping[str, str]) -> Iterator[Line]:
    del texts
    kind = message.get("UserEvent")
    if kind == "TollgateAnswered":
        scene.answered_at = _moment(message.get("Answered", ""))
        scene.step, scene.hears = "talking", "the other side"
        yield Line(Who.NETWORK, "the other side answers: the meter runs")
    elif kind == "TollgateEnded":
        scene.ended_at = _moment(message.get("Ended", ""))
        scene.step, scene.hears = "conversation over", ""
        if scene.ended_at is not None:
            seconds = scene.used_ms(scene.ended_at) / 1000
            yield Line(Who.NETWORK, f"the conversation is over after {seconds:.3f} s (stamps of the switch)")


def _hang_up(scene: Scene, message: Message, texts: Mapping[str, str]) -> Iterator[Line]:
    del texts
    if message.get("Uniqueid") == scene.uniqueid:
        scene.gone, scene.step, scene.hears = True, "over", ""
        yield Line(Who.NETWORK, f"the call is over, cause {message.get('Cause', '?')}")


def played(command: str) -> Sequence[str]:
    """The sound files an AGI command plays; none for any other command."""
    found = _PLAYED.match(command) or _STREAMED.match(command)
    return found[1].split("&") if found else ()


def _moment(epoch_s: str) -> datetime | None:
    """A stamp of the dialplan, `1795225842.123456`."""
    whole, _, part = epoch_s.partition(".")
    if not (whole.isdigit() and part.isdigit() and len(part) == 6):
        return None
    return datetime.fromtimestamp(int(whole), UTC) + timedelta(microseconds=int(part))
