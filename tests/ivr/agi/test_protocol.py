"""The wire format: every known line, every split, and any bytes at all."""

import sys
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ivr.agi.protocol import (
    COMMAND_LIMIT_BYTES,
    ENVIRONMENT_LIMIT_BYTES,
    Dead,
    Environment,
    EnvironmentParser,
    EnvironmentRefusal,
    Event,
    Failed,
    Hangup,
    Invalid,
    Malformation,
    Malformed,
    ReplyParser,
    Success,
    quote,
)

from .peer import environment

TIMES = 100 if "--proof" in sys.argv else 1
"""How many times the examples of each property are looked at (`make proof`: some ten thousand)."""
BLOCK = (
    b"520-Invalid command syntax.  Proper usage follows:\n"
    b"Usage: SET VARIABLE <variablename> <value>\n\tSets a variable.\nHANGUP\n200 result=1 (x)\n"
    b"520 End of proper usage.\n"
)


def replies(*chunks: bytes) -> list[Event]:
    parser = ReplyParser()
    return [event for chunk in chunks for event in parser.feed(chunk)]


@pytest.mark.parametrize(
    ("line", "event"),
    [
        (b"200 result=0", Success("0")),
        (b"200 result=1", Success("1")),
        (b"200 result=55", Success("55")),
        (b"200 result=0012", Success("0012")),
        (b"200 result=*7", Success("*7")),
        (b"200 result=", Success("")),
        (b"200 result= (timeout)", Success("", "timeout")),
        (b"200 result=12 (timeout)", Success("12", "timeout")),
        (b"200 result=1 (a)b (c)", Success("1", "a)b (c")),
        (b"200 result=1 ()", Success("1", "")),
        (b"200 result=1 (hangup)", Success("1", "hangup")),
        (b"200 result=1 (HANGUP)", Success("1", "HANGUP")),
        (b"200 result=1 (x) endpos=5)", Success("1", "x) endpos=5")),
        (b"200 result=1 (\xff)", Success("1", "\ufffd")),
        (b"200 result=55 endpos=5920", Success("55", None, 5920)),
        (b"200 result=0 (timeout) endpos=80", Success("0", "timeout", 80)),
        (b"200 result=-1", Failed(-1)),
        (b"200 result=-2", Failed(-2)),
        (b"200 result=-1 endpos=0", Failed(-1)),
        (b"511 Command Not Permitted on a dead channel or intercept routine", Dead()),
        (b"511 something else", Dead()),
        (b"510 Invalid or unknown command", Invalid(510, "Invalid or unknown command")),
        (b"520 Invalid command syntax.", Invalid(520, "Invalid command syntax.")),
        (b"HANGUP", Hangup()),
    ],
)
def test_each_known_line_is_one_event(line: bytes, event: Event) -> None:
    assert replies(line + b"\n") == [event]


@pytest.mark.parametrize(
    "line",
    [
        b"", b"200", b"200 ", b"200 result", b"200 result=x", b"200 result=1 (open", b"200 result=1 x", b"200 Result=1",
        b" 200 result=1", b"200 result=1\r", b"hangup", b"HANGUP ", b"500 result=1",
        b"5200", b"520x", b"failure", b"\x00",
        b"200 result=1 endpos=", b"200 result=-", b"1000",
    ],
)  # fmt: skip
def test_what_is_not_exactly_a_reply_ends_the_stream(line: bytes) -> None:
    assert replies(line + b"\n200 result=1\n", b"HANGUP\n") == [Malformed(Malformation.UNKNOWN_SHAPE)]


def test_a_usage_block_is_one_event_to_its_end_whatever_it_says() -> None:
    assert [type(event) for event in replies(BLOCK + b"200 result=1\n")] == [Invalid, Success]


