"""Calls are found by id and by leg while they are up, and for a while after they were settled."""

from ivr.live_calls import LiveCall, LiveCalls


def test_a_settled_call_is_still_known_to_the_turn_that_says_goodbye() -> None:
    live = LiveCalls()
    call = live.add(LiveCall("call", "1.0", "PJSIP/x"))
    assert live.find("call") is live.find("", "1.0") is call
    call.disposition = "balance-used-up"
    live.forget(call)
    assert live.find("call", "1.0") is None
    found = live.settled_on("1.0")
    assert found is not None
    assert found.disposition == "balance-used-up"


def test_a_call_is_kept_once() -> None:
    live = LiveCalls()
    first = live.add(LiveCall("call", "1.0", "PJSIP/x"))
    assert live.add(LiveCall("call", "1.0", "PJSIP/x")) is first
    assert len(live) == 1
