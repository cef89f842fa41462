"""Sessions side by side where the month has a say: tiers and rounding of the total, on both databases."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from billing.charging.session import Granted, Initiate
from billing.rating import Context, price_micros
from tests.billing.charging.test_included_units import (
    DEARER,
    MINUTE_MS,
    UNIT,
    House,
    house,  # noqa: F401  (pytest finds the fixture here)
)

BY_MONTH = ("332", "338", "339", "330", "3311", "3312")
"""Where one record of all comes to a sum that does not hang on how it is cut."""


def test_a_half_that_was_let_go_is_lifted_by_whole_amounts_and_held_for(house: House) -> None:  # noqa: F811  (pytest gives it by this name)
    """0.50 is rounded to 0, and 1.00 more to 2: more than the second costs alone."""
    account = house.account(3 * UNIT)
    first, second = house.start(account, "339", 100_000), house.start(account, "339", 200_000)
    house.initiate(first)
    answer = house.initiate(second)
    assert isinstance(answer, Granted)
    assert house.terminate(first, 100_000).charged_micros == 0
    assert house.terminate(second, 200_000).charged_micros == 2 * UNIT
    assert house.money(account) == (UNIT, 0)


@pytest.mark.parametrize("prefix", BY_MONTH)
def test_sessions_side_by_side_cost_what_one_record_of_them_would(
    house: House,  # noqa: F811  (pytest gives it by this name)
    prefix: str,
    times: Callable[[int, int], int],
) -> None:
    """In whatever order they start, are extended and end, where the account has the money."""
    for seed in range(times(4, 200)):
        chance = Random(seed)
        account = house.account(500 * UNIT)
        waiting = [house.start(account, prefix, chance.randint(1, 200_000)) for _ in range(chance.randint(2, 6))]
        running: list[tuple[Initiate, int]] = []
        billed_ms = charged_micros = 0
        while waiting or running:
            if waiting and (not running or chance.random() < 0.6):
                answer = house.initiate(opened := waiting.pop())
                assert isinstance(answer, Granted)
                running.append((opened, answer.grant.granted_ms))
                continue
            opened, granted_ms = running.pop(chance.randrange(len(running)))
            if chance.random() < 0.3:
                granted_ms = house.update(opened, 1, granted_ms + 60_000).grant.granted_ms
            ended = house.terminate(opened, used_ms := chance.choice([0, granted_ms, chance.randint(0, granted_ms)]))
            assert house.terminate(opened, used_ms + 1) == replace(ended, is_replay=True)
            billed_ms += ended.billed_ms
            charged_micros += ended.charged_micros
        rate = house.rate(prefix)
        context = Context(house.clock.now(), is_answered=True)
        one = replace(rate, initial_s=1, increment_s=1, minimum_s=0)
        assert charged_micros == price_micros(one, billed_ms, context), (seed, billed_ms)
        assert house.money(account) == (500 * UNIT - charged_micros, 0)
    house.assert_sound()


def test_sessions_side_by_side_never_charge_below_the_limit(house: House, times: Callable[[int, int], int]) -> None:  # noqa: F811  (pytest gives it by this name)
    """Tiers that cost more, and little money: what is not there is not charged."""
    for seed in range(times(5, 200)):
        chance = Random(seed)
        account = house.account(chance.randint(0, 2 * UNIT), limit_micros=chance.choice([0, UNIT]))
        opened = [house.start(account, chance.choice([DEARER, "339", "335"]), 120_000) for _ in range(6)]
        running = [(one, answer) for one in opened if isinstance(answer := house.initiate(one), Granted)]
        chance.shuffle(running)
        for one, answer in running:
            house.terminate(one, answer.grant.granted_ms)
            balance_micros, held_micros = house.money(account)
            assert balance_micros - held_micros >= -account.limit_micros
        assert house.money(account)[1] == 0
    house.assert_sound()


def test_the_total_of_a_month_is_rounded_once_for_sessions_side_by_side(house: House) -> None:  # noqa: F811  (pytest gives it by this name)
    """Ten seconds cost 0.185, of which the half-even share would be 0.18 or 0.19 each."""
    account = house.account(9 * UNIT)
    opened = [house.start(account, "335") for _ in range(5)]
    for one in opened:
        house.initiate(one)
    charged = sum(house.terminate(one, 1_000).charged_micros for one in opened)
    assert charged == 5 * 185_000 // 10_000 * 10_000 == 920_000


def test_the_tier_for_everything_is_reached_by_what_is_billed(house: House) -> None:  # noqa: F811  (pytest gives it by this name)
    """61 s are billed as 120 s: whoever calls after that is past two minutes, whatever was used of them."""
    account = house.account(9 * UNIT)
    charged = []
    for used_ms in (61_000, 1_000):
        opened = house.start(account, "333", 2 * MINUTE_MS)
        house.initiate(opened)
        charged.append(house.terminate(opened, used_ms).charged_micros)
    assert charged == [2 * UNIT, UNIT // 2]
    both = house.account(9 * UNIT)
    opened = house.start(both, "333", 3 * MINUTE_MS)
    house.initiate(opened)
    assert house.terminate(opened, 2 * MINUTE_MS + 1).charged_micros == 3 * UNIT // 2
