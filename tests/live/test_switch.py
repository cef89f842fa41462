"""The dialplan on a real switch, with a gateway that does what the test says."""

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue

import pytest

from dialplan.asterisk.configuration import DIALPLAN_VERSION
from dialplan.asterisk.manager_link import ManagerLink, Message
from dialplan.lab.lab import Lab
from dialplan.lab.polling import wait_for
from dialplan.lab.telephone import Telephone
from ivr.ami.switch import EARLY_MS
from tests.live import sipp
from tests.live.callers import callers
from tests.live.conftest import DIALOGUE_LIMIT_S
from tests.live.recording import loudness
from tests.live.stub_gateway import StubGateway, Turn, bye, dial

pytestmark = pytest.mark.live

DNIS = "19005551234"
AGI_NAMES = {
    f"agi_{name}"
    for name in (
        *("network", "network_script", "request", "channel", "language", "type", "uniqueid", "version", "callerid"),
        *("calleridname", "callingpres", "callingani2", "callington", "callingtns", "dnid", "rdnis", "context"),
        *("extension", "priority", "enhanced", "accountcode", "threadid"),
        *(f"arg_{number}" for number in range(1, 14)),
    )
}
"""All that the switch says at the begin of a session: nothing a caller sends may add to it."""


def told(watch: ManagerLink, name: str, timeout_s: float | None = None) -> Message:
    """The next event of the dialplan, which must be this one."""
    event = watch.event("UserEvent", timeout_s)
    assert event["UserEvent"] == name
    return event


def lasted_s(event: Message) -> float:
    return float(event["Ended"]) - float(event["Answered"])


def test_gateway_is_told_raw_identities(stub: StubGateway, telephone: Telephone) -> None:
    telephone.call(DNIS, line="+12125550100")
    turn = stub.turn("call")
    dnis, asserted, claimed, privacy, endpoint, digits, diverted, *network = turn.arguments
    assert (dnis, privacy, endpoint, digits, diverted) == (DNIS, "", "network", "0", "")
    assert network == [",", "", "", "", ""], "no history, not signed, no Remote-Party-ID"
    assert "<sip:+12125550100@127.0.0.1>" in asserted
    assert "<sip:+12125550100@127.0.0.1>;tag=" in claimed
    # Asterisk itself is not told: what it knows of the caller would go into every AGI header and AMI event
    assert turn.environment["agi_callerid"] == "000"


def test_grant_is_cut_on_the_called_leg(stub: StubGateway, watch: ManagerLink, telephone: Telephone) -> None:
    stub.handlers["call"] = dial("cut-1", "12125550100", grant_s="1.501")
    telephone.call(DNIS)
    answered = told(watch, "TollgateAnswered")
    ended = told(watch, "TollgateEnded")
    assert ended["Call"] == answered["Call"] == "cut-1"
    assert ended["Answered"] == answered["Answered"]
    assert ended["Uniqueid"] == answered["Uniqueid"] != answered["Linkedid"]
    assert 1.5 <= lasted_s(ended) < 1.6
    stub.turn("call")
    after = stub.turn("after-dial")
    assert after.arguments == ("cut-1", "ANSWER", "16", f"{ended['Answered']}|{ended['Ended']}|16")
    gone = told(watch, "TollgateGone")
    assert (gone["Call"], gone["Dialstatus"], gone["Uniqueid"]) == ("cut-1", "ANSWER", answered["Linkedid"])


def test_no_leg_is_cut_before_its_paid_time(
    lab: Lab, stub: StubGateway, watch: ManagerLink, times: Callable[[int, int], int]
) -> None:
    """The switch's deadline may fire up to a millisecond early; told so much more, it never ends paid time."""
    at_once = times(12, 25)
    rounds = times(1, 12)
    numbers = itertools.count()
    paid_ms = [1_500 + number % 20 for number in range(at_once * rounds)]

    def handle(turn: Turn) -> None:
        number = next(numbers)
        dial(f"paid-{number}", "12125550100", grant_s=f"{(paid_ms[number] + EARLY_MS) / 1000:.3f}")(turn)

    stub.handlers["call"] = handle
    over_ms: list[float] = []
    for _ in range(rounds):
        with callers(lab, at_once) as group:
            group.call(DNIS)
            over_ms += [lasted_s(one) * 1000 - paid_ms[int(one["Call"][5:])] for one in ended(watch, at_once)]
    print(f"\n{len(over_ms)} legs ended {min(over_ms):.3f} to {max(over_ms):.3f} ms after the last paid moment")
    assert min(over_ms) >= 0.0


