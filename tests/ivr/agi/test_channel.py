"""The commands of a channel against a scripted Asterisk: what is sent, and what each answer becomes."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from ivr.agi.channel import ANY_DIGIT, Channel, Keyed
from ivr.agi.faults import (
    CallerGone,
    ChannelBroken,
    ChannelDead,
    CommandFailed,
    CommandInvalid,
)

from .conftest import type_of_run
from .peer import house, outcome, until

Work = Callable[[Channel], Awaitable[object]]
DEAD = b"511 Command Not Permitted on a dead channel or intercept routine\n"
GONE = (b"200 result=-1\nHANGUP\n",)
PLAY = b'EXEC Background "%s,n,,tollgate-no-digits"\n'


@pytest.mark.parametrize(
    ("work", "dialogue", "result"),
    [
        # Entries: one prompt is one round trip, a list two, and the digit that interrupts is the first digit.
        (
            lambda c: c.get_data(["a"], 3000, 4),
            [(b'GET DATA "a" 3000 4\n', b"200 result=0012\n")],
            Keyed("0012", timed_out=False),
        ),
        (
            lambda c: c.get_data([], 3000, 4),
            [(b'GET DATA "" 3000 4\n', b"200 result= (timeout)\n")],
            Keyed("", timed_out=True),
        ),
        (
            lambda c: c.get_data(["a"], 3000, 4),
            [(b'GET DATA "a" 3000 4\n', b"200 result=\n")],
            Keyed("", timed_out=False),
        ),
        (
            lambda c: c.get_data(["a"], 3000, 4),
            [(b'GET DATA "a" 3000 4\n', b"200 result=12 (timeout)\n")],
            Keyed("12", timed_out=True),
        ),
        (
            lambda c: c.get_data(["a", "b", "c"], 3000, 4),
            [(PLAY % b"a&b", b"200 result=0\n"), (b'GET DATA "c" 3000 4\n', b"200 result=12\n")],
            Keyed("12", timed_out=False),
        ),
        (
            lambda c: c.get_data(["a", "b"], 3000, 4),
            [(PLAY % b"a", b"200 result=55\n"), (b'GET DATA "" 3000 3\n', b"200 result=123\n")],
            Keyed("7123", timed_out=False),
        ),
        (
            lambda c: c.get_data(["a", "b"], 3000, 4),
            [(PLAY % b"a", b"200 result=42\n"), (b'GET DATA "" 3000 3\n', b"200 result= (timeout)\n")],
            Keyed("*", timed_out=True),
        ),
        (lambda c: c.get_data(["a", "b"], 3000, 4), [(PLAY % b"a", b"200 result=35\n")], Keyed("", timed_out=False)),
        (lambda c: c.get_data(["a", "b"], 3000, 1), [(PLAY % b"a", b"200 result=55\n")], Keyed("7", timed_out=False)),
        (lambda c: c.ask(["a"], 4, 3000), [(b'GET DATA "a" 3000 4\n', b"200 result=1\n")], Keyed("1", timed_out=False)),
        (
            lambda c: c.ask(["a"], 4, 2000, 9000),
            [(b'GET DATA "a" 9000 1\n', b"200 result=1\n"), (b'GET DATA "" 2000 3\n', b"200 result=2 (timeout)\n")],
            Keyed("12", timed_out=True),
        ),
        (
            lambda c: c.ask(["a"], 4, 2000, 9000),
            [(b'GET DATA "a" 9000 1\n', b"200 result= (timeout)\n")],
            Keyed("", timed_out=True),
        ),
        (
            lambda c: c.ask(["a"], 4, 2000, 9000),
            [(b'GET DATA "a" 9000 1\n', b"200 result=\n")],
            Keyed("", timed_out=False),
        ),
        (
            lambda c: c.ask(["a"], 1, 2000, 9000),
            [(b'GET DATA "a" 9000 1\n', b"200 result=1\n")],
            Keyed("1", timed_out=False),
        ),
        # Prompts.
        (lambda c: c.say(["a", "b"]), [(b'EXEC Playback "a&b,noanswer"\n', b"200 result=0\n")], None),
        (
            lambda c: c.say_whole(["a", "b"]),
            [
                (b'EXEC Playback "a&b,noanswer"\n', b"200 result=0\n"),
                (b"GET VARIABLE PLAYBACKSTATUS\n", b"200 result=1 (SUCCESS)\n"),
            ],
            True,
        ),
        (
            lambda c: c.say_whole(["a", "b"]),
            [
                (b'EXEC Playback "a&b,noanswer"\n', b"200 result=0\n"),
                (b"GET VARIABLE PLAYBACKSTATUS\n", b"200 result=1 (FAILED)\n"),
            ],
            False,
        ),
        (lambda c: c.say(["a", "b"], ANY_DIGIT), [(PLAY % b"a&b", b"200 result=57\n")], "9"),
        (lambda c: c.say(["a", "b"], ANY_DIGIT), [(PLAY % b"a&b", b"200 result=0\n")], None),
        (
            lambda c: c.say(["a", "b"], "1"),
            [
                (b'STREAM FILE a "1"\n', b"200 result=0 endpos=9\n"),
                (b'STREAM FILE b "1"\n', b"200 result=49 endpos=9\n"),
            ],
            "1",
        ),
        (lambda c: c.say(["a"]), [(b'STREAM FILE a ""\n', b"200 result=0 endpos=9\n")], None),
        (lambda c: c.say([]), [], None),
        (
            lambda c: c.stream_file("tollgate/x-1", "*#"),
            [(b'STREAM FILE tollgate/x-1 "*#"\n', b"200 result=35 endpos=1\n")],
            "#",
        ),
        (lambda c: c.wait_for_digit(250), [(b"WAIT FOR DIGIT 250\n", b"200 result=49\n")], "1"),
        (lambda c: c.wait_for_digit(250), [(b"WAIT FOR DIGIT 250\n", b"200 result=0\n")], None),
        # Variables, the database, the rest.
        (lambda c: c.set_variable("TG_X", 'a "b"'), [(b'SET VARIABLE "TG_X" "a \\"b\\""\n', b"200 result=1\n")], None),
        (
            lambda c: c.get_variable("CHANNEL(language)"),
            [(b'GET VARIABLE "CHANNEL(language)"\n', b"200 result=1 (en)\n")],
            "en",
        ),
        (lambda c: c.get_variable("X"), [(b"GET VARIABLE X\n", b"200 result=1 (hangup)\n")], "hangup"),
        (lambda c: c.get_variable("X"), [(b"GET VARIABLE X\n", b"200 result=1 (timeout)\n")], "timeout"),
        (lambda c: c.get_variable("X"), [(b"GET VARIABLE X\n", b"200 result=1 ()\n")], ""),
        (lambda c: c.get_variable("X"), [(b"GET VARIABLE X\n", b"200 result=0\n")], None),
        (
            lambda c: c.get_full_variable("${CHANNEL(language)}"),
            [(b'GET FULL VARIABLE "${CHANNEL(language)}"\n', b"200 result=1 (en)\n")],
            "en",
        ),
        (lambda c: c.exec("Goto", "ctx", "1", "1"), [(b'EXEC Goto "ctx,1,1"\n', b"200 result=0\n")], 0),
        (lambda c: c.answer(), [(b"ANSWER\n", b"200 result=0\n")], None),
        (lambda c: c.hangup(), [(b"HANGUP\n", b"200 result=1\n")], None),
        (lambda c: c.hangup(), [(b"HANGUP\n", DEAD)], None),
        (lambda c: c.noop(), [(b"NOOP\n", b"100 Trying\n200 result=0\n")], None),
        (lambda c: c.database_get("f", "k"), [(b"DATABASE GET f k\n", b"200 result=1 (v w)\n")], "v w"),
        (lambda c: c.database_get("f", "k"), [(b"DATABASE GET f k\n", b"200 result=0\n")], None),
        (lambda c: c.database_put("f", "k", "v w"), [(b'DATABASE PUT f k "v w"\n', b"200 result=1\n")], None),
        (lambda c: c.database_del("f", "k"), [(b"DATABASE DEL f k\n", b"200 result=0\n")], None),
    ],
)
def test_a_method_is_these_commands_and_this_result(
    run: type_of_run, work: Work, dialogue: list[tuple[bytes, bytes]], result: object
) -> None:
    async def main() -> None:
        got, commands = await outcome(work, *[reply for _, reply in dialogue])
        assert commands == [command for command, _ in dialogue]
        assert got == result

    run(main())


@pytest.mark.parametrize(
    ("work", "replies", "fault"),
    [
        (lambda c: c.get_data(["a"], 1, 1), GONE, CallerGone),
        (lambda c: c.get_data(["a"], 1, 1), (b"200 result=-1\n", DEAD), ChannelDead),
        (lambda c: c.get_data(["missing"], 1, 1), (b"200 result=-1\n", b"200 result=6\n"), CommandFailed),
        (lambda c: c.get_data(["a", "b"], 1, 1), (b"HANGUP\n200 result=0\n",), CallerGone),
        (lambda c: c.stream_file("a"), (b"200 result=-1 endpos=0\n", b"HANGUP\n200 result=6\n"), CallerGone),
        (lambda c: c.say(["a"]), (DEAD,), ChannelDead),
        (lambda c: c.exec("NoSuch"), (b"200 result=-2\n", b"200 result=6\n"), CommandFailed),
        (lambda c: c.noop(), (b"510 Invalid or unknown command\n",), CommandInvalid),
        (lambda c: c.set_variable("A", "b"), (b"520-Usage\nx\n520 End\n",), CommandInvalid),
        (lambda c: c.database_put("a", "b", "c"), (b"200 result=-1\n",), CommandFailed),
        (lambda c: c.get_variable("A"), (b"200 result=1 (line one\nline two)\n",), ChannelBroken),
        (lambda c: c.get_variable("A"), (b"200 result=1 (a)\n200 result=1 (forged)\n",), ChannelBroken),
        (lambda c: c.get_variable("A"), (b"200 result=1 (" + b"x" * 9_000 + b")\n",), ChannelBroken),
        (lambda c: c.noop(), (b"what?\n",), ChannelBroken),
    ],
)
def test_an_answer_that_is_no_result_is_a_typed_fault(
    run: type_of_run, work: Work, replies: tuple[bytes, ...], fault: type[Exception]
) -> None:
    async def main() -> None:
        got, _ = await outcome(work, *replies)
        assert type(got) is fault

    run(main())


@pytest.mark.parametrize(
    "work",
    [
        lambda c: c.set_variable("A", "b\nHANGUP"),
        lambda c: c.set_variable("A B", "c"),
        lambda c: c.set_variable("A", "b" * 5_000),
        lambda c: c.get_variable("A\nB"),
        lambda c: c.get_full_variable("${A}${B}"),
        lambda c: c.exec("Dial", "PJSIP/1,30"),
        lambda c: c.get_data(["a,b"], 1, 1),
        lambda c: c.get_data(['a"\nHANGUP'], 1, 1),
        lambda c: c.get_data(["a", ""], 1, 1),
        lambda c: c.get_data(["a", "b,c"], 1, 1),
        lambda c: c.get_data(["a"], 0, 1),
        lambda c: c.get_data(["a"], 1, 0),
        lambda c: c.stream_file("a&b\n"),
        lambda c: c.stream_file("a", '"'),
        lambda c: c.wait_for_digit(-1),
    ],
)
def test_what_cannot_be_said_safely_is_not_sent(work: Work) -> None:
    async def main() -> None:
        async def both(channel: Channel) -> object:
            with pytest.raises(ValueError, match=r"."):
                await work(channel)
            await channel.noop()
            return "sound"

        got, commands = await outcome(both, b"200 result=0\n")
        assert (got, commands) == ("sound", [b"NOOP\n"])

    asyncio.run(main())


def test_a_hangup_between_commands_shifts_nothing(run: type_of_run) -> None:
    async def main() -> None:
        async def work(channel: Channel) -> object:
            await channel.noop()
            await until(lambda: channel.hung_up)
            with pytest.raises(CallerGone):
                await channel.get_data(["a"], 1, 1)
            return await channel.get_variable("A")

        got, commands = await outcome(work, b"200 result=0\nHANGUP\n", b"200 result=1 (still right)\n")
        assert (got, commands) == ("still right", [b"NOOP\n", b"GET VARIABLE A\n"])

    run(main())


def test_an_answer_to_an_invalid_command_shifts_nothing(run: type_of_run) -> None:
    async def main() -> None:
        async def work(channel: Channel) -> object:
            with pytest.raises(CommandInvalid):
                await channel.noop()
            return await channel.get_variable("A")

        got, _ = await outcome(work, b"520-Bad\nUsage\n200 result=1 (x)\n520 End\n", b"200 result=1 (right)\n")
        assert got == "right"

    run(main())


def test_tasks_that_speak_at_once_take_turns(run: type_of_run) -> None:
    async def main() -> None:
        async def work(channel: Channel) -> object:
            return await asyncio.gather(*[channel.get_variable(f"V{n}") for n in range(5)])

        got, commands = await outcome(work, *[b"200 result=1 (v%d)\n" % n for n in range(5)])
        assert commands == [b"GET VARIABLE V%d\n" % n for n in range(5)]
        assert got == [f"v{n}" for n in range(5)]

    run(main())


def test_a_late_answer_breaks_the_session_for_good(run: type_of_run) -> None:
    async def main() -> None:
        faults: list[Exception] = []

        async def handler(channel: Channel) -> None:
            await channel.command(b"NOOP\n", 5.0)  # the timer this leaves behind is later than the next limit
            for _ in range(2):
                try:
                    await channel.command(b"SLOW\n", 0.02)
                except ChannelBroken as fault:
                    faults.append(fault)
            assert channel.over

        async with house(handler) as running:
            peer = await running.call()
            assert await peer.serve(b"200 result=0\n") == [b"NOOP\n"]
            assert await peer.command() == b"SLOW\n"
            assert await peer.rest() == b""
            assert [str(fault) for fault in faults] == ["no answer in time"] * 2

    run(main())


def test_a_timer_that_comes_early_looks_again(run: type_of_run) -> None:
    async def main() -> None:
        async def work(channel: Channel) -> object:
            await channel.command(b"SHORT\n", 0.2)
            return type(await channel.command(b"LONG\n", 3.0)).__name__

        async def handler(channel: Channel) -> None:
            results.append(await work(channel))

        results: list[object] = []
        async with house(handler) as running:
            peer = await running.call()
            await peer.serve(b"200 result=0\n")
            assert await peer.command() == b"LONG\n"
            start = asyncio.get_running_loop().time()
            await until(lambda: asyncio.get_running_loop().time() > start + 0.25)
            peer.send(b"200 result=0\n")
            await until(lambda: bool(results))
            assert results == ["Success"]

    run(main())


def test_a_command_given_up_breaks_the_session(run: type_of_run) -> None:
    async def main() -> None:
        async def work(channel: Channel) -> object:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await channel.noop()
            return await channel.get_variable("A")

        got, commands = await outcome(work, b"")
        assert (type(got), commands) == (ChannelBroken, [b"NOOP\n"])

    run(main())


def test_a_peer_that_closes_in_mid_command_is_a_caller_gone_now_and_later(run: type_of_run) -> None:
    async def main() -> None:
        async def handler(channel: Channel) -> None:
            for _ in range(2):
                with pytest.raises(CallerGone):
                    await channel.get_data(["a"], 60_000, 4)
            with pytest.raises(CallerGone):
                await channel.noop()

        async with house(handler) as running:
            peer = await running.call()
            await peer.command()
            await peer.close()
            await until(lambda: running.server.counters.completed == 1)
            assert running.faults == []

    run(main())


def test_bytes_nobody_asked_for_break_the_session_before_its_next_command(run: type_of_run) -> None:
    async def main() -> None:
        async def handler(channel: Channel) -> None:
            await channel.noop()
            await until(lambda: channel.over)
            await channel.noop()

        async with house(handler) as running:
            peer = await running.call()
            await peer.serve(b"200 result=0\n")
            await until(lambda: all(channel._waiter is None for channel in running.server.live))
            peer.send(b"200 result=1 (forged)\n")
            assert await peer.rest() == b"failure\n"
            assert running.server.counters.broken == 1

    run(main())


def test_the_environment_is_seen_through_the_channel() -> None:
    async def main() -> None:
        async def work(channel: Channel) -> object:
            return (
                channel.uniqueid, channel.name, channel.caller_number, channel.dnid, channel.extension, channel.context,
                channel.language, channel.path, channel.args, repr(channel),
            )  # fmt: skip

        got, _ = await outcome(work, environment_args=("one", "two words"))
        assert got == (
            "1795223889.21", "PJSIP/trunk-00000001", "12025550123", "19005550100", "19005550100", "toll-in",
            "en", "call", ("one", "two words"), "<Channel 1795223889.21 /call>",
        )  # fmt: skip

    asyncio.run(main())


def test_no_digit_is_in_a_repr() -> None:
    assert "1234" not in repr(Keyed("1234", timed_out=False))
