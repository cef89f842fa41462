"""The hand of the caller: keys each answer a moment after its question begins, as a person does who listens."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dialplan.lab.telephone import Telephone
from ivr.demo.watch import Scene

GAP_S = 0.2


@dataclass(frozen=True, slots=True)
class Cue:
    """What is keyed when this prompt asks for it, so many seconds after it began."""

    digits: str = field(repr=False)
    after_s: float


class Keypad:
    """Answers each question once; a digit at each `work`, so that whoever calls it is never held up for long."""

    def __init__(self, telephone: Telephone, cues: Mapping[str, Cue]) -> None:
        self._telephone = telephone
        self._cues = dict(cues)
        self._digits = ""
        self._due_s = 0.0

    def work(self, scene: Scene, now_s: float) -> None:
        """Key what is due."""
        cue = self._cues.pop(scene.asked, None)
        if cue is not None:
            self._digits, self._due_s = cue.digits, now_s + cue.after_s
        if self._digits and now_s >= self._due_s:
            digit, self._digits = self._digits[0], self._digits[1:]
            self._due_s = now_s + GAP_S
            self._telephone.press(digit, gap_s=0.0)