def ended(watch: ManagerLink, number: int) -> Iterator[Message]:
    """The ends of so many called legs, as they come; over when the callers are gone too, who would be told later."""
    wanted = {"TollgateEnded": number, "TollgateGone": number}
    while any(wanted.values()):
        event = watch.event("UserEvent", 30.0)
        name = event["UserEvent"]
        if name in wanted:
            wanted[name] -= 1
        if name == "TollgateEnded":
            yield event


def test_grant_is_extended_by_the_called_legs_id(stub: StubGateway, watch: ManagerLink, telephone: Telephone) -> None:
    stub.handlers["call"] = dial("extend-1", "12125550100", grant_s="1.5")
    telephone.call(DNIS)
    answered = told(watch, "TollgateAnswered")
    at = time.time()
    fields = {"Channel": answered["Uniqueid"], "Timeout": "2.25"}
    assert watch.ask("AbsoluteTimeout", fields)["Response"] == "Success"
    assert 2.2 < float(told(watch, "TollgateEnded")["Ended"]) - at < 2.35


def test_callee_hangs_up(stub: StubGateway, watch: ManagerLink, telephone: Telephone) -> None:
    stub.handlers["call"] = dial("callee-1", "12125550120")
    telephone.call(DNIS)
    told(watch, "TollgateAnswered")
    assert 0.3 < lasted_s(told(watch, "TollgateEnded")) < 1.5
    stub.turn("call")
    assert stub.turn("after-dial").arguments[1] == "ANSWER"


def test_caller_hangs_up(stub: StubGateway, watch: ManagerLink, telephone: Telephone) -> None:
    stub.handlers["call"] = dial("caller-1", "12125550117")
    telephone.call(DNIS)
    told(watch, "TollgateAnswered")
    telephone.hang_up()
    events = {event["UserEvent"]: event for event in (watch.event("UserEvent"), watch.event("UserEvent"))}
    assert set(events) == {"TollgateEnded", "TollgateGone"}
    record = watch.listed("DBGet", {"Family": "tollgate", "Key": "caller-1"})
    assert record[0]["Val"].split("|")[:2] == [events["TollgateEnded"]["Answered"], events["TollgateEnded"]["Ended"]]


@pytest.mark.parametrize(
    ("destination", "trunk", "status", "cause"),
    [
        ("12125550111", "network", "BUSY", "17"),
        ("12125550112", "network", "CONGESTION", "34"),
        ("12125550114", "network", "CHANUNAVAIL", "1"),
        ("12125550115", "network", "CHANUNAVAIL", "21"),
        ("12125550116", "network", "NOANSWER", "19"),
        ("12125550113", "network", "NOANSWER", "0"),
        ("12125550100", "refusing", "CONGESTION", "34"),
        ("12125550100", "nowhere", "CHANUNAVAIL", "3"),
    ],
)
def test_unanswered(
    stub: StubGateway,
    watch: ManagerLink,
    telephone: Telephone,
    destination: str,
    trunk: str,
    status: str,
    cause: str,
) -> None:
    stub.handlers["call"] = dial(f"no-{destination}-{trunk}", destination, trunk=trunk)
    telephone.call(DNIS)
    stub.turn("call")
    after = stub.turn("after-dial")
    assert after.arguments == (f"no-{destination}-{trunk}", status, cause, "")
    assert told(watch, "TollgateGone")["Dialstatus"] == status


def test_next_route_after_a_refusal(stub: StubGateway, watch: ManagerLink, telephone: Telephone) -> None:
    stub.handlers["call"] = dial("route-1", "12125550120", trunk="refusing")
    routes = iter([dial("route-1", "12125550120"), bye])

    def next_route(turn: Turn) -> None:
        next(routes)(turn)

    stub.handlers["after-dial"] = next_route
    telephone.call(DNIS)
    told(watch, "TollgateAnswered")
    told(watch, "TollgateEnded")
    told(watch, "TollgateGone")


