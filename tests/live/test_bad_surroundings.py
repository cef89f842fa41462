"""What stands around the gateway is wrong: peers that say nothing, secrets, versions, rights, prompts, settings."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from pydantic import SecretStr

from dialplan.asterisk.check import Finding, check
from dialplan.asterisk.manager_link import ManagerLink
from dialplan.lab.gateway_process import GatewayProcess
from dialplan.lab.instance import Login
from dialplan.lab.lab import Lab
from dialplan.lab.polling import wait_for
from runtime.settings import Settings
from sounds.presence import needed_sounds
from tests.ivr.town import ANN, CALLING
from tests.live.conftest import linked
from tests.live.house import House, open_house
from tests.live.raw_sip import RawCall

pytestmark = pytest.mark.live

ASSERTED = [f"P-Asserted-Identity: <sip:{ANN}@127.0.0.1>".encode()]


@pytest.fixture
def without_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway counts as started when it listens, whether or not it has its switch."""
    monkeypatch.setattr(GatewayProcess, "_is_ready", lambda self, begun: bool(self.log_lines("ready")))


def one_call(house: House, lab: Lab, sender: bytes = b"<sip:anonymous@127.0.0.1>", stay_s: float = 20.0) -> str:
    """Place a call and listen to the end; gives its disposition."""
    before = len(house.cdrs())
    with RawCall(lab.ports.gateway_sip, CALLING.encode(), from_header=sender, headers=ASSERTED) as call:
        call.wait_final(15.0)
        call.listen(stay_s)
    return house.wait_cdrs(before + 1)[0].disposition


def test_connections_that_say_nothing_delay_nobody(
    lab: Lab, sqlite_url: str, tmp_path: Path, times: Callable[[int, int], int]
) -> None:
    number = times(50, 500)
    with open_house(lab, sqlite_url, tmp_path) as house, ExitStack() as stack:
        house.town.account("ann", 5_000_000, line=ANN)
        opened_s = time.monotonic()
        address = ("127.0.0.1", lab.ports.agi)
        silent = [stack.enter_context(socket.create_connection(address)) for _ in range(number)]
        for slow in silent[::2]:
            slow.sendall(b"agi_network: yes\n")
        assert one_call(house, lab, stay_s=1.5) == "gone-at-destination"
        assert time.monotonic() - opened_s < 9.0, "the call was over while they were still there"
        for connection in silent:
            connection.settimeout(20.0)
            connection.recv(100)
        assert 9.0 < time.monotonic() - opened_s < 12.0
        wait_for(lambda: len(house.gateway.log_lines("agi-fault")) == number, "each is told of")
        assert {line["kind"] for line in house.gateway.log_lines("agi-fault")} == {"silent"}


def test_it_listens_on_loopback_and_hears_only_its_list(lab: Lab, sqlite_url: str, tmp_path: Path) -> None:
    with open_house(lab, sqlite_url, tmp_path, AGI__ALLOWED_PEERS='["192.0.2.0/24"]') as house:
        port = f":{lab.ports.agi:04X}"
        rows = [row.split() for name in ("tcp", "tcp6") for row in Path(f"/proc/net/{name}").read_text().splitlines()]
        assert [row[1] for row in rows if row[1].endswith(port) and row[3] == "0A"] == [f"0100007F{port}"]
        with socket.create_connection(("127.0.0.1", lab.ports.agi)) as refused:
            refused.settimeout(5.0)
            with suppress(ConnectionResetError):
                assert refused.recv(1) == b""
        assert [line["kind"] for line in house.gateway.log_lines("agi-fault")] == ["peer"]


def test_a_forged_agi_request_gets_nowhere(lab: Lab, sqlite_url: str, tmp_path: Path) -> None:
    """From an address on the list, but without the token, or with another switch's."""
    with open_house(lab, sqlite_url, tmp_path) as house:
        for token in ("", "agi_arg_2: wrong\n", f"agi_arg_2: {'0' * 32}\n"):
            with socket.create_connection(("127.0.0.1", lab.ports.agi)) as forger:
                forger.settimeout(5.0)
                text = (
                    "agi_network: yes\nagi_network_script: call\nagi_channel: PJSIP/network-1\nagi_uniqueid: 1.1\n"
                    f"agi_threadid: 1\nagi_arg_1: {CALLING}\n{token}\n"
                )
                forger.sendall(text.encode())
                assert forger.recv(1000) in {b"", b"failure\n"}
        wait_for(lambda: len(house.gateway.log_lines("agi-fault")) == 3, "each is told of")
        assert {line["kind"] for line in house.gateway.log_lines("agi-fault")} == {"token"}
        assert house.cdrs() == []


