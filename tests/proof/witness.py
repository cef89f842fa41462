"""Who watches processes that may be killed: reads their diaries, looks at what is in the database, keeps the book."""

import random
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from billing.accounts import service as account_service
from dialplan.lab.polling import wait_for
from runtime.database import reading, to_micros
from tests.clock import SettableClock
from tests.proof.book import Book
from tests.proof.counter import OPERATOR, Answer, Kind, Order, open_counter
from tests.proof.paper_switch import PaperSwitch
from tests.proof.shift import CALL, Shift, read_diary

LIMIT_MICROS = 3_000_000
# The moment it was last heard, and how long its grant is valid from then on, as docs/charging-api.md promises it.
_HEARD = "coalesce(reported_at, started_at)"
_LEFT = "(granted_ms - reported_ms)"
_LEAST = "CASE WHEN granted_ms > 60000 THEN 60000 WHEN granted_ms < 10000 THEN 10000 ELSE granted_ms END"
_VALID = f"1000 * CASE WHEN service = 'data' THEN 3600000 WHEN {_LEFT} > {_LEAST} THEN {_LEFT} ELSE {_LEAST} END"
_SESSION = sa.text(
    "SELECT id, service, state, held_micros, reported_ms, used_ms, charged_micros, ended_at,"
    f" {_HEARD} + {_VALID} AS valid_until, EXISTS (SELECT 1 FROM charging_request r"
    " WHERE r.session_id = charging_session.id AND r.number = -1) AS is_reaped FROM charging_session WHERE id = :id"
)
_OLD_CALLS = sa.text(
    "SELECT id FROM charging_session WHERE state = 'open' AND service = 'call'"
    " AND started_at + 2000 * granted_ms < :now"
)
_OLD_SESSIONS = sa.text(
    f"SELECT id FROM charging_session WHERE state = 'open' AND service <> 'call' AND {_HEARD} + 2 * {_VALID} < :now"
)
_TRANSFER = sa.text(
    "SELECT p.amount_micros FROM posting p JOIN transfer t ON t.id = p.transfer_id"
    " JOIN ledger_account l ON l.id = p.ledger_account_id WHERE t.key = :key AND l.account_id = :account"
)
_CDRS = sa.text("SELECT call_id, used_ms, charged_micros FROM cdr")
_CALLS = sa.text("SELECT count(*), count(ended_at) FROM call")
_LINE = sa.text("SELECT coalesce(sum(held_ms), 0) FROM line_usage")
_BACKENDS = sa.text("SELECT count(*) FROM pg_stat_activity WHERE application_name = :name")


