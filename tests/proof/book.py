"""An independent book of one account: what the answers come to, by sums of its own, held against every row there is."""

import threading
from collections import Counter as Tally
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from billing.ledger import service as ledger_service
from runtime.database import reading
from tests.proof.counter import Answer, Kind, Order

MICROS_PER_SECOND, MICROS_PER_KILOBYTE, MICROS_PER_MESSAGE = 10_000, 50, 100_000

_MOVED = sa.text(
    "SELECT t.key, p.amount_micros, p.balance_after_micros FROM posting p"
    " JOIN transfer t ON t.id = p.transfer_id JOIN ledger_account l ON l.id = p.ledger_account_id"
    " WHERE l.account_id = :account ORDER BY t.chain_number"
)
_FUNDS = sa.text("SELECT balance_micros, held_micros, limit_micros FROM account WHERE id = :account")
_SESSIONS = sa.text("SELECT id, state, held_micros FROM charging_session WHERE account_id = :account")


def price_micros(service: str, amount: int) -> int:
    """What so many seconds, milliseconds of a call, bytes or messages cost, as the price list says it."""
    if service == "voice":
        return amount * MICROS_PER_SECOND
    if service == "call":
        return -(-amount // 1000) * MICROS_PER_SECOND
    if service == "data":
        return -(-amount // 1000) * MICROS_PER_KILOBYTE
    return amount * MICROS_PER_MESSAGE


@dataclass(slots=True)
class Stay:
    """A session as its answers tell of it; the hold is a total that never shrinks."""

    service: str
    held_micros: int
    reported: int = 0
    ended: bool = False
    used: int = 0
    charged_micros: int = 0


@dataclass(slots=True)
class Book:
    """Everything that was answered; any number of threads may note."""

    sessions: dict[str, Stay] = field(default_factory=dict)
    moved: dict[str, int] = field(default_factory=dict)
    """What each transfer must have moved, by its key."""
    refused: Tally[str] = field(default_factory=Tally)
    replays: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, order: Order, answer: Answer) -> None:
        """Take down an answer; a replay must say the same as the first time.

        The last increment may be held in part, for a whole number of milliseconds.
        """
        with self.lock:
            self.replays += answer.is_replay
            if answer.refused:
                assert "destination" not in answer.refused, order  # or nothing is proven
                self.refused[f"{order.kind} {answer.refused}"] += 1
            elif order.kind in {Kind.OPEN, Kind.EXTEND}:
                self._granted(order, answer)
            elif order.kind is Kind.END:
                self._ended(order.key, order.amount, -answer.moved_micros)
            else:
                self._moved(order, answer)

    def ended(self, key: str, used: int, charged_micros: int) -> None:
        """A session was found ended, with this use, without an answer to this client."""
        with self.lock:
            self._ended(key, used, charged_micros)

    def _granted(self, order: Order, answer: Answer) -> None:
        stay = self.sessions.setdefault(order.key, Stay(order.service, 0))
        stay.held_micros = max(stay.held_micros, answer.held_micros)
        stay.reported = max(stay.reported, order.used)
        most = price_micros(stay.service, answer.granted + 1)
        least = {
            "voice": answer.granted * MICROS_PER_SECOND,
            "call": (answer.granted - 1) * MICROS_PER_SECOND // 1000,
            "data": answer.granted * MICROS_PER_KILOBYTE // 1000,
        }[stay.service]
        assert least <= answer.held_micros <= most, (order, answer)

    def _ended(self, key: str, used: int, charged_micros: int) -> None:
        stay = self.sessions.get(key)
        if stay is None:
            assert charged_micros == 0, key  # a call that was never authorised
            return
        assert not stay.ended or (stay.used, stay.charged_micros) == (used, charged_micros), (key, used)
        stay.ended, stay.used, stay.charged_micros = True, used, charged_micros
        if charged_micros:
            self.moved[f"charge:{key}"] = -charged_micros

    def _moved(self, order: Order, answer: Answer) -> None:
        key = {
            Kind.DEBIT: f"debit:event:{order.key}",
            Kind.REFUND: f"refund:event:{order.key}.{order.number}",
            Kind.CREDIT: f"credit:{order.key}",
        }[order.kind]
        assert self.moved.setdefault(key, answer.moved_micros) == answer.moved_micros, (order, answer)
        if order.kind is Kind.DEBIT:
            assert answer.moved_micros == -price_micros(order.service, order.amount), order

    def open_sessions(self) -> list[str]:
        """The sessions that hold money."""
        return [key for key, stay in self.sessions.items() if not stay.ended]

    def must_match(self, engine: Engine, account_id: int) -> None:
        """Every answer is in the books once and nothing else is; every price is right; the audit finds nothing."""
        for key, stay in self.sessions.items():
            if stay.ended:
                assert stay.charged_micros == min(price_micros(stay.service, stay.used), stay.held_micros), (key, stay)
        with reading(engine) as conn:
            funds = conn.execute(_FUNDS, {"account": account_id}).one()
            rows = conn.execute(_MOVED, {"account": account_id}).all()
            kept = conn.execute(_SESSIONS, {"account": account_id}).all()
        posted = Tally(key for key, _, _ in rows)
        assert not [key for key, times in posted.items() if times > 1], "moved twice"
        found = {key: int(amount) for key, amount, _ in rows}
        assert found == self.moved, sorted(found.items() ^ self.moved.items())[:20]
        balance = 0
        for key, amount, after in rows:
            balance += amount
            assert balance == after, key
            assert balance + funds.limit_micros >= 0, key
        held = {key: stay.held_micros for key, stay in self.sessions.items() if not stay.ended}
        assert {row.id: row.held_micros for row in kept if row.state == "open"} == held
        assert {row.id for row in kept} == set(self.sessions)
        assert (funds.balance_micros, funds.held_micros) == (sum(self.moved.values()), sum(held.values()))
        assert list(ledger_service.audit(engine)) == []