@pytest.mark.usefixtures("without_switch")
def test_a_wrong_manager_secret_connects_nobody_and_is_named(lab: Lab, sqlite_url: str, tmp_path: Path) -> None:
    with open_house(lab, sqlite_url, tmp_path, AMI__SECRET="not-this-secret-0") as house:
        wait_for(lambda: bool(house.gateway.log_lines("switch-fault")), "the fault")
        fault = house.gateway.log_lines("switch-fault")[0]
        assert fault["fault"] == "LoginRefused"
        assert "not-this-secret" not in house.gateway.log_file.read_text(encoding="utf-8")
        ann = house.town.account("ann", 5_000_000, line=ANN)
        assert one_call(house, lab) == "no-switch-link"
        assert house.town.balance(ann) == (5_000_000, 0)
        assert len(house.gateway.log_lines("switch-fault")) < 10, "it does not hammer at the door"


@contextmanager
def manager_that_says(banner: bytes, release: str = "") -> Iterator[int]:
    """Something that listens like a manager interface, greets with this, and says that it is this release."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.sendall(banner)
                stream = connection.makefile("rb")
                fields: dict[str, str] = {}
                for line in stream:
                    key, _, value = line.decode().strip().partition(": ")
                    fields[key] = value
                    if key == "":
                        told = f"ActionID: {fields.get('ActionID', '')}\r\nAsteriskVersion: {release}\r\n\r\n"
                        connection.sendall(f"Response: Success\r\n{told}".encode())
                        if fields.get("Action") == "Login":
                            connection.sendall(b"Event: FullyBooted\r\n\r\n")
                        fields = {}
                stream.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10.0)


@pytest.mark.usefixtures("without_switch")
@pytest.mark.parametrize("banner", [b"Asterisk Call Manager/1.1\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"\xff\xfe\r\n" * 50])
def test_another_manager_version_is_refused(lab: Lab, sqlite_url: str, tmp_path: Path, banner: bytes) -> None:
    with (
        manager_that_says(banner) as port,
        open_house(lab, sqlite_url, tmp_path, AMI__PORT=str(port)) as house,
    ):
        wait_for(lambda: bool(house.gateway.log_lines("switch-fault")), "the fault")
        assert house.gateway.log_lines("switch-up") == []
        for line in house.gateway.log_file.read_text(encoding="utf-8").splitlines():
            assert line.isprintable()


def test_an_old_release_is_named_by_the_check(lab: Lab, tmp_path: Path) -> None:
    with manager_that_says(b"Asterisk Call Manager/11.0.0\r\n", "18.26.4") as port:
        ami = lab.settings.ami.model_copy(update={"port": port})
        found = {one.name: one for one in _until_version(lab.settings.model_copy(update={"ami": ami}), tmp_path)}
        assert not found["version"].good
        assert found["version"].seen == "18.26.4"
        assert "20" in found["version"].advice


def _until_version(settings: Settings, sounds: Path) -> Iterator[Finding]:
    for one in check(settings, (sounds,), ()):
        yield one
        if one.name == "version":
            return


def test_a_prompt_that_is_missing_ends_in_an_apology_and_is_named(lab: Lab, sqlite_url: str, tmp_path: Path) -> None:
    with open_house(lab, sqlite_url, tmp_path) as house:
        ann = house.town.account("ann", 5_000_000, line=ANN)
        with without_prompt(lab, "enter-destination"):
            assert one_call(house, lab) == "gateway-fault"
            bad = {one.name: one.seen for one in check(lab.settings, (), needed_sounds()) if not one.good}
        assert "enter-destination" in bad["sounds"]
        assert [line["at"] for line in house.gateway.log_lines("turn-failed")] == ["destination"]
        assert house.town.balance(ann) == (5_000_000, 0)
        assert one_call(house, lab, stay_s=1.5) == "gone-at-destination"


def test_who_cannot_be_told_the_price_is_not_connected(lab: Lab, sqlite_url: str, tmp_path: Path) -> None:
    with without_prompt(lab, "the-price-is"), open_house(lab, sqlite_url, tmp_path) as house:
        wait_for(lambda: bool(house.gateway.log_lines("prompts-missing")), "it is told at the start")
        (fault,) = house.gateway.log_lines("prompts-missing")
        assert fault["missing"] == "tollgate/the-price-is"
        assert "sounds.build" in fault["mend"]
        ann = house.town.account("ann", 5_000_000, line=ANN)
        with RawCall(lab.ports.gateway_sip, CALLING.encode(), headers=ASSERTED) as call:
            assert call.wait_final(15.0) == 200
            call.listen(0.5)
            call.press("01133142685300#")
            (cdr,) = house.wait_cdrs(1)
        assert (cdr.disposition, cdr.hangup_cause, cdr.charged_micros) == ("gateway-fault", 41, 0)
        assert cdr.answered_at is None
        assert [line["at"] for line in house.gateway.log_lines("turn-failed")] == ["announcement"]
        assert house.town.balance(ann) == (5_000_000, 0)


@contextmanager
def without_prompt(lab: Lab, name: str) -> Iterator[None]:
    """The gateway's switch has no file of this prompt meanwhile."""
    there = list((lab.gateway.outside / "share/sounds/en/tollgate").glob(f"{name}.*"))
    assert there
    for path in there:
        path.rename(path.with_name(f"away-{path.name}"))
    try:
        yield
    finally:
        for path in there:
            path.with_name(f"away-{path.name}").rename(path)


