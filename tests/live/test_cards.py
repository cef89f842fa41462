"""A prepaid card on a real switch: its PIN lets a stranger in, and a second card is paid in before he dials."""

from pathlib import Path

import pytest

from billing.accounts import service as account_service
from billing.ledger import service as ledger_service
from dialplan.asterisk.manager_link import ManagerLink
from dialplan.lab.lab import Lab
from dialplan.lab.telephone import Telephone
from tests.ivr.test_self_service import TEN, card
from tests.ivr.town import CALLING, STRANGER
from tests.live import failures
from tests.live.house import open_house

pytestmark = pytest.mark.live

TALKS = "01133142685300"


def test_two_cards_in_one_call(
    lab: Lab, sqlite_url: str, tmp_path: Path, telephone: Telephone, watch: ManagerLink
) -> None:
    with open_house(lab, sqlite_url, tmp_path) as house:
        serial, first = card(house.town, batch="first")
        _, second = card(house.town, batch="second")
        telephone.call(CALLING, STRANGER)
        telephone.wait_answered()
        for digits in (first, "*1#", second):
            telephone.listen(0.5)
            telephone.press(digits, gap_s=0.06)
        telephone.listen(0.5)
        telephone.press(f"{TALKS}#", gap_s=0.06)
        telephone.listen(0.8)
        telephone.press("#")
        failures.wait_talking(watch, 1)
        telephone.hang_up()
        cdr = house.wait_cdrs(1)[0]
        assert cdr.disposition == "answered", house.explain(cdr.call_id)
        account = account_service.find_account(house.town.engine, serial)
        assert account.id == cdr.account_id
        assert account.balance_micros == 2 * TEN - cdr.charged_micros
        assert not ledger_service.audit(house.town.engine)
        written = house.gateway.log_file.read_text()
        assert first not in written
        assert second not in written
