"""An attacker with a telephone of his own and an automatic dialler, against the whole gateway."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from ani.lockout.tables import wrong_entry
from dialplan.asterisk.manager_link import ManagerLink
from dialplan.lab.lab import Lab
from dialplan.lab.polling import wait_for
from runtime.settings import Settings
from tests.ivr.town import ANN, CALLING, CHECKED, SSN, STRANGER
from tests.live.house import House, open_house
from tests.live.observer import Observer
from tests.live.raw_sip import RawCall

pytestmark = pytest.mark.live

DIALLED = CALLING.encode()
TALKS = "01133142685300"
SOFTPHONE_SECRET = "softphone-of-the-test"


@pytest.fixture
def house(lab: Lab, sqlite_url: str, tmp_path: Path) -> Iterator[House]:
    with open_house(lab, sqlite_url, tmp_path) as opened:
        yield opened


@pytest.fixture
def soft_lab() -> Iterator[Lab]:
    """A lab whose switch has a softphone beside the trunk."""
    base = Settings()
    switch = base.switch.model_copy(update={"softphone_secret": SecretStr(SOFTPHONE_SECRET)})
    with Lab(base.model_copy(update={"switch": switch}), "test-softphone") as running:
        yield running


def asserting(number: str) -> bytes:
    return f"P-Asserted-Identity: <sip:{number}@127.0.0.1>".encode()


def claiming(number: str) -> bytes:
    return f"<sip:{number}@127.0.0.1>".encode()


def where_it_ended(house: House, call: RawCall) -> str:
    """The disposition of a caller who listens to the first question and hangs up: it names the question."""
    with call:
        assert call.wait_final() == 200
        call.listen(1.5)
    cdr = house.wait_cdrs(1)[0]
    assert cdr.account_id is None or cdr.disposition == "gone-at-destination"
    return cdr.disposition


def test_the_trunk_may_say_who_calls(house: House, lab: Lab) -> None:
    house.town.account("ann", 5_000_000, line=ANN)
    call = RawCall(lab.ports.gateway_sip, DIALLED, headers=[asserting(ANN)])
    assert where_it_ended(house, call) == "gone-at-destination"


def test_a_number_that_is_only_claimed_leads_to_the_pin(house: House, lab: Lab) -> None:
    house.town.account("ann", 5_000_000, line=ANN)
    call = RawCall(lab.ports.gateway_sip, DIALLED, from_header=claiming(ANN))
    assert where_it_ended(house, call) == "gone-at-identification"


def test_a_diverted_call_leads_to_the_pin(house: House, lab: Lab) -> None:
    """Who has calls to him diverted to us holds the keypad, not the one who placed the call."""
    house.town.account("ann", 5_000_000, line=ANN)
    headers = [asserting(ANN), b"Diversion: <sip:+12125550199@127.0.0.1>;reason=unconditional"]
    call = RawCall(lab.ports.gateway_sip, DIALLED, headers=headers)
    assert where_it_ended(house, call) == "gone-at-identification"


def test_a_softphone_may_not_say_who_calls(soft_lab: Lab, sqlite_url: str, tmp_path: Path) -> None:
    with open_house(soft_lab, sqlite_url, tmp_path) as house:
        house.town.account("ann", 5_000_000, line=ANN)
        call = RawCall(
            soft_lab.ports.gateway_sip,
            DIALLED,
            from_header=claiming("softphone"),
            headers=[asserting(ANN)],
            login=("softphone", SOFTPHONE_SECRET),
        )
        assert where_it_ended(house, call) == "gone-at-identification"
        assert house.cdrs()[0].ani == ""


@pytest.mark.parametrize(("trusted", "asked"), [("[]", "identification"), ('["network"]', "destination")])
def test_an_endpoint_beside_the_trunk_is_trusted_only_by_a_setting(
    lab: Lab, sqlite_url: str, tmp_path: Path, trusted: str, asked: str
) -> None:
    told = {"SWITCH__TRUNK": "another", "SWITCH__TRUSTED_ENDPOINTS": trusted}
    with open_house(lab, sqlite_url, tmp_path, **told) as house:
        house.town.account("ann", 5_000_000, line=ANN)
        call = RawCall(lab.ports.gateway_sip, DIALLED, headers=[asserting(ANN)])
        assert where_it_ended(house, call) == f"gone-at-{asked}"


def wrong_entries(house: House, scope: str) -> int:
    with house.town.engine.connect() as connection:
        counted = sa.select(sa.func.count()).where(wrong_entry.c.scope == scope)
        return int(connection.execute(counted).scalar_one())


def guessed(house: House, number: int) -> bool:
    return wrong_entries(house, "claimed") == number


def guess(call: RawCall, pins: list[str]) -> None:
    """Key one PIN after the other into the prompts."""
    assert call.wait_final() == 200
    call.listen(1.0)
    for pin in pins:
        call.press(pin)
        call.listen(0.6)


def test_a_line_may_guess_five_times_an_hour(house: House, lab: Lab) -> None:
    pin = house.town.pin(house.town.account("ann", 5_000_000))
    wrong = [f"{(int(pin) + step) % 10**8:08d}" for step in range(1, 6)]
    sender = claiming(STRANGER)
    for number, (pins, counted) in enumerate(((wrong[:3], 3), ([*wrong[3:], pin], 5)), 1):
        with RawCall(lab.ports.gateway_sip, DIALLED, from_header=sender) as call:
            guess(call, pins)
            wait_for(partial(guessed, house, counted), "the guesses are counted")
        house.wait_cdrs(number)
    with RawCall(lab.ports.gateway_sip, DIALLED, from_header=sender) as call:
        assert call.wait_final() == 200
        assert call.wait_ended()
    assert house.wait_cdrs(3)[0].disposition == "locked-out"
    assert {cdr.account_id for cdr in house.cdrs()} == {None}


def test_calls_side_by_side_guess_no_more_often(house: House, lab: Lab, times: Callable[[int, int], int]) -> None:
    house.town.pin(house.town.account("ann", 5_000_000))
    calls = times(4, 12)
    with ExitStack() as stack:
        placed = [
            stack.enter_context(RawCall(lab.ports.gateway_sip, DIALLED, from_header=claiming(STRANGER)))
            for _ in range(calls)
        ]
        for call in placed:
            assert call.wait_final() == 200
        for step in range(3):
            for call in placed:
                call.listen(0.3)
                call.press(f"{step:08d}", tone_ticks=3, gap_s=0.04)
        wait_for(lambda: wrong_entries(house, "claimed") >= 5, "five guesses")
    house.wait_cdrs(calls)
    assert wrong_entries(house, "claimed") == wrong_entries(house, "overall") == 5
    assert {cdr.account_id for cdr in house.cdrs()} == {None}


def test_ringing_twice_at_once_spends_the_money_once(house: House, lab: Lab) -> None:
    ann = house.town.account("ann", 200_000, line=ANN)
    with ExitStack() as stack:
        placed = [
            stack.enter_context(RawCall(lab.ports.gateway_sip, DIALLED, headers=[asserting(ANN)])) for _ in range(2)
        ]
        for call in placed:
            assert call.wait_final() == 200
        for call in placed:
            call.listen(0.7)
            call.press(f"{TALKS}#", tone_ticks=3, gap_s=0.05)
            call.listen(0.5)
            call.press("5")  # cuts the announcement short
        cdrs = house.wait_cdrs(2, 60.0)
    assert house.wait_free(ann) == 200_000 - sum(cdr.charged_micros for cdr in cdrs) >= 0
    assert sum(cdr.charged_micros for cdr in cdrs) > 0


@pytest.mark.parametrize("moment", ["held", "dialled"])
def test_hanging_up_when_money_is_held_costs_nothing(house: House, observer: Observer, lab: Lab, moment: str) -> None:
    ann = house.town.account("ann", 5_000_000, line=ANN)
    with RawCall(lab.ports.gateway_sip, DIALLED, headers=[asserting(ANN)]) as call:
        assert call.wait_final() == 200
        call.listen(0.7)
        call.press(f"{TALKS}#")
        call.listen(0.5)
        call.press("5")  # cuts the announcement short
        if moment == "held":
            wait_for(lambda: house.town.balance(ann)[1] > 0, "money is held")
        else:
            observer.wait("DialBegin", 1)
    assert house.wait_cdrs(1)[0].charged_micros == 0
    assert house.wait_free(ann) == 5_000_000


def test_events_that_are_not_of_the_calls_own_legs_decide_nothing(
    house: House, observer: Observer, admin: ManagerLink, lab: Lab
) -> None:
    """An end, a beginning and a farewell that somebody else puts into the stream, under the id of a call that is up."""
    ann = house.town.account("ann", 5_000_000, line=ANN)
    with RawCall(lab.ports.gateway_sip, DIALLED, headers=[asserting(ANN)]) as call:
        assert call.wait_final() == 200
        call.listen(0.7)
        call.press(f"{TALKS}#", tone_ticks=3, gap_s=0.05)
        call.listen(0.5)
        call.press("5")  # cuts the announcement short
        begun = observer.wait("UserEvent", 1)[0][1]
        assert begun["UserEvent"] == "TollgateAnswered"
        stamps = {"Answered": "1000000000.000000", "Ended": "1000000001.000000", "Cause": "16", "Dialstatus": "BUSY"}
        for kind in ("TollgateEnded", "TollgateAnswered", "TollgateGone"):
            assert admin.ask("UserEvent", {"UserEvent": kind, "Call": begun["Call"], **stamps})["Response"] == "Success"
        wait_for(lambda: len(house.gateway.log_lines("event-not-of-this-call")) == 3, "each is told of")
        assert house.cdrs() == []
        assert house.town.balance(ann)[1] > 0
        call.listen(0.3)
        assert not call.ended
    cdr = house.wait_cdrs(1)[0]
    assert cdr.answered_at is not None
    assert f"{cdr.answered_at.timestamp():.6f}" == begun["Answered"]
    assert 300 <= cdr.used_ms < 60_000
    assert house.wait_free(ann) == 5_000_000 - cdr.charged_micros


@pytest.mark.parametrize(("privacy", "shown"), [("none", "12125550101"), ("id", "<unknown>"), ("user;id", "<unknown>")])
def test_a_number_that_is_withheld_pays_and_is_not_shown(
    house: House, observer: Observer, lab: Lab, privacy: str, shown: str
) -> None:
    house.town.account("ann", 5_000_000, line=ANN)
    headers = [asserting(ANN), f"Privacy: {privacy}".encode()]
    with RawCall(lab.ports.gateway_sip, DIALLED, headers=headers) as call:
        assert call.wait_final() == 200
        call.listen(0.7)
        call.press(f"{TALKS}#")
        call.listen(0.5)
        call.press("5")  # cuts the announcement short
        dialling = observer.wait("DialBegin", 1)[0][1]
    assert (dialling["CallerIDNum"], dialling["DestConnectedLineNum"]) == (shown, shown)
    house.wait_cdrs(1)


def test_a_flood_of_keys_ends_in_one_refusal(house: House, lab: Lab, times: Callable[[int, int], int]) -> None:
    house.town.account("ann", 5_000_000, line=ANN)
    with RawCall(lab.ports.gateway_sip, DIALLED, from_header=claiming(ANN)) as call:
        assert call.wait_final() == 200
        for _ in range(times(3, 30)):
            call.press("1234567890*#ABCD" * 4, tone_ticks=1, gap_s=0.0)
        call.wait_ended()
    cdr = house.wait_cdrs(1)[0]
    assert (cdr.account_id, cdr.charged_micros) == (None, 0)
    assert house.gateway.log_lines("agi-fault") == []
    # the gateway is none the worse
    assert where_the_next_ends(house, lab) == "gone-at-destination"


def where_the_next_ends(house: House, lab: Lab) -> str:
    before = len(house.cdrs())
    with RawCall(lab.ports.gateway_sip, DIALLED, headers=[asserting(ANN)]) as call:
        assert call.wait_final() == 200
        call.listen(1.5)
    return house.wait_cdrs(before + 1)[0].disposition


def test_digits_that_never_come(lab: Lab, sqlite_url: str, tmp_path: Path) -> None:
    with open_house(lab, sqlite_url, tmp_path, CALL__DIGIT_TIMEOUT_MS="500", CALL__ENTRY_ATTEMPTS="1") as house:
        with RawCall(lab.ports.gateway_sip, DIALLED, from_header=claiming(STRANGER)) as call:
            assert call.wait_final() == 200
            assert call.wait_ended()
        assert house.wait_cdrs(1)[0].disposition == "too-many-attempts"


@pytest.fixture
def observer(lab: Lab) -> Iterator[Observer]:
    with Observer(lab.ports.gateway_ami, lab.observer) as watching:
        yield watching


def test_what_is_keyed_is_written_down_nowhere(
    house: House, observer: Observer, admin: ManagerLink, lab: Lab, tmp_path: Path
) -> None:
    """PIN and social security number of a real call: no log, event, channel variable or file of ours holds them."""
    ann = house.town.account("ann", 5_000_000)
    pin = house.town.pin(ann)
    house.town.listing(STRANGER)
    house.town.identity(STRANGER)
    (tmp_path / "identity.csv").unlink()  # the test's own hand, not the gateway's
    variables = []
    with RawCall(lab.ports.gateway_sip, CHECKED.encode(), headers=[asserting(STRANGER)]) as call:
        assert call.wait_final() == 200
        for keys in (pin, SSN, f"{TALKS}#"):
            call.listen(1.0)
            call.press(keys)
            variables.append(admin.listed("Status", {"AllVariables": "true"}))
        call.listen(0.5)
        call.press("5")  # cuts the announcement short
        observer.wait("DialBegin", 1)
        variables.append(admin.listed("Status", {"AllVariables": "true"}))
    cdr = house.wait_cdrs(1, 30.0)[0]
    assert cdr.account_id == ann.id, house.explain(cdr.call_id).timeline
    secret = re.compile(rf"{pin}|(?<![0-9A-Fa-f.]){SSN}(?![0-9A-Fa-f])".encode())
    seen = {"events": observer.text().encode(), "variables": repr(variables).encode()}
    base = lab.gateway.outside
    for folder in (base / "log", base / "spool", base / "state", base / "run", tmp_path):
        seen |= {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert {"gateway.log", "tollgate.db", "messages.log"} <= {Path(name).name for name in seen}
    assert sum(b"33142685300" in text for text in seen.values()) >= 3, "what is no secret is found, so the search works"
    assert {name: secret.findall(text) for name, text in seen.items() if secret.search(text)} == {}
    assert "DTMF" not in observer.text()