NEEDED = {"system": "FullyBooted", "user": "UserEvent", "call": "AbsoluteTimeout", "reporting": "DBGet"}


@pytest.mark.parametrize("class_left_out", NEEDED)
def test_no_class_of_the_manager_user_can_be_left_out(lab: Lab, admin: ManagerLink, class_left_out: str) -> None:
    read = ",".join(one for one in ("system", "user") if one != class_left_out)
    write = ",".join(one for one in ("call", "reporting") if one != class_left_out)
    extra = lab.gateway.outside / "etc/manager.d/less.conf"
    extra.write_text(f"[less]\nsecret = less-than-needed\nread = {read}\nwrite = {write}\n", encoding="utf-8")
    try:
        assert admin.ask("Reload", {"Module": "manager"})["Response"] == "Success"
        wait_for(lambda: can_log_in(lab, Login("less", "less-than-needed")), "the user is there")
        settings = lab.settings.ami.model_copy(update={"username": "less", "secret": SecretStr("less-than-needed")})
        with linked(lab.ports.gateway_ami, Login("less", "less-than-needed"), 3.0) as link:
            asked = NEEDED[class_left_out]
            if class_left_out in {"system", "user"}:
                admin.ask("UserEvent", {"UserEvent": "TollgateProbe"})
                assert asked not in heard(link)
            else:
                fields = {"Channel": "nobody", "Timeout": "1", "Family": "tollgate", "Key": "nobody"}
                assert "ermission" in link.ask(asked, fields)["Message"]
        findings = check(lab.settings.model_copy(update={"ami": settings}), (), ())
        bad = {one.name for one in findings if not one.good}
        assert class_left_out == "user" or bad & {"events", "rights"}
    finally:
        extra.unlink()
        admin.ask("Reload", {"Module": "manager"})


def can_log_in(lab: Lab, login: Login) -> bool:
    with ManagerLink("127.0.0.1", lab.ports.gateway_ami, 3.0) as link:
        answer = link.ask("Login", {"Username": login.username, "Secret": login.secret})
        return answer["Response"] == "Success"


def heard(link: ManagerLink) -> set[str]:
    """The names of the events that come within a second."""
    names = set()
    while (message := link.next_message(1.0)) is not None:
        names.add(message.get("Event", ""))
    return names


@pytest.mark.parametrize("action", ["Originate", "Command", "DBPut", "ModuleLoad", "UpdateConfig", "UserEvent"])
def test_the_manager_user_may_do_no_more(watch: ManagerLink, action: str) -> None:
    assert "ermission" in watch.ask(action, {"Command": "core show version", "Channel": "Local/s@x"})["Message"]


def test_an_unknown_setting_is_refused_by_its_name(lab: Lab, tmp_path: Path) -> None:
    ended = subprocess.run(
        [Path(sys.executable).parent / "tollgate", "gateway", "run"],
        env={**os.environ, **lab.environment(), "TOLLGATE_CALL__ENTRY_ATEMPTS": "3"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 1
    assert "TOLLGATE_CALL__ENTRY_ATEMPTS: unknown setting" in ended.stderr
    assert lab.settings.ami.secret.get_secret_value() not in ended.stderr
