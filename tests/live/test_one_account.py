"""Many calls at once on one account that can pay for one: it is never below zero, and pays what it is billed."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from billing.accounts import service as account_service
from billing.accounts.account import Account
from billing.ledger import service as ledger_service
from dialplan.asterisk.manager_link import ManagerLink
from dialplan.lab.lab import Lab
from tests.ivr.town import CALLING
from tests.live import failures
from tests.live.callers import callers, line_of
from tests.live.house import House, open_house

pytestmark = pytest.mark.live

Times = Callable[[int, int], int]
TALKS_FOR_EVER = "01133142685317"
MONEY_FOR_ONE = 100_000
"""Six seconds at 1.00 a minute, and no call is connected for less than five."""


def test_twenty_calls_with_money_for_one(
    lab: Lab, sqlite_url: str, tmp_path: Path, watch: ManagerLink, times: Times
) -> None:
    number = times(6, 20)
    grants = {"CHARGING__GRANT_S": "6", "CHARGING__EXTEND_BEFORE_S": "2", "CALL__WARN_AT_S": "[]"}
    with open_house(lab, sqlite_url, tmp_path, **grants) as house, callers(lab, number) as group:
        town = house.town
        account = town.account("shared", MONEY_FOR_ONE)
        for one in range(number):
            account_service.add_line(
                town.engine, town.clock, town.pepper, number=account.number, line=line_of(one), code=None
            )
        with Lowest(house, account) as lowest:
            group.call(CALLING)
            group.wait_answered()
            group.telephones[0].listen(1.0)
            failures.dial(group, TALKS_FOR_EVER)
            cdrs = house.wait_cdrs(number, 60.0)
            assert house.wait_free(account) == 0
        assert lowest.available_micros >= 0
        connected = [cdr for cdr in cdrs if cdr.charged_micros]
        assert [(cdr.charged_micros, cdr.disposition) for cdr in connected] == [(MONEY_FOR_ONE, "balance-used-up")]
        assert {cdr.disposition for cdr in cdrs} == {"balance-used-up", "no-credit"}
        assert sum(cdr.charged_micros for cdr in cdrs) == MONEY_FOR_ONE
        assert not ledger_service.audit(town.engine)
        group.wait_ended()
        failures.must_be_forgotten(watch)
        failures.must_be_calm(house)


class Lowest:
    """Looks at an account all the time, and keeps the least it could spend."""

    def __init__(self, house: House, account: Account) -> None:
        self._house, self._account = house, account
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.available_micros = 2**62

    def __enter__(self) -> "Lowest":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(0.02):
            balance, held = self._house.town.balance(self._account)
            self.available_micros = min(self.available_micros, balance - held)
