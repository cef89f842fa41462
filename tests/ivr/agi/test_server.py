"""The server against peers that are silent, hostile, hurried or gone."""

import asyncio
import ipaddress
import re
import socket

import pytest

from ivr.agi.channel import Channel
from ivr.agi.faults import FaultKind
from ivr.agi.server import AgiServer

from .conftest import type_of_run
from .peer import LIMIT_S, TOKEN, House, environment, house, until


async def greet(channel: Channel) -> None:
    await channel.noop()


async def hold(channel: Channel) -> None:
    await channel.wait_for_digit(60_000)


async def served(running: House) -> None:
    """One call goes through: the proof that the server is well."""
    peer = await running.call()
    assert await peer.serve(b"200 result=0\n") == [b"NOOP\n"]
    assert await peer.rest() == b""


@pytest.mark.parametrize("said", [b"", b"agi_network: yes\n", environment()[:-1], environment()[:-2]])
def test_a_health_check_is_closed_quietly_and_counted(run: type_of_run, said: bytes) -> None:
    async def main() -> None:
        async with house(greet) as running:
            peer = await running.peer()
            peer.send(said)
            await peer.close()
            await until(lambda: running.server.counters.health_checks == 1)
            assert running.server.counters.waiting == 0
            await served(running)
            assert running.faults == []

    run(main())


def test_an_http_health_check_is_told_off_at_once(run: type_of_run) -> None:
    async def main() -> None:
        async with house(greet) as running:
            peer = await running.peer()
            peer.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await peer.rest() == b"failure\n"
            assert running.server.counters.refused_header == 1

    run(main())


@pytest.mark.parametrize("said", [b"", b"agi_network: yes\n"])
def test_a_silent_client_is_closed_in_time_and_delays_nobody(run: type_of_run, said: bytes) -> None:
    async def main() -> None:
        async with house(greet, header_timeout_s=0.3) as running:
            silent = await running.peer()
            silent.send(said)
            await served(running)
            assert await silent.rest() == b"failure\n"
            assert running.server.counters.silent == 1
            assert [fault.kind for fault in running.faults] == [FaultKind.SILENT]

    run(main())


def test_a_slow_loris_is_closed_in_time_though_it_never_stops_talking(run: type_of_run) -> None:
    async def main() -> None:
        async with house(greet, header_timeout_s=0.3) as running:
            loris = await running.peer()
            loris.send(b"agi_x: ")

            async def drip() -> None:
                while not loris.reader.at_eof():
                    loris.send(b"y")
                    await asyncio.sleep(0.005)

            dripping = asyncio.create_task(drip())
            assert await asyncio.wait_for(loris.command(), LIMIT_S) == b"failure\n"
            dripping.cancel()
            assert running.server.counters.silent == 1

    run(main())


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (environment(agi_callerid="1\nagi_network_script: admin"), FaultKind.HEADER),
        (environment(agi_callerid="1\n\n200 result=1 (forged)\n"), FaultKind.HEADER),
        (environment(agi_callerid="x" * 20_000), FaultKind.HEADER),
        (environment(token=None), FaultKind.TOKEN),
        (environment("call", TOKEN, token="guess"), FaultKind.TOKEN),
        (environment("call", token=""), FaultKind.TOKEN),
        (environment("call", token=TOKEN + "\udce9"), FaultKind.TOKEN),
        (environment("admin"), FaultKind.ROUTE),
        (environment(""), FaultKind.HEADER),
        (environment("call/x"), FaultKind.ROUTE),
    ],
)  # fmt: skip
def test_who_may_not_ask_gets_the_failure_line(run: type_of_run, text: bytes, kind: FaultKind) -> None:
    async def main() -> None:
        async with house(greet) as running:
            peer = await running.peer()
            peer.send(text)
            assert await peer.rest() == b"failure\n"
            assert [fault.kind for fault in running.faults] == [kind]
            assert getattr(running.server.counters, f"refused_{kind}") == 1
            assert TOKEN not in repr(running.faults)

    run(main())


