"""Text to a prompt file: flite speaks, sox makes it telephone audio."""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sounds.audio import RATE_HZ

VOICES = {"en": "slt"}
_TRIM_START = ("silence", "1", "0.005", "0.2%")  # flite's silence is true zero; an `s` on a telephone is hardly louder
# The rate comes first, so that the peak is measured on what is kept. Speech loses the silence around it, then gets a
# short breath on both sides, so that words played in a row do not collide.
EFFECTS = (
    *("rate", str(RATE_HZ), "norm", "-3"),
    *(*_TRIM_START, "reverse", *_TRIM_START, "reverse"),
    *("pad", "0.05", "0.1"),
)
_LONGEST_RUN_S = 60


class VoiceError(Exception):
    """A program is missing or failed; the message says what to install or what it answered."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice and the programs that make it, by full path."""

    flite: str
    sox: str
    name: str

    @property
    def settings(self) -> str:
        """Everything but the text that decides how a prompt sounds; a change of it makes every prompt anew."""
        return " ".join(("flite", self.name, *EFFECTS))


def find_voice(language: str) -> Voice:
    """The voice of a language. Raises VoiceError naming the package to install, or that there is no voice."""
    if language not in VOICES:
        raise VoiceError(f"no voice for language {language}; there is one for {', '.join(sorted(VOICES))}")
    found = {program: shutil.which(program) for program in ("flite", "sox")}
    if missing := [program for program, path in found.items() if path is None]:
        raise VoiceError(f"{' and '.join(missing)} not found; on Debian: apt-get install {' '.join(missing)}")
    return Voice(flite=str(found["flite"]), sox=str(found["sox"]), name=VOICES[language])


def speak(voice: Voice, text: str, target: Path) -> None:
    """Write the text as audio to `target`, whole or not at all. Raises VoiceError, or OSError for the folder."""
    with TemporaryDirectory(prefix=".making-", dir=target.parent) as folder:
        spoken, finished = Path(folder, "spoken.wav"), Path(folder, "finished.wav")
        _run((voice.flite, "-voice", voice.name, "-t", text, "-o", str(spoken)))
        form = ("-r", str(RATE_HZ), "-c", "1", "-b", "16", "-e", "signed-integer")
        _run((voice.sox, "-V1", str(spoken), *form, str(finished), *EFFECTS))
        finished.replace(target)


def _run(command: Sequence[str]) -> None:
    try:
        # The program is a full path found on PATH and no shell reads the text.
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST_RUN_S, check=False)  # noqa: S603  (fixed programs, no shell)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise VoiceError(f"{Path(command[0]).name}: {error}") from error
    if done.returncode != 0:
        raise VoiceError(f"{Path(command[0]).name} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
