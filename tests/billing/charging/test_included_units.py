"""Sessions that use included units before money, priced by what was fixed when they started, on both databases."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from random import Random

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from billing.accounts import service as account_service
from billing.accounts.account import Account
from billing.allowances import service as allowances
from billing.allowances import store
from billing.allowances.store import MonthUse
from billing.allowances.tables import bundle, bundle_use
from billing.charging import service
from billing.charging import store as charging_store
from billing.charging.session import ChargeRefusal, Granted, Initiate, Terminated, Update
from billing.charging.updating import service as updating
from billing.ledger import service as ledger_service
from billing.operators import service as operator_service
from billing.pricing.bundles import CALLS, Bundle, CoverRule
from billing.pricing.increments import billed, largest_use
from billing.pricing.price import PLAIN
from billing.pricing.terms import MaximumRule
from billing.rating import Context, Rate, hold_micros, price_micros, talk_time_ms
from billing.tariffs import service as tariff_service
from billing.tariffs import store as tariff_store
from billing.tariffs.service import TariffImport
from billing.tariffs.tariff import read_rate
from runtime.database import reading, transaction
from runtime.ids import new_id
from tests.billing.books import at_once
from tests.billing.shop import EMPTY
from tests.clock import SettableClock

UNIT = 1_000_000
MINUTE_MS = 60_000
CAP_MS = 3_600_000
ROWS: tuple[dict[str, str], ...] = (
    {"prefix": "33", "price_per_minute": "1", "increments": "1"},
    {"prefix": "331", "price_per_minute": "0.6", "increments": "60/6", "connect_fee": "0.1", "minimum_s": "30"},
    {"prefix": "332", "price_per_minute": "1", "increments": "6", "tiers": "60 0.5; 300 0.1"},
    {"prefix": "333", "price_per_minute": "1", "increments": "60", "tiers": "120 50%", "volume_rule": "top"},
    {"prefix": "334", "price_per_minute": "1", "increments": "1", "surcharges": "1800 0.5 fee=0.2 share=10%"},
    {"prefix": "335", "price_per_minute": "0.37", "increments": "30/7", "rounding": "half-even 2 total"},
    {"prefix": "336", "price_per_minute": "1", "steps": "90 50% fee=0.3", "free": "20", "last_money": "keep"},
    {"prefix": "338", "price_per_minute": "0.1", "increments": "60", "tiers": "120 0.5; 300 1"},
    {"prefix": "339", "price_per_minute": "0.3", "increments": "1", "rounding": "half-even 0 total"},
    {"prefix": "330", "price_per_minute": "0.36", "increments": "30/7", "rounding": "up 1 total"},
    {"prefix": "3311", "price_per_minute": "0.36", "increments": "30/7", "rounding": "down 2 total"},
    {
        "prefix": "3312",
        "price_per_minute": "0.36",
        "increments": "60/6",
        "rounding": "half-up 1 total",
        "tiers": "90 0.24",
    },
    {"prefix": "337", "price_per_minute": "0.9", "maximum_charge": "2", "disconnect_fee": "0.05", "fee_at_zero": "yes"},
)
DEARER = "338"
"""What others use of the month may make it cost more than was held."""
PREFIXES = [row["prefix"] for row in ROWS if row["prefix"] != DEARER]


@dataclass(slots=True)
class House:
    """An operator with a tariff of many kinds, and accounts with bundles."""

    engine: Engine
    clock: SettableClock
    version_id: int = 0
    accounts: int = 0

    def open(self) -> None:
        """Make the operator and the tariff."""
        made = operator_service.create_operator(
            self.engine, code="acme", name="Acme", currency="USD", home_country="US"
        )
        rates = [read_rate({**EMPTY, **row}, "USD") for row in ROWS]
        tariff_service.import_tariff(self.engine, self.clock, TariffImport(made.id, "all", "USD", None, "test"), rates)
        with reading(self.engine) as conn:
            self.version_id = int(conn.execute(sa.text("SELECT id FROM tariff_version")).scalar_one())

    def rate(self, prefix: str) -> Rate:
        """The rate of a prefix, as a session reads it."""
        with reading(self.engine) as conn:
            return tariff_store.rate_of_session(conn, self.version_id, prefix)

    def account(self, micros: int, *bundles: Bundle, limit_micros: int = 0) -> Account:
        """An account with money and bundles."""
        made = account_service.create_account(self.engine, self.clock, operator_code="acme", limit_micros=limit_micros)
        if micros:
            self.pay(made, micros)
        with transaction(self.engine) as conn:
            for one in bundles:
                store.add_bundle(conn, made.id, one, self.clock.now())
        return made

    def pay(self, account: Account, micros: int) -> None:
        """Put money on it."""
        ledger_service.credit(self.engine, self.clock, account.number, micros, new_id(), "test")

    def start(self, account: Account, prefix: str, wanted_ms: int = MINUTE_MS, access: str = "") -> Initiate:
        """What a session asks for."""
        return Initiate(
            new_id(),
            account.id,
            "voice",
            self.rate(prefix),
            wanted_ms,
            CAP_MS,
            0,
            destination=f"+{prefix}00000000",
            access_number=access,
            begins_now=True,
        )

    def initiate(self, opened: Initiate) -> Granted | ChargeRefusal:
        """Ask for it."""
        with transaction(self.engine) as conn:
            return service.initiate(conn, self.clock.now(), opened)

    def update(self, opened: Initiate, number: int, wanted_ms: int) -> Granted:
        """Ask for more."""
        with transaction(self.engine) as conn:
            answer = updating.update(conn, self.clock.now(), opened.session_id, number, wanted_ms, opened.rate)
        assert isinstance(answer, Granted)
        return answer

    def terminate(self, opened: Initiate, used_ms: int) -> Terminated:
        """End it."""
        with transaction(self.engine) as conn:
            return service.terminate(conn, self.clock.now(), opened.session_id, used_ms, opened.rate, "test")

    def money(self, account: Account) -> tuple[int, int]:
        """Balance and holds."""
        found = account_service.find_account(self.engine, account.number)
        return found.balance_micros, found.held_micros

    def units(self, account: Account) -> list[tuple[int, int]]:
        """What is left of each bundle, and held of it."""
        with reading(self.engine) as conn:
            rows = conn.execute(
                sa.select(bundle.c.units, bundle.c.held).where(bundle.c.account_id == account.id).order_by(bundle.c.id)
            )
            return [(int(row[0]), int(row[1])) for row in rows]

    def context(self, opened: Initiate) -> Context:
        """What the session would be priced by if it started now."""
        with reading(self.engine) as conn:
            return allowances.at_start(
                conn, self.clock.now(), opened.account_id, opened.rate, opened.destination, opened.access_number
            )

    def assert_sound(self) -> None:
        """Nothing in the books disagrees, units included."""
        assert ledger_service.audit(self.engine) == []


@pytest.fixture
def house(engine: Engine, clock: SettableClock) -> House:
    made = House(engine, clock)
    made.open()
    return made


def minutes(count: int, **changes: object) -> Bundle:
    return replace(Bundle(0, count * MINUTE_MS, name="minutes"), **changes)  # type: ignore[arg-type]  # test data


def test_units_are_used_before_money_and_settled_exactly(house: House) -> None:
    account = house.account(UNIT, minutes(2))
    opened = house.start(account, "33")
    first = house.initiate(opened)
    assert isinstance(first, Granted)
    assert (first.grant.granted_ms, first.grant.held_micros, first.grant.final) == (MINUTE_MS, 0, False)
    assert (house.units(account), house.money(account)) == ([(120_000, 60_000)], (UNIT, 0))
    more = house.update(opened, 1, 150_000)
    assert (more.grant.granted_ms, more.grant.held_micros) == (150_000, UNIT // 2)
    last = house.update(opened, 2, CAP_MS)
    assert (last.grant.granted_ms, last.grant.held_micros, last.grant.final) == (180_000, UNIT, True)
    assert house.update(opened, 2, CAP_MS) == replace(last, is_replay=True)
    ended = house.terminate(opened, 126_000)
    assert (ended.billed_ms, ended.charged_micros) == (126_000, UNIT // 10)
    assert house.terminate(opened, 999) == replace(ended, is_replay=True)
    assert (house.units(account), house.money(account)) == ([(0, 0)], (UNIT * 9 // 10, 0))
    house.assert_sound()


def test_units_not_used_are_free_again(house: House) -> None:
    account = house.account(0, minutes(2))
    opened = house.start(account, "33", 2 * MINUTE_MS)
    assert isinstance(house.initiate(opened), Granted)
    assert house.initiate(house.start(account, "33")) is ChargeRefusal.NO_CREDIT
    assert house.terminate(opened, 30_000).charged_micros == 0
    assert house.units(account) == [(90_000, 0)]
    assert isinstance(house.initiate(house.start(account, "33")), Granted)


def test_a_session_goes_on_with_money_and_does_not_go_back(house: House) -> None:
    account = house.account(5 * UNIT, minutes(2))
    one, other = house.start(account, "33"), house.start(account, "33")
    house.initiate(one)
    house.initiate(other)
    assert house.update(one, 1, 2 * MINUTE_MS).grant.held_micros == UNIT
    house.terminate(other, 15_000)
    assert house.update(one, 2, 3 * MINUTE_MS).grant.held_micros == 2 * UNIT
    ended = house.terminate(one, 150_000)
    assert ended.charged_micros == UNIT * 3 // 2
    assert house.units(account) == [(45_000, 0)]
    house.assert_sound()


def test_updates_that_come_together_share_out_the_units(house: House) -> None:
    account = house.account(0, minutes(3))
    both = house.start(account, "33"), house.start(account, "33")
    for one in both:
        house.initiate(one)
    asked = [Update(one.session_id, 1, 2 * MINUTE_MS, one.rate, house.clock.now()) for one in both]
    with transaction(house.engine) as conn:
        sessions = charging_store.lock_sessions(conn, [one.session_id for one in both])
        first, second = (one.granted() for one in updating.update_many(conn, sessions, asked))
    assert isinstance(first, Granted)
    assert isinstance(second, Granted)
    assert (first.grant.granted_ms, second.grant.granted_ms) == (2 * MINUTE_MS, MINUTE_MS)
    assert house.units(account) == [(3 * MINUTE_MS, 3 * MINUTE_MS)]
    house.assert_sound()


def test_what_is_killed_before_its_commit_took_nothing(house: House) -> None:
    account = house.account(UNIT, minutes(2))
    opened = house.start(account, "33", 3 * MINUTE_MS)
    for step in ("initiate", "terminate"):
        before = house.units(account), house.money(account)
        with pytest.raises(KeyboardInterrupt):
            _killed(house, step, opened)
        assert (house.units(account), house.money(account)) == before
        house.initiate(opened)
    assert house.terminate(opened, 150_000).charged_micros == UNIT // 2
    assert (house.units(account), house.money(account)) == ([(0, 0)], (UNIT // 2, 0))
    house.assert_sound()


def _killed(house: House, step: str, opened: Initiate) -> None:
    with transaction(house.engine) as conn:
        if step == "initiate":
            service.initiate(conn, house.clock.now(), opened)
        else:
            service.terminate(conn, house.clock.now(), opened.session_id, 150_000, opened.rate, "test")
        raise KeyboardInterrupt


def test_units_that_come_free_are_used_by_one_who_still_has_some(house: House) -> None:
    account = house.account(0, minutes(3))
    one, other = house.start(account, "33"), house.start(account, "33", 2 * MINUTE_MS)
    house.initiate(one)
    house.initiate(other)
    assert house.update(one, 1, 2 * MINUTE_MS).grant.final
    house.terminate(other, 0)
    assert house.update(one, 2, 3 * MINUTE_MS).grant.granted_ms == 3 * MINUTE_MS


COVERED: tuple[tuple[Bundle, int, int, int], ...] = (
    (minutes(2, services=("data",)), 60_000, 600_000 + 100_000, 120_000),
    (minutes(2, prefixes=("44",)), 60_000, 600_000 + 100_000, 120_000),
    (minutes(2, prefixes=("33", "44")), 60_000, 100_000, 60_000),
    (minutes(2, covers_fees=True), 60_000, 0, 60_000),
    (minutes(2, price_micros=30_000), 60_000, 130_000, 60_000),
    (Bundle(0, 63_000), 66_000, 100_000 + 30_000, 0),
    (Bundle(0, 64_000, rule=CoverRule.BLOCKS), 66_000, 100_000 + 60_000, 4_000),
    (Bundle(0, 64_000, rule=CoverRule.WHOLE), 66_000, 100_000 + 660_000, 64_000),
    (Bundle(0, 66_000, rule=CoverRule.WHOLE), 66_000, 100_000, 0),
    (Bundle(0, 2, CALLS), 200_000, 100_000, 1),
    (minutes(2, expires_at=None, priority=7), 60_000, 100_000, 60_000),
)
"""A bundle beside 9.00, what was used of five minutes at 0.6 with a fee of 0.1 by 60/6, its charge, and units left."""


def test_what_a_bundle_covers(house: House) -> None:
    for given, used_ms, charged_micros, left in COVERED:
        account = house.account(9 * UNIT, given)
        opened = house.start(account, "331", 5 * MINUTE_MS)
        assert isinstance(house.initiate(opened), Granted)
        assert house.terminate(opened, used_ms).charged_micros == charged_micros, given
        assert house.units(account) == [(left, 0)], given
        assert house.money(account) == (9 * UNIT - charged_micros, 0)


def test_the_order_is_priority_then_what_expires_sooner(house: House) -> None:
    soon, later = (house.clock.now() + timedelta(days=days) for days in (1, 2))
    account = house.account(
        0, minutes(1, priority=2), minutes(1, expires_at=later), minutes(1, expires_at=soon), minutes(1, priority=-1)
    )
    opened = house.start(account, "33", 4 * MINUTE_MS)
    house.initiate(opened)
    house.terminate(opened, 130_000)
    assert [units for units, _ in house.units(account)] == [60_000, 50_000, 0, 0]
    house.clock.advance(2 * 86_400)
    again = house.start(account, "33", CAP_MS)
    answer = house.initiate(again)
    assert isinstance(answer, Granted)
    assert answer.grant.granted_ms == MINUTE_MS


def test_a_period_ends_and_the_next_begins_with_what_rolls_over(house: House) -> None:
    account = house.account(0)
    given = minutes(5, expires_at=house.clock.now() + timedelta(days=30), rolls_over=2 * MINUTE_MS)
    with transaction(house.engine) as conn:
        store.add_bundle(conn, account.id, given, house.clock.now(), period="30d", renews=True)
    opened = house.start(account, "33", CAP_MS)
    house.initiate(opened)
    house.terminate(opened, MINUTE_MS)
    house.clock.advance(45 * 86_400)
    asked = house.start(account, "33", CAP_MS)
    assert [one.units for one in house.context(asked).bundles] == [7 * MINUTE_MS]
    answer = house.initiate(asked)
    assert isinstance(answer, Granted)
    assert answer.grant.granted_ms == 7 * MINUTE_MS
    house.assert_sound()


def test_sessions_side_by_side_come_to_what_they_would_one_after_the_other(house: House) -> None:
    account = house.account(9 * UNIT)
    first, beside = house.start(account, "332"), house.start(account, "332", 2 * MINUTE_MS)
    house.initiate(first)
    house.initiate(beside)
    house.terminate(first, MINUTE_MS)
    assert house.update(beside, 1, 3 * MINUTE_MS).grant.held_micros == UNIT + UNIT // 2
    assert house.terminate(beside, 2 * MINUTE_MS).charged_micros == UNIT
    assert house.terminate(beside, 999) == replace(house.terminate(beside, 2 * MINUTE_MS), is_replay=True)
    with reading(house.engine) as conn:
        assert store.month_used(conn, account.id, "2026-03", "voice") == MonthUse(180_000, 2 * UNIT)
    third = house.start(account, "332")
    house.initiate(third)
    assert house.terminate(third, MINUTE_MS).charged_micros == UNIT // 2


def test_the_access_number_is_fixed_at_the_start(house: House) -> None:
    account = house.account(9 * UNIT)
    dear = house.start(account, "334", access="18005550100")
    house.initiate(dear)
    assert house.terminate(dear, MINUTE_MS).charged_micros == UNIT + UNIT // 2 + UNIT // 5 + UNIT // 10
    usual = house.start(account, "334", access="+12125550100")
    house.initiate(usual)
    assert house.terminate(usual, MINUTE_MS).charged_micros == UNIT


def test_the_total_of_a_month_is_what_is_rounded(house: House) -> None:
    account = house.account(9 * UNIT)
    charged, exact = 0, 0
    for used_s in (1, 31, 38, 77, 200, 30):
        opened = house.start(account, "335")
        house.initiate(opened)
        house.update(opened, 1, 300_000)
        charged += house.terminate(opened, used_s * 1000).charged_micros
        blocks = 30 + max(0, -(-(used_s - 30) // 7)) * 7
        exact += -(-blocks * 370_000 // 60)
    assert charged == round(exact / 10_000) * 10_000


def test_sessions_that_race_for_one_bundle_never_use_a_unit_twice(
    house: House, times: Callable[[int, int], int]
) -> None:
    for seed in range(times(3, 200)):
        chance = Random(seed)
        account = house.account(chance.choice([0, UNIT]), minutes(3), Bundle(0, 45_000, rule=CoverRule.BLOCKS))
        results = at_once([partial(_talk, house, account, Random(f"{seed}-{which}")) for which in range(3)])
        whole = 3 * MINUTE_MS + 45_000
        left = sum(units for units, _ in house.units(account))
        balance_micros, held_micros = house.money(account)
        paid_ms = sum(charged for _, charged in results) * 60 // 1000
        assert held_micros == 0
        assert balance_micros >= 0
        assert sum(used for used, _ in results) == (whole - left) + paid_ms
    house.assert_sound()


def _talk(house: House, account: Account, chance: Random) -> tuple[int, int]:
    """One session by the second from start to end; gives what it used of its grant, and what that cost in money."""
    opened = house.start(account, "33", chance.randint(1, 60) * 1000)
    answer = house.initiate(opened)
    if not isinstance(answer, Granted):
        return 0, 0
    for number in range(1, chance.randint(2, 5)):
        answer = house.update(opened, number, answer.grant.granted_ms + chance.randint(0, 60) * 1000)
    used_ms = min(chance.randint(0, 240) * 1000, answer.grant.granted_ms // 1000 * 1000)
    return used_ms, house.terminate(opened, used_ms).charged_micros


def test_a_quote_is_granted_costs_no_more_than_there_is_and_one_increment_more_does_not_fit(
    house: House, times: Callable[[int, int], int]
) -> None:
    for seed in range(times(14, 1_500)):
        chance = Random(seed)
        account = house.account(
            chance.choice([0, chance.randint(1, 5 * UNIT)]),
            *(_any_bundle(house, chance) for _ in range(chance.randint(0, 3))),
            limit_micros=chance.choice([0, 0, UNIT]),
        )
        _spend_some(house, account, chance)
        opened = house.start(account, chance.choice(PREFIXES), CAP_MS, access=chance.choice(["", "18005550100"]))
        context, rate = house.context(opened), opened.rate
        balance_micros, held_micros = house.money(account)
        funds_micros = balance_micros + account.limit_micros - held_micros
        quoted_ms = talk_time_ms(rate, funds_micros, CAP_MS, context)
        answer = house.initiate(opened)
        if not isinstance(answer, Granted):
            assert quoted_ms == 0
            continue
        assert answer.grant.granted_ms == quoted_ms
        _assert_no_more_fits(rate, context, funds_micros, quoted_ms)
        assert house.update(opened, 1, CAP_MS).grant == replace(answer.grant, final=True)
        used_ms = chance.choice([quoted_ms, chance.randint(0, quoted_ms)])
        ended = house.terminate(opened, used_ms)
        assert ended.charged_micros == min(
            price_micros(rate, used_ms, replace(context, is_answered=True)), answer.grant.held_micros
        )
        assert ended.balance_micros >= -account.limit_micros
    house.assert_sound()


def test_grants_that_grow_bit_by_bit_cost_what_one_price_says(house: House, times: Callable[[int, int], int]) -> None:
    """Whatever others take and give back meanwhile, a session pays no more than its hold, and takes what it held."""
    for seed in range(times(7, 1_000)):
        chance = Random(f"bits {seed}")
        account = house.account(
            chance.randint(0, 4 * UNIT), *(_any_bundle(house, chance) for _ in range(chance.randint(1, 3)))
        )
        sessions: list[tuple[Initiate, int]] = []
        for _ in range(chance.randint(4, 14)):
            if not sessions or chance.random() < 0.3:
                opened = house.start(account, chance.choice(PREFIXES), chance.randint(1, 100_000))
                if isinstance(house.initiate(opened), Granted):
                    sessions.append((opened, 0))
            elif chance.random() < 0.7:
                place = chance.randrange(len(sessions))
                opened, number = sessions[place]
                house.update(opened, number + 1, chance.randint(1, 400_000))
                sessions[place] = (opened, number + 1)
            else:
                _end(house, sessions.pop(chance.randrange(len(sessions)))[0], chance)
            house.clock.advance(chance.choice([0, 5, 60]))
        for opened, _ in sessions:
            _end(house, opened, chance)
        assert all(held == 0 for _, held in house.units(account))
        assert house.money(account)[0] >= 0
    house.assert_sound()


def _end(house: House, opened: Initiate, chance: Random) -> None:
    with reading(house.engine) as conn:
        before = charging_store.find_session(conn, opened.session_id)
        assert before is not None
        context = allowances.as_by_now(
            conn, before.account_id, "2026-03", opened.rate, service.context_of(conn, before)
        )
        context = replace(context, is_answered=True)
    used_ms = chance.choice([0, before.granted_ms, chance.randint(0, before.granted_ms), before.granted_ms + 999])
    price = price_micros(opened.rate, min(used_ms, before.granted_ms), context)
    ended = house.terminate(opened, used_ms)
    assert ended.charged_micros == min(price, before.held_micros)
    again = house.terminate(opened, 1)
    assert (again.billed_ms, again.charged_micros) == (ended.billed_ms, ended.charged_micros)


def _any_bundle(house: House, chance: Random) -> Bundle:
    return Bundle(
        0,
        chance.choice([1, 10_000, 45_000, MINUTE_MS, 170_500]),
        chance.choice(["time", "time", "time", CALLS, "data"]),
        chance.choice(list(CoverRule)),
        chance.randint(0, 2),
        chance.choice([None, house.clock.now() + timedelta(days=1)]),
        prefixes=chance.choice([(), ("33",), ("331", "332"), ("44",)]),
        price_micros=chance.choice([0, 0, 100_000, 2 * UNIT]),
        covers_fees=chance.random() < 0.3,
    )


def _spend_some(house: House, account: Account, chance: Random) -> None:
    """A month that is not new."""
    for _ in range(chance.randint(0, 1)):
        opened = house.start(account, chance.choice(PREFIXES), 90_000)
        answer = house.initiate(opened)
        if isinstance(answer, Granted):
            house.terminate(opened, chance.randint(0, answer.grant.granted_ms))


def _assert_no_more_fits(rate: Rate, context: Context, funds_micros: int, quoted_ms: int) -> None:
    assert hold_micros(rate, 0, context) <= funds_micros
    if quoted_ms >= CAP_MS:
        return
    terms = rate.terms or PLAIN
    ends = largest_use(rate, terms, billed(rate, terms, quoted_ms + 1))
    one_more = max(quoted_ms + 1, CAP_MS if ends is None else ends)
    limit = terms.maximum_charge_micros if terms.maximum_rule is MaximumRule.ENDS else None
    assert hold_micros(rate, one_more, context) > (funds_micros if limit is None else min(funds_micros, limit))


def test_units_held_for_nobody_are_found(house: House) -> None:
    account = house.account(0, minutes(2))
    opened = house.start(account, "33")
    house.initiate(opened)
    house.assert_sound()
    with transaction(house.engine) as conn:
        conn.execute(sa.update(bundle).values(held=bundle.c.held + 7))
    found = ledger_service.audit(house.engine)
    assert [(one.found, one.expected) for one in found] == [(60_007, 60_000)]
    with transaction(house.engine) as conn:
        conn.execute(sa.update(bundle).values(held=bundle.c.held - 7))
    house.terminate(opened, 1)
    with transaction(house.engine) as conn:
        conn.execute(sa.update(bundle_use).values(held=1))
        conn.execute(sa.update(bundle).values(held=1))
    assert [(one.found, one.expected) for one in ledger_service.audit(house.engine)] == [(1, 0)]


def test_prepaid_postpaid_and_periodically_billed_are_one_engine(house: House) -> None:
    """The same money to spend, from a payment, from a limit, or from both: the same grants, charges and end."""
    monthly = minutes(2, rolls_over=MINUTE_MS, expires_at=house.clock.now() + timedelta(days=30))
    prepaid, postpaid, billed_monthly = (
        house.account(2 * UNIT),
        house.account(0, limit_micros=2 * UNIT),
        house.account(UNIT, limit_micros=UNIT),
    )
    told = []
    for account in (prepaid, postpaid, billed_monthly):
        with transaction(house.engine) as conn:
            store.add_bundle(conn, account.id, monthly, house.clock.now(), period="30d", renews=True)
        told.append(_month(house, account))
    assert told[0] == told[1] == told[2]
    assert [house.money(one)[0] for one in (prepaid, postpaid, billed_monthly)] == [0, -2 * UNIT, -UNIT]
    house.clock.advance(30 * 86_400)
    for account, due in ((prepaid, 2 * UNIT), (postpaid, 2 * UNIT), (billed_monthly, 2 * UNIT)):
        house.pay(account, due)  # a recharge for the one, the bill of the month for the others
    told = [_month(house, account) for account in (prepaid, postpaid, billed_monthly)]
    assert told[0] == told[1] == told[2]
    house.assert_sound()


def _month(house: House, account: Account) -> list[tuple[object, ...]]:
    """A short session and one until the end; gives what was granted and charged."""
    short, long = house.start(account, "331"), house.start(account, "33")
    told: list[tuple[object, ...]] = []
    for opened, used_ms in ((short, 20_000), (long, CAP_MS)):
        answer = house.initiate(opened)
        assert isinstance(answer, Granted)
        more = house.update(opened, 1, CAP_MS if opened is long else 90_000)
        ended = house.terminate(opened, used_ms)
        told.append((answer.grant, more.grant, ended.billed_ms, ended.charged_micros))
    assert house.initiate(house.start(account, "33")) is ChargeRefusal.NO_CREDIT
    return told
