"""`tollgate asterisk check` against the real switch: good when it is, and each fault by its name."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from dialplan.asterisk.check import check
from dialplan.lab.lab import Lab
from runtime.settings import Settings, SwitchSettings
from sounds.presence import needed_sounds
from tests.live.stub_gateway import StubGateway

pytestmark = pytest.mark.live


def bad(settings: Settings, *sounds: Path) -> dict[str, str]:
    return {one.name: one.seen for one in check(settings, sounds, needed_sounds()) if not one.good}


def test_a_good_switch(lab: Lab, stub: StubGateway) -> None:
    assert bad(lab.settings) == {}
    told = check(lab.settings.model_copy(update={"switch": unseen(lab.settings)}), (), needed_sounds())
    (seen,) = [one.seen for one in told if one.name == "sounds"]
    assert str(lab.gateway.base) in seen, "else where the switch says"


def unseen(settings: Settings) -> SwitchSettings:
    """Without a word of where the sounds are."""
    return settings.switch.model_copy(update={"sounds_dirs": ()})


def test_each_fault_has_its_name(lab: Lab, tmp_path: Path) -> None:
    wrong = lab.settings.ami.model_copy(update={"secret": SecretStr("not-this-one")})
    seen = bad(lab.settings.model_copy(update={"ami": wrong}), tmp_path)
    assert "not on this machine" in seen["sounds"]
    assert set(seen) == {"login", "sounds", "gateway"}
    nowhere = lab.settings.ami.model_copy(update={"port": 1})
    assert "manager" in bad(lab.settings.model_copy(update={"ami": nowhere}), tmp_path)
    other = lab.settings.switch.model_copy(update={"trunk": "nobody"})
    assert bad(lab.settings.model_copy(update={"switch": other}), tmp_path)["trunk"] == "no endpoint nobody"
