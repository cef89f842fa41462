"""Money that comes in mid-call prolongs the call at once, and calls that share an account end together (CALL-12)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from billing.accounts import service as account_service
from billing.accounts.account import Account
from billing.ledger import service as ledger_service
from dialplan.asterisk.manager_link import ManagerLink
from dialplan.lab.lab import Lab
from dialplan.lab.polling import wait_for
from tests.ivr.town import CALLING
from tests.live import failures
from tests.live.callers import callers, line_of
from tests.live.house import House, open_house

pytestmark = pytest.mark.live

TALKS_FOR_EVER = "01133142685317"
SIX_SECONDS = 100_000
"""At 1.00 a minute."""
TWELVE_SECONDS = 2 * SIX_SECONDS
SHORT = {"CHARGING__GRANT_S": "6", "CHARGING__EXTEND_BEFORE_S": "2", "CALL__WARN_AT_S": "[]"}


def test_a_credit_in_mid_call_goes_beyond_the_old_deadline(
    lab: Lab, sqlite_url: str, tmp_path: Path, watch: ManagerLink
) -> None:
    # the command that credits is a process of its own, which a busy machine starts slowly
    longer = {**SHORT, "CHARGING__GRANT_S": "12"}
    with open_house(lab, sqlite_url, tmp_path, **longer) as house, callers(lab, 1) as group:
        ann = shared_account(house, 1, TWELVE_SECONDS)
        group.call(CALLING)
        group.wait_answered()
        group.telephones[0].listen(1.0)
        failures.dial(group, TALKS_FOR_EVER)
        wait_for(lambda: house.town.balance(ann)[1] == TWELVE_SECONDS, "all the money is held")
        credit(lab, sqlite_url, tmp_path, ann, "0.15")
        wait_for(lambda: house.town.balance(ann) == (350_000, 350_000), "the new money is held too", 10.0)
        cdr = house.wait_cdrs(1, 40.0)[0]
        assert (cdr.disposition, cdr.charged_micros) == ("balance-used-up", 350_000)
        assert 21_000 <= cdr.used_ms < 21_500
        assert house.wait_free(ann) == 0
        assert not ledger_service.audit(house.town.engine)
        group.wait_ended()
        failures.must_be_forgotten(watch)


def test_two_calls_on_one_account_end_together_at_zero(
    lab: Lab, sqlite_url: str, tmp_path: Path, watch: ManagerLink
) -> None:
    with open_house(lab, sqlite_url, tmp_path, **SHORT) as house, callers(lab, 2) as group:
        account = shared_account(house, 2, 5 * SIX_SECONDS)
        group.call(CALLING)
        group.wait_answered()
        group.telephones[0].listen(1.0)
        failures.dial(group, TALKS_FOR_EVER)
        one, other = house.wait_cdrs(2, 60.0)
        assert {one.disposition, other.disposition} == {"balance-used-up"}
        assert abs((one.ended_at - other.ended_at).total_seconds()) <= 2
        assert house.wait_free(account) == 0
        assert one.charged_micros + other.charged_micros == 5 * SIX_SECONDS
        assert abs(one.used_ms - other.used_ms) < 10_000
        assert not ledger_service.audit(house.town.engine)
        group.wait_ended()
        failures.must_be_forgotten(watch)


def shared_account(house: House, lines: int, micros: int) -> Account:
    """One account on the lines of so many telephones."""
    town = house.town
    account = town.account("shared", micros)
    for one in range(lines):
        account_service.add_line(
            town.engine, town.clock, town.pepper, number=account.number, line=line_of(one), code=None
        )
    return account


def credit(lab: Lab, url: str, folder: Path, account: Account, amount: str) -> None:
    """Pay money in as staff do, in a process of its own."""
    environment = {
        **os.environ,
        **lab.environment(),
        "TOLLGATE_DATABASE__URL": url,
        "TOLLGATE_SECURITY__PEPPER_FILE": str(folder / "pepper"),
    }
    program = Path(sys.executable).parent / "tollgate"
    done = subprocess.run(
        [program, "account", "credit", account.number, amount], env=environment, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
