"""An automatic dialler guesses PINs, each time with another spoofed number, on many lines at once."""

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
