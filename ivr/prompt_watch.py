"""Looks whether the switch has every sound file, whenever the link to it comes up: one that is missing is silence."""

from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from ivr.ami.faults import AmiFault
from ivr.ami.switch import Switch
from runtime.hop import on_thread
from sounds.presence import directories_in, mend_missing, missing_sounds, needed_sounds, some_of


class PromptWatch:
    """The sound files of this gateway's switch, in `directories` or else where the switch says that it has them."""

    def __init__(self, switch: Switch, directories: Sequence[str], pool: Executor, log: Any) -> None:
        self._switch = switch
        self._directories = tuple(Path(one) for one in directories)
        self._pool = pool
        self._log = log

    async def look(self) -> None:
        """One line in the log: all are there, some are not and what to do, or they cannot be seen from here."""
        try:
            where = self._directories or directories_in(await self._switch.get_variable(None, "ASTDATADIR") or "")
        except AmiFault as fault:
            self._log.info("prompts-not-seen", fault=type(fault).__name__)
            return
        names = needed_sounds()
        missing = await on_thread(self._pool, missing_sounds, names, where)
        told = [str(one) for one in where]
        if missing is None:
            self._log.info("prompts-not-seen", directories=told, mend="switch.sounds_dirs")
        elif missing:
            some, mend = some_of(missing), mend_missing(missing)
            self._log.error("prompts-missing", number=len(missing), missing=some, directories=told, mend=mend)
        else:
            self._log.info("prompts", number=len(names))
