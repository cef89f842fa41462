"""The verbs: what each one puts on the wire, and what the switch's words become."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from ivr.ami.faults import ActionRefused
from ivr.ami.protocol import Event, Response
from ivr.ami.switch import LiveChannel, Switch, Verdict

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Link:
    """Remembers what was asked; answers as told."""

    def __init__(self) -> None:
        self.sent: list[dict[str, str]] = []
        self.answer = Response("Success", {"Response": "Success"})
        self.items: list[Event] = []

    async def call(self, action: Mapping[str, str], timeout_s: float = 5.0) -> Response:
        self.sent.append(dict(action))
        return self.answer

    async def call_list(self, action: Mapping[str, str], timeout_s: float = 5.0) -> list[Event]:
        self.sent.append(dict(action))
        if not self.answer.success:
            raise ActionRefused(self.answer.message)
        return self.items

    def refuse(self, message: str) -> None:
        self.answer = Response("Error", {"Response": "Error", "Message": message})


@pytest.fixture
def link() -> Link:
    return Link()


@pytest.fixture
def switch(link: Link) -> Switch:
    return Switch(link)


async def test_orders_on_the_wire(link: Link, switch: Switch) -> None:
    assert await switch.set_deadline("PJSIP/a-1", 2.75) is Verdict.DONE
    assert await switch.hang_up("1795.1", 16) is Verdict.DONE
    assert await switch.set_variable("PJSIP/a-1", "X", "v") is Verdict.DONE
    assert await switch.set_variable(None, "G", "v") is Verdict.DONE
    await switch.play_warning("PJSIP/a-1", ["tollgate/one-minute", "beep"])
    await switch.play_warning("PJSIP/a-2", ["beep"])
    await switch.delete_record("tollgate", "1795.1")
    assert link.sent == [
        # a millisecond more than was asked: the switch may fire so much too early
        {"Action": "AbsoluteTimeout", "Channel": "PJSIP/a-1", "Timeout": "2.751"},
        {"Action": "Hangup", "Channel": "1795.1", "Cause": "16"},
        {"Action": "Setvar", "Channel": "PJSIP/a-1", "Variable": "X", "Value": "v"},
        {"Action": "Setvar", "Variable": "G", "Value": "v"},
        {"Action": "Setvar", "Variable": "TG_WARN_0", "Value": "PJSIP/a-1|tollgate/one-minute&beep"},
        {"Action": "Setvar", "Variable": "TG_WARN_1", "Value": "PJSIP/a-2|beep"},
        {"Action": "Setvar", "Variable": "DB_DELETE(tollgate/1795.1)", "Value": ""},
    ]


async def test_a_channel_that_is_gone_is_a_value(link: Link, switch: Switch) -> None:
    link.refuse("No such channel")
    assert await switch.set_deadline("x", 1) is Verdict.NO_SUCH_CHANNEL
    assert await switch.hang_up("x", 16) is Verdict.NO_SUCH_CHANNEL
    assert await switch.get_variable("x", "A") is None
    assert await switch.channel("x") is None


async def test_any_other_refusal_is_a_fault(link: Link, switch: Switch) -> None:
    link.refuse("Permission denied")
    for asked in (
        switch.set_deadline("x", 1), switch.hang_up("x", 16), switch.get_variable("x", "A"), switch.channel("x"),
        switch.channels(), switch.read_record("f", "k"), switch.records("f"), switch.delete_record("f", "k"),
    ):  # fmt: skip
        with pytest.raises(ActionRefused, match="Permission denied"):
            await asked


@pytest.mark.parametrize("channel", ["", "/PJSIP.*/", " x"])
async def test_never_more_than_one_channel(link: Link, switch: Switch, channel: str) -> None:
    for asked in (
        switch.set_deadline(channel, 1), switch.hang_up(channel, 16), switch.set_variable(channel, "A", "1"),
        switch.get_variable(channel, "A"), switch.channel(channel), switch.play_warning(channel, ["beep"]),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="one channel"):
            await asked
    assert link.sent == []


async def test_arguments_that_cannot_be_meant(link: Link, switch: Switch) -> None:
    for seconds in (0, -1, 0.0004, float("nan"), float("inf"), 1e9):
        with pytest.raises(ValueError, match="deadline"):
            await switch.set_deadline("x", seconds)
    for cause in (0, 128):
        with pytest.raises(ValueError, match="cause"):
            await switch.hang_up("x", cause)
    for files in ([], [""], ["a&b"], ["/etc/passwd"], ["../x"], ["a b"], ["a,b"], ["a", "${X}"], ["a^b"], ["a)"]):
        with pytest.raises(ValueError, match="sound"):
            await switch.play_warning("PJSIP/x-1", files)
    for key in ("", "a/b", "a)", "a,b", "a b", "a\n"):
        with pytest.raises(ValueError, match="word"):
            await switch.delete_record("tollgate", key)
        with pytest.raises(ValueError, match="word"):
            await switch.read_record(key, "k")
    assert link.sent == []


async def test_live_channels(link: Link, switch: Switch) -> None:
    headers = {
        "Event": "Status", "Channel": "PJSIP/a-1", "Uniqueid": "1.1", "Linkedid": "1.0", "Seconds": "7",
        "TimeToHangup": "1795224490", "ChannelStateDesc": "Up", "BridgeID": "b", "Context": "c", "Exten": "e",
        "Application": "AppDial", "Variable": "TG_CALL=c=1",
    }  # fmt: skip
    bare = {
        "Event": "Status",
        "Channel": "PJSIP/a-2",
        "Uniqueid": "1.2",
        "TimeToHangup": "0",
        "Variable": "TG_CALL=(null)",
    }
    link.items = [Event("Status", headers), Event("Status", bare)]
    first, second = await switch.channels("TG_CALL")
    hangup_at = datetime(2026, 11, 21, 1, 28, 10, tzinfo=UTC)
    assert first == LiveChannel("PJSIP/a-1", "1.1", "1.0", 7, hangup_at, "Up", "b", "c", "e", "AppDial", "c=1")
    assert first.time_to_hangup_s(datetime(2026, 11, 21, 1, 28, 0, 500_000, tzinfo=UTC)) == 9.5
    assert (second.hangup_at, second.variable, second.seconds, second.time_to_hangup_s(hangup_at)) == (
        None,
        "",
        0,
        None,
    )
    assert (await switch.channels())[0].variable == ""
    assert await switch.channel("1.1", "TG_CALL") == first
    assert link.sent == [
        {"Action": "Status", "Variables": "TG_CALL"},
        {"Action": "Status"},
        {"Action": "Status", "Channel": "1.1", "Variables": "TG_CALL"},
    ]


async def test_the_switch_s_database(link: Link, switch: Switch) -> None:
    link.items = [Event("DBGetResponse", {"Family": "tollgate", "Key": "k", "Val": "a b"})]
    assert await switch.read_record("tollgate", "k") == "a b"
    link.items = [Event("DBGetTreeResponse", {"Key": key, "Val": "1"}) for key in ("/tollgate/a", "/tollgate/sub/b")]
    assert await switch.records("tollgate") == {"a": "1", "sub/b": "1"}
    link.refuse("Database entry not found")
    assert await switch.read_record("tollgate", "k") is None


@pytest.mark.parametrize("channel", ["x", "PJSIP/a|b/c", "PJSIP/a&b", "PJSIP/a,b", "PJSIP/${X}", "PJSIP/a^b"])
async def test_a_warning_is_for_one_channel(link: Link, switch: Switch, channel: str) -> None:
    with pytest.raises(ValueError, match="one channel"):
        await switch.play_warning(channel, ["beep"])
    assert link.sent == []
