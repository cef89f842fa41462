"""The work of one process until it is killed: it takes up what is there, then serves clients and callers without pause.

Before each request it writes in its diary what it is about to send, and after the answer what it was told; what is
written survives the process.
"""

import asyncio
import dataclasses
import itertools
import json
import os
import random
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import structlog
from sqlalchemy.engine import Connection, Engine

from billing.calls import service as call_service
from billing.calls import store as call_store
from billing.calls.call import Authorise, Authorised, Extended, NewCall, Settle
from billing.calls.call import LiveCall as KeptCall
from billing.consumption import service as consumption
from billing.operators import store as operator_store
from billing.rating import Grant, Rate
from billing.tariffs.book.service import RateBook
from ivr.ami.switch import Switch
from ivr.live_calls import LiveCalls
from ivr.metering import MeterPolicy
from ivr.meters import Meters
from ivr.recovery import Recovery
from ivr.settlement import Settler
from runtime import database
from runtime.database import transaction
from runtime.idle import Idle
from runtime.ids import new_id
from runtime.prepared import Prepared
from tests.clock import SettableClock
from tests.proof.counter import CODES, DNIS, Answer, Counter, Kind, Order
from tests.proof.lives import steps_of
from tests.proof.paper_switch import PaperSwitch

GRANT_S = 60
CALL = "call"
"""The service of an order of the diary that is a call's."""
CLIENTS, CALLERS = 2, 2
ANI = "+12125550100"
BUSY_S = 60.0


@dataclass(frozen=True, slots=True)
class Shift:
    """What a process is told: its database, its switch, the time, and where it goes on."""

    url: str
    folder: Path
    switch: str
    number: int
    now: datetime
    operator_id: int
    account_id: int
    account_number: str
    unfinished: tuple[tuple[int, int], ...] = ()
    """Lives of clients that were in the middle, and at which step."""
    first_life: int = 0
    lives: int | None = None
    calls: int | None = None
    """How many each client and each caller makes; none: as many as there is time for."""
    leaves_calls: bool = False
    """The calls it makes are left to others to settle."""
    dies_at: tuple[str, int] | None = None
    """Kill yourself at this one of your `writes`, or `before` or `after` this one of your commits."""

    @property
    def diary(self) -> Path:
        """Where it writes down what it does."""
        return self.folder / f"diary-{self.number}"


class Diary:
    """Lines that are in the file before the next step is taken."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, said: str, **what: object) -> None:
        """One line, in one piece."""
        os.write(self._file, json.dumps({"said": said, **what}).encode() + b"\n")


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a diary."""

    said: str
    order: Order | None = None
    answer: Answer | None = None
    life: int = -1
    step: int = 0


def read_diary(path: Path) -> Iterator[Entry]:
    """Its lines; the process may be gone in the middle of the last one."""
    text = path.read_bytes() if path.exists() else b""
    for line in text.splitlines(keepends=True):
        if line.endswith(b"\n"):
            row: dict[str, Any] = json.loads(line)
            order = None
            if "order" in row:
                order = Order(**{**row["order"], "kind": Kind(row["order"]["kind"])})
            answer = Answer(**row["answer"]) if "answer" in row else None
            yield Entry(row["said"], order, answer, row.get("life", -1), row.get("step", 0))


def work(shift: Shift) -> None:
    """All of it; a thread that fails fails the process."""
    engine = database.create_engine(shift.url, busy_timeout_s=BUSY_S)
    if shift.dies_at is not None:
        _doom(*shift.dies_at)
    clock = SettableClock(shift.now)
    diary = Diary(shift.diary)
    switch = PaperSwitch(shift.folder, clock)
    up = take_up(engine, clock, switch, shift.switch)
    while consumption.end_overdue(engine, clock):
        pass
    diary.write("recovered")
    clients = Clients(Counter(engine, clock, shift.operator_id, shift.account_number), diary, shift)
    callers = Callers(engine, clock, switch, diary, shift, up)
    with ThreadPoolExecutor(CLIENTS + CALLERS) as pool:
        tasks = [pool.submit(clients.serve, number) for number in range(CLIENTS)]
        tasks += [pool.submit(callers.serve, number) for number in range(CALLERS)]
        for task in tasks:
            task.result()
    diary.write("done")
    engine.dispose()


