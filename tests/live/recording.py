"""What a recording holds."""

import array
import math
import wave
from pathlib import Path


def loudness(recording: Path) -> list[float]:
    """Root mean square of each second, 1.0 the loudest there is."""
    with wave.open(str(recording)) as file:
        rate = file.getframerate()
        samples = array.array("h", file.readframes(file.getnframes()))
    seconds = [samples[start : start + rate] for start in range(0, len(samples), rate)]
    return [math.sqrt(sum(one * one for one in second) / len(second)) / 32768 for second in seconds]
