"""Fraud limits: what each refuses, that calls side by side cannot slip past, and suspensions (CHG-11)."""

import ast
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from billing.calls.call import Authorised
from billing.charging.session import ChargeRefusal
from billing.fraud import judgement_store, service, store
from billing.fraud.rules import fraud
from billing.fraud.rules.fraud import (
    Activity,
    BadLimitError,
    Destination,
    FraudRefusal,
    Limits,
    SuspensionReason,
)
from billing.fraud.tables import destination_attempt, fraud_refusal, spend_ceiling
from billing.ledger import service as ledger_service
from billing.operators.operator import Reach
from billing.rating import NO_CONTEXT, Rate, hold_micros
from runtime.database import reading, transaction
from runtime.faults import NotFoundError, StaffError
from runtime.ids import new_id
from runtime.prepared import Prepared
from tests.billing.books import UNIT, Books, at_once
from tests.clock import SettableClock

Times = Callable[[int, int], int]
LINES = tuple(f"+121255502{line:02}" for line in range(64))


@pytest.fixture
def books(engine: Engine, clock: SettableClock) -> Books:
    return Books(engine, clock, month_cap_s=10**6)


def bind(books: Books, account_id: int, **limits: object) -> None:
    service.set_account_limits(
        books.engine,
        books.clock,
        books.number(account_id),
        Limits(**limits),  # type: ignore[arg-type]  # the names are checked when it is made
        by="clerk",
        note="",
    )


def ask(books: Books, account_id: int, price: Rate, line: str = LINES[0], **changes: object) -> object:
    """What a new call of this account is answered."""
    call_id = books.call(ani=line)
    changes.setdefault("month_cap_ms", 10**9)
    return books.authorise(books.asking(call_id, account_id, price, ani=line, **changes))


def seconds(books: Books, account_id: int, price: Rate) -> int | None:
    """How long a new call may be in all, or none when it is refused."""
    answer = ask(books, account_id, price)
    return answer.cap_ms // 1000 if isinstance(answer, Authorised) else None


@pytest.mark.parametrize(
    ("reach", "destination", "refusal"),
    [
        (Reach.HOME, "+12125550123", None),
        (Reach.HOME, "+33123456789", FraudRefusal.ABROAD),
        (Reach.HOME, "+18765550123", FraudRefusal.ABROAD),
        (Reach.ABROAD, "+33123456789", None),
        (Reach.ABROAD, "+33891234567", FraudRefusal.RISKY),
        (Reach.ABROAD, "+12125559123", FraudRefusal.RISKY),
        (Reach.EVERYWHERE, "+33891234567", None),
    ],
)
def test_places(books: Books, reach: Reach, destination: str, refusal: FraudRefusal | None) -> None:
    account_id, price = books.account(5 * UNIT), books.rate()
    for prefix in ("+3389", "12125559"):
        service.list_destination(
            books.engine, books.clock, prefix, is_risky=True, calls_per_hour=None, by="clerk", note="dear"
        )
    bind(books, account_id, reach=reach)
    answer = ask(books, account_id, price, destination=destination)
    assert isinstance(answer, Authorised) if refusal is None else answer is refusal
    if refusal is not None:
        assert books.money(account_id) == (5 * UNIT, 0)


