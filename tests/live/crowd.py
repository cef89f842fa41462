"""Many calls at once with SIPp: callers who key RFC 4733 digits, callees who answer, and a short trace of both.

What a call does is in its numbers: the destination `+331 NNNN TTTT` is call N, and the callee hangs up TTTT ms after
the answer; with TTTT = 0000 it waits for the other side. A caller's line in the file of calls says who he is and how
long he thinks. Traces hold the first line of each message with SIPp's own time in microseconds, not the messages.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from dialplan.lab.polling import wait_for
from tests.live import sipp
from tests.live.fingers import Ears, Fingers, Keyed, keying_ms

_READ = """<nop><action>
<assignstr assign_to="keying_text" value="[field1]"/><todouble assign_to="keying_ms" variable="keying_text"/>
<assignstr assign_to="stay_text" value="[field2]"/><todouble assign_to="stay_ms" variable="stay_text"/>
<test assign_to="stays" variable="stay_ms" compare="equal" value="0"/>
</action></nop>
"""
_HEARD = """<action>
<ereg regexp="m=audio [0-9]+" search_in="msg" check_it="true" assign_to="media"/>
</action>"""
_TALK = """<action>
<ereg regexp=".*" search_in="hdr" header="From:" assign_to="from_text"/>
<ereg regexp=".*" search_in="hdr" header="To:" assign_to="to_text"/>
<ereg regexp="sip:331[0-9]{4}([0-9]{4})@" search_in="msg" check_it="true" assign_to="whole,talk_text"/>
<todouble assign_to="talk_ms" variable="talk_text"/>
<test assign_to="waits" variable="talk_ms" compare="equal" value="0"/>
</action>"""


WELCOME_MS = 1000
NEXT_QUESTION_MS = 400


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """One call: who, to what end, and how long he takes.

    `hear_ms` after the destination the announcement is cut short by a key; `stay_ms` after that the caller hangs up
    (0: he waits for the BYE). `pin` answers the first question, and `then` those that follow it; `dnis` is the access
    number, where it is not that of all calls. Who `is_refused` keys nothing more: his keys would reach whoever the
    switch gives the port of his call next.
    """

    number: int
    line: str
    pin: str
    think_ms: int = 500
    hear_ms: int = 500
    talk_ms: int = 0
    stay_ms: int = 0
    then: tuple[str, ...] = ()
    dnis: str = ""
    is_refused: bool = False

    @property
    def destination(self) -> str:
        """The number dialled, as the network sees it."""
        return f"331{self.number:04d}{self.talk_ms:04d}"


@dataclass(frozen=True, slots=True)
class Talk:
    """One conversation as SIPp's callee saw it: seconds since 1970 of its 200 and of the BYE, whoever sent that."""

    destination: str
    answered_s: float
    ended_s: float

    @property
    def used_ms(self) -> float:
        """From the 200 to the BYE."""
        return (self.ended_s - self.answered_s) * 1000


class Crowd:
    """A running SIPp that makes or takes many calls; a context manager, gone at its end."""

    def __init__(self, directory: Path, scenario: str, *arguments: str) -> None:
        """Write the scenario and start. Its processor time is in `cpu_s`, its trace in `talks`."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "scenario.xml").write_text(scenario, encoding="utf-8")
        self.trace = directory / "short.log"
        self.errors = directory / "errors.log"
        program = shutil.which("sipp")
        assert program, "sipp is not installed; `make install` does it"
        command = [program, *arguments, "-sf", str(directory / "scenario.xml"), "-i", "127.0.0.1", "-nostdin"]
        traces = ["-trace_shortmsg", "-shortmessage_file", str(self.trace), "-trace_err", "-error_file"]
        self.process = subprocess.Popen(
            [*command, *traces, str(self.errors)],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def finish(self, timeout_s: float) -> None:
        """Wait for its end, which must be a good one: every call went as the scenario says."""
        code = self.process.wait(timeout_s)
        said = self.errors.read_text(encoding="utf-8", errors="replace")[:2000] if self.errors.exists() else ""
        assert code == 0, f"sipp ended with {code}: {said}"

    def talks(self) -> dict[str, Talk]:
        """The conversations in a callee's trace, by destination; those that are not over are left out."""
        called: dict[str, str] = {}
        answered: dict[str, float] = {}
        found: dict[str, Talk] = {}
        for at_s, call_id, cseq, first_line in _rows(self.trace):
            if cseq.endswith("INVITE"):
                number = _NUMBER.match(first_line)
                if number:
                    called.setdefault(call_id, number[1])
                elif first_line.startswith("SIP/2.0 200"):
                    answered.setdefault(call_id, at_s)
            elif cseq.endswith("BYE") and first_line.startswith("BYE") and call_id in answered:
                destination = called[call_id]
                found.setdefault(destination, Talk(destination, answered[call_id], at_s))
        return found


_NUMBER = re.compile(r"INVITE sip:([0-9]+)@")


