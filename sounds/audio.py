"""What a prompt file must be: 8 kHz, mono, 16-bit wav, long enough to be heard and not silent."""

import sys
import wave
from array import array
from collections.abc import Sequence
from enum import StrEnum
from math import sqrt
from pathlib import Path

RATE_HZ = 8000
SAMPLE_BYTES = 2
SHORTEST_S = 0.3
QUIETEST_RMS = 300  # of 32767, about -41 dB; normalised speech is ten times louder


class AudioFault(StrEnum):
    """Why a file is no good as a prompt."""

    MISSING = "missing"
    UNREADABLE = "not a wav file"
    WRONG_FORMAT = "not 8 kHz mono 16-bit"
    TOO_SHORT = "not longer than 0.3 s"
    SILENT = "silent"


def examine(path: Path) -> AudioFault | None:
    """The first fault of the file, or None when it can be played as a prompt. Raises OSError for no right to read."""
    try:
        with wave.open(str(path), "rb") as audio:
            if (audio.getframerate(), audio.getnchannels(), audio.getsampwidth()) != (RATE_HZ, 1, SAMPLE_BYTES):
                return AudioFault.WRONG_FORMAT
            frames = audio.readframes(audio.getnframes())
    except FileNotFoundError:
        return AudioFault.MISSING
    except (wave.Error, EOFError):
        return AudioFault.UNREADABLE
    samples = array("h", frames[: len(frames) // SAMPLE_BYTES * SAMPLE_BYTES])
    if sys.byteorder == "big":
        samples.byteswap()
    if len(samples) <= SHORTEST_S * RATE_HZ:
        return AudioFault.TOO_SHORT
    return AudioFault.SILENT if rms(samples) < QUIETEST_RMS else None


def rms(samples: Sequence[int]) -> float:
    """Root mean square of 16-bit samples, 0 to 32768; no samples are silence."""
    return sqrt(sum(sample * sample for sample in samples) / len(samples)) if samples else 0.0
