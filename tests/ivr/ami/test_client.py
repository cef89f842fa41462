"""The link against a scripted switch: one test for each way the library it stands on was seen to fail."""

import asyncio
import gc
import ssl as tls
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ivr.ami.client import AmiClient, Timing, retry_delay_s
from ivr.ami.faults import (
    ActionRefused,
    AmiFault,
    AnswerTimeout,
    LinkDown,
    ListIncomplete,
    LoginRefused,
    OutcomeUnknown,
    PeerFault,
)
from ivr.ami.protocol import Event
from tests.ivr.ami.fake_switch import FakeSwitch, Session, fake_switch, hang_up, refuse, silence, until

pytestmark = pytest.mark.anyio
SECRET = "correct horse"
QUICK = Timing(
    connect_s=1.0, login_s=0.3, ping_every_s=30.0, ping_answer_s=0.1, retry_floor_s=0.01, retry_cap_s=0.05,
    refused_floor_s=0.05, refused_cap_s=0.05, resync_retry_s=0.02, event_queue_max=50,
)  # fmt: skip
"""For a switch that keeps silent."""
PATIENT = replace(QUICK, connect_s=30.0, login_s=30.0, ping_answer_s=30.0)
"""For a switch that answers: a machine that stands still for a moment must not lose it the link, which is logged in
anew then and counted as a second session."""


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


