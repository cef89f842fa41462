"""The parser: any split, any bytes, hostile headers; the encoder: nothing smuggled."""

import itertools
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.ami.protocol import (
    KEY_HEADERS,
    Banner,
    BannerFault,
    Event,
    Message,
    Parser,
    Response,
    encode_action,
)

TIMES = 100 if "--proof" in sys.argv else 1
"""How many times the examples of each property are looked at (`make proof`: some ten thousand)."""
BANNER = b"Asterisk Call Manager/11.0.0\r\n"
STREAM = (
    BANNER
    + b"Response: Success\r\nActionID: 1\r\nMessage: ok\r\n\r\n"
    + "Event: UserEvent\r\nUserEvent: TGSettle\r\nName: José ☎\r\nEmpty: \r\nBare:\r\n\r\n".encode()
    + b"\r\n\r\nEvent: A\r\n\r\n\r\nEvent: B\r\nX: 1\r\nX: 2\r\n\r\n"
    + b"Event: Newchannel\r\nChannel: a\r\nEvent: Hangup\r\n\r\n"
    + b"garbage without colon\r\n\r\n"
    + b"Event: Long\r\nX: " + b"y" * 200 + b"\r\n\r\n"
    + b"Event: OriginateResponse\r\nResponse: Failure\r\n\r\n"
)  # fmt: skip


def parse(pieces: list[bytes], cap: int = 150) -> tuple[list[Message], Parser]:
    parser = Parser(message_max_bytes=cap)
    return [message for piece in pieces for message in parser.feed(piece)], parser


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[a:b] for a, b in itertools.pairwise(edges)]


def test_reads_what_a_switch_says() -> None:
    messages, parser = parse([STREAM])
    assert [type(m).__name__ + ":" + (m.name if isinstance(m, Event) else m.status) for m in messages] == [
        "Response:Success", "Event:UserEvent", "Event:A", "Event:B", "Event:OriginateResponse",
    ]  # fmt: skip
    assert parser.banner == Banner("11.0.0")
    assert parser.banner.major == 11
    assert messages[1].get("Name") == "José ☎"
    assert messages[1].headers["Empty"] == messages[1].headers["Bare"] == messages[1].get("Absent") == ""
    assert messages[3].get("X") == "1"
    assert (parser.dropped.repeated_key, parser.dropped.malformed, parser.dropped.oversize) == (1, 1, 1)


@settings(max_examples=150 * TIMES, deadline=None)
@given(st.lists(st.integers(min_value=0, max_value=10_000), max_size=30))
def test_any_split_gives_the_same_messages(places: list[int]) -> None:
    whole, first = parse([STREAM])
    split, second = parse(cut(STREAM, places))
    assert split == whole
    assert first.dropped == second.dropped


def test_one_byte_at_a_time() -> None:
    assert parse([bytes([b]) for b in STREAM])[0] == parse([STREAM])[0]


@settings(max_examples=150 * TIMES, deadline=None)
@given(
    st.lists(
        st.sampled_from([b"\r\n", b"\r", b"\n", b"Event", b": ", b"X", b"Response: S", b"\xc3", b"\0"]), max_size=60
    ),
    st.lists(st.integers(min_value=0, max_value=10_000), max_size=12),
    st.integers(min_value=1, max_value=30),
)
def test_any_split_of_near_messages(parts: list[bytes], places: list[int], cap: int) -> None:
    stream = BANNER + b"".join(parts)
    whole, first = parse([stream], cap)
    split, second = parse(cut(stream, places), cap)
    assert split == whole
    assert (first.dropped.repeated_key, first.dropped.malformed) == (
        second.dropped.repeated_key,
        second.dropped.malformed,
    )
    rest = stream + b"\r\n\r\n\r\n\r\nEvent: After\r\n\r\n"
    assert parse(cut(rest, places), max(cap, 14))[0][-1] == Event("After", {"Event": "After"})