def _doom(where: str, number: int) -> None:
    """Be killed in the middle of a transaction, or between its COMMIT and the answer to whom it concerns."""
    counted = itertools.count(1)

    def pass_by(place: str) -> None:
        if place == where and next(counted) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    commit, write = Idle.commit, Prepared.run

    def do_commit(idle: Idle, connection: Connection) -> None:
        pass_by("before")
        commit(idle, connection)
        pass_by("after")

    def run(prepared: Prepared, conn: Connection, **values: object) -> int:
        changed = write(prepared, conn, **values)
        pass_by("writes")
        return changed

    Idle.commit = do_commit  # type: ignore[method-assign, assignment]  # in this process
    Prepared.run = run  # type: ignore[method-assign, assignment]  # in this process


def take_up(engine: Engine, clock: SettableClock, paper: PaperSwitch, name: str) -> list[KeptCall]:
    """What a gateway does when it starts; gives the calls that are still up."""
    switch, log = cast(Switch, paper), structlog.wrap_logger(None, processors=[_drop])
    live = LiveCalls()

    async def resync(pool: ThreadPoolExecutor) -> None:
        settler = Settler(engine, clock, switch, pool, live, log)
        meters = Meters(engine, clock, switch, pool, MeterPolicy(GRANT_S * 1000, 20_000, ()), log)
        await Recovery(engine, clock, switch, pool, live, meters, settler, name, log).resync()
        for call in live:
            call.stop_timer()

    with ThreadPoolExecutor(2) as pool:
        asyncio.run(resync(pool))
    with database.reading(engine) as conn:
        return call_store.live_calls(conn, name)


def _drop(*_: object) -> Any:
    raise structlog.DropEvent


class Clients:
    """Other services: each client lives one life after another, and goes on with those it was in."""

    def __init__(self, counter: Counter, diary: Diary, shift: Shift) -> None:
        self._counter, self._diary, self._shift = counter, diary, shift

    def serve(self, number: int) -> None:
        """One client."""
        for life, step in self._shift.unfinished[number::CLIENTS]:
            self._live(life, step)
        first = self._shift.first_life + number
        lives = itertools.count(first, CLIENTS)
        for life in lives if self._shift.lives is None else itertools.islice(lives, self._shift.lives):
            self._live(life, 0)

    def _live(self, life: int, begin: int) -> None:
        for step, orders in enumerate(steps_of(life)):
            if step < begin:
                continue
            answers = [self._send(order, life, step) for order in orders]
            if orders[0].kind in {Kind.OPEN, Kind.DEBIT} and all(answer.refused for answer in answers):
                break
        self._diary.write("over", life=life)

    def _send(self, order: Order, life: int, step: int) -> Answer:
        self._diary.write("begun", order=asdict(order), life=life, step=step)
        answer = self._counter.send(order)
        self._diary.write("answered", order=asdict(order), answer=asdict(answer), life=life, step=step)
        return answer