class Heard:
    """What the callbacks were told, in order."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.faults: list[AmiFault] = []
        self.on_event: Callable[[Event], Awaitable[None] | None] = self._event
        self.on_up: Callable[[], Awaitable[None]] = self._up

    def _event(self, event: Event) -> None:
        self.log.append(event.get("UserEvent") or event.name)

    async def _up(self) -> None:
        self.log.append("up")

    def event(self, event: Event) -> Awaitable[None] | None:
        return self.on_event(event)

    async def up(self) -> None:
        await self.on_up()

    async def down(self, reason: str) -> None:
        self.log.append("down")


@asynccontextmanager
async def client_of(
    switch: FakeSwitch, heard: Heard | None = None, timing: Timing | None = None, *, up: bool = True, **more: Any
) -> AsyncIterator[AmiClient]:
    heard = heard or Heard()
    client = AmiClient(
        "127.0.0.1", switch.port, "tollgate", SECRET,
        heard.event, heard.up, heard.down,
        on_fault=heard.faults.append, timing=timing or (PATIENT if up else QUICK), **more,
    )  # fmt: skip
    async with client:
        if up:
            await client.wait_up(30.0)
        yield client
    assert not client.connected


def listing(*names: str, count: int | None = None, complete: bool = True) -> Callable[[Session, dict[str, str]], None]:
    def script(session: Session, action: dict[str, str]) -> None:
        session.answer(action, EventList="start")
        for name in names:
            session.item(action, "Status", Channel=name)
        if complete:
            session.item(
                action, "StatusComplete", EventList="Complete", ListItems=str(len(names) if count is None else count)
            )

    return script


async def test_a_lost_action_is_unknown_at_once_and_never_sent_again() -> None:
    async with fake_switch() as switch:
        switch.scripts["Originate"] = hang_up
        async with client_of(switch) as client:
            with pytest.raises(OutcomeUnknown):
                await client.call({"Action": "Originate"}, 30.0)
            await client.wait_up(5.0)
            await client.call({"Action": "Ping"})
            assert len(switch.received("Originate")) == 1
            assert client.counters.links_up == 2


async def test_while_down_nothing_is_sent_now_or_later() -> None:
    async with fake_switch() as switch, client_of(switch) as client:
        await switch.stop()
        await until(lambda: not client.connected)
        with pytest.raises(LinkDown):
            await client.call({"Action": "Originate"}, 30.0)
        with pytest.raises(LinkDown):
            await client.call_list({"Action": "Status"}, 30.0)
        await switch.listen()
        await client.wait_up(5.0)
        await client.call({"Action": "Ping"})
        assert switch.received("Originate") == switch.received("Status") == []


async def test_all_pending_actions_fail_when_the_link_goes() -> None:
    async with fake_switch() as switch:
        switch.scripts["Getvar"] = silence
        async with client_of(switch) as client:
            calls = [asyncio.ensure_future(client.call({"Action": "Getvar"}, 30.0)) for _ in range(20)]
            await until(lambda: len(switch.received("Getvar")) == 20)
            switch.last.drop()
            results = await asyncio.gather(*calls, return_exceptions=True)
            assert all(isinstance(result, OutcomeUnknown) for result in results)


async def test_link_lost_in_the_middle_of_a_list() -> None:
    def half(session: Session, action: dict[str, str]) -> None:
        session.answer(action, EventList="start")
        session.item(action, "Status", Channel="a")
        asyncio.get_running_loop().call_later(0.02, session.drop)

    async with fake_switch() as switch:
        switch.scripts["Status"] = half
        async with client_of(switch) as client:
            with pytest.raises(OutcomeUnknown):
                await client.call_list({"Action": "Status"}, 30.0)


async def test_no_fully_booted_is_a_fault_with_a_name() -> None:
    async with fake_switch() as switch:
        switch.scripts["Login"] = lambda session, action: session.answer(action)
        heard = Heard()
        async with client_of(switch, heard, up=False) as client:
            await until(lambda: heard.faults)
            assert isinstance(heard.faults[0], PeerFault)
            assert "FullyBooted" in str(heard.faults[0])
            assert not client.connected
            with pytest.raises(LinkDown):
                await client.call({"Action": "Ping"})
            assert "up" not in heard.log


async def test_half_open_peer_is_dropped_and_called_again() -> None:
    async with fake_switch() as switch:
        switch.scripts["Ping"] = silence
        heard = Heard()
        quick = Timing(ping_every_s=0.05, ping_answer_s=0.05, retry_floor_s=0.01)
        async with client_of(switch, heard, quick) as client:
            await until(lambda: len(switch.sessions) >= 2 and client.connected)
            assert heard.log[:4] == ["up", "FullyBooted", "down", "up"]


async def test_an_answered_ping_keeps_the_link() -> None:
    async with fake_switch() as switch, client_of(switch, timing=Timing(ping_every_s=0.01)):
        await until(lambda: len(switch.received("Ping")) > 5)
        assert len(switch.sessions) == 1


async def test_a_wrong_secret_is_reported_and_not_hammered() -> None:
    async with fake_switch() as switch:
        switch.scripts["Login"] = refuse
        heard = Heard()
        async with client_of(switch, heard, Timing(), up=False) as client:
            with pytest.raises(LinkDown) as down:
                await client.wait_up(1.0)
            assert isinstance(down.value.__cause__, LoginRefused)
            assert [str(fault) for fault in heard.faults] == ["Authentication failed"]
            assert len(switch.received("Login")) == 1
            assert SECRET not in repr(client) + repr(vars(heard)) + str(client.config)


async def test_a_cured_secret_is_found_without_help() -> None:
    async with fake_switch() as switch:
        log_in, switch.scripts["Login"] = switch.scripts["Login"], refuse
        async with client_of(switch, up=False) as client:
            await until(lambda: client.counters.failed_attempts >= 2)
            switch.scripts["Login"] = log_in
            await client.wait_up(5.0)
            assert client.last_fault is None


def test_retry_delay_doubles_to_its_cap_and_is_spread() -> None:
    assert [retry_delay_s(n, 0.5, 30.0, 1.0) for n in (1, 2, 3, 7, 10_000)] == [0.5, 1.0, 2.0, 30.0, 30.0]
    assert retry_delay_s(1, 5.0, 30.0, 0.0) == 2.5


@pytest.mark.parametrize(
    ("banner", "words"),
    [
        (b"", "banner"),
        (b"SSH-2.0-x\r\n", "banner"),
        (b"Asterisk Call Manager/2.0\r\n", "version"),
        (b"Asterisk Call", "banner"),
    ],
    ids=["silent", "other service", "old", "half"],
)
async def test_a_peer_we_cannot_work_with_gets_no_secret(banner: bytes, words: str) -> None:
    async with fake_switch() as switch:
        switch.banner = banner
        heard = Heard()
        async with client_of(switch, heard, up=False):
            await until(lambda: heard.faults)
            assert isinstance(heard.faults[0], PeerFault)
            assert words in str(heard.faults[0])
            assert switch.received("Login") == []


async def test_a_silent_login_ends() -> None:
    async with fake_switch() as switch:
        switch.scripts["Login"] = silence
        heard = Heard()
        async with client_of(switch, heard, up=False):
            await until(lambda: heard.faults)
            assert isinstance(heard.faults[0], PeerFault)


async def test_close_during_back_off_ends_everything() -> None:
    async with fake_switch() as switch:
        before = asyncio.all_tasks()
        async with client_of(switch, timing=Timing(retry_floor_s=0.05)) as client:
            switch.last.drop()
            await until(lambda: not client.connected)
        await client.close()
        seen = len(switch.sessions)
        assert [task for task in asyncio.all_tasks() - before if (task.get_name() or "").startswith("ami-")] == []
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await client.up.wait()
        assert len(switch.sessions) == seen == 1
        with pytest.raises(RuntimeError):
            client.start()


async def test_close_fails_what_is_pending() -> None:
    async with fake_switch() as switch:
        switch.scripts["Getvar"] = silence
        async with client_of(switch) as client:
            call = asyncio.ensure_future(client.call({"Action": "Getvar"}, 30.0))
            await until(lambda: switch.received("Getvar"))
            await client.close()
            with pytest.raises(OutcomeUnknown):
                await call
            with pytest.raises(LinkDown):
                await client.call({"Action": "Ping"})


async def test_close_from_a_callback() -> None:
    async with fake_switch() as switch:
        heard = Heard()
        async with client_of(switch, heard) as client:
            done = asyncio.Event()

            async def close(event: Event) -> None:
                await client.close()
                done.set()

            heard.on_event = close
            switch.last.event("UserEvent")
            await asyncio.wait_for(done.wait(), 5.0)


@pytest.mark.parametrize("plain", [True, False])
async def test_a_raising_callback_costs_only_its_own_event(plain: bool) -> None:
    async with fake_switch() as switch:
        heard = Heard()
        async with client_of(switch, heard) as client:
            await until(lambda: heard.log == ["up", "FullyBooted"])
            good = heard.on_event

            async def later(event: Event) -> None:
                raise RuntimeError("callback")

            def bad(event: Event) -> Awaitable[None] | None:
                if event.get("UserEvent") != "bad":
                    return good(event)
                if plain:
                    raise RuntimeError("callback")
                return later(event)

            heard.on_event = bad
            switch.last.raw(
                b"".join(b"Event: UserEvent\r\nUserEvent: %s\r\n\r\n" % n for n in (b"1", b"bad", b"2", b"bad", b"3"))
            )
            await until(lambda: heard.log[-1:] == ["3"])
            assert heard.log[2:] == ["1", "2", "3"]
            assert client.counters.callback_faults == 2
            assert (await client.call({"Action": "Ping"})).success
            assert len(switch.sessions) == 1
        gc.collect()


async def test_a_raising_on_fault_does_not_end_the_retries() -> None:
    def bad(fault: AmiFault) -> None:
        raise RuntimeError("callback")

    async with fake_switch() as switch:
        switch.banner = b"SSH\r\n"
        client = AmiClient(
            "127.0.0.1", switch.port, "u", "s", print, Heard().on_up, Heard().down, on_fault=bad, timing=QUICK
        )
        async with client:
            await until(lambda: client.counters.failed_attempts >= 2)


async def test_success_without_async_header() -> None:
    async with fake_switch() as switch:
        switch.scripts["Originate"] = lambda session, action: session.answer(
            action, Message="Originate successfully queued"
        )
        async with client_of(switch) as client:
            answer = await client.call({"Action": "Originate", "Channel": "Local/x@y"})
            assert answer.success
            assert answer.message == "Originate successfully queued"
            assert client.connected


async def test_originate_response_is_an_event() -> None:
    def originate(session: Session, action: dict[str, str]) -> None:
        session.answer(action)
        session.item(action, "OriginateResponse", Response="Failure", Reason="3")

    async with fake_switch() as switch:
        switch.scripts["Originate"] = originate
        heard = Heard()
        async with client_of(switch, heard) as client:
            assert (await client.call({"Action": "Originate"})).success
            await until(lambda: "OriginateResponse" in heard.log)


async def test_lists() -> None:
    async with fake_switch() as switch:
        heard = Heard()
        async with client_of(switch, heard) as client:
            switch.scripts["Status"] = listing("a", "b", "c")
            items = await client.call_list({"Action": "Status"})
            assert [item.get("Channel") for item in items] == ["a", "b", "c"]
            switch.scripts["Status"] = listing()
            assert await client.call_list({"Action": "Status"}) == []
            switch.scripts["Status"] = lambda session, action: session.answer(action)
            assert await client.call_list({"Action": "Status"}) == []
            assert heard.log == ["up", "FullyBooted"]


async def test_a_list_that_is_refused_or_incomplete_says_so() -> None:
    def cancelled(session: Session, action: dict[str, str]) -> None:
        session.answer(action, EventList="start")
        session.item(action, "StatusComplete", EventList="Cancelled")

    async with fake_switch() as switch, client_of(switch) as client:
        switch.scripts["Status"] = lambda session, action: session.answer(action, "Error", Message="No such channel")
        with pytest.raises(ActionRefused, match="No such channel"):
            await client.call_list({"Action": "Status"}, 30.0)
        switch.scripts["Status"] = listing("a", "b", count=3)
        with pytest.raises(ListIncomplete):
            await client.call_list({"Action": "Status"}, 30.0)
        switch.scripts["Status"] = cancelled
        with pytest.raises(ListIncomplete):
            await client.call_list({"Action": "Status"}, 30.0)
        switch.scripts["Status"] = listing("a", complete=False)
        with pytest.raises(AnswerTimeout):
            await client.call_list({"Action": "Status"}, 0.05)
        switch.scripts["Status"] = silence
        with pytest.raises(AnswerTimeout):
            await client.call_list({"Action": "Status"}, 0.05)


@pytest.mark.parametrize("bad", ["x\r\nAction: Command\r\nCommand: core stop now", "x\n", "\0"])
async def test_nothing_is_smuggled(bad: str) -> None:
    async with fake_switch() as switch, client_of(switch) as client:
        for action in ({"Action": "Hangup", "Channel": bad}, {"Action": bad}, {"Action": "Hangup", bad: "x"}):
            with pytest.raises(ValueError, match=r"header|control"):
                await client.call(action)
            with pytest.raises(ValueError, match=r"header|control"):
                await client.call_list(action)
        with pytest.raises(ValueError, match="ActionID"):
            await client.call({"Action": "Ping", "ActionID": "mine"})
        await client.call({"Action": "Ping"})
        assert [action["Action"] for action in switch.last.actions] == ["Login", "Ping"]


async def test_a_login_that_cannot_be_sent() -> None:
    async with fake_switch() as switch:
        heard = Heard()
        client = AmiClient(
            "127.0.0.1", switch.port, "u", "s\r\nAction: Command", print, heard.on_up, heard.down,
            on_fault=heard.faults.append, timing=QUICK,
        )  # fmt: skip
        async with client:
            await until(lambda: heard.faults)
            assert isinstance(heard.faults[0], LoginRefused)
            assert switch.last.actions == []


async def test_a_character_split_over_two_reads() -> None:
    async with fake_switch() as switch:
        heard = Heard()
        async with client_of(switch, heard) as client:
            first, second = "Event: UserEvent\r\nUserEvent: José\r\n\r\n".encode().split(b"\xa9")
            switch.last.raw(first)
            await until(lambda: client._link and client._link._parser._buffer.endswith(b"\xc3"))
            switch.last.raw(b"\xa9" + second)
            await until(lambda: heard.log[-1:] == ["José"])


async def test_forged_headers_and_oversize_leave_the_link_alone() -> None:
    async with fake_switch() as switch:
        heard = Heard()
        async with client_of(switch, heard) as client:
            switch.last.raw(b"Event: Newchannel\r\nChannel: a\r\nEvent: Hangup\r\nChannel: b\r\n\r\n")
            switch.last.raw(b"Event: UserEvent\r\nX: " + b"x" * 200_000 + b"\r\n\r\n")
            switch.last.raw(b"Response: Success\r\nActionID: 1\r\n\r\n")
            switch.last.event("UserEvent", UserEvent="after")
            await until(lambda: heard.log[-1:] == ["after"])
            assert heard.log == ["up", "FullyBooted", "after"]
            counters = client.counters
            assert (counters.dropped.repeated_key, counters.dropped.oversize, counters.late_answers) == (1, 1, 1)


async def test_before_start_and_refused_connect() -> None:
    heard = Heard()
    async with fake_switch() as switch:
        await switch.stop()
        client = AmiClient(
            "127.0.0.1",
            switch.port,
            "u",
            "s",
            print,
            heard.on_up,
            heard.down,
            on_fault=heard.faults.append,
            timing=QUICK,
        )
        with pytest.raises(LinkDown):
            await client.call({"Action": "Ping"})
        async with client:
            await until(lambda: len(heard.faults) >= 3)
            assert all(isinstance(fault, LinkDown) for fault in heard.faults)
            await switch.listen()
            await client.wait_up(5.0)
            assert len(switch.sessions) == 1


async def test_two_thousand_answers_out_of_order_find_their_actions() -> None:
    held: list[tuple[Session, dict[str, str]]] = []
    async with fake_switch() as switch:
        switch.scripts["Getvar"] = lambda session, action: held.append((session, action))
        async with client_of(switch) as client:
            calls = [
                asyncio.ensure_future(client.call({"Action": "Getvar", "Variable": str(n)}, 30.0)) for n in range(2000)
            ]
            await until(lambda: len(held) == 2000)
            for session, action in reversed(held):
                session.answer(action, Value=action["Variable"])
            answers = await asyncio.gather(*calls)
            assert [answer.get("Value") for answer in answers] == [str(n) for n in range(2000)]


async def test_a_late_answer_is_counted_and_answers_nothing() -> None:
    async with fake_switch() as switch:
        switch.scripts["Getvar"] = silence
        async with client_of(switch) as client:
            with pytest.raises(AnswerTimeout, match="Getvar"):
                await client.call({"Action": "Getvar", "Variable": "topsecret"}, 0.05)
            switch.last.answer(switch.received("Getvar")[0])
            assert (await client.call({"Action": "Ping"})).success
            assert client.counters.late_answers == 1


async def test_a_slow_consumer_costs_events_not_answers_and_ends_in_a_resync() -> None:
    async with fake_switch() as switch:
        heard = Heard()
        async with client_of(switch, heard) as client:
            await until(lambda: heard.log == ["up", "FullyBooted"])
            go = asyncio.Event()
            good = heard.on_event

            async def slow(event: Event) -> None:
                await go.wait()
                good(event)

            heard.on_event = slow
            for n in range(500):
                switch.last.event("UserEvent", UserEvent=str(n))
            await until(lambda: client.counters.events_dropped >= 449)
            assert (await client.call({"Action": "Ping"})).success
            go.set()
            await until(lambda: heard.log[-1:] == ["up"])
            # the first is in the consumer's hand; where it took that between two reads, one that came later had room
            kept = [int(one) for one in heard.log[2:-1]]
            assert kept == sorted(set(kept))
            assert kept[:50] == list(range(50))
            assert len(kept) == 500 - client.counters.events_dropped in {50, 51}
            assert len(switch.sessions) == 1


async def test_on_up_may_call_and_comes_before_later_events() -> None:
    async with fake_switch() as switch:
        heard = Heard()
        switch.scripts["Status"] = listing("a")

        async def resync() -> None:
            switch.last.event("UserEvent", UserEvent="later")
            heard.log.append("up:" + (await client.call_list({"Action": "Status"}))[0].get("Channel"))

        heard.on_up = resync
        async with client_of(switch, heard) as client:
            await until(lambda: "later" in heard.log)
            assert heard.log == ["up:a", "FullyBooted", "later"]


async def test_on_up_that_raises_is_tried_again() -> None:
    async with fake_switch() as switch:
        heard = Heard()
        tries = 0

        async def flaky() -> None:
            nonlocal tries
            tries += 1
            if tries < 3:
                raise OSError("database")
            heard.log.append("up")

        heard.on_up = flaky
        async with client_of(switch, heard) as client:
            await until(lambda: "up" in heard.log)
            assert tries == 3
            assert client.counters.callback_faults == 2
            assert len(switch.sessions) == 1


async def test_the_library_s_own_ways_in_are_shut() -> None:
    async with fake_switch() as switch, client_of(switch) as client:
        for way in (client.send_action, client.send_command, client.send_agi_command, client.connect):
            with pytest.raises(TypeError):
                way({"Action": "Ping"})
        with pytest.raises(TypeError):
            client.register_event("*", print)
        assert client._link is not None
        with pytest.raises(TypeError):
            client._link.send({"Action": "Ping"})


async def test_over_tls_with_the_host_name_checked(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-keyout", key, "-out", certificate, "-subj", "/CN=switch", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    served = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(certificate, key)
    async with fake_switch(served) as switch:
        trusting = tls.create_default_context(cafile=str(certificate))
        async with client_of(switch, ssl=trusting) as client:
            assert (await client.call({"Action": "Ping"})).success
        heard = Heard()
        async with client_of(switch, heard, up=False, ssl=tls.create_default_context()):
            await until(lambda: heard.faults)
            assert isinstance(heard.faults[0], LinkDown)