def test_what_is_counted_costs_one_statement_more(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """One locks the account in place of charging; all that limits count takes one more, whatever they are."""
    account_id, price = books.account(50 * UNIT), books.rate()
    attempt = service.Attempt(
        books.call(), new_id(), account_id, "+33123456789", price, 600_000, 5_000, books.profile_id
    )
    asked: list[str] = []
    true_all = Prepared.all

    def counted(statement: Prepared, conn: Connection, **values: object) -> list[tuple[Any, ...]]:
        rows = true_all(statement, conn, **values)
        asked.append("asked")
        return rows

    monkeypatch.setattr(Prepared, "all", counted)
    everything: dict[str, object] = {
        "calls_per_hour": 9,
        "concurrent_calls": 9,
        "spend_per_call_micros": UNIT,
        "spend_per_hour_micros": 100 * UNIT,
        "spend_per_day_micros": 100 * UNIT,
        "cooldown_s": 1,
    }
    cut = {"spend_per_call_micros": UNIT}
    for limits, statements in (
        ({}, 1),
        (cut, 2),
        ({**everything, "spend_per_call_micros": 99 * UNIT}, 2),
        (everything, 2),
    ):
        bind(books, account_id, reach=Reach.ABROAD, **limits)
        books.clock.advance(2)
        with transaction(books.engine) as conn:
            asked.clear()
            assert isinstance(service.judge(conn, books.clock.now(), attempt), service.Permit)
            assert len(asked) == statements


def test_whatever_is_asked_together_is_counted_alike(books: Books) -> None:
    """One statement for each set of limits: what is asked does not depend on what else is."""
    account_id, price, paid_at = books.account(50 * UNIT), books.rate(), books.clock.now()
    books.settle(books.up(account_id, price, ani=LINES[0]), 60_000)
    books.clock.advance(7_200)
    books.settle(books.up(account_id, price, ani=LINES[0]), 60_000)
    books.up(account_id, price, ani=LINES[1])
    limits = {
        "concurrent_calls": 9,
        "calls_per_hour": 9,
        "spend_per_hour_micros": 9,
        "spend_per_day_micros": 9,
        "cooldown_s": 86_400,
    }
    numbers = (1, 2, 2 * UNIT, 3 * UNIT)
    for asked in product((False, True), repeat=5):
        chosen = Limits(**{name: limit for (name, limit), wanted in zip(limits.items(), asked, strict=True) if wanted})  # type: ignore[arg-type]  # each fits
        with reading(books.engine) as conn:
            found, before = judgement_store.activity(conn, account_id, chosen, books.clock.now())
        assert before == (judgement_store.Before(None, was_cut=False) if any(asked) else None)
        said = [value if wanted else 0 for wanted, value in zip(asked, numbers, strict=False)]
        assert [found.open_calls, found.calls_in_hour, found.spent_in_hour_micros, found.spent_in_day_micros] == said
        assert found.recharged_at == (paid_at if asked[-1] else None)


def test_a_new_service_calls_home_only(books: Books) -> None:
    """The profile's own reach counts where nothing else is set; a profile that says nothing stays at home."""
    account_id, price = books.account(5 * UNIT), books.rate()
    with transaction(books.engine) as conn:
        conn.exec_driver_sql("UPDATE service_profile SET reach = 'home'")
    assert ask(books, account_id, price) is FraudRefusal.ABROAD
    service.set_profile_limits(
        books.engine, books.clock, "acme", "calling", Limits(reach=Reach.ABROAD), by="clerk", note=""
    )
    assert isinstance(ask(books, account_id, price), Authorised)
    bind(books, account_id, reach=Reach.HOME)
    assert ask(books, account_id, price) is FraudRefusal.ABROAD


def test_calls_in_an_hour_and_at_once(books: Books) -> None:
    account_id, price = books.account(50 * UNIT), books.rate()
    bind(books, account_id, calls_per_hour=3, concurrent_calls=1)
    books.up(account_id, price)
    assert ask(books, account_id, price) is FraudRefusal.CONCURRENT_CALLS
    with reading(books.engine) as conn:
        assert [row.refusal for row in store.refusals(conn, account_id)] == ["too-many-calls-at-once"]
    other = books.account(50 * UNIT)
    bind(books, other, calls_per_hour=2)
    for _ in range(2):
        books.settle(books.up(other, price), 1_000)
    assert ask(books, other, price) is FraudRefusal.CALLS_PER_HOUR
    books.clock.advance(3_600)
    assert isinstance(ask(books, other, price), Authorised)


def test_what_is_set_for_the_account_counts_before_the_service(books: Books) -> None:
    account_id, price = books.account(50 * UNIT), books.rate()
    service.set_profile_limits(
        books.engine, books.clock, "acme", "calling", Limits(concurrent_calls=1, calls_per_hour=9), by="c", note=""
    )
    bind(books, account_id, concurrent_calls=2)
    books.up(account_id, price)
    assert isinstance(ask(books, account_id, price), Authorised)
    assert ask(books, account_id, price) is FraudRefusal.CONCURRENT_CALLS


def test_a_recharge_cools_down(books: Books) -> None:
    account_id, price = books.account(5 * UNIT), books.rate()
    bind(books, account_id, cooldown_s=300)
    books.clock.advance(299)
    assert ask(books, account_id, price) is FraudRefusal.COOLING_DOWN
    books.clock.advance(1)
    assert isinstance(ask(books, account_id, price), Authorised)
    ledger_service.credit(books.engine, books.clock, books.number(account_id), UNIT, "again", "clerk")
    assert ask(books, account_id, price) is FraudRefusal.COOLING_DOWN


def test_a_call_costs_no_more_than_it_may(books: Books) -> None:
    account_id, price = books.account(50 * UNIT), books.rate()
    bind(books, account_id, spend_per_call_micros=2 * UNIT + UNIT // 2)
    assert seconds(books, account_id, price) == 120
    bind(books, account_id, spend_per_call_micros=UNIT - 1)
    assert ask(books, account_id, price) is FraudRefusal.SPEND_PER_CALL


@pytest.mark.parametrize(
    ("limit", "window_s", "refusal"),
    [
        ("spend_per_hour_micros", 3_600, FraudRefusal.SPEND_PER_HOUR),
        ("spend_per_day_micros", 86_400, FraudRefusal.SPEND_PER_DAY),
    ],
)
def test_what_is_spent_in_a_window_stays_within_it(
    books: Books, limit: str, window_s: int, refusal: FraudRefusal
) -> None:
    account_id, price = books.account(50 * UNIT), books.rate()
    bind(books, account_id, **{limit: 3 * UNIT})
    first = books.up(account_id, price, ani=LINES[0], session_cap_ms=120_000)
    assert seconds(books, account_id, price) == 60
    assert ask(books, account_id, price) is refusal
    books.settle(first, 50_000)
    assert seconds(books, account_id, price) == 60
    assert ask(books, account_id, price) is refusal
    books.clock.advance(window_s)
    assert seconds(books, account_id, price) == 60
    with reading(books.engine) as conn:
        ceilings = conn.execute(sa.select(spend_ceiling.c.ceiling_micros)).scalars().all()
    assert sorted(ceilings) == [UNIT, UNIT, UNIT, 2 * UNIT]


def test_a_replay_is_answered_as_before(books: Books) -> None:
    account_id, price = books.account(50 * UNIT), books.rate()
    bind(books, account_id, concurrent_calls=1, spend_per_call_micros=2 * UNIT, spend_per_hour_micros=2 * UNIT)
    asked = books.asking(books.call(), account_id, price)
    first, again = books.authorise(asked), books.authorise(asked)
    assert isinstance(first, Authorised)
    assert again == replace(first, is_replay=True, revision=again.revision, is_shared=again.is_shared)  # type: ignore[union-attr]  # is one
    assert first.cap_ms == 120_000


def test_a_prefix_is_called_so_often_by_all_accounts(books: Books) -> None:
    accounts, price = [books.account(9 * UNIT) for _ in range(3)], books.rate()
    service.list_destination(
        books.engine, books.clock, "3312", is_risky=False, calls_per_hour=2, by="clerk", note="burst"
    )
    answers = [ask(books, account_id, price, line=line) for account_id, line in zip(accounts, LINES, strict=False)]
    assert [isinstance(answer, Authorised) for answer in answers] == [True, True, False]
    assert answers[2] is FraudRefusal.VELOCITY
    assert isinstance(ask(books, accounts[2], price, destination="+33923456789"), Authorised)
    books.clock.advance(3_600)
    assert isinstance(ask(books, accounts[2], price), Authorised)
    service.unlist_destination(books.engine, books.clock, "+3312", by="clerk", note="fair")
    with pytest.raises(NotFoundError):
        service.unlist_destination(books.engine, books.clock, "3312", by="clerk", note="fair")


def test_calls_side_by_side_do_not_slip_past(books: Books, times: Times) -> None:
    """Many threads ask for one account at the same moment: exactly as many calls as the limit are up."""
    price = books.rate()
    for _ in range(times(3, 200)):
        account_id = books.account(500 * UNIT)
        bind(books, account_id, concurrent_calls=3, spend_per_hour_micros=4 * UNIT, calls_per_hour=9)
        answers = at_once(
            [partial(ask, books, account_id, price, line=line, session_cap_ms=120_000) for line in LINES[:12]]
        )
        granted = [answer for answer in answers if isinstance(answer, Authorised)]
        assert len(granted) == 2
        assert sum(hold_micros(price, answer.cap_ms, NO_CONTEXT) for answer in granted) == 4 * UNIT
        assert {answer for answer in answers if not isinstance(answer, Authorised)} == {FraudRefusal.SPEND_PER_HOUR}
    books.assert_sound()


def test_accounts_side_by_side_do_not_slip_past_a_prefix(books: Books, times: Times) -> None:
    price = books.rate()
    service.list_destination(books.engine, books.clock, "33", is_risky=False, calls_per_hour=5, by="clerk", note="")
    for _ in range(times(3, 100)):
        accounts = [books.account(5 * UNIT) for _ in range(12)]
        tasks = [
            partial(ask, books, account_id, price, line=line) for account_id, line in zip(accounts, LINES, strict=False)
        ]
        answers = at_once(tasks)
        assert sum(isinstance(answer, Authorised) for answer in answers) == 5
        books.clock.advance(3_600)
    with reading(books.engine) as conn:
        assert conn.execute(sa.select(sa.func.count()).select_from(destination_attempt)).scalar_one() == 5 * times(
            3, 100
        )


def test_a_suspended_account_calls_no_more_until_it_is_lifted(books: Books) -> None:
    account_id, price = books.account(9 * UNIT), books.rate()
    number, running = books.number(account_id), books.up(account_id, price)
    service.suspend(books.engine, books.clock, number, SuspensionReason.CHARGEBACK, by="clerk", note="card 4")
    assert ask(books, account_id, price) is FraudRefusal.SUSPENDED
    books.settle(running, 30_000)
    with pytest.raises(StaffError, match="suspended already"):
        service.suspend(books.engine, books.clock, number, SuspensionReason.REQUESTED, by="clerk", note="")
    with pytest.raises(StaffError, match="why"):
        service.lift(books.engine, books.clock, number, by="clerk", note=" ")
    service.lift(books.engine, books.clock, number, by="chief", note="card was good")
    assert isinstance(ask(books, account_id, price), Authorised)
    with pytest.raises(StaffError, match="not suspended"):
        service.lift(books.engine, books.clock, number, by="chief", note="again")
    shown = service.describe(books.engine, books.clock, number)
    assert [(entry.action, entry.made_by, entry.note) for entry in shown.suspensions] == [
        ("lifted", "chief", "card was good"),
        ("suspended", "clerk", "card 4"),
    ]
    assert [entry.refusal for entry in shown.refusals] == ["account-suspended"]
    assert (shown.activity.open_calls, shown.activity.calls_in_hour) == (1, 2)
    books.assert_sound()


def test_refusals_in_a_row_suspend(books: Books) -> None:
    account_id, price = books.account(9 * UNIT), books.rate()
    bind(books, account_id, concurrent_calls=0, suspend_after=3)
    for _ in range(3):
        assert ask(books, account_id, price) is FraudRefusal.CONCURRENT_CALLS
    assert ask(books, account_id, price) is FraudRefusal.SUSPENDED
    shown = service.describe(books.engine, books.clock, books.number(account_id))
    assert [(entry.reason, entry.made_by) for entry in shown.suspensions] == [("limits-passed", "gateway")]


def test_refusals_from_before_a_lift_suspend_no_more(books: Books) -> None:
    account_id, price = books.account(9 * UNIT), books.rate()
    bind(books, account_id, concurrent_calls=0, suspend_after=3)
    for _ in range(2):
        for _ in range(3):
            books.clock.advance(1)
            assert ask(books, account_id, price) is FraudRefusal.CONCURRENT_CALLS
        assert ask(books, account_id, price) is FraudRefusal.SUSPENDED
        books.clock.advance(60)
        service.lift(books.engine, books.clock, books.number(account_id), by="clerk", note="was our fault")
    shown = service.describe(books.engine, books.clock, books.number(account_id))
    assert [entry.action for entry in shown.suspensions] == ["lifted", "suspended"] * 2


def test_refusals_are_kept_for_good(books: Books) -> None:
    account_id, price = books.account(9 * UNIT), books.rate()
    bind(books, account_id, concurrent_calls=0)
    ask(books, account_id, price)
    with pytest.raises(sa.exc.IntegrityError, match="never changed"), transaction(books.engine) as conn:
        conn.execute(sa.delete(fraud_refusal))


def test_limits_do_not_hide_that_there_is_no_money(books: Books) -> None:
    account_id, price = books.account(), books.rate()
    bind(books, account_id, spend_per_call_micros=9 * UNIT, concurrent_calls=5)
    assert ask(books, account_id, price) is ChargeRefusal.NO_CREDIT


def test_unknown_accounts_and_bad_limits(books: Books) -> None:
    account_id = books.account()
    with pytest.raises(NotFoundError):
        service.suspend(books.engine, books.clock, new_id(), SuspensionReason.REQUESTED, by="c", note="")
    with pytest.raises(StaffError, match="calls per hour"):
        bind(books, account_id, calls_per_hour=-1)
    with pytest.raises(BadLimitError, match="suspend after"):
        fraud.check_limits(Limits(suspend_after=0))
    with pytest.raises(StaffError, match="prefix"):
        service.list_destination(books.engine, books.clock, "x", is_risky=True, calls_per_hour=None, by="c", note="")


def test_the_longest_call_within_a_limit() -> None:
    price = Rate(1, "33", "France", "USD", UNIT, connect_fee_micros=UNIT // 2, initial_s=60, increment_s=60)
    for left_micros, longest_ms in ((UNIT, 0), (UNIT + UNIT // 2, 60_000), (4 * UNIT, 180_000), (99 * UNIT, 600_000)):
        longest = fraud.longest_within(price, left_micros, 600_000, NO_CONTEXT)
        assert longest == (longest_ms, hold_micros(price, longest_ms, NO_CONTEXT))


def test_limits_over_limits() -> None:
    profile, account = Limits(calls_per_hour=5, reach=Reach.ABROAD), Limits(calls_per_hour=0, cooldown_s=9)
    assert account.over(profile) == Limits(calls_per_hour=0, cooldown_s=9, reach=Reach.ABROAD)
    assert Limits().over(profile) is profile
    assert Limits(concurrent_calls=1, cooldown_s=9).of_use == Limits(cooldown_s=9)
    assert Limits(spend_per_day_micros=0).look_back == timedelta(days=1)


def test_a_place_nobody_can_name_is_abroad() -> None:
    assert fraud.place_refusal(Reach.HOME, Destination(None, "US")) is FraudRefusal.ABROAD
    assert fraud.spend_left(Limits(), Activity()) is None
    bound = fraud.spend_left(Limits(spend_per_hour_micros=5, spend_per_day_micros=9), Activity(0, 0, 7, 7))
    assert bound == (0, FraudRefusal.SPEND_PER_HOUR)


def test_the_rules_are_pure() -> None:
    """They import what the linter's list of pure modules may, and nothing else."""
    tree = ast.parse(Path(fraud.__file__).read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert imported == {"enum", "dataclasses", "datetime", "billing.operators.operator", "billing.rating"}
