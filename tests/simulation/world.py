"""A town of accounts, callers, applications and staff, and everything that goes wrong in it, told from one seed."""

import asyncio
import gc
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError

from billing.accounts import service as account_service
from billing.bundles import service as bundle_service
from billing.bundles.offer import Offer
from billing.charging.session import ChargeRefusal
from billing.consumption import service as consumption
from billing.consumption.consumption import Sold
from billing.operators import service as operator_service
from billing.operators.tables import service_profile
from billing.pricing.bundles import Bundle, CoverRule
from billing.rating import Rate
from billing.tariffs import service as tariff_service
from billing.tariffs.book.service import RateBook
from billing.tariffs.service import Imported, TariffImport
from billing.tariffs.tariff import read_rate
from runtime import database
from runtime.faults import StaffError
from tests.simulation import customers
from tests.simulation.faults import INJECTED, Faults, Killed, open_database
from tests.simulation.gateway import CAP_MS, MONTH_CAP_S, Log, Process, SimGateway
from tests.simulation.intents import CALL, Intents, MeantSession, ViolationError
from tests.simulation.observer import Look, Observer
from tests.simulation.prices import Price, prices_of
from tests.simulation.rows import EMPTY, VERSIONS
from tests.simulation.switch import SimCall, SimSwitch
from tests.simulation.truth import Truth
from tests.simulation.units import OFFERS
from tests.simulation.virtual import SECOND, VirtualClock, VirtualLoop

ACCOUNTS = 32
BUNDLED = 0.3
"""The share of accounts that begin with bundles."""
PLAIN = (("33", "33142685300"), ("44", "442079460123"), ("49", "4930123456"))
RICH = (
    ("39", "390612345678"),
    ("34", "34911234567"),
    ("354", "3545551234"),
    ("41", "41441234567"),
    ("43", "4312345678"),
    ("47", "4722123456"),
)
"""Numbers whose prices depend on more than their minutes."""
HEALED_US = 120 * SECOND
AUDIT_EVERY = 4_000
DEEPEST = 3