@pytest.mark.parametrize("wrong", [{"TG_DEST": "1212555&x"}, {"TG_GRANT_S": "0"}, {"TG_TRUNK": ""}, {"TG_CALL_ID": ""}])
def test_what_the_gateway_should_never_say_dials_nobody(
    stub: StubGateway, watch: ManagerLink, telephone: Telephone, wrong: dict[str, str]
) -> None:
    def handle(turn: Turn) -> None:
        right = {"TG_CALL_ID": "wrong-1", "TG_DEST": "12125550100", "TG_TRUNK": "network", "TG_GRANT_S": "30"}
        turn.set(**(right | wrong), TG_DECISION="dial")

    stub.handlers["call"] = handle
    telephone.call(DNIS)
    assert told(watch, "TollgateGone")["Cause"] == "41"


def test_no_decision_is_no_call(stub: StubGateway, watch: ManagerLink, telephone: Telephone) -> None:
    stub.handlers["call"] = lambda turn: turn.set(TG_CALL_ID="undecided")
    telephone.call(DNIS)
    gone = told(watch, "TollgateGone")
    assert (gone["Call"], gone["Cause"], gone["Dialstatus"]) == ("undecided", "41", "")


def test_gateway_is_not_there(lab: Lab, watch: ManagerLink, telephone: Telephone) -> None:
    telephone.call(DNIS)
    gone = told(watch, "TollgateGone")
    # the apology was early media: the channel never was up, so the line is charged nothing
    assert (gone["Cause"], gone["ChannelStateDesc"]) == ("41", "Ring")


def test_gateway_freezes_before_the_call(stub: StubGateway, watch: ManagerLink, telephone: Telephone) -> None:
    frozen = []
    stub.handlers["call"] = lambda turn: frozen.append(turn.stream.read())
    telephone.call(DNIS)
    stub.turn("call")
    at = time.monotonic()
    # the limit of the dialogue, and then the whole apology, at the pace of a busy machine
    assert told(watch, "TollgateGone", DIALOGUE_LIMIT_S + 30.0)["Cause"] == "41"
    assert time.monotonic() - at > DIALOGUE_LIMIT_S - 1.0


def test_gateway_dies_during_the_call(stub: StubGateway, watch: ManagerLink, telephone: Telephone) -> None:
    stub.handlers["call"] = dial("dies-1", "12125550100", grant_s="1.501")
    telephone.call(DNIS)
    told(watch, "TollgateAnswered")
    stub.die()
    ended = told(watch, "TollgateEnded")
    assert 1.5 <= lasted_s(ended) < 1.6
    assert told(watch, "TollgateGone")["Cause"] == "16"
    record = watch.listed("DBGet", {"Family": "tollgate", "Key": "dies-1"})
    assert record[0]["Val"] == f"{ended['Answered']}|{ended['Ended']}|{ended['Cause']}"


def test_warning_is_heard_by_the_caller_alone(
    lab: Lab, stub: StubGateway, watch: ManagerLink, telephone: Telephone
) -> None:
    stub.handlers["call"] = dial("warn-1", "12125550119", grant_s="6")
    telephone.call(DNIS, record=True)
    answered = told(watch, "TollgateAnswered")
    channel = watch.listed("Status", {"Channel": answered["Linkedid"]})[0]["Channel"]
    fields = {"Variable": "TG_WARN_3", "Value": f"{channel}|tollgate/goodbye"}
    assert watch.ask("Setvar", fields)["Response"] == "Success"
    told(watch, "TollgateEnded")
    telephone.wait_ended()
    wait_for(telephone.heard().exists, "the caller's recording")
    heard = loudness(telephone.heard())
    tone = heard[-2]
    assert sum(second > tone * 1.01 for second in heard) in {1, 2}, heard
    callee = next((lab.network.outside / "spool/monitor").glob("callee-12125550100.wav"))
    assert max(loudness(callee)) == 0.0


def test_gateways_login_sees_only_what_it_needs(lab: Lab, watch: ManagerLink, telephone: Telephone) -> None:
    """Nothing of a whole call but the dialplan's events: no digits, no channel variables."""
    telephone.call(DNIS)
    told(watch, "TollgateGone")
    refused: tuple[tuple[str, dict[str, str]], ...] = (
        ("Command", {"Command": "core show version"}),
        ("Originate", {"Channel": "Local/s@tollgate-say", "Application": "Echo"}),
        ("DBPut", {"Family": "tollgate", "Key": "x", "Val": "1"}),
        ("ModuleLoad", {"LoadType": "load", "Module": "app_system.so"}),
    )
    for action, fields in refused:
        assert watch.ask(action, fields)["Response"] == "Error", action


