"""A real call on a real Asterisk, from ring to bill."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dialplan.lab.lab import Lab
from dialplan.lab.polling import wait_for
from dialplan.lab.telephone import Telephone
from tests.ivr.town import ANN, CALLING, CHECKED, SSN, STRANGER
from tests.live.house import House, open_house
from tests.live.recording import loudness

pytestmark = pytest.mark.live

TALKS = "01133142685300"
BUSY = "01133142685311"
HANGS_UP_AFTER_3_S = "01133142685323"


@pytest.fixture
def house(lab: Lab, sqlite_url: str, tmp_path: Path) -> Iterator[House]:
    with open_house(lab, sqlite_url, tmp_path) as opened:
        yield opened


def dial(telephone: Telephone, digits: str) -> None:
    """Break into the first prompt with the destination, and off the announcement of the price, as those do who know it.

    Heard whole, both take longer than the dialogue may last here.
    """
    telephone.listen(1.0)
    telephone.press(f"{digits}#")
    telephone.listen(0.8)
    telephone.press("#")


def test_called_party_hangs_up(house: House, telephone: Telephone) -> None:
    ann = house.town.account("ann", 5_000_000, line=ANN)
    telephone.call(CALLING, ANN)
    telephone.wait_answered()
    dial(telephone, HANGS_UP_AFTER_3_S)
    cdr = house.wait_cdrs(1, 30.0)[0]
    assert (cdr.disposition, cdr.destination, cdr.account_id) == ("answered", "+33142685323", ann.id)
    assert 3_400 <= cdr.used_ms < 3_700  # the network's answer takes half a second of its own
    assert cdr.charged_micros == -(-cdr.used_ms // 1000) * 1_000_000 // 60 + 1
    assert house.wait_free(ann) == 5_000_000 - cdr.charged_micros
    telephone.wait_ended()


def test_cut_at_zero(house: House, telephone: Telephone) -> None:
    ann = house.town.account("ann", 100_000, line=ANN)
    telephone.call(CALLING, ANN)
    telephone.wait_answered()
    dial(telephone, TALKS)
    cdr = house.wait_cdrs(1, 40.0)[0]
    assert cdr.disposition == "balance-used-up"
    assert 6_000 <= cdr.used_ms < 7_000
    assert house.wait_free(ann) == 0
    telephone.wait_ended()


def test_busy_is_told_and_not_charged(house: House, telephone: Telephone) -> None:
    ann = house.town.account("ann", 5_000_000, line=ANN)
    telephone.call(CALLING, ANN)
    telephone.wait_answered()
    dial(telephone, BUSY)
    cdr = house.wait_cdrs(1, 30.0)[0]
    assert (cdr.disposition, cdr.hangup_cause, cdr.charged_micros) == ("busy", 17, 0)
    assert house.wait_free(ann) == 5_000_000
    telephone.wait_ended()


def test_age_and_pin_by_keypad(house: House, telephone: Telephone) -> None:
    ann = house.town.account("ann", 5_000_000)
    pin = house.town.pin(ann)
    house.town.listing(STRANGER)
    house.town.identity(STRANGER)
    telephone.call(CHECKED, STRANGER)
    telephone.wait_answered()
    telephone.listen(1.0)
    telephone.press(pin)
    telephone.listen(1.0)
    telephone.press(SSN)
    dial(telephone, HANGS_UP_AFTER_3_S)
    cdr = house.wait_cdrs(1, 40.0)[0]
    assert cdr.disposition == "answered", house.explain(cdr.call_id)


def test_the_payer_is_warned_of_the_end(lab: Lab, sqlite_url: str, tmp_path: Path, telephone: Telephone) -> None:
    with open_house(lab, sqlite_url, tmp_path, CALL__WARN_AT_S="[5]") as house:
        ann = house.town.account("ann", 200_000, line=ANN)
        telephone.call(CALLING, ANN, record=True)
        telephone.wait_answered()
        dial(telephone, "01133142685317")
        assert house.wait_cdrs(1, 40.0)[0].disposition == "balance-used-up"
        assert house.wait_free(ann) == 0
        telephone.wait_ended()
        wait_for(telephone.heard().exists, "the recording")
        assert len(house.gateway.log_lines("warned")) == 1
        heard = loudness(telephone.heard())
        # the far end is an echo of silence: what is heard in the last seconds of the talk is the whisper
        assert max(heard[-9:-3]) > 0.01, heard
