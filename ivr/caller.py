"""The person on the line, as the story sees him: he hears files and keys digits."""

from typing import Protocol

from ivr.agi.channel import ANY_DIGIT, Channel
from ivr.dialogue.entry import Ask, Keyed


class Caller(Protocol):
    """One caller. Any method raises the channel's fault when he is gone."""

    async def answer(self) -> None:
        """Take the call."""
        ...

    async def say(self, files: tuple[str, ...]) -> None:
        """Play the files; any key ends them."""
        ...

    async def say_whole(self, files: tuple[str, ...]) -> bool:
        """Play the files, which no key ends; whether all of them were heard."""
        ...

    async def ask(self, ask: Ask) -> Keyed:
        """Play the files of a question and collect its answer."""
        ...


class AgiCaller:
    """A caller on an AGI session."""

    __slots__ = ("_channel",)

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def answer(self) -> None:
        """Take the call."""
        await self._channel.answer()

    async def say(self, files: tuple[str, ...]) -> None:
        """Play the files; any key ends them."""
        if files:
            await self._channel.say(files, ANY_DIGIT)

    async def say_whole(self, files: tuple[str, ...]) -> bool:
        """Play the files, which no key ends; whether all of them were heard."""
        return await self._channel.say_whole(files)

    async def ask(self, ask: Ask) -> Keyed:
        """Play the files of a question and collect its answer."""
        keyed = await self._channel.get_data(ask.files, ask.timeout_ms, ask.maximum_digits)
        return Keyed(keyed.digits, keyed.timed_out)
