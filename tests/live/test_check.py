"""`tollgate asterisk check` against the real switch: good when it is, and each fault by its name."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from dialplan.asterisk.check import check
from dialplan.lab.lab import Lab
from runtime.settings import Settings
from tests.live.stub_gateway import StubGateway

pytestmark = pytest.mark.live


def bad(settings: Settings, sounds: Path) -> dict[str, str]:
    return {one.name: one.seen for one in check(settings, sounds, ("apology", "goodbye")) if not one.good}


def test_a_good_switch(lab: Lab, stub: StubGateway) -> None:
    assert bad(lab.settings, lab.gateway.outside / "share/sounds/en/tollgate") == {}


def test_each_fault_has_its_name(lab: Lab, tmp_path: Path) -> None:
    wrong = lab.settings.ami.model_copy(update={"secret": SecretStr("not-this-one")})
    seen = bad(lab.settings.model_copy(update={"ami": wrong}), tmp_path)
    assert set(seen) == {"login", "sounds", "gateway"}
    nowhere = lab.settings.ami.model_copy(update={"port": 1})
    assert "manager" in bad(lab.settings.model_copy(update={"ami": nowhere}), tmp_path)
    other = lab.settings.switch.model_copy(update={"trunk": "nobody"})
    assert bad(lab.settings.model_copy(update={"switch": other}), tmp_path)["trunk"] == "no endpoint nobody"
