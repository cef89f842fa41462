"""A switch on paper, one file a call: it outlives the gateways that are killed, and knows how long each call was."""

import contextlib
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from ivr.ami.switch import LiveChannel, Verdict
from runtime.clock import Clock
from runtime.database import to_micros

MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Leg:
    """A call as the switch knows it: answered or not, how long it may go on, how long it went on (none: it is up)."""

    call_id: str
    answered_us: int | None = None
    armed_ms: int = 0
    used_ms: int | None = None

    @property
    def record(self) -> str:
        """As `DB(tollgate/CALL)` keeps it."""
        assert self.answered_us is not None
        ended = "" if self.used_ms is None else _stamp(self.answered_us + self.used_ms * 1000)
        return f"{_stamp(self.answered_us)}|{ended}|16"


class PaperSwitch:
    """What the network does is written at once and whole; what the gateway asks is answered as a real switch does."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._up, self._over, self._clock = folder / "up", folder / "over", clock
        for place in (self._up, self._over):
            place.mkdir(parents=True, exist_ok=True)

    def ring(self, call_id: str) -> None:
        """A caller is there."""
        self._write(Leg(call_id))

    def answer(self, call_id: str, at: datetime, armed_ms: int) -> None:
        """The called party answered, and the switch ends the call after so long."""
        self._write(Leg(call_id, to_micros(at), armed_ms))

    def arm(self, call_id: str, armed_ms: int) -> None:
        """It may go on for so long in all."""
        self._write(replace(self.find(call_id), armed_ms=armed_ms))

    def hang_up(self, call_id: str, used_ms: int | None) -> None:
        """It is over; a call that was never answered leaves nothing but that."""
        self._write(replace(self.find(call_id), used_ms=used_ms))
        if used_ms is None:
            self.forget(call_id)

    def forget(self, call_id: str) -> None:
        """Nobody will ask for it again, but the proof."""
        with contextlib.suppress(FileNotFoundError):
            (self._up / call_id).rename(self._over / call_id)

    def find(self, call_id: str) -> Leg:
        """A call that is not forgotten."""
        return Leg(**json.loads((self._up / call_id).read_text()))

    def legs(self) -> list[Leg]:
        """All calls that are not forgotten."""
        return list(_read(self._up))

    def forgotten(self) -> Iterator[Leg]:
        """All that were forgotten; each is told once."""
        for leg in _read(self._over):
            (self._over / leg.call_id).unlink()
            yield leg

    async def records(self, family: str) -> dict[str, str]:
        """What the gateway reads of all answered calls."""
        return {leg.call_id: leg.record for leg in self.legs() if leg.answered_us is not None}

    async def channels(self) -> list[LiveChannel]:
        """The legs that are up: the caller's, and the called one of a call that was answered."""
        up = []
        for leg in self.legs():
            if leg.used_ms is None:
                up.append(_channel(leg.call_id, leg.call_id, None))
                if leg.answered_us is not None:
                    armed_at = self._answered_at(leg) + leg.armed_ms * MILLISECOND
                    up.append(_channel(f"{leg.call_id}.2", leg.call_id, armed_at))
        return up

    async def read_record(self, family: str, key: str) -> str | None:
        """One of them."""
        return (await self.records(family)).get(key)

    async def delete_record(self, family: str, key: str) -> None:
        """The gateway has settled it."""
        self.forget(key)

    async def set_deadline(self, channel: str, seconds: float) -> Verdict:
        """The gateway sets the time of a called leg anew, from this moment on."""
        leg = self.find(channel.removesuffix(".2"))
        already = self._clock.now() - self._answered_at(leg)
        self.arm(leg.call_id, (already + timedelta(seconds=seconds)) // MILLISECOND)
        return Verdict.DONE

    def _answered_at(self, leg: Leg) -> datetime:
        assert leg.answered_us is not None
        return self._clock.now() + timedelta(microseconds=leg.answered_us - to_micros(self._clock.now()))

    def _write(self, leg: Leg) -> None:
        draft = self._up.parent / f"{leg.call_id}.{os.getpid()}.{threading.get_ident()}"
        draft.write_text(json.dumps(asdict(leg)))
        draft.rename(self._up / leg.call_id)


def _read(place: Path) -> Iterator[Leg]:
    for file in sorted(place.iterdir()):
        with contextlib.suppress(FileNotFoundError):
            yield Leg(**json.loads(file.read_text()))


def _channel(uniqueid: str, linkedid: str, hangup_at: datetime | None) -> LiveChannel:
    return LiveChannel(f"PJSIP/{uniqueid}", uniqueid, linkedid, 5, hangup_at, "Up", "", "", "", "", "")


def _stamp(micros: int) -> str:
    return f"{micros // 1_000_000}.{micros % 1_000_000:06d}"