@pytest.mark.parametrize(("first", "kind"), [(b"510-", Invalid), (b"511-", Dead), (b"520-", Invalid)])
def test_any_refusing_code_may_be_a_block(first: bytes, kind: type[Event]) -> None:
    assert [type(event) for event in replies(first + b"a\nb\n" + first[:3] + b" end\n")] == [kind]


def test_trying_is_skipped() -> None:
    assert replies(b"100 Trying\n200 result=1\n") == [Success("1")]


@pytest.mark.parametrize(
    "flood", [b"x" * 9_000, b"200 result=1 (" + b"x" * 9_000 + b")\n", b"520-\n" + b"x\n" * 20_000]
)
def test_a_flood_is_overlong_and_the_end(flood: bytes) -> None:
    assert replies(flood, b"200 result=1\n") == [Malformed(Malformation.OVERLONG)]


LINES = st.sampled_from(
    [b"200 result=0\n", b"200 result=1 (a b)\n", b"HANGUP\n", b"100 Trying\n", b"200 result= (timeout)\n",
     b"511 Command Not Permitted on a dead channel or intercept routine\n", BLOCK, b"200 result=-1 endpos=0\n",
     b"200 result=1234\n", b"junk\n", b"200 result=1 (" + b"y" * 9_000 + b")\n"]
)  # fmt: skip


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(stream) + 1) for place in places} | {0, len(stream)})
    return [stream[start:end] for start, end in pairwise(ends)]


@given(st.lists(LINES, max_size=8).map(b"".join), st.lists(st.integers(0, 40_000), max_size=12))
@settings(max_examples=200 * TIMES, deadline=None)
@example(BLOCK * 2, list(range(len(BLOCK) * 2)))
def test_any_split_gives_the_same_events(stream: bytes, places: list[int]) -> None:
    assert replies(*cut(stream, places)) == replies(stream)


@given(
    st.binary(max_size=400) | st.lists(LINES | st.binary(max_size=40), max_size=6).map(b"".join),
    st.lists(st.integers(0, 400), max_size=6),
)
@settings(max_examples=200 * TIMES, deadline=None)
def test_any_bytes_are_events_and_any_split_gives_the_same(stream: bytes, places: list[int]) -> None:
    whole = replies(stream)
    assert replies(*cut(stream, places)) == whole
    assert not any(isinstance(event, Malformed) for event in whole[:-1])


@given(st.text("0123456789*#", min_size=3, max_size=12))
@settings(max_examples=50 * TIMES, deadline=None)
def test_no_repr_shows_what_was_keyed(digits: str) -> None:
    (event,) = replies(f"200 result={digits} (timeout)\n".encode())
    assert digits not in repr(event)
    (event,) = replies(f"200 result=1 ({digits})\n".encode())
    assert digits not in repr(event)


# The environment.


def believed(*chunks: bytes) -> Environment | EnvironmentRefusal | None:
    parser = EnvironmentParser()
    answer = None
    for chunk in chunks:
        answer = parser.feed(chunk)
        if answer is not None:
            break
    return answer


