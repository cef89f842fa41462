"""What a gateway says in its log, and the doctor to staff, of the sound files of the switch."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
import structlog

from ivr import doctor
from ivr.ami.desk import SwitchUnreachableError
from ivr.ami.faults import LinkDown
from ivr.ami.switch import Switch
from ivr.prompt_watch import PromptWatch
from runtime.settings import Settings, SwitchSettings
from sounds.presence import needed_sounds


class SaysWhere:
    """A switch that is asked for nothing but its data directory."""

    def __init__(self, data_directory: str | None) -> None:
        self._told = data_directory

    async def get_variable(self, channel: str | None, expr: str) -> str:
        assert (channel, expr) == (None, "ASTDATADIR")
        if self._told is None:
            raise LinkDown("no link to the switch")
        return self._told


def looked(told: str | None, directories: tuple[str, ...] = ()) -> dict[str, Any]:
    """The one line of a look."""
    with ThreadPoolExecutor(1) as pool, structlog.testing.capture_logs() as lines:
        watch = PromptWatch(cast(Switch, SaysWhere(told)), directories, pool, structlog.get_logger())
        asyncio.run(watch.look())
    (line,) = lines
    return dict(line)


@pytest.fixture
def english(tmp_path: Path) -> Path:
    where = tmp_path / "sounds/en"
    for name in needed_sounds():
        path = where / f"{name}.gsm"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return where


def test_all_are_there_where_the_switch_says(tmp_path: Path, english: Path) -> None:
    assert looked(str(tmp_path))["event"] == "prompts"


def test_what_is_missing_is_named_with_what_to_do(tmp_path: Path, english: Path) -> None:
    (english / "digits/5.gsm").unlink()
    line = looked(None, (str(english),))
    assert (line["event"], line["log_level"], line["missing"]) == ("prompts-missing", "error", "digits/5")
    assert line["mend"]
    assert looked(str(tmp_path))["number"] == 1


def test_another_machine_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    assert looked(str(tmp_path / "nowhere"))["event"] == "prompts-not-seen"
    assert looked(None)["event"] == "prompts-not-seen"


def test_the_doctor_looks_at_the_files(english: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def prompts(*directories: Path) -> doctor.Finding:
        switch = SwitchSettings(sounds_dirs=tuple(map(str, directories)))
        return doctor.finding("prompts", doctor.look_at_prompts, Settings(switch=switch))

    assert prompts(english).ok
    (english / "minutes.gsm").unlink()
    (english / "tollgate/goodbye.gsm").unlink()
    found = prompts(english)
    assert not found.ok
    assert "2 missing" in found.detail
    assert "minutes, tollgate/goodbye" in found.detail
    assert "asterisk-core-sounds-en" in found.detail
    assert "not looked for" in prompts(english / "nowhere").detail

    def nobody(*_: object) -> None:
        raise SwitchUnreachableError("no switch answers")

    monkeypatch.setattr(doctor, "open_desk", nobody)
    assert "not looked for" in prompts().detail
