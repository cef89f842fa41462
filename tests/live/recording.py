"""What a recording holds."""

import array
import math
import statistics
import wave
from pathlib import Path

FRAME_S = 0.02


def loudness(recording: Path) -> list[float]:
    """Root mean square of each second, 1.0 the loudest there is."""
    with wave.open(str(recording)) as file:
        rate = file.getframerate()
        samples = array.array("h", file.readframes(file.getnframes()))
    seconds = [samples[start : start + rate] for start in range(0, len(samples), rate)]
    return [math.sqrt(sum(one * one for one in second) / len(second)) / 32768 for second in seconds]


def likeness(recording: Path, prompt: Path, last_s: float) -> float:
    """How much the likest part of the last seconds of a recording is like a prompt: 1.0 the same, 0.0 anything else.

    Compared is how loud they are in each 20 ms.
    """
    heard, wanted = _envelope(recording)[-round(last_s / FRAME_S) :], _envelope(prompt)
    parts = (heard[start : start + len(wanted)] for start in range(len(heard) - len(wanted) + 1))
    return max((_correlation(part, wanted) for part in parts), default=0.0)


def _envelope(recording: Path) -> list[float]:
    with wave.open(str(recording)) as file:
        length = round(file.getframerate() * FRAME_S)
        samples = array.array("h", file.readframes(file.getnframes()))
    frames = [samples[start : start + length] for start in range(0, len(samples) - length + 1, length)]
    return [math.sqrt(sum(one * one for one in frame) / length) for frame in frames]


def _correlation(one: list[float], other: list[float]) -> float:
    return statistics.correlation(one, other) if len(set(one)) > 1 < len(set(other)) else 0.0
