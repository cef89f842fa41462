"""New rates are taken up by a gateway that runs, without restart and without touching the calls that are up (CHG-3)."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from billing.accounts import service as account_service
from billing.accounts.account import Account
from billing.calls.call import Cdr
from billing.ledger import service as ledger_service
from dialplan.lab.lab import Lab
from dialplan.lab.polling import wait_for
from tests.ivr.town import CALLING, Town
from tests.live import failures
from tests.live.callers import callers, line_of
from tests.live.house import open_house

pytestmark = pytest.mark.live

TALKS_FOR_EVER = "01133142685317"
SHORT = {"CHARGING__GRANT_S": "6", "CHARGING__EXTEND_BEFORE_S": "2", "CALL__WARN_AT_S": "[]"}
OLD, NEW = 1_000_000, 3_000_000
"""A minute, before and after."""


def test_a_call_keeps_its_rate_and_the_next_has_the_new_one(lab: Lab, sqlite_url: str, tmp_path: Path) -> None:
    with open_house(lab, sqlite_url, tmp_path, **SHORT) as house, callers(lab, 2) as group:
        town = house.town
        first, second = (town.account(name, 5_000_000) for name in ("first", "second"))
        for one, account in enumerate((first, second)):
            account_service.add_line(
                town.engine, town.clock, town.pepper, number=account.number, line=line_of(one), code=None
            )
        for one, account in enumerate((first, second)):
            group.call(CALLING, among=[one])
            group.wait_answered(among=[one])
            group.telephones[one].listen(1.0)
            failures.dial(group, TALKS_FOR_EVER, [one])
            wait_for(partial(_holds_more, town, account, 0), "money is held")
            if account is first:
                _import(lab, sqlite_url, tmp_path)
                held = town.balance(first)[1]
                # Extended by the old rate though there is a new one; by then the gateway has to have looked again.
                wait_for(partial(_holds_more, town, first, held), "more is held", 20.0)
        wait_for(lambda: town.balance(second)[1] == 6 * NEW // 60, "the first grant by the new rate")
        group.hang_up()
        cdrs = {cdr.account_id: cdr for cdr in house.wait_cdrs(2, 30.0)}
        assert _price(cdrs[first.id], OLD) == cdrs[first.id].charged_micros
        assert _price(cdrs[second.id], NEW) == cdrs[second.id].charged_micros
        assert cdrs[first.id].tariff_version_id != cdrs[second.id].tariff_version_id
        assert cdrs[first.id].used_ms > 4_000
        assert not ledger_service.audit(town.engine)


def _holds_more(town: Town, account: Account, micros: int) -> bool:
    return town.balance(account)[1] > micros


def _price(cdr: Cdr, per_minute_micros: int) -> int:
    """By the second, rounded up."""
    seconds = (cdr.used_ms + 999) // 1000
    return (seconds * per_minute_micros + 59) // 60


def _import(lab: Lab, url: str, folder: Path) -> None:
    """Load new rates as staff do, in a process of its own."""
    rates = folder / "dearer.csv"
    rates.write_text("prefix,destination,price_per_minute\n1,North America,3.00\n33,France,3.00\n")
    environment = {
        **os.environ,
        **lab.environment(),
        "TOLLGATE_DATABASE__URL": url,
        "TOLLGATE_SECURITY__PEPPER_FILE": str(folder / "pepper"),
    }
    program = Path(sys.executable).parent / "tollgate"
    done = subprocess.run(
        [program, "tariff", "import", str(rates), "--tariff", "retail"],
        env=environment,
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
