"""`make demo` and `make up` as a user meets them: the real commands, from outside."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dialplan.lab.installation import find_installation
from dialplan.lab.polling import wait_for
from ivr.demo import seed
from tests.live.softphone import softphone

TOLLGATE = str(Path(sys.executable).with_name("tollgate"))
RINGS = "an INVITE for 19005550100 arrives"


class Demonstration:
    """One `tollgate demo ...` with a directory of its own; its two outputs go to files."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._out, self._err = folder / f"{name}.out", folder / f"{name}.err"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str) -> None:
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                # a shell that runs the tests in the background lets them, and what they start, ignore Ctrl-C
                ["env", "--default-signal=INT", TOLLGATE, "demo", *arguments, "--name", self.name, "--json"],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    def told(self) -> str:
        return self._err.read_text(encoding="utf-8")

    def document(self) -> Any:
        return json.loads(self._out.read_text(encoding="utf-8"))

    def wait_told(self, text: str, timeout_s: float = 30.0) -> None:
        wait_for(lambda: text in self.told(), text, timeout_s)

    def end(self, number: signal.Signals, timeout_s: float = 20.0) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(timeout_s)

    def wait(self, timeout_s: float) -> int:
        assert self._process is not None
        return self._process.wait(timeout_s)

    def is_up(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def left_running(self) -> dict[int, bytes]:
        """The command lines of what runs for it: its own directory is in the command line or the environment."""
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            try:
                command, environment = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
            except OSError:
                continue
            if f"/{self.name}/".encode() in command + environment:
                found[int(process.name)] = command
        return found

    def kill_gateway(self) -> None:
        for pid, command in self.left_running().items():
            if command.endswith(b"gateway\0run\0"):
                os.kill(pid, signal.SIGKILL)

    def wait_gone(self) -> None:
        wait_for(lambda: not self.left_running(), "everything is stopped", 5.0)

    def switch_log(self) -> str:
        log = find_installation().outside(f"/srv/tollgate/{self.name}/gateway/log/messages.log")
        return log.read_text(encoding="utf-8")


@pytest.fixture
def demonstration(tmp_path: Path) -> Iterator[Callable[[str], Demonstration]]:
    made: list[Demonstration] = []

    def make(kind: str) -> Demonstration:
        made.append(Demonstration(f"test-{kind}-{os.getpid()}", tmp_path))
        return made[-1]

    yield make
    for one in made:
        if one.is_up():
            one.end(signal.SIGKILL)
        one.wait_gone()
        shutil.rmtree(Path("var", one.name), ignore_errors=True)
        shutil.rmtree(find_installation().outside(f"/srv/tollgate/{one.name}"), ignore_errors=True)


def test_a_call_is_shown_from_ring_to_ledger(demonstration: Callable[[str], Demonstration]) -> None:
    demo = demonstration("demo")
    demo.start("run")
    assert demo.wait(150.0) == 0, demo.told()
    assert demo.left_running() == {}
    result = demo.document()
    assert result["faults"] == []
    assert result["disposition"] == "balance-used-up"
    assert 34_000 <= result["used_ms"] <= 34_400
    assert result["charged"] == {"amount": "0.020000", "currency": "USD"}
    assert result["balance"] == {"amount": "0.000000", "currency": "USD"}
    assert result["was_warned"]
    assert result["ring_s"] <= 20
    told = demo.told()
    for line in (RINGS, "listed as Ann Example", "keys ****", "keys 18085550104#", "3 point 5 cents", "the meter runs"):
        assert line in told, told
    assert seed.SSN_LAST_FOUR not in told
    assert "does not exist in any format" not in demo.switch_log()


def test_it_stops_clean_however_it_is_ended_and_starts_again_at_once(
    demonstration: Callable[[str], Demonstration],
) -> None:
    demo = demonstration("stop")
    for number, code in ((signal.SIGINT, 130), (signal.SIGKILL, -9), (signal.SIGTERM, 130)):
        demo.start("run")
        demo.wait_told(RINGS)
        assert demo.end(number) == code, demo.told()
        demo.wait_gone()
    assert "interrupted; everything is stopped" in demo.told()


def test_a_gateway_that_dies_is_named(demonstration: Callable[[str], Demonstration]) -> None:
    demo = demonstration("dies")
    demo.start("run")
    demo.wait_told(RINGS)
    demo.kill_gateway()
    assert demo.wait(20.0) == 1
    assert "the gateway has ended: see " in demo.told()
    assert demo.left_running() == {}


def test_two_under_one_name_do_not_disturb_each_other(demonstration: Callable[[str], Demonstration]) -> None:
    demo = demonstration("twice")
    demo.start("run")
    demo.wait_told(RINGS)
    second = subprocess.run(
        [TOLLGATE, "demo", "run", "--name", demo.name], capture_output=True, text=True, check=False, timeout=30
    )
    assert second.returncode == 5
    assert "another demonstration runs" in second.stderr
    assert demo.is_up()
    assert demo.end(signal.SIGINT) == 130


def test_a_softphone_registers_and_calls_with_its_pin(
    demonstration: Callable[[str], Demonstration], tmp_path: Path
) -> None:
    up = demonstration("up")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    up.start("up", "--port", str(port))
    up.wait_told("✓ the Tollgate gateway")
    wait_for(lambda: "sip_password" in up._out.read_text(encoding="utf-8"), "the SIP account is printed")
    door = up.document()
    script = [1500, door["pin"], 1500, "12125550125#"]
    with softphone(tmp_path / "sipp", port, door["sip_password"], door["dial"], script) as caller:
        wait_for(lambda: "the meter runs" in up.told(), "the other side answers", 40.0)
        environment = {**os.environ, "TOLLGATE_CONFIG": door["settings_file"]}
        live = subprocess.run([TOLLGATE, "call", "live", "--json"], env=environment, capture_output=True, check=True)
        assert [row["to"] for row in json.loads(live.stdout)] == ["+12125550125"]
        caller.finish()
    told = up.told()
    assert "Please enter your PIN" in told
    assert "keys ********" in told
    assert door["pin"] not in told
    listed = subprocess.run([TOLLGATE, "call", "list", "--json"], env=environment, capture_output=True, check=True)
    rows = json.loads(listed.stdout)
    assert [(row["disposition"], row["account"]) for row in rows] == [("answered", door["account"])]
    assert up.end(signal.SIGINT) == 130
    assert up.left_running() == {}
