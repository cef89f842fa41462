"""A prepaid card on a real switch: its PIN lets a stranger in, and a second card is paid in."""

from pathlib import Path

import pytest

from billing.accounts import service as account_service
from billing.ledger import service as ledger_service
from dialplan.lab.lab import Lab
from dialplan.lab.polling import wait_for
from dialplan.lab.telephone import Telephone
from tests.ivr.test_self_service import TEN, card
from tests.ivr.town import CALLING, STRANGER
from tests.live.house import House, open_house

pytestmark = pytest.mark.live


def test_two_cards_in_one_call(lab: Lab, sqlite_url: str, tmp_path: Path, telephone: Telephone) -> None:
    with open_house(lab, sqlite_url, tmp_path) as house:
        serial, first = card(house.town, batch="first")
        _, second = card(house.town, batch="second")
        telephone.call(CALLING, STRANGER)
        telephone.wait_answered()
        for digits in (first, "*1#", second):
            telephone.listen(0.3)
            telephone.press(digits, gap_s=0.06)
        wait_for(lambda: balance_of(house, serial) == 2 * TEN, "both cards are paid in")
        telephone.hang_up()
        cdr = house.wait_cdrs(1)[0]
        assert cdr.disposition == "gone-at-destination", house.explain(cdr.call_id)
        assert not ledger_service.audit(house.town.engine)
        written = house.gateway.log_file.read_text()
        assert first not in written
        assert second not in written


def balance_of(house: House, number: str) -> int:
    """What is on an account that may not be there yet."""
    found = {account.number: account for account in account_service.list_accounts(house.town.engine)}
    return found[number].balance_micros if number in found else 0
