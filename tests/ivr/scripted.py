"""A caller who does what a script says, where Asterisk would be."""

from collections.abc import Mapping

from ivr.agi.faults import CallerGone
from ivr.dialogue.entry import Ask, Keyed


class ScriptedCaller:
    """Keys the answers of the script, question by question; hangs up where it says `None` or when it is used up."""

    def __init__(self, script: Mapping[str, list[str | None]], *, hang_up_after: int | None = None) -> None:
        self._script = {name: list(answers) for name, answers in script.items()}
        self._left = hang_up_after
        self.heard: list[str] = []
        self.answered = False

    async def answer(self) -> None:
        """The call is taken."""
        self._step()
        self.answered = True

    async def say(self, files: tuple[str, ...]) -> None:
        """Listens."""
        self._step()
        self.heard.extend(files)

    async def ask(self, ask: Ask) -> Keyed:
        """Listens, then keys."""
        self._step()
        self.heard.extend(ask.files)
        answers = self._script.get(ask.name, [])
        answer = answers.pop(0) if answers else None
        if answer is None:
            raise CallerGone("the caller hung up")
        return Keyed(answer, ended_by_silence=answer == "")

    def _step(self) -> None:
        if self._left is None:
            return
        if self._left == 0:
            raise CallerGone("the caller hung up")
        self._left -= 1