@dataclass(slots=True)
class Witness:
    """One account, everything that was done with it, and how much of it was cut in the middle."""

    engine: Engine
    account_id: int
    account_number: str
    operator_id: int
    book: Book = field(default_factory=Book)
    talked_ms: dict[str, int | None] = field(default_factory=dict)
    """How long each call was up, by the switch; none for one that was never answered."""
    dropped: set[str] = field(default_factory=set)
    """Sessions whose client is gone for good."""
    expired: int = 0
    """Sessions that were ended because nothing was heard of them."""
    cut: int = 0
    cut_and_done: int = 0

    @classmethod
    def called(cls, engine: Engine, now: datetime) -> "Witness":
        """A new counter with one account."""
        clock = SettableClock(now)
        operator_id = open_counter(engine, clock)
        account = account_service.create_account(engine, clock, operator_code=OPERATOR, limit_micros=LIMIT_MICROS)
        return cls(engine, account.id, account.number, operator_id)

    def read(self, shift: Shift) -> dict[int, int]:
        """Take down what a process was answered and find out what became of what it was not; gives unfinished lives."""
        unfinished, begun = dict(shift.unfinished), dict[Order, None]()
        taken_up = [key for key in self.book.open_sessions() if self.book.sessions[key].service == CALL]
        for entry in read_diary(shift.diary):
            if entry.said == "over":
                unfinished.pop(entry.life, None)
            if entry.order is None:
                continue
            if entry.life >= 0:
                unfinished[entry.life] = entry.step
            if entry.answer is None:
                begun[entry.order] = None
            else:
                begun.pop(entry.order, None)
                self.book.note(entry.order, entry.answer)
        for order in begun:
            self._find_out(order)
        for key in taken_up:
            self._hold_of(key, self._session(key))  # the meter of who took the call up may have asked for more
        return unfinished

    def has_recovered(self, shift: Shift) -> bool:
        """Whether it came so far as to begin new work."""
        return any(entry.said == "recovered" for entry in read_diary(shift.diary))

    def read_switch(self, switch: PaperSwitch) -> None:
        """Take down how long the calls were."""
        for leg in (*switch.legs(), *switch.forgotten()):
            self.talked_ms[leg.call_id] = leg.used_ms

    def read_settled(self) -> None:
        """Take down what others ended: recovery the calls, the end of patience the sessions of who was silent."""
        with reading(self.engine) as conn:
            cdrs = conn.execute(_CDRS).all()
        for call_id, used_ms, charged_micros in cdrs:
            assert used_ms == (self.talked_ms[call_id] or 0), call_id
            self.book.ended(call_id, used_ms, charged_micros)
        for key in self.book.open_sessions():
            row = self._session(key)
            if row.is_reaped:
                self._expired(key, row)

    def must_have_recovered(self, now: datetime) -> None:
        """What was orphaned is settled, and no hold is older than it may be."""
        assert [key for key in self.dropped if not self.book.sessions[key].ended] == []
        with reading(self.engine) as conn:
            assert conn.execute(_OLD_CALLS, {"now": to_micros(now)}).all() == []
            assert conn.execute(_OLD_SESSIONS, {"now": to_micros(now)}).all() == []

    def must_match(self) -> None:
        """The book and the database say the same."""
        self.book.must_match(self.engine, self.account_id)

    def must_be_over(self) -> None:
        """Each session was settled, each call has its record, and nothing is held of anybody."""
        self.must_match()
        assert self.book.open_sessions() == []
        with reading(self.engine) as conn:
            calls, ended = conn.execute(_CALLS).one()
            assert calls == ended == len(conn.execute(_CDRS).all())
            assert conn.execute(_LINE).scalar_one() == 0

    def wait_backends_gone(self, name: str) -> None:
        """PostgreSQL finishes what a client that was killed had sent; SQLite's files are let go with the process."""

        def gone() -> bool:
            with reading(self.engine) as conn:
                return not conn.execute(_BACKENDS, {"name": name}).scalar_one()

        if self.engine.dialect.name == "postgresql":
            wait_for(gone, "the server lets go of the killed process", 30.0)

    def _find_out(self, order: Order) -> None:
        """What was sent and not answered is there whole or not at all; whole: the book takes it up."""
        self.cut += 1
        if order.kind in {Kind.OPEN, Kind.EXTEND, Kind.END}:
            row = self._session(order.key)
            if row is None:
                return
            before = self.book.sessions.get(order.key)
            held_before, ended_before = (before.held_micros, before.ended) if before else (-1, False)
            self._hold_of(order.key, row)
            if row.is_reaped:
                if not ended_before:
                    self._expired(order.key, row)
                return
            if row.state == "closed" and not ended_before and order.kind is Kind.END:
                self.book.ended(order.key, order.amount, row.charged_micros)
            self.cut_and_done += held_before < row.held_micros or (row.state == "closed" and not ended_before)
            return
        key = {
            Kind.DEBIT: f"debit:event:{order.key}",
            Kind.REFUND: f"refund:event:{order.key}.{order.number}",
            Kind.CREDIT: f"credit:{order.key}",
        }[order.kind]
        with reading(self.engine) as conn:
            moved = conn.execute(_TRANSFER, {"key": key, "account": self.account_id}).scalar_one_or_none()
        if moved is not None:
            self.cut_and_done += key not in self.book.moved
            self.book.note(order, Answer(moved_micros=moved))

    def _expired(self, key: str, row: Any) -> None:
        """It was silent for longer than its grant was valid, and is ended by what it last said."""
        stay = self.book.sessions[key]
        assert row.ended_at > row.valid_until, key
        assert row.used_ms == row.reported_ms == stay.reported * _scale(row.service), key
        self.book.ended(key, stay.reported, row.charged_micros)
        self.expired += 1

    def _hold_of(self, key: str, row: Any) -> None:
        """Take up what is held for a session, and what it is known to have used."""
        told = Answer(granted=_granted(row.service, row.held_micros), held_micros=row.held_micros)
        used = row.reported_ms // _scale(row.service) if row.service != CALL else 0
        self.book.note(Order(Kind.EXTEND, key, 0, row.service, used=used), told)

    def _session(self, key: str) -> Any:
        with reading(self.engine) as conn:
            return conn.execute(_SESSION, {"id": key}).one_or_none()


def end_calls(switch: PaperSwitch, dice: random.Random, now: datetime, *, all_of_them: bool) -> None:
    """The network goes on without a gateway: callers in dialogue are lost, others hang up or are cut at their time."""
    now_us = to_micros(now)
    for leg in switch.legs():
        if leg.answered_us is None:
            switch.hang_up(leg.call_id, None)
        elif leg.used_ms is None:
            is_due = leg.answered_us + leg.armed_ms * 1000 <= now_us
            if all_of_them or is_due or dice.random() < 0.5:
                switch.hang_up(leg.call_id, dice.randint(0, leg.armed_ms // 1000) * 1000)


def _scale(service: str) -> int:
    """How much of what is kept one unit of a service is."""
    return 1000 if service == "voice" else 1


def _granted(service: str, held_micros: int) -> int:
    """As much as this hold pays for."""
    return held_micros * {"voice": 1, "call": 1000, "data": 200_000}[service] // 10_000