class Callers:
    """Telephone calls: ring, be authorised, be answered, be extended, hang up, be settled."""

    def __init__(
        self,
        engine: Engine,
        clock: SettableClock,
        switch: PaperSwitch,
        diary: Diary,
        shift: Shift,
        up: list[KeptCall],
    ) -> None:
        self._engine, self._clock, self._switch, self._diary = engine, clock, switch, diary
        self._shift, self._up = shift, up
        self._lock = threading.Lock()
        with database.reading(engine) as conn:
            profile = operator_store.profile_for(conn, DNIS)
        assert profile is not None
        rate = RateBook(engine, clock).rate_for(profile.tariff_id, CODES["voice"], clock.now())
        assert isinstance(rate, Rate)
        self._rate, self._profile_id = rate, profile.id

    def serve(self, number: int) -> None:
        """One telephone after another."""
        dice = random.Random(self._shift.number * CALLERS + number)
        for kept in self._up[number::CALLERS]:
            if kept.session is not None and self._leg_is_up(kept.call.call_id):
                self._go_on(dice, kept.call.call_id, kept.session.grant, kept.session.request_number)
        calls = itertools.count() if self._shift.calls is None else range(self._shift.calls)
        for _ in calls:
            self._call(dice)

    def _leg_is_up(self, call_id: str) -> bool:
        return any(leg.call_id == call_id and leg.used_ms is None for leg in self._switch.legs())

    def _call(self, dice: random.Random) -> None:
        call_id, now = new_id(), self._clock.now()
        self._switch.ring(call_id)
        name = self._shift.switch
        new = NewCall(call_id, name, call_id, f"PJSIP/{call_id}", DNIS, ANI, now, self._profile_id)
        with transaction(self._engine) as conn:
            call_service.open_call(conn, new)
        grant = self._authorise(call_id, dice.randint(10, GRANT_S) * 1000)
        if grant is None or dice.random() < 0.15:
            self._switch.hang_up(call_id, None)
            self._settle(call_id, None)
            return
        self._switch.answer(call_id, now, grant.granted_ms)
        self._go_on(dice, call_id, grant, 0)

    def _go_on(self, dice: random.Random, call_id: str, grant: Grant, number: int) -> None:
        for _ in range(dice.randrange(3)):
            number += 1
            more = self._extend(call_id, number, grant.granted_ms + 20_000)
            if more is None:
                break
            grant = more
            self._switch.arm(call_id, grant.granted_ms)
        if self._shift.leaves_calls:
            if dice.random() < 0.5:
                self._switch.hang_up(call_id, talked_ms(dice, grant.granted_ms))
            return
        used_ms = talked_ms(dice, grant.granted_ms)
        self._switch.hang_up(call_id, used_ms)
        self._settle(call_id, used_ms)

    def _authorise(self, call_id: str, wanted_ms: int) -> Grant | None:
        order = Order(Kind.OPEN, call_id, wanted_ms, CALL)
        wanted = Authorise(
            call_id=call_id,
            session_id=call_id,
            account_id=self._shift.account_id,
            rate=self._rate,
            destination="+" + CODES["voice"],
            trunk="network",
            ani=ANI,
            session_cap_ms=1_860_000,
            month_cap_ms=2**50,
            wanted_ms=wanted_ms,
            minimum_ms=5_000,
            profile_id=self._profile_id,
        )
        self._diary.write("begun", order=asdict(order))
        answer = call_service.authorise(self._engine, self._clock, wanted)
        return self._granted(order, answer)

    def _extend(self, call_id: str, number: int, wanted_ms: int) -> Grant | None:
        order = Order(Kind.EXTEND, call_id, wanted_ms, CALL, number)
        self._diary.write("begun", order=asdict(order))
        return self._granted(order, call_service.extend(self._engine, self._clock, call_id, number, wanted_ms))

    def _granted(self, order: Order, answer: Authorised | Extended | object) -> Grant | None:
        grant = answer.grant if isinstance(answer, Authorised | Extended) else None
        told = Answer(refused=str(answer))
        if grant is not None:
            told = Answer(granted=grant.granted_ms, held_micros=grant.held_micros)
        self._diary.write("answered", order=asdict(order), answer=asdict(told))
        return grant

    def _settle(self, call_id: str, used_ms: int | None) -> None:
        now = self._clock.now()
        answered_at = None if used_ms is None else now
        ended_at = now + timedelta(milliseconds=used_ms or 0)
        order = Order(Kind.END, call_id, used_ms or 0, CALL)
        self._diary.write("begun", order=asdict(order))
        cdr = call_service.settle(
            self._engine, self._clock, Settle(call_id, answered_at, ended_at, "answered", 16, "event")
        )
        self._diary.write("answered", order=asdict(order), answer=asdict(Answer(moved_micros=-cdr.charged_micros)))
        self._switch.forget(call_id)


def talked_ms(dice: random.Random, armed_ms: int) -> int:
    """Whole seconds, within what the switch allows."""
    return dice.randint(0, armed_ms // 1000) * 1000


def next_shift(shift: Shift, **changes: object) -> Shift:
    """The process after it."""
    return dataclasses.replace(shift, **{"number": shift.number + 1, **changes})  # type: ignore[arg-type]  # by name
