"""From the events of the switch to what is shown of a call."""

from datetime import UTC, datetime, timedelta

import pytest

from ivr.demo.watch import Line, Scene, Watch, Who, played
from sounds.manifest import load_manifest

CALLER, CALLED = {"Uniqueid": "1.0", "Linkedid": "1.0"}, {"Uniqueid": "1.1", "Linkedid": "1.0"}
ARRIVAL = {
    "Event": "Newchannel",
    "Context": "tollgate-in",
    "Exten": "19005550100",
    "Channel": "PJSIP/network-00000000",
    **CALLER,
}


@pytest.fixture
def watch() -> Watch:
    return Watch(load_manifest().texts("en"))


@pytest.fixture
def scene(watch: Watch) -> Scene:
    watch.see(ARRIVAL)
    return watch.scenes["1.0"]


def agi(command: str, kind: str = "AGIExecStart") -> dict[str, str]:
    return {"Event": kind, "Command": command, **CALLER}


def key(digit: str, direction: str = "Received") -> dict[str, str]:
    return {"Event": "DTMFEnd", "Digit": digit, "Direction": direction, **CALLER}


def user(kind: str, **fields: str) -> dict[str, str]:
    return {"Event": "UserEvent", "UserEvent": kind, **fields, **CALLED}


def test_only_calls_to_the_gateway_are_followed(watch: Watch) -> None:
    assert watch.see(ARRIVAL | {"Context": "network"}) == []
    assert watch.see(ARRIVAL | {"Uniqueid": "1.1"}) == []
    assert watch.scenes == {}
    assert watch.see(key("1")) == []


def test_what_is_said_is_told_and_secret_digits_are_stars(watch: Watch, scene: Scene) -> None:
    said = watch.see(agi('GET DATA "tollgate/enter-pin" 5000 8'))
    assert said == [Line(Who.GATEWAY, "says “Please enter your PIN, followed by the pound key.”")]
    assert scene.step == "PIN"
    for digit in "20913754":
        assert watch.see(key(digit)) == []
    assert scene.keys == "********"
    assert "2091" not in repr(scene)
    watch.see(agi("", "AGIExecEnd"))
    next_one = watch.see(agi('EXEC Background "tollgate/your-balance-is&digits/5&tollgate/cents,n,,x"'))
    assert next_one[0] == Line(Who.CALLER, "keys ********")
    assert scene.keys == ""


def test_a_destination_is_no_secret(watch: Watch, scene: Scene) -> None:
    watch.see(agi('EXEC Background "tollgate/your-balance-is&digits/5&tollgate/cents,n,,x"'))
    watch.see(key("1"))
    watch.see(agi('GET DATA "" 5000 19'))
    for digit in "18#":
        watch.see(key(digit))
    watch.see(key("9", "Sent"))
    assert scene.keys == "118#"


def test_silence_after_a_prompt(watch: Watch, scene: Scene) -> None:
    command = 'STREAM FILE tollgate/welcome ""'
    watch.see(agi(command))
    assert scene.hears == "“Welcome.”"
    watch.see(agi(command, "AGIExecEnd"))
    assert scene.hears == ""


def test_the_conversation_is_timed_by_the_stamps_of_the_switch(watch: Watch, scene: Scene) -> None:
    begun = datetime(2026, 11, 21, 2, 0, 0, 250_000, UTC)
    dial = {"Event": "DialBegin", "DialString": "18085550104@network", **CALLER}
    assert watch.see(dial) == [Line(Who.GATEWAY, "lets the switch dial +18085550104 on trunk network")]
    assert scene.used_ms(begun) == 0
    watch.see(user("TollgateAnswered", Answered=f"{begun.timestamp():.6f}"))
    assert scene.used_ms(begun + timedelta(seconds=3)) == 3000
    ended = begun + timedelta(milliseconds=34_287)
    lines = watch.see(user("TollgateEnded", Ended=f"{ended.timestamp():.6f}"))
    assert lines == [Line(Who.NETWORK, "the conversation is over after 34.287 s (stamps of the switch)")]
    assert scene.used_ms(ended + timedelta(hours=1)) == 34_287
    assert not scene.gone
    watch.see({"Event": "Hangup", "Cause": "16", **CALLED})
    assert not scene.gone
    watch.see({"Event": "Hangup", "Cause": "16", **CALLER})
    assert scene.gone


@pytest.mark.parametrize("stamp", ["", "x", "1.5", "12", ".123456", "1.12345x"])
def test_a_stamp_that_is_none_is_no_answer(watch: Watch, scene: Scene, stamp: str) -> None:
    watch.see(user("TollgateAnswered", Answered=stamp))
    assert scene.answered_at is None


def test_a_warning_is_told_for_the_call_it_is_whispered_to(watch: Watch, scene: Scene) -> None:
    watch.see(ARRIVAL | {"Uniqueid": "2.0", "Linkedid": "2.0", "Channel": "PJSIP/network-00000002"})
    for each in watch.scenes.values():
        each.answered_at = datetime.now(UTC)
    spy = {"Event": "Newexten", "Context": "tollgate-whisper", "Application": "ChanSpy"}
    watch.see(spy | {"AppData": "PJSIP/network-00000000,quwES"})
    say = {"Event": "Newexten", "Context": "tollgate-say", "Application": "Playback"}
    lines = watch.see(say | {"AppData": "tollgate/you-have&digits/10&tollgate/seconds-left"})
    assert lines == [Line(Who.GATEWAY, "warns the caller, unheard by the other side: “You have 10 seconds left.”")]
    assert (scene.warned, watch.scenes["2.0"].warned) == (True, False)


@pytest.mark.parametrize("command", ["", "ANSWER", 'EXEC "MSet" "TG_DECISION=dial"', "DATABASE GET tollgate x"])
def test_other_commands_play_nothing(command: str) -> None:
    assert played(command) == ()
