"""A line that is blocked while a call from it is up."""

from pathlib import Path

import pytest

from ani.negative import service as negative_service
from ani.negative.block import NegativeReason, NewBlock
from dialplan.asterisk.manager_link import ManagerLink
from dialplan.lab.lab import Lab
from dialplan.lab.telephone import Telephone
from tests.ivr.town import ANN, CALLING
from tests.live import failures
from tests.live.house import open_house
from tests.live.test_call import TALKS, dial

pytestmark = pytest.mark.live


def test_a_block_ends_the_call_that_is_up(
    lab: Lab, sqlite_url: str, tmp_path: Path, telephone: Telephone, watch: ManagerLink
) -> None:
    with open_house(lab, sqlite_url, tmp_path) as house:
        town = house.town
        ann = town.account("ann", 5_000_000, line=ANN)
        telephone.call(CALLING, ANN)
        telephone.wait_answered()
        dial(telephone, TALKS)
        failures.wait_talking(watch, 1)
        block = NewBlock(ANN, NegativeReason.OPERATOR, "stolen", ends_calls=True)
        assert negative_service.block(town.engine, town.clock, block, "care")
        cdr = house.wait_cdrs(1)[0]
        assert (cdr.disposition, cdr.hangup_cause) == ("blocked-by-operator", 21)
        assert cdr.used_ms > 0
        assert house.wait_free(ann) == 5_000_000 - cdr.charged_micros
        told = [event.detail for event in house.explain(cdr.call_id).events if event.step == "negative"]
        assert [(detail["source"], detail["in_call"]) for detail in told] == [("care", True)]
