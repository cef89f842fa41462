"""A caller who does what a script says, where Asterisk would be."""

from collections.abc import Mapping

from ivr.agi.faults import CallerGone
from ivr.dialogue.entry import Ask, Keyed


class ScriptedCaller:
    """Keys the answers of the script, question by question; hangs up where it says `None` or when it is used up.

    Who is impatient keys on during whatever a key ends, and hears no more than the first file of it.
    """

    def __init__(
        self, script: Mapping[str, list[str | None]], *, hang_up_after: int | None = None, is_impatient: bool = False
    ) -> None:
        self._is_impatient = is_impatient
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
        self._hear(files)

    async def say_whole(self, files: tuple[str, ...]) -> bool:
        """Listens, whatever he keys; who hangs up has heard all but the last file."""
        try:
            self._step()
        except CallerGone:
            self.heard.extend(files[:-1])
            raise
        self.heard.extend(files)
        return True

    async def ask(self, ask: Ask) -> Keyed:
        """Listens, then keys."""
        self._step()
        self._hear(ask.files)
        answers = self._script.get(ask.name, [])
        answer = answers.pop(0) if answers else None
        if answer is None:
            raise CallerGone("the caller hung up")
        return Keyed(answer, ended_by_silence=answer == "")

    def _hear(self, files: tuple[str, ...]) -> None:
        self.heard.extend(files[:1] if self._is_impatient else files)

    def _step(self) -> None:
        if self._left is None:
            return
        if self._left == 0:
            raise CallerGone("the caller hung up")
        self._left -= 1