def callees(directory: Path, port: int, *, limit_ms: int = 120_000) -> Crowd:
    """Take every call on the trunk `callee` of the lab, talk as long as the number says, then say goodbye or wait."""
    text = sipp.HEAD.format(name="callees")
    text += sipp.ANSWER.format(ring_ms=100).replace(
        '<recv request="INVITE"/>', f'<recv request="INVITE" rrs="true">{_TALK}</recv>'
    )
    text += '<nop next="2" test="waits"/>\n<pause variable="talk_ms"/>\n'
    text += sipp.CALLEE_BYE + '<nop next="3"/>\n<label id="2"/>\n' + sipp.BYE_COMES.format(limit_ms=limit_ms)
    text += '<label id="3"/>\n<Reference variables="whole"/>\n</scenario>\n'
    crowd = Crowd(directory, text, "-p", str(port))
    hexadecimal = f":{port:04X} "
    wait_for(
        lambda: crowd.process.poll() is not None or hexadecimal in Path("/proc/net/udp").read_text(encoding="ascii"),
        "the callees listen",
    )
    time.sleep(0.2)  # somebody else may listen there: then SIPp has ended by now
    assert crowd.process.poll() is None, f"the callees do not listen: {crowd.errors.read_text(encoding='utf-8')}"
    return crowd


@contextlib.contextmanager
def callers(
    directory: Path,
    gateway_port: int,
    number: str,
    calls: Sequence[PlannedCall],
    *,
    rate: float,
    at_once: int = 2000,
    limit_ms: int = 120_000,
) -> Iterator[Crowd]:
    """Place these calls, so many a second: key the PIN, think, key the destination, cut the announcement short."""
    directory.mkdir(parents=True, exist_ok=True)
    answered = directory / "answered.log"
    with contextlib.closing(Ears(len(calls))) as ears:
        rows = "".join(f"{_row(call, at, ears)};{call.dnis or number}\n" for at, call in enumerate(calls))
        (directory / "calls.csv").write_text(f"SEQUENTIAL\n{rows}", encoding="ascii")
        arguments = ("-s", number, "-r", f"{rate:g}", "-m", str(len(calls)), "-l", str(at_once))
        files = ("-inf", str(directory / "calls.csv"), "-trace_logs", "-log_file", str(answered))
        with (
            Fingers(answered, ears, {at: _keyed(call) for at, call in enumerate(calls)}),
            Crowd(directory, _scenario(limit_ms), f"127.0.0.1:{gateway_port}", *arguments, *files) as crowd,
        ):
            yield crowd


def _scenario(limit_ms: int) -> str:
    line = "[field0]"
    text = sipp.HEAD.format(name="callers")
    text += (
        sipp.INVITE.format(
            caller=f"<sip:{line}@[local_ip]:[local_port]>", headers=f"P-Asserted-Identity: <sip:{line}@127.0.0.1>\n"
        )
        .replace("[auto_media_port]", "[field4]")
        .replace("[service]", "[field5]")
        .replace('<recv response="200" rrs="true"/>', f'<recv response="200" rrs="true">{_HEARD}</recv>')
    )
    text += '<nop><action><log message="answered [field3] [$media]"/></action></nop>\n'
    text += f'{_READ}<pause variable="keying_ms"/>\n'
    text += '<nop next="2" test="stays"/>\n<pause variable="stay_ms"/>\n' + sipp.CALLER_BYE + '<nop next="3"/>\n'
    return text + ('<label id="2"/>\n' + sipp.BYE_COMES.format(limit_ms=limit_ms) + '<label id="3"/>\n</scenario>\n')


def _keyed(call: PlannedCall) -> tuple[Keyed, ...]:
    """The PIN, the destination, and the key that cuts the announcement short."""
    # after the digits: what the gateway needs to ask the next question, so that no key falls between two prompts
    answers = [Keyed(WELCOME_MS, call.pin)]
    for digits in call.then:
        before = answers[-1]
        answers.append(Keyed(before.after_ms + keying_ms(before.digits) + NEXT_QUESTION_MS + call.think_ms, digits))
    if call.is_refused:
        return tuple(answers)
    last = answers[-1]
    destination = Keyed(
        last.after_ms + keying_ms(last.digits) + NEXT_QUESTION_MS + call.think_ms, f"011{call.destination}#"
    )
    enough = Keyed(destination.after_ms + keying_ms(destination.digits) + NEXT_QUESTION_MS + call.hear_ms, "#")
    return *answers, destination, enough


def _row(call: PlannedCall, at: int, ears: Ears) -> str:
    port = ears.of_call(at).getsockname()[1]
    return ";".join((call.line, str(_keyed(call)[-1].after_ms), str(call.stay_ms), str(at), str(port)))


def _rows(trace: Path) -> Iterator[tuple[float, str, str, str]]:
    """`2026-11-21<tab>01:35:20.295977<tab>1795224920.295977<tab>R<tab>CALL-ID<tab>CSeq:1 INVITE<tab>first line`."""
    with trace.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            parts = line.rstrip("\n").split("\t")
            if len(parts) >= 7:
                yield float(parts[2]), parts[4], parts[5], parts[6]
