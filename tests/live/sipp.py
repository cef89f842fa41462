"""SIPp as a measuring instrument: a caller that keys RFC 4733 digits by a script, a callee that answers; both leave a
trace of every message with its time in microseconds."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from dialplan.lab.polling import wait_for

HEAD = '<?xml version="1.0" encoding="ISO-8859-1"?>\n<scenario name="{name}">\n'
SDP = """v=0
o=sipp 1 1 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [auto_media_port] RTP/AVP 0 96
a=rtpmap:0 PCMU/8000
a=rtpmap:96 telephone-event/8000
a=fmtp:96 0-15
a=ptime:20
"""
INVITE = (
    """<send retrans="500"><![CDATA[
INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: {caller};tag=[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:caller@[local_ip]:[local_port]>
{headers}Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

"""
    + SDP
    + """]]></send>
<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="183" optional="true"/>
<recv response="200" rrs="true"/>
<send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[last_From:]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
"""
)
ANSWER = (
    """<recv request="INVITE"/>
<send><![CDATA[
SIP/2.0 180 Ringing
[last_Via:]
[last_From:]
[last_To:];tag=[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:callee@[local_ip]:[local_port]>
Content-Length: 0

]]></send>
<pause milliseconds="{ring_ms}"/>
<send retrans="500"><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:callee@[local_ip]:[local_port]>
Content-Type: application/sdp
Content-Length: [len]

"""
    + SDP
    + """]]></send>
<recv request="ACK"/>
"""
)
BYE_COMES = """<recv request="BYE" timeout="{limit_ms}"/>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
"""
CALLER_BYE = """<send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[last_From:]
[last_To:]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="200"/>
"""
CALLEE_BYE = """<send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: [$to_text];tag=[call_number]
To: [$from_text]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="200"/>
"""


@dataclass(frozen=True, slots=True)
class SipMessage:
    """One message of a trace: when, which way, its first line and its whole text."""

    at_s: float
    sent: bool
    first_line: str
    text: str

    @property
    def method(self) -> str:
        """The method of its CSeq: an answer 200 to an INVITE is `INVITE` too."""
        found = re.search(r"^CSeq: *\d+ +(\w+)", self.text, re.MULTILINE)
        return found[1] if found else ""


class Sipp:
    """A running SIPp; a context manager, gone at its end."""

    def __init__(self, directory: Path, scenario: str, *arguments: str) -> None:
        """Write the scenario into `directory` and start; one call."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "scenario.xml").write_text(scenario, encoding="utf-8")
        self._trace = directory / "messages.log"
        program = shutil.which("sipp")
        assert program, "sipp is not installed; `make install` does it"
        command = [program, *arguments, "-sf", str(directory / "scenario.xml"), "-i", "127.0.0.1", "-m", "1", "-l", "1"]
        traces = ["-trace_msg", "-message_file", str(self._trace), "-trace_err", "-error_file", str(directory / "err")]
        self._process = subprocess.Popen(
            [*command, "-nostdin", *traces],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def finish(self, timeout_s: float = 40.0) -> list[SipMessage]:
        """Wait for its end, which must be a good one; the trace of the call."""
        assert self._process.wait(timeout_s) == 0, f"sipp ended with {self._process.returncode}: see {self._trace}"
        return self.messages()

    def messages(self) -> list[SipMessage]:
        """The trace up to now."""
        text = self._trace.read_text(encoding="utf-8", errors="replace") if self._trace.exists() else ""
        return [_message(part) for part in re.split(r"^-{20,} (?=\d{4}-)", text, flags=re.MULTILINE)[1:]]


def caller(
    directory: Path,
    gateway_port: int,
    number: str,
    *,
    script: Sequence[str | int] = (),
    hang_up: bool = False,
    line: str = "+12125550100",
    headers: str = "",
    limit_ms: int = 60_000,
) -> Sipp:
    """Call the gateway. `script`: digits to key, or milliseconds to wait. Then hang up, or wait for its BYE."""
    steps = "".join(
        f'<pause milliseconds="{step}"/>\n'
        if isinstance(step, int)
        else f'<nop><action><exec play_dtmf="{step}"/></action></nop>\n<pause milliseconds="{400 * len(step)}"/>\n'
        for step in script
    )
    asserted = headers or f"P-Asserted-Identity: <sip:{line}@127.0.0.1>\n"
    invite = INVITE.format(caller=f"<sip:{line}@[local_ip]:[local_port]>", headers=asserted)
    end = CALLER_BYE if hang_up else BYE_COMES.format(limit_ms=limit_ms)
    scenario = HEAD.format(name="caller") + invite + steps + end + "</scenario>\n"
    return Sipp(directory, scenario, f"127.0.0.1:{gateway_port}", "-s", number)


def callee(directory: Path, port: int, *, ring_ms: int = 200, limit_ms: int = 60_000) -> Sipp:
    """Wait for a call on the trunk `callee` of the lab, ring, answer, echo the audio, and wait for the BYE."""
    scenario = HEAD.format(name="callee") + ANSWER.format(ring_ms=ring_ms) + BYE_COMES.format(limit_ms=limit_ms)
    running = Sipp(directory, scenario + "</scenario>\n", "-p", str(port), "-rtp_echo")
    hexadecimal = f":{port:04X} "
    wait_for(lambda: hexadecimal in Path("/proc/net/udp").read_text(encoding="ascii"), "the callee listens")
    return running


def _message(part: str) -> SipMessage:
    """`2026-11-21 01:35:20.295977`, `UDP message sent (593 bytes):`, an empty line, the message."""
    stamp, kind, _, *rest = part.splitlines()
    text = "\n".join(rest)
    at = datetime.strptime(stamp.strip(), "%Y-%m-%d %H:%M:%S.%f").astimezone(UTC)
    return SipMessage(at.timestamp(), " sent" in kind, rest[0] if rest else "", text)