def test_an_environment_is_read() -> None:
    read = believed(environment("/call/?a=1&b=2", "one two", "agi_arg_9: x"))
    assert isinstance(read, Environment)
    assert (read.path, read.query, read.uniqueid) == ("call", "a=1&b=2", "1795223889.21")
    assert read.args == ("one two", "agi_arg_9: x", "the-token")
    assert read.fields["agi_accountcode"] == ""
    assert "the-token" not in repr(read)
    assert "12025550123" not in repr(read)


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        (b"\n\n", EnvironmentRefusal.NOT_AGI),
        (b"GET / HTTP/1.0\r\n\r\n", EnvironmentRefusal.NOT_AGI),
        (environment(agi_callerid="1555\nagi_network_script: admin"), EnvironmentRefusal.REPEATED_KEY),
        (environment(agi_callerid="1555\nfoo: bar"), EnvironmentRefusal.NOT_AGI),
        (environment(agi_callerid="1555\nagi_arg_7: bar"), EnvironmentRefusal.NOT_AGI),
        (environment(agi_callerid="1555\n\n200 result=1 (x)"), EnvironmentRefusal.EARLY_BYTES),
        (environment(agi_callerid="1555\n\n").split(b"\n\n")[0] + b"\n\n", EnvironmentRefusal.INCOMPLETE),
        (environment(agi_threadid=""), EnvironmentRefusal.INCOMPLETE),
        (environment(agi_uniqueid=""), EnvironmentRefusal.INCOMPLETE),
        (environment() + b"200 result=1\n", EnvironmentRefusal.EARLY_BYTES),
        (environment(agi_callerid="x" * ENVIRONMENT_LIMIT_BYTES), EnvironmentRefusal.OVERLONG),
        (b"agi_x: y\n" * ENVIRONMENT_LIMIT_BYTES, EnvironmentRefusal.OVERLONG),
    ],
)  # fmt: skip
def test_an_environment_that_could_be_forged_is_refused(text: bytes, refusal: EnvironmentRefusal) -> None:
    assert believed(text) is refusal


def test_invalid_utf8_in_the_environment_is_replaced() -> None:
    read = believed(environment(agi_calleridname="Jos\udce9"))
    assert isinstance(read, Environment)
    assert read.fields["agi_calleridname"] == "Jos\ufffd"


@given(st.lists(st.integers(0, 2_000), max_size=12))
@settings(max_examples=100 * TIMES, deadline=None)
@example(list(range(1_500)))
def test_any_split_gives_the_same_environment(places: list[int]) -> None:
    text = environment("call", "a", agi_calleridname="José")
    assert believed(*cut(text, places)) == believed(text)


@given(st.binary(max_size=300), st.integers(0, 300))
@settings(max_examples=150 * TIMES, deadline=None)
def test_any_bytes_as_environment_give_an_answer_or_none(noise: bytes, place: int) -> None:
    text = environment()
    place %= len(text)
    believed(text[:place] + noise + text[place:])
    believed(noise)


# Commands.


def test_quote_makes_one_word_of_each_argument() -> None:
    assert quote(
        ("SET", "VARIABLE", "A", 'say "hi" \\ ${X}')
    ) == b'SET VARIABLE "A" "say \\"hi\\" \\\\ ${X}"\n'.replace(b'"A"', b"A")
    assert quote(("NOOP", "", "é")) == 'NOOP "" é\n'.encode()


@pytest.mark.parametrize("bad", ["a\nHANGUP", "a\r", "a\0", "a\x1b", "a\x7f", "\ud800", "x" * COMMAND_LIMIT_BYTES])
def test_quote_refuses_what_would_be_more_than_one_command_and_does_not_show_it(bad: str) -> None:
    with pytest.raises(ValueError, match="an AGI command") as refused:
        quote(("SET", "VARIABLE", "X", bad))
    assert bad not in str(refused.value)
    assert refused.value.__cause__ is None


def test_quote_refuses_more_words_than_asterisk_reads() -> None:
    with pytest.raises(ValueError, match="too many words"):
        quote(["x"] * 101)


def words(line: str) -> list[str]:
    """parse_args() of res_agi.c, retold."""
    found, quoted, open_, escaped, word = [], False, False, False, ""
    for letter in line:
        if escaped:
            word, escaped, open_ = word + letter, False, True
        elif letter == "\\":
            escaped = True
        elif letter == '"':
            quoted, open_ = not quoted, True
        elif letter in " \t" and not quoted:
            if open_:
                found.append(word)
            word, open_ = "", False
        else:
            word, open_ = word + letter, True
    return [*found, word] if open_ else found


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=20), min_size=1, max_size=6
    )
)
@settings(max_examples=200 * TIMES, deadline=None)
def test_asterisk_reads_back_the_words_that_were_quoted(args: list[str]) -> None:
    line = quote(args).decode()
    assert line.endswith("\n")
    assert words(line[:-1]) == args
