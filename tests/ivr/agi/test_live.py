"""Entries on a real switch: what a caller keys during a list of prompts, after it, or not at all."""

import asyncio
import os
import wave
from collections.abc import Awaitable, Callable, Iterator

import pytest
import uvloop

from dialplan.lab.lab import Lab
from dialplan.lab.telephone import Telephone
from ivr.agi.channel import ANY_DIGIT, Channel, Keyed
from ivr.agi.faults import CallerGone, ChannelFault, CommandFailed, CommandInvalid
from ivr.agi.server import AgiServer
from runtime.settings import Settings
from tests.live.conftest import linked

Work = Callable[[Channel], Awaitable[object]]

pytestmark = pytest.mark.live

DNIS = "19005551234"
LIMIT_S = 20.0
PROMPTS_S = {"short": 0.8, "long": 6.0}
SHORT_LIST = ("tollgate/short", "tollgate/short")
LONG_LIST = ("tollgate/long", "tollgate/long", "tollgate/short")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A switch and a network of this module's own, with prompts of known length."""
    sounds = tmp_path_factory.mktemp("sounds")
    for name, length_s in PROMPTS_S.items():
        with wave.open(str(sounds / f"{name}.wav"), "wb") as file:
            file.setparams((1, 2, 8_000, 0, "NONE", ""))
            file.writeframes(bytes(int(16_000 * length_s)))
    with Lab(Settings(), f"agi-{os.getpid()}", sounds=sounds) as running:
        yield running


@pytest.fixture
def telephone(lab: Lab) -> Iterator[Telephone]:
    """A telephone in the network, put on hook after the test."""
    with linked(lab.ports.network_ami, lab.admin) as link:
        one = Telephone(link, lab.network)
        yield one
        one.hang_up()


def told(lab: Lab, telephone: Telephone, work: Work, keys: str, after_s: float) -> object:
    """Serve one call with `work`; `keys` are keyed `after_s` seconds later, `!` hangs up. Give the result or fault."""
    results: list[object] = []

    async def main() -> None:
        begun, done = asyncio.Event(), asyncio.Event()

        async def handler(channel: Channel) -> None:
            await channel.answer()
            begun.set()
            try:
                results.append(await work(channel))
            except ChannelFault as fault:
                results.append(fault)
            finally:
                done.set()

        token = lab.settings.agi.token.get_secret_value()
        server = AgiServer("127.0.0.1", lab.ports.agi, {"call": handler}, token)
        await server.start()
        async with asyncio.timeout(LIMIT_S):
            await asyncio.to_thread(telephone.call, DNIS)
            await begun.wait()
            await asyncio.sleep(after_s)  # the moment of the key is what is tested
            await asyncio.to_thread(telephone.hang_up if keys == "!" else lambda: telephone.press(keys))
            await done.wait()
        await server.drain(1.0)

    uvloop.run(main())
    return results[0]


@pytest.mark.parametrize(
    ("keys", "after_s", "keyed"),
    [
        ("7123", 0.5, Keyed("7123", timed_out=False)),
        ("7#", 0.5, Keyed("7", timed_out=False)),
        ("#", 0.5, Keyed("", timed_out=False)),
        ("71", 0.5, Keyed("71", timed_out=True)),
        ("7123", 2.5, Keyed("7123", timed_out=False)),
        ("#", 2.5, Keyed("", timed_out=False)),
        ("", 0.0, Keyed("", timed_out=True)),
    ],
)
def test_a_list_is_interrupted_and_its_digit_kept(
    lab: Lab, telephone: Telephone, keys: str, after_s: float, keyed: Keyed
) -> None:
    # 0.5 s is in the first prompt of the list, 2.5 s after the last
    assert told(lab, telephone, lambda c: c.get_data(SHORT_LIST, 1_500, 4), keys, after_s) == keyed


def test_each_digit_has_its_own_patience(lab: Lab, telephone: Telephone) -> None:
    got = told(lab, telephone, lambda c: c.ask(SHORT_LIST, 4, 600, first_timeout_ms=6_000), "71", 4.0)
    assert got == Keyed("71", timed_out=True)


def test_what_is_said_ends_at_a_digit(lab: Lab, telephone: Telephone) -> None:
    assert told(lab, telephone, lambda c: c.say(LONG_LIST, ANY_DIGIT), "9", 0.5) == "9"


def test_what_is_said_as_a_whole_is_ended_by_no_digit_and_tells_what_was_missing(
    lab: Lab, telephone: Telephone
) -> None:
    async def work(channel: Channel) -> object:
        heard = await channel.say_whole(SHORT_LIST)
        return heard, await channel.say_whole(("no-such-prompt", *SHORT_LIST[:1]))

    assert told(lab, telephone, work, "79", 0.3) == (True, False)


@pytest.mark.parametrize(
    "work",
    [
        lambda c: c.get_data(LONG_LIST, 1_500, 4),
        lambda c: c.get_data(LONG_LIST[:1], 1_500, 4),
        lambda c: c.say(LONG_LIST),
        lambda c: c.say_whole(LONG_LIST),
        lambda c: c.wait_for_digit(10_000),
    ],
)
def test_a_caller_who_hangs_up_is_gone(lab: Lab, telephone: Telephone, work: Work) -> None:
    assert isinstance(told(lab, telephone, work, "!", 0.5), CallerGone)


def test_what_asterisk_refuses_is_typed(lab: Lab, telephone: Telephone) -> None:
    async def work(channel: Channel) -> object:
        with pytest.raises(CommandFailed):
            await channel.get_data(("no-such-prompt",), 100, 1)
        with pytest.raises(CommandFailed):
            await channel.exec("NoSuchApplication")
        for line in (b"NO SUCH COMMAND\n", b"SET VARIABLE a b c\n"):
            with pytest.raises(CommandInvalid):
                await channel.command(line, 5.0)
        value = 'a "b" \\ ${EXTEN} c)'
        await channel.set_variable("TG_TEST", value)
        assert await channel.get_variable("TG_TEST") == value
        assert await channel.get_variable("TG_UNSET") is None
        return await channel.get_full_variable("${CHANNEL(language)}")

    assert told(lab, telephone, work, "", 0.0) == "en"
