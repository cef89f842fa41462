"""SIPp as a softphone on the desk: registers with its password, then calls with it."""

from collections.abc import Sequence
from pathlib import Path

from tests.live.sipp import BYE_COMES, HEAD, SDP, Sipp

_REGISTER = """<send retrans="500"><![CDATA[
REGISTER sip:[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:softphone@[remote_ip]:[remote_port]>;tag=r[call_number]
To: <sip:softphone@[remote_ip]:[remote_port]>
Call-ID: reg///[call_id]
CSeq: {number} REGISTER
Contact: <sip:softphone@[local_ip]:[local_port]>
Expires: 60
{authentication}Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="{answer}"{auth}/>
"""
_INVITE = (
    """<send retrans="500"><![CDATA[
INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: "Softphone" <sip:softphone@[remote_ip]:[remote_port]>;tag=[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: {number} INVITE
Contact: <sip:softphone@[local_ip]:[local_port]>
{authentication}Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

"""
    + SDP
    + "]]></send>\n"
)
_REFUSED = """<recv response="401" auth="true"/>
<send><![CDATA[
ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[last_From:]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
"""
_TAKEN = """<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="183" optional="true"/>
<recv response="200" rrs="true"/>
<send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[last_From:]
[last_To:]
Call-ID: [call_id]
CSeq: 2 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
"""


def softphone(directory: Path, port: int, password: str, number: str, script: Sequence[str | int]) -> Sipp:
    """Register, call `number`, key the script (digits, or milliseconds to wait), and wait for the switch's BYE."""
    proof = f"[authentication username=softphone password={password}]\n"
    steps = "".join(
        f'<pause milliseconds="{step}"/>\n'
        if isinstance(step, int)
        else f'<nop><action><exec play_dtmf="{step}"/></action></nop>\n<pause milliseconds="{400 * len(step)}"/>\n'
        for step in script
    )
    scenario = (
        HEAD.format(name="softphone")
        + _REGISTER.format(number=1, authentication="", answer=401, auth=' auth="true"')
        + _REGISTER.format(number=2, authentication=proof, answer=200, auth="")
        + _INVITE.format(number=1, authentication="")
        + _REFUSED
        + _INVITE.format(number=2, authentication=proof)
        + _TAKEN
        + steps
        + BYE_COMES.format(limit_ms=60_000)
        + "</scenario>\n"
    )
    return Sipp(directory, scenario, f"127.0.0.1:{port}", "-s", number)
