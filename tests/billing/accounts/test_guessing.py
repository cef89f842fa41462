"""An automatic dialler guesses PINs, each time with another spoofed number, on many lines at once."""

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from ani.lockout.lockout import Limits
from ani.lockout.tables import wrong_entry
from billing.accounts import service
from billing.accounts.account import AccountRefusal
from billing.operators import service as operator_service
from runtime.keys import Pepper
from tests.clock import SettableClock

LIMITS = Limits(per_line_hour=5, per_account_half_hour=10, overall_hour=60)
LINES_AT_ONCE = 8


def test_sixty_guesses_an_hour_over_all_lines(engine: Engine, clock: SettableClock, pepper: Pepper) -> None:
    operator_service.create_operator(engine, code="op", name="Op", currency="USD", home_country="US")
    account = service.create_account(engine, clock, operator_code="op")
    pin = service.issue_pin(engine, clock, pepper, account.id)

    def guess(number: int) -> int | AccountRefusal:
        wrong = f"{(int(pin) + 1 + number) % 10**8:08d}"
        line = f"+1212555{number:04d}" if number % 3 else ""  # every third withholds his number
        return service.check_pin(engine, clock, pepper, LIMITS, line, wrong)

    with ThreadPoolExecutor(LINES_AT_ONCE) as pool:
        answers = list(pool.map(guess, range(100)))
    assert set(answers) == {AccountRefusal.WRONG_PIN, AccountRefusal.LOCKED}
    # those under way on other lines at the moment the limit is reached may pass it
    assert 60 <= answers.count(AccountRefusal.WRONG_PIN) < 60 + LINES_AT_ONCE
    with engine.connect() as connection:
        counted = sa.select(sa.func.count()).where(wrong_entry.c.scope == "overall")
        assert connection.execute(counted).scalar_one() == answers.count(AccountRefusal.WRONG_PIN)
    assert service.check_pin(engine, clock, pepper, LIMITS, "+12125559999", pin) is AccountRefusal.LOCKED
    clock.advance(timedelta(hours=1, seconds=1).total_seconds())
    assert service.check_pin(engine, clock, pepper, LIMITS, "+12125559999", pin) == account.id


def test_a_dialler_with_a_million_wrong_pins_opens_nothing(
    sqlite_engine: Engine, clock: SettableClock, pepper: Pepper, times: Callable[[int, int], int]
) -> None:
    """150 tries a second from 400 lines: as many are judged as the limits say; a right PIN in between is not."""
    engine, tries = sqlite_engine, times(2_000, 1_000_000)
    operator_service.create_operator(engine, code="op", name="Op", currency="USD", home_country="US")
    account = service.create_account(engine, clock, operator_code="op")
    pins = {service.issue_pin(engine, clock, pepper, account.id) for _ in range(10)}
    chance, began = random.Random(7), clock.now()
    answers: Counter[object] = Counter()
    judged: Counter[tuple[str, int]] = Counter()
    for number in range(tries):
        clock.advance(1 / 150)
        line = f"+1212555{chance.randrange(400):04d}"
        keyed = f"{chance.randrange(10**8):08d}"
        is_right = keyed in pins or (number % 997 == 0 and answers[AccountRefusal.LOCKED] > 0)
        answer = service.check_pin(engine, clock, pepper, LIMITS, line, min(pins) if is_right else keyed)
        answers[answer] += not is_right or isinstance(answer, int)
        if answer is AccountRefusal.WRONG_PIN:
            judged[line, int((clock.now() - began).total_seconds() // 3600)] += 1
    hours = tries / 150 / 3600
    assert set(answers) <= {AccountRefusal.WRONG_PIN, AccountRefusal.LOCKED}
    assert 60 <= answers[AccountRefusal.WRONG_PIN] <= 60 * (int(hours) + 1)
    assert max(judged.values()) <= LIMITS.per_line_hour
    clock.advance(3601)
    assert service.check_pin(engine, clock, pepper, LIMITS, "+12125559999", min(pins)) == account.id