def test_an_early_end_of_the_environment_finds_no_token(run: type_of_run) -> None:
    async def main() -> None:
        async with house(greet) as running:
            peer = await running.peer()
            whole = environment(agi_rdnis="1\nagi_threadid: 1\nagi_arg_1: guess\n\n")
            early = whole[: whole.index(b"\n\n") + 2]
            peer.send(early)
            assert await peer.rest() == b"failure\n"
            assert [fault.kind for fault in running.faults] == [FaultKind.TOKEN]

    run(main())


@pytest.mark.parametrize("script", ["call", "/call", "call/", "call?x=1", "/call?x=y/z"])
def test_the_route_is_the_path_before_the_question_mark(run: type_of_run, script: str) -> None:
    async def main() -> None:
        async with house(greet) as running:
            peer = await running.call(script)
            assert await peer.serve(b"200 result=0\n") == [b"NOOP\n"]
            assert await peer.rest() == b""
            assert running.server.counters.completed == 1

    run(main())


def test_invalid_utf8_does_not_end_a_call(run: type_of_run) -> None:
    async def main() -> None:
        async with house(greet) as running:
            peer = await running.call(agi_calleridname="Jos\udce9")
            assert await peer.serve(b"200 result=0\n") == [b"NOOP\n"]

    run(main())


def test_an_environment_may_come_in_any_pieces(run: type_of_run) -> None:
    async def main() -> None:
        async with house(greet) as running:
            peer = await running.peer()
            for line in environment().splitlines(keepends=True):
                peer.send(line)
                await peer.writer.drain()
                await asyncio.sleep(0)
            assert await peer.serve(b"200 result=0\n") == [b"NOOP\n"]

    run(main())


def test_a_crash_is_a_failure_and_tells_no_digits(run: type_of_run) -> None:
    async def main() -> None:
        async def crash(channel: Channel) -> None:
            await channel.noop()
            raise RuntimeError("the PIN was 4711")

        async with house({"call": greet, "crash": crash}) as running:
            peer = await running.call("crash")
            await peer.serve(b"200 result=0\n")
            assert await peer.rest() == b"failure\n"
            (fault,) = running.faults
            assert (fault.kind, fault.error, fault.path, fault.uniqueid) == (
                FaultKind.HANDLER,
                "RuntimeError",
                "crash",
                "1795223889.21",
            )
            assert re.fullmatch(r"crash:\d+", fault.where[-1])
            assert "4711" not in repr(fault)
            assert running.server.counters.crashed == 1
            await served(running)

    run(main())


def test_a_reporter_that_fails_ends_no_call() -> None:
    async def main() -> None:
        def fail(_fault: object) -> None:
            raise RuntimeError

        server = AgiServer("127.0.0.1", 0, {"call": greet}, TOKEN, on_fault=fail)
        await server.start()
        running = House(server, [])
        peer = await running.call("nowhere")
        assert await peer.rest() == b"failure\n"
        assert server.counters.reporter_failures == 1
        await served(running)
        await running.close()

    asyncio.run(main())


def test_a_caller_gone_is_no_failure(run: type_of_run) -> None:
    async def main() -> None:
        async with house(hold) as running:
            peer = await running.call()
            await peer.serve(b"200 result=-1\nHANGUP\n")
            assert await peer.rest() == b""
            assert running.server.counters.callers_gone == 1
            assert running.faults == []

    run(main())


def test_beyond_the_cap_a_call_fails_at_once_and_the_others_go_on(run: type_of_run) -> None:
    async def main() -> None:
        async with house(hold, session_cap=2) as running:
            first = [await running.call() for _ in range(2)]
            for peer in first:
                assert await peer.command() == b"WAIT FOR DIGIT 60000\n"
            assert running.server.counters.live == len(running.server.live) == 2
            third = await running.call()
            assert await third.rest() == b"failure\n"
            assert running.server.counters.refused_full == 1
            first[0].send(b"200 result=49\n")
            assert await first[0].rest() == b""
            await until(lambda: running.server.counters.live == 1)
            fourth = await running.call()
            assert await fourth.command() == b"WAIT FOR DIGIT 60000\n"

    run(main())