@settings(max_examples=150 * TIMES, deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=20))
def test_random_bytes_never_crash_and_stay_bounded(pieces: list[bytes]) -> None:
    parser = Parser(message_max_bytes=100)
    parser.feed(BANNER)
    for piece in pieces:
        assert all(isinstance(message, Event | Response) for message in parser.feed(piece))
        assert len(parser._buffer) <= 103


@settings(max_examples=100 * TIMES, deadline=None)
@given(st.binary(min_size=1, max_size=300))
def test_random_first_bytes_are_refused_or_awaited(first: bytes) -> None:
    parser = Parser()
    try:
        assert parser.feed(first) == []
    except BannerFault:
        return
    assert b"Asterisk Call Manager/".startswith(first)


@pytest.mark.parametrize("key", sorted(KEY_HEADERS - {"Event"}))
def test_a_message_whose_key_header_repeats_is_dropped(key: str) -> None:
    messages, parser = parse([BANNER, f"Event: E\r\n{key}: 1\r\n{key}: 1\r\n\r\nEvent: Next\r\n\r\n".encode()])
    assert [message.get("Event") for message in messages] == ["Next"]
    assert parser.dropped.repeated_key == 1


def test_an_endless_message_is_skipped_not_kept() -> None:
    parser = Parser(message_max_bytes=100)
    parser.feed(BANNER)
    for _ in range(1000):
        assert parser.feed(b"Event: x" * 20) == []
        assert len(parser._buffer) <= 103
    assert parser.feed(b"\r\n\r\nEvent: Next\r\n\r\n") == [Event("Next", {"Event": "Next"})]
    assert parser.dropped.oversize == 1


@pytest.mark.parametrize("first", [b"SSH-2.0-x\r\n", b"\r\n", BANNER[:22] + b"9" * 200])
def test_another_service_is_refused(first: bytes) -> None:
    with pytest.raises(BannerFault):
        Parser().feed(first)


@pytest.mark.parametrize(("version", "major"), [("11.0.0", 11), ("2", 2), ("", None), ("x.1", None), ("١.0", None)])
def test_banner_major(version: str, major: int | None) -> None:
    assert Banner(version).major == major


def test_encodes() -> None:
    wire = encode_action({"Action": "Getvar", "Variable": "José: x"})
    assert wire == "Action: Getvar\r\nVariable: José: x\r\n\r\n".encode()


@settings(max_examples=200 * TIMES, deadline=None)
@given(st.dictionaries(st.text(max_size=12), st.text(max_size=40), max_size=4))
def test_what_is_encoded_is_read_back_or_refused(headers: dict[str, str]) -> None:
    action = {"Action": "X", **headers}
    try:
        wire = encode_action(action)
    except ValueError:
        return
    lines = wire.removesuffix(b"\r\n\r\n").decode().split("\r\n")
    assert dict(line.split(": ", 1) for line in lines) == action
    assert len(lines) == len(action)


@pytest.mark.parametrize("bad", ["a\r\nAction: Command", "a\nb", "a\rb", "a\0b", "x" * 1000, "é" * 500, "\ud800"])
def test_refuses_a_value_that_is_no_line(bad: str) -> None:
    with pytest.raises(ValueError, match="header Channel") as refused:
        encode_action({"Action": "Hangup", "Channel": bad})
    assert bad not in str(refused.value)


@pytest.mark.parametrize("key", ["", "a b", "a:", "a\r\nAction", "é", "x" * 65, "1a", "a\n"])
def test_refuses_a_key_that_is_no_word(key: str) -> None:
    with pytest.raises(ValueError, match="key"):
        encode_action({"Action": "Hangup", key: "1"})


@pytest.mark.parametrize(
    "action", [{}, {"Channel": "x"}, {"Action": ""}, {"Action": "a"} | {f"k{n}": "" for n in range(100)}]
)
def test_refuses_what_is_no_action(action: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="action"):
        encode_action(action)
