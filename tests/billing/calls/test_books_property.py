"""Whatever calls, replays and payments come in whatever order, the books agree after every step."""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from ani.usage import usage
from billing.calls import service
from billing.calls.call import Authorise, Authorised, Cdr, Extended
from billing.ledger import service as ledger_service
from billing.ledger.transfer import ChangedReplayError, Credited
from billing.rating import price_micros
from runtime import schema
from runtime.database import create_engine, transaction
from runtime.ids import new_id
from tests.billing.books import UNIT, Books
from tests.clock import SettableClock

MONTH_CAP_S = 600


class Money(RuleBasedStateMachine):
    """Two accounts, one with a credit limit, and calls on one line with a month cap."""

    asked = Bundle("asked")
    ended = Bundle("ended")
    paid = Bundle("paid")

    def __init__(self) -> None:
        super().__init__()
        self._directory = tempfile.TemporaryDirectory()
        self._engine = create_engine(f"sqlite:///{Path(self._directory.name) / 'books.db'}")
        with transaction(self._engine) as conn:
            schema.upgrade(conn)
        self.books = Books(self._engine, SettableClock(), month_cap_s=MONTH_CAP_S)
        self.accounts = [self.books.account(3 * UNIT), self.books.account(UNIT, limit_micros=2 * UNIT)]
        self.limits = [0, 2 * UNIT]
        self.rates = [
            self.books.rate(),
            self.books.rate("44", connect_fee_micros=UNIT // 10, initial_s=30, increment_s=6, minimum_s=30),
            self.books.rate("1", price_per_minute_micros=333_333, initial_s=1, increment_s=1),
        ]
        self.expected = [3 * UNIT, UNIT]
        self.grants: dict[str, int] = {}
        self.records: dict[str, Cdr] = {}

    def teardown(self) -> None:
        """Leave nothing behind."""
        self._engine.dispose()
        self._directory.cleanup()

    @rule(target=asked, who=st.integers(0, 1), what=st.integers(0, 2), wanted_s=st.integers(1, 300))
    def authorise(self, who: int, what: int, wanted_s: int) -> Authorise:
        call_id = self.books.call()
        wanted = self.books.asking(
            call_id,
            self.accounts[who],
            self.rates[what],
            wanted_ms=wanted_s * 1000,
            session_cap_ms=400_000,
            month_cap_ms=MONTH_CAP_S * 1000,
        )
        answer = self.books.authorise(wanted)
        if isinstance(answer, Authorised):
            self.grants[call_id] = answer.grant.granted_ms
        return wanted

    @rule(wanted=asked)
    def authorise_again(self, wanted: Authorise) -> None:
        answer = self.books.authorise(wanted)
        if isinstance(answer, Authorised):
            first = self.grants.setdefault(wanted.call_id, answer.grant.granted_ms)
            assert answer.grant.granted_ms <= first
        else:
            assert wanted.call_id not in self.grants

    @rule(wanted=asked, number=st.integers(1, 3), wanted_s=st.sampled_from([60, 180, 500]))
    def extend(self, wanted: Authorise, number: int, wanted_s: int) -> None:
        if wanted.call_id not in self.grants:
            return
        try:
            answer = service.extend(self._engine, self.books.clock, wanted.call_id, number, wanted_s * 1000)
        except ChangedReplayError:
            return
        if isinstance(answer, Extended) and not answer.is_replay:
            assert answer.grant.granted_ms >= self.grants[wanted.call_id]
            self.grants[wanted.call_id] = answer.grant.granted_ms

    @rule(target=ended, wanted=consumes(asked), talked_ms=st.none() | st.integers(-1000, 500_000))
    def settle(self, wanted: Authorise, talked_ms: int | None) -> Authorise:
        record = self.books.settle(wanted.call_id, talked_ms)
        self.records[wanted.call_id] = record
        granted_ms = self.grants.get(wanted.call_id, 0)
        if talked_ms is None or wanted.call_id not in self.grants:
            assert record.charged_micros == 0
        assert record.charged_micros <= price_micros(wanted.rate, min(record.used_ms, granted_ms))
        self.expected[self.accounts.index(wanted.account_id)] -= record.charged_micros
        return wanted

    @rule(wanted=ended, talked_ms=st.none() | st.integers(0, 500_000))
    def settle_again(self, wanted: Authorise, talked_ms: int | None) -> None:
        assert self.books.settle(wanted.call_id, talked_ms) == self.records[wanted.call_id]

    @rule(target=paid, who=st.integers(0, 1), amount=st.integers(1, 3 * UNIT))
    def credit(self, who: int, amount: int) -> tuple[int, int, str]:
        key = new_id()
        self._credit(who, amount, key, is_replay=False)
        self.expected[who] += amount
        return who, amount, key

    @rule(payment=paid)
    def credit_again(self, payment: tuple[int, int, str]) -> None:
        self._credit(*payment, is_replay=True)

    @rule(seconds=st.integers(0, 100))
    def wait(self, seconds: int) -> None:
        self.books.clock.advance(seconds)

    @invariant()
    def books_agree(self) -> None:
        self.books.assert_sound()
        for account_id, limit, expected in zip(self.accounts, self.limits, self.expected, strict=True):
            balance, held = self.books.money(account_id)
            assert balance == expected
            assert balance - held >= -limit
        used_ms, held_ms = self.books.talk()
        live_ms = sum(granted for call_id, granted in self.grants.items() if call_id not in self.records)
        assert held_ms == live_ms
        assert used_ms + held_ms <= MONTH_CAP_S * 1000
        assert usage.left_ms(MONTH_CAP_S * 1000, used_ms, held_ms) >= 0
        if len(self.records) == len(self.grants) and not live_ms:
            assert [self.books.money(account_id)[1] for account_id in self.accounts] == [0, 0]

    def _credit(self, who: int, amount: int, key: str, *, is_replay: bool) -> None:
        number = self.books.number(self.accounts[who])
        answer = ledger_service.credit(self._engine, self.books.clock, number, amount, key, "test")
        assert isinstance(answer, Credited)
        assert answer.is_replay is is_replay


TestMoney = Money.TestCase
TestMoney.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