def test_connections_that_only_wait_are_bounded_too(run: type_of_run) -> None:
    async def main() -> None:
        async with house(greet, session_cap=1) as running:
            peers = [await running.peer() for _ in range(70)]
            await until(lambda: running.server.counters.connections == 70)
            assert running.server.counters.waiting <= 67
            assert running.server.counters.refused_full == 70 - running.server.counters.waiting
            for peer in peers:
                await peer.close()
            await until(lambda: running.server.counters.waiting == 0)
            await served(running)

    run(main())


def test_a_stranger_is_not_heard(run: type_of_run) -> None:
    async def main() -> None:
        networks = [ipaddress.ip_network("192.0.2.0/24")]
        async with house(greet, allowed_peers=networks) as running:
            peer = await running.call()
            assert await peer.heard() == b""
            assert running.server.counters.refused_peer == 1
            assert [fault.kind for fault in running.faults] == [FaultKind.PEER]

    run(main())


@pytest.mark.parametrize(
    ("host", "admitted"),
    [
        ("192.0.2.7", True),
        ("::ffff:192.0.2.7", True),
        ("fe80::1%eth0", True),
        ("192.0.3.7", False),
        ("", False),
        ("x", False),
    ],
)
def test_the_list_of_peers_is_of_networks(host: str, admitted: bool) -> None:
    networks = [ipaddress.ip_network("192.0.2.0/24"), ipaddress.ip_network("fe80::/10")]
    server = AgiServer("127.0.0.1", 0, {}, TOKEN, allowed_peers=networks)
    assert [server.admits(host), server.admits(host)] == [admitted, admitted]


def test_a_drain_lets_calls_end_and_takes_no_new_ones(run: type_of_run) -> None:
    async def main() -> None:
        async with house(hold) as running:
            peer = await running.call()
            assert await peer.command() == b"WAIT FOR DIGIT 60000\n"
            waiting = await running.peer()
            await until(lambda: running.server.counters.waiting == 1)
            port = running.server.port
            draining = asyncio.create_task(running.server.drain(LIMIT_S))
            assert await waiting.rest() == b"failure\n"
            with pytest.raises(OSError, match=r"."):
                await asyncio.open_connection("127.0.0.1", port)
            assert not draining.done()
            peer.send(b"200 result=49\n")
            assert await draining == 0
            assert await peer.rest() == b""
            assert (running.server.counters.completed, running.server.counters.drained) == (1, 0)

    run(main())


def test_a_drain_cancels_what_is_late_and_the_dialplan_hears_failure(run: type_of_run) -> None:
    async def main() -> None:
        async with house(hold) as running:
            peers = [await running.call() for _ in range(3)]
            for peer in peers:
                await peer.command()
            assert await running.server.drain(0.02) == 3
            for peer in peers:
                assert await peer.rest() == b"failure\n"
            assert running.server.counters.drained == 3
            assert running.server.live == ()
            assert {fault.kind for fault in running.faults} == {FaultKind.DRAINED}

    run(main())


def test_commands_leave_at_once(run: type_of_run) -> None:
    async def main() -> None:
        no_delay: list[int] = []

        async def look(channel: Channel) -> None:
            stream = channel._transport.get_extra_info("socket")
            no_delay.append(stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

        async with house(look) as running:
            assert await (await running.call()).rest() == b""
            assert no_delay[0] != 0

    run(main())


def test_a_server_without_a_token_is_not_made() -> None:
    with pytest.raises(ValueError, match="token"):
        AgiServer("127.0.0.1", 0, {}, "")


def test_many_calls_at_once_get_their_own_answers(run: type_of_run) -> None:
    async def main() -> None:
        seen: dict[str, str | None] = {}

        async def handler(channel: Channel) -> None:
            for _ in range(5):
                seen[channel.uniqueid] = await channel.get_variable("ME")

        async def caller(running: House, number: int) -> None:
            peer = await running.call(agi_uniqueid=f"{number}.1")
            await peer.serve(*[b"200 result=1 (%d)\n" % number] * 5)
            assert await peer.rest() == b""

        async with house(handler) as running:
            await asyncio.gather(*[caller(running, number) for number in range(50)])
            assert seen == {f"{number}.1": str(number) for number in range(50)}
            assert running.server.counters.completed == 50

    run(main())