def test_dialplan_says_its_version(watch: ManagerLink) -> None:
    rows = watch.listed("ShowDialPlan", {"Context": "tollgate-version"})
    assert [row["Extension"] for row in rows] == [DIALPLAN_VERSION]


def test_stamps_agree_with_the_callees_clock(lab: Lab, stub: StubGateway, watch: ManagerLink, tmp_path: Path) -> None:
    """The end is stamped before the BYE leaves, the answer after the 200 came: never longer than the callee saw."""
    stub.handlers["call"] = dial("clock-1", "12125550100", trunk="callee", grant_s="2")
    with (
        sipp.callee(tmp_path / "callee", lab.ports.callee_sip) as callee,
        sipp.caller(tmp_path / "caller", lab.ports.gateway_sip, DNIS) as caller,
    ):
        trace = callee.finish()
        caller.finish()
    answered_s = next(one.at_s for one in trace if one.sent and one.first_line.startswith("SIP/2.0 200"))
    bye_s = next(one.at_s for one in trace if one.first_line.startswith("BYE"))
    told(watch, "TollgateAnswered")
    ended = told(watch, "TollgateEnded")
    assert answered_s < float(ended["Answered"]) < answered_s + 0.05
    assert bye_s - 0.05 < float(ended["Ended"]) < bye_s


def test_keyed_digits_arrive(lab: Lab, stub: StubGateway, tmp_path: Path) -> None:
    keyed: Queue[str] = Queue()

    def ask(turn: Turn) -> None:
        turn.ask("ANSWER")
        keyed.put(turn.ask('GET DATA "tollgate/terms-of-service" 5000 8'))
        turn.set(TG_DECISION="bye")

    stub.handlers["call"] = ask
    with sipp.caller(tmp_path, lab.ports.gateway_sip, DNIS, script=[300, "19", 500, "*0#"]) as caller:
        assert keyed.get(timeout=20) == "200 result=19*0"
        caller.finish()


@pytest.mark.parametrize(
    "identity",
    [
        "+12125550100%0Aagi_network_script%3A%20admin",
        "+12125550100%0D%0A%0D%0AEvent%3A%20UserEvent%0D%0AUserEvent%3A%20TollgateEnded%0D%0ACall%3A%20x",
        "+1212,555;0100",
        "+1212$5550100&x=1?y/2",
    ],
)
def test_hostile_identities_reach_nothing(
    lab: Lab, stub: StubGateway, watch: ManagerLink, tmp_path: Path, identity: str
) -> None:
    """Neither AGI nor AMI sees anything of them but the raw header, percent-encoded (asterisk.md 6.5)."""
    asserted = f"P-Asserted-Identity: <sip:{identity}@127.0.0.1>\n"
    stub.handlers["call"] = dial("hostile-1", "12125550120")
    with sipp.caller(tmp_path, lab.ports.gateway_sip, DNIS, line=identity, headers=asserted) as caller:
        turn = stub.turn("call")
        assert turn.arguments[0] == DNIS
        assert turn.arguments[1] == f"<sip:{identity}@127.0.0.1>,", "and no second"
        assert turn.arguments[2].lower().startswith(f"<sip:{identity}@127.0.0.1".lower())
        assert turn.environment["agi_callerid"] == "000"
        assert set(turn.environment) == AGI_NAMES
        caller.finish()
    assert [watch.event("UserEvent")["UserEvent"] for _ in range(3)] == [
        "TollgateAnswered",
        "TollgateEnded",
        "TollgateGone",
    ]


def test_hostile_request_uri_makes_no_channel(lab: Lab, admin: ManagerLink, tmp_path: Path) -> None:
    with sipp.caller(tmp_path, lab.ports.gateway_sip, "19005551234%0A%0A200%20result=1") as caller:
        wait_for(lambda: any("404" in one.first_line for one in caller.messages()), "a refusal")
    assert [row for row in admin.listed("CoreShowChannels") if row["Channel"].startswith("PJSIP/")] == []
