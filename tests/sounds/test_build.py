"""The audio: built whole once for all checks, then small builds for what a rebuild does."""

import json
import wave
from pathlib import Path

import pytest

from sounds import build, voice
from sounds.audio import AudioFault, examine
from sounds.build import STAMP_NAME, Built, build_language, check_language, language_folder, main
from sounds.manifest import load_manifest
from sounds.voice import VoiceError, find_voice, speak

TEXTS = load_manifest().texts("en")
TWO = {"goodbye": "Goodbye.", "and": "and"}


@pytest.fixture(scope="session")
def every_prompt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of one whole build by the command."""
    output = tmp_path_factory.mktemp("sounds")
    assert main(["--language", "en", "--output", str(output)]) == 0
    return output


def write_wav(path: Path, samples: bytes, *, rate: int = 8000, channels: int = 1, width: int = 2) -> Path:
    with wave.open(str(path), "wb") as audio:
        audio.setnchannels(channels)
        audio.setsampwidth(width)
        audio.setframerate(rate)
        audio.writeframes(samples)
    return path


def peak(path: Path) -> int:
    with wave.open(str(path), "rb") as audio:
        samples = memoryview(audio.readframes(audio.getnframes())).cast("h")
    return max(abs(sample) for sample in samples)


def test_every_prompt_can_be_played(every_prompt: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", "--output", str(every_prompt)]) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"{len(TEXTS)} good, 0 faulty" in printed.err


def test_nothing_but_the_prompts_and_their_stamps_is_left(every_prompt: Path) -> None:
    names = {path.name for path in language_folder(every_prompt, "en").iterdir()}
    assert names == {f"{prompt_id}.wav" for prompt_id in TEXTS} | {STAMP_NAME}


def test_every_prompt_is_equally_loud_and_short(every_prompt: Path) -> None:
    for path in language_folder(every_prompt, "en").glob("*.wav"):
        assert 0.65 < peak(path) / 32768 < 0.75, path.name  # -3 dB is 0.708
        with wave.open(str(path), "rb") as audio:
            assert audio.getnframes() < 8 * 8000, path.name


def test_a_second_build_makes_nothing(every_prompt: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--output", str(every_prompt)]) == 0
    assert f"en: 0 made, {len(TEXTS)} unchanged" in capsys.readouterr().err


def test_only_what_changed_or_is_gone_is_made_again(tmp_path: Path) -> None:
    slt, folder = find_voice("en"), tmp_path / "en" / "tollgate"
    seen: list[tuple[int, int]] = []
    assert build_language(TWO, slt, folder, lambda done, total: seen.append((done, total))) == Built(made=2, kept=0)
    assert seen == [(1, 2), (2, 2)]
    assert build_language(TWO, slt, folder) == Built(made=0, kept=2)
    assert build_language(TWO | {"and": "and then"}, slt, folder) == Built(made=1, kept=1)
    (folder / "goodbye.wav").unlink()
    assert build_language(TWO | {"and": "and then"}, slt, folder) == Built(made=1, kept=1)
    assert check_language(TWO, folder) == ()


def test_a_recording_put_in_place_stays(tmp_path: Path) -> None:
    slt = find_voice("en")
    build_language(TWO, slt, tmp_path)
    own = write_wav(tmp_path / "and.wav", b"\x00\x40\x00\xc0" * 4000)
    recorded = own.read_bytes()
    build_language(TWO, slt, tmp_path)
    assert own.read_bytes() == recorded


@pytest.mark.parametrize("stamps", ["", "[]", "{"])
def test_broken_stamps_only_cost_time(tmp_path: Path, stamps: str) -> None:
    text = {"and": "and"}
    build_language(text, find_voice("en"), tmp_path)
    (tmp_path / STAMP_NAME).write_text(stamps)
    assert build_language(text, find_voice("en"), tmp_path) == Built(made=1, kept=0)


def test_what_was_made_before_a_fault_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails_on_goodbye(slt: voice.Voice, text: str, target: Path) -> None:
        if target.stem == "goodbye":
            raise VoiceError("flite ended with 1: out of breath")
        speak(slt, text, target)

    monkeypatch.setattr(build, "speak", fails_on_goodbye)
    monkeypatch.setattr(build, "WORKERS", 1)
    with pytest.raises(VoiceError, match="out of breath"):
        build_language({"and": "and", "goodbye": "Goodbye.", "point": "point"}, find_voice("en"), tmp_path)
    stamped = set(json.loads((tmp_path / STAMP_NAME).read_text()))
    assert "and" in stamped
    assert stamped == {path.stem for path in tmp_path.glob("*.wav")}
    assert "goodbye" not in stamped


def test_a_program_that_fails_leaves_no_file(tmp_path: Path) -> None:
    broken = voice.Voice(flite=find_voice("en").flite, sox="/bin/false", name="slt")
    with pytest.raises(VoiceError, match="false ended with 1"):
        speak(broken, "Goodbye.", tmp_path / "goodbye.wav")
    assert list(tmp_path.iterdir()) == []


def test_missing_programs_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["--output", str(tmp_path)]) == 1
    assert "apt-get install flite sox" in capsys.readouterr().err


def test_an_unknown_language_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--language", "xx", "--output", str(tmp_path)]) == 1
    assert "no language xx" in capsys.readouterr().err
    with pytest.raises(VoiceError, match="no voice for language xx"):
        find_voice("xx")


def test_an_output_that_is_a_file_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "en").write_text("")
    assert main(["--output", str(tmp_path)]) == 1
    assert "sounds: " in capsys.readouterr().err


def test_a_wrong_option_is_wrong_usage() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--loud"])
    assert ended.value.code == 2


def test_the_check_names_every_missing_prompt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", "--output", str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(TEXTS)
    assert lines[0].endswith("/en/tollgate/welcome.wav: missing")


def test_each_audio_fault_is_told_apart(tmp_path: Path) -> None:
    loud = b"\x00\x40\x00\xc0" * 4000
    assert examine(write_wav(tmp_path / "good.wav", loud)) is None
    assert examine(write_wav(tmp_path / "rate.wav", loud, rate=16000)) is AudioFault.WRONG_FORMAT
    assert examine(write_wav(tmp_path / "stereo.wav", loud, channels=2)) is AudioFault.WRONG_FORMAT
    assert examine(write_wav(tmp_path / "bytes.wav", loud, width=1)) is AudioFault.WRONG_FORMAT
    assert examine(write_wav(tmp_path / "short.wav", loud[:4800])) is AudioFault.TOO_SHORT
    assert examine(write_wav(tmp_path / "empty.wav", b"")) is AudioFault.TOO_SHORT
    assert examine(write_wav(tmp_path / "silent.wav", bytes(16000))) is AudioFault.SILENT
    assert examine(tmp_path / "none.wav") is AudioFault.MISSING
    (tmp_path / "text.wav").write_text("not audio at all, only text that is long enough")
    assert examine(tmp_path / "text.wav") is AudioFault.UNREADABLE
    (tmp_path / "nothing.wav").write_bytes(b"")
    assert examine(tmp_path / "nothing.wav") is AudioFault.UNREADABLE