@dataclass(slots=True)
class Customer:
    """An account and what its owner remembers."""

    account_id: int
    number: str
    credits: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a world."""

    seed: int
    sessions: int
    granted: int
    steps: int
    commits: int
    faults: int
    kills: int
    digest: int


class World:
    """One simulated town, on one empty database, from one seed."""

    def __init__(self, url: str, seed: int, sessions: int) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        self.clock = VirtualClock()
        self.loop = VirtualLoop(self.clock, self.fail)
        self.faults = Faults(self.chance, break_share=0.03, wait_share=0.04)
        self.faults.let_others_go = self._let_others_go
        self.faults.end_process = self._end_process
        self.faults.before_turn = self._look_if_behind
        self._url = url
        self._engines: list[Engine] = []
        self._clean = database.create_engine(url)
        self.calm = False
        self.violation: ViolationError | None = None
        self.step = 0
        self.sessions = 0
        self.sessions_granted = 0
        self._wanted = sessions
        self._ids = 0
        self._depth = 0
        self._looked_at = 0
        self._calm_until_us = 0
        self._now_running: Process | None = None
        self._healthy_since_us = 0
        self._story: dict[int, deque[tuple[int, int, str, object]]] = {}
        self._found_towns()
        self.intents = Intents()
        self.look = Look(url)
        self.switch = SimSwitch(self.loop, self.clock, self.chance)
        self.switch.dialled = self._dialled
        self.truth = Truth(self.look, self.clock, self.switch)
        self.observer = Observer(
            self.look, self._clean, self.clock, self.intents, self._prices, self.truth.call_fault, self.truth.began_us
        )
        self.observer.tell = self.observer.stock.tell = self.tell
        self._customers = [self._open_account() for _ in range(ACCOUNTS)]
        self._lines = [self._new_line() for _ in range(2 * ACCOUNTS)]

    # what is there at the beginning

    def _found_towns(self) -> None:
        engine = self._clean
        operator = operator_service.create_operator(engine, code="town", name="Town", currency="USD", home_country="US")
        self.operator_id = operator.id
        self._prices: dict[tuple[int, str], Price] = {}
        tariff_id = 0
        self.clock.step(-3 * 3600 * SECOND)  # so that a wall set back still finds prices
        for number, rows in enumerate(VERSIONS):
            at = database.from_micros(self.clock.wall_us + (3 * 3600 + 900) * SECOND) if number else None
            rates = [read_rate({**EMPTY, **row}, "USD") for row in rows]
            wanted = TariffImport(operator.id, "all", "USD", at, "simulation")
            loaded = tariff_service.import_tariff(engine, self.clock, wanted, rates)
            assert isinstance(loaded, Imported)
            tariff_id = loaded.tariff.id
            self._prices.update(((loaded.version.id, prefix), one) for prefix, one in prices_of(rows).items())
        self.clock.step(3 * 3600 * SECOND)
        for name, kind in OFFERS.items():
            units = Bundle(
                0,
                kind.units,
                kind.measure,
                CoverRule(kind.rule),
                kind.priority,
                services=kind.services,
                prefixes=kind.prefixes,
                price_micros=kind.micros,
                covers_fees=kind.covers_fees,
            )
            bundle_service.create(engine, self.clock, Offer("town", name, units), by="staff")
        with database.transaction(engine) as conn:
            profile_id = conn.execute(
                sa.insert(service_profile)
                .values(
                    operator_id=operator.id,
                    name="calling",
                    tariff_id=tariff_id,
                    age_check=False,
                    issue_pin=False,
                    month_cap_s=MONTH_CAP_S,
                    reach="abroad",
                )
                .returning(service_profile.c.id)
            ).scalar_one()
        self._service = (int(profile_id), tariff_id)

    def _open_account(self) -> Customer:
        limit_micros = self.chance.choice((0, 0, 0, 2_000_000))
        number = f"{len(self._story) + 1:010d}"
        made = account_service.create_account(
            self._clean, self.clock, operator_code="town", number=number, limit_micros=limit_micros
        )
        self._story[made.id] = deque(maxlen=150)
        customer = Customer(made.id, number)
        self.loop.after(0, customers.pay, self, customer, self.chance.randrange(500_000, 6_000_000))
        if self.chance.random() < BUNDLED:
            for _ in range(self.chance.choice((1, 1, 2, 3))):
                customers.give_units(self, customer)
        return customer

    def give(self, customer: Customer, offer: str, expires_at: datetime | None) -> None:
        """Staff give a bundle; at once, since it is not asked for by a key."""
        try:
            bundle_service.grant(self._clean, self.clock, customer.number, offer, by="staff", expires_at=expires_at)
        except StaffError:
            return  # closed meanwhile
        self.observer.stock.given(customer.account_id)
        self.tell(customer.account_id, f"given {offer} until {expires_at}")

    def replace(self, customer: Customer) -> None:
        """An account was closed: a new one comes."""
        if customer in self._customers:
            self._customers[self._customers.index(customer)] = self._open_account()

    def _new_line(self) -> str:
        return f"+1212{self.chance.randrange(2_000_000, 9_999_999)}"

    def new_id(self) -> str:
        """An id never used before in this world."""
        self._ids += 1
        return f"{self.seed % 2**32:08x}{self._ids:012x}"

    def sold(self, customer: Customer, service: str, code: str) -> Sold:
        """What is charged for."""
        return Sold(self.operator_id, customer.number, "all", service, code)

    def prices_by_code(self, code: str) -> list[Price]:
        """What it may cost, by whichever version."""
        return [price for (_, prefix), price in self._prices.items() if prefix == code]

    # processes

    def _delays_us(self) -> tuple[int, int]:
        if self.calm:
            return 0, 0
        before = self.chance.choice((0, 0, 0, 0, 1_000, 1_000, 5_000, 5_000, 60_000, 1_500_000))
        return before, self.chance.choice((0, 0, 0, 0, 0, 0, 0, 0, 20_000, 900_000))

    def _process(self) -> tuple[Process, Engine]:
        """A new process with an engine of its own."""
        engine = open_database(self._url, self.faults)
        self._engines.append(engine)
        return Process(self.run, self.loop, self.chance, self._delays_us), engine

    def _start_web(self) -> None:
        self.web, self.engine = self._process()
        self.web.killed = lambda: self.loop.after(self.chance.randrange(1, 10 * SECOND), self._start_web)
        self.web_rates = RateBook(self.engine, self.clock)
        self._unwell()

    def _start_gateway(self) -> None:
        process, engine = self._process()
        process.killed = self._gateway_killed
        log = Log(self.fail)
        self._gateway = SimGateway(
            engine, self.clock, self.loop, self.switch, process, self.chance, self._service, log, self._refused
        )
        self.switch.say = self._gateway.heed
        self._unwell()

    def _gateway_killed(self) -> None:
        """Whose turn it was hears that it does not work and is hung up; a new process comes."""
        self._unwell()
        self._tell_all("gateway killed")
        for call in self.switch.calls.values():
            if call.state in {"dialogue", "over"} and call.caller_up:
                self.loop.after(self.chance.randrange(1, 2 * SECOND), self._left_alone, call)
        self.loop.after(self.chance.randrange(1, 20 * SECOND), self._start_gateway)

    def _left_alone(self, call: SimCall) -> None:
        if call.state in {"dialogue", "over"}:
            self.switch.caller_leaves(call)

    def _unwell(self) -> None:
        """Recovery has its time from now on."""
        self._healthy_since_us = self.clock.elapsed_us

    def run(self, process: Process, work: Callable[[], Any], about: tuple[int, ...] = ()) -> Any:
        """Do something of a process; the books are looked at right after it."""
        outer, self._now_running = self._now_running, process
        try:
            return work()
        except Killed:
            process.kill()
            raise
        except DBAPIError as error:
            if not isinstance(error.orig, INJECTED):
                self.fail(error)
            raise
        finally:
            self._now_running = outer
            if self.faults.commits != self._looked_at:
                self._look(about)

    def serve(self, customer: Customer, what: str, work: Callable[[], Any]) -> tuple[bool, Any]:
        """Let the web process answer a request; false when no answer comes."""
        if not self.web.alive:
            return False, None
        self.tell(customer.account_id, what)
        try:
            answer = self.run(self.web, lambda: customers.changed_or(work), (customer.account_id,))
        except Killed:
            self.tell(customer.account_id, f"{what}: the process was killed")
            return False, None
        except DBAPIError as error:
            self.tell(customer.account_id, f"{what}: {error.orig}")
            return False, None
        self.tell(customer.account_id, what, answer)
        return True, answer

    def _end_process(self) -> None:
        if self._now_running is not None:
            self._now_running.kill()

    def _let_others_go(self, us: int) -> None:
        process = self._now_running
        if self._depth >= DEEPEST or process is None:
            return
        self._look_if_behind()
        self._depth += 1
        until_us = self.clock.elapsed_us + us
        while (due_us := self.loop.next_us) is not None and due_us <= until_us and self.violation is None:
            self._advance()
        self.clock.elapsed_us = max(self.clock.elapsed_us, until_us)
        self._depth -= 1
        self._now_running = process
        if not process.alive:
            raise Killed

    def _look_if_behind(self) -> None:
        """Look at what was committed before anybody else writes: so the order of commits is known."""
        if self.faults.commits != self._looked_at:
            self._look(())

    def _look(self, about: tuple[int, ...]) -> None:
        self._looked_at = self.faults.commits
        self.observer.latest_wall_us = max(self.observer.latest_wall_us, self.clock.wall_us)
        try:
            self.observer.after_step(about)
        except ViolationError as violation:
            self.fail(violation)

    def fail(self, fault: BaseException) -> None:
        """The first violation stands; any exception nobody meant is one."""
        if self.violation is None and not isinstance(fault, Killed):
            if isinstance(fault, ViolationError):
                self.violation = fault
            else:
                self.violation = ViolationError(f"{type(fault).__name__}: {fault}")
                self.violation.__cause__ = fault

    # what is remembered for the one who has to find out why

    def tell(self, account_id: int, text: str, answer: object = None) -> None:
        """Something happened on an account; it is put into words only when somebody wants to read it."""
        story = self._story.get(account_id)
        if story is not None:
            story.append((self.step, self.clock.elapsed_us, text, answer))

    def _tell_all(self, text: str) -> None:
        for account_id in self._story:
            self.tell(account_id, text)

    def story_of(self, account_id: int | None) -> list[str]:
        """The last that happened on an account."""
        return [
            f"step {step} {elapsed_us / SECOND:.6f} s: {text}" + ("" if answer is None else f": {answer}")
            for step, elapsed_us, text, answer in self._story.get(account_id or 0, ())
        ]

    # calls

    def _call(self) -> None:
        customer = self.chance.choice(self._customers)
        prefix, number = self.chance.choice(PLAIN if self.chance.random() < 0.5 else RICH)
        call_id = self.new_id()
        call = SimCall(
            call_id,
            customer.account_id,
            self.chance.choice(self._lines),
            number,
            round(self.chance.expovariate(1 / 40) * SECOND),
            self.chance.randrange(SECOND // 2, 8 * SECOND),
            self.chance.choice(("answer",) * 8 + ("BUSY", "NOANSWER")),
            f"u{call_id}",
            f"s{call_id}",
        )
        self.switch.arrive(call)
        if self.chance.random() < 0.1:
            self.loop.after(self.chance.randrange(1, 30 * SECOND), self.switch.caller_leaves, call)
        if not self._gateway.process.alive:
            self.loop.after(SECOND, self.switch.caller_leaves, call)
            return

        def meant(rate: Rate) -> None:
            wanted = MeantSession(call.session_id, customer.account_id, CALL, prefix, CAP_MS, call.call_id, code=number)
            self.intents.session(wanted)
            self.tell(customer.account_id, f"call {call.call_id} asks for {number} at {rate.tariff_version_id}")

        self._gateway.call(call, meant)

    def _refused(self, call: SimCall, refusal: StrEnum) -> None:
        self.tell(call.account_id, f"call {call.call_id} refused: {refusal}")
        if refusal is ChargeRefusal.MONTH_CAP and call.ani in self._lines:
            self._lines[self._lines.index(call.ani)] = self._new_line()

    def _dialled(self, call: SimCall, status: str, record: str) -> None:
        self.tell(call.account_id, f"call {call.call_id} {status} {record}")
        if self._gateway.process.alive:
            self._gateway.after_dial(call, status, record)
        else:
            self.loop.after(SECOND, self.switch.caller_leaves, call)

    # time

    def _advance(self) -> None:
        self.step += 1
        self.loop.run_next()

    def play(self) -> Told:
        """Tell the whole story; raises ViolationError."""
        asyncio._set_running_loop(self.loop.as_loop)
        collecting = gc.isenabled()
        gc.disable()  # a world is small, and a tenth of its time would go into looking through it
        try:
            return self._play()
        finally:
            self.loop.abandon()
            if collecting:
                gc.enable()
            asyncio._set_running_loop(None)
            self.look.close()
            for engine in self._engines:
                engine.dispose()
            self._clean.dispose()

    def _play(self) -> Told:
        self._start_web()
        self._start_gateway()
        self.loop.run_ready()
        self.faults.on = True
        self._arrivals()
        for mean_s, event in (
            (2.0, self._someone_pays),
            (3.0, self._someone_buys),
            (12.0, self._staff_works),
            (90.0, self._kill_gateway),
            (70.0, self._kill_web),
            (120.0, self._database_stops),
            (100.0, self._link_breaks),
            (110.0, self._clock_steps),
            (400.0, self._switch_dies),
        ):
            self._now_and_then(mean_s, event)
        self.loop.after(20 * SECOND, self._reap_often)
        self.loop.after(30 * SECOND, self._sweep)
        audit_at = AUDIT_EVERY
        while not (self.calm and self.clock.elapsed_us > self._calm_until_us):
            if self.sessions >= self._wanted and not self.calm:
                self._calm_down()
            self._advance()
            if self.violation is not None:
                raise self.violation
            if self.step >= audit_at:
                audit_at = self.step + AUDIT_EVERY
                self.observer.audit()
        self._end()
        return Told(
            self.seed,
            self.sessions,
            self.sessions_granted + self.truth.calls_granted,
            self.step,
            self.faults.commits,
            self.faults.injected,
            self.faults.killed,
            hash((self.step, self.faults.commits, self.chance.random(), self.clock.elapsed_us)),
        )

    def _calm_down(self) -> None:
        """No more faults; everything that is open comes to its end, the silent sessions by the reaper."""
        self.calm = self.switch.calm = True
        self.faults.on = self.faults.refusing = False
        self._link_back()
        self._calm_until_us = self.clock.elapsed_us + 420 * SECOND
        self.loop.after(300 * SECOND, self._much_later)

    def _much_later(self) -> None:
        """Every hold is past its time, whatever the wall showed when it was given."""
        self.clock.step(self.observer.latest_wall_us - self.clock.wall_us + 5 * 3600 * SECOND)

    def _end(self) -> None:
        self._look(tuple(self._story))
        if self.violation is not None:
            raise self.violation
        left = self.observer.open_sessions()
        if left:
            raise ViolationError(f"still open at the end: {left[:3]}", left[0].account_id)
        self.observer.audit()
        closed = sum(meant.closed for meant in self.intents.sessions.values())
        kept = self.look.rows("SELECT COUNT(*) FROM charging_session WHERE state = 'closed'")[0][0]
        live = self.look.rows("SELECT COUNT(*) FROM call WHERE state <> 'ended'")[0][0]
        if closed != kept or live:
            raise ViolationError(f"{closed} sessions seen closed, {kept} kept; {live} calls not settled")

    def _now_and_then(self, mean_s: float, event: Callable[[], None]) -> None:
        def again() -> None:
            if not self.calm:
                event()
                self.loop.after(round(self.chance.expovariate(1 / mean_s) * SECOND), again)

        self.loop.after(round(self.chance.expovariate(1 / mean_s) * SECOND), again)

    def _arrivals(self) -> None:
        if self.sessions < self._wanted:
            self.sessions += 1
            if self.chance.random() < 0.5:
                self._call()
            else:
                customers.Application(self, self.chance.choice(self._customers))
            self.loop.after(round(self.chance.expovariate(1 / 0.6) * SECOND), self._arrivals)

    def _someone_pays(self) -> None:
        micros = self.chance.randrange(100_000, 2_400_000)
        customers.pay(self, self.chance.choice(self._customers), micros)

    def _someone_buys(self) -> None:
        customers.buy(self, self.chance.choice(self._customers))

    def _staff_works(self) -> None:
        customers.staff(self, self.chance.choice(self._customers))

    def _kill_gateway(self) -> None:
        self._gateway.process.kill()

    def _kill_web(self) -> None:
        self.web.kill()

    def _database_stops(self) -> None:
        self.faults.refusing = True
        self._tell_all("the database refuses")
        self._unwell()
        self.loop.after(self.chance.randrange(1, 15 * SECOND), self._database_back)

    def _database_back(self) -> None:
        self.faults.refusing = False
        self._unwell()

    def _link_breaks(self) -> None:
        if self.switch.link_up:
            self.switch.link_up = False
            self._tell_all("the link to the switch is lost")
            self._gateway.link(up=False)
            self.loop.after(self.chance.randrange(1, 20 * SECOND), self._link_back)

    def _link_back(self) -> None:
        if not self.switch.link_up:
            self.switch.link_up = True
            self._unwell()
            self._gateway.link(up=True)

    def _clock_steps(self) -> None:
        by_us = self.chance.choice((-3600, -61, -1, 1, 59, 900, 3600)) * SECOND + self.chance.randrange(SECOND)
        self._tell_all(f"the clock is set by {by_us} us")
        self.clock.step(by_us)
        self._unwell()
        self.loop.after(SECOND // 10, self._reap)

    def _switch_dies(self) -> None:
        self._tell_all("the switch died")
        self.switch.die()
        self._unwell()

    def _reap(self) -> None:
        """End the silent sessions; it takes its time, so that some of them speak while it does."""
        if self.web.alive:
            before, self.faults.wait_share = self.faults.wait_share, 0.9
            try:
                self.run(self.web, lambda: consumption.end_overdue(self.engine, self.clock))
            except (Killed, DBAPIError):
                pass
            finally:
                self.faults.wait_share = before

    def _reap_often(self) -> None:
        self._reap()
        self.loop.after(20 * SECOND, self._reap_often)

    def _sweep(self) -> None:
        """Calls that are long over are settled, and forgotten."""
        ago_us = self.clock.elapsed_us - HEALED_US
        if self._depth == 0 and self._healthy_since_us < ago_us:
            for call in [one for one in self.switch.calls.values() if one.state == "over" and one.over_us < ago_us]:
                rows = self.look.rows("SELECT state FROM call WHERE id = ?", call.call_id)
                if rows and rows[0][0] != "ended":
                    raise ViolationError(f"call {call.call_id} is over since long and holds money", call.account_id)
                self.switch.forget(call.call_id)
        self.loop.after(30 * SECOND, self._sweep)
