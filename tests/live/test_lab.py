"""The lab itself: it starts clean, ends clean, and ends what an earlier one left."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dialplan.asterisk.manager_link import ManagerLink, ManagerLinkError
from dialplan.lab.installation import find_installation
from dialplan.lab.instance import Instance, InstanceError, Login
from dialplan.lab.lab import Lab, free_ports
from dialplan.lab.polling import wait_for
from runtime.settings import Settings

_START_AND_WAIT = """
import sys, time
from dialplan.lab.lab import Lab
from runtime.settings import Settings
lab = Lab(Settings(), sys.argv[1])
lab.start()
print(lab.gateway.process.pid, lab.network.process.pid, flush=True)
time.sleep(600)
"""


def runs(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_killed_lab_leaves_nothing_running() -> None:
    name = f"killed-{os.getpid()}"
    with subprocess.Popen([sys.executable, "-c", _START_AND_WAIT, name], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pids = [int(pid) for pid in process.stdout.readline().split()]
        assert len(pids) == 2
        assert all(runs(pid) for pid in pids)
        process.send_signal(signal.SIGKILL)
    wait_for(lambda: not any(runs(pid) for pid in pids), "the switches end with their lab")
    Lab(Settings(), name).remove()


def test_a_stale_instance_is_ended_by_the_next(lab: Lab) -> None:
    name = f"stale-{os.getpid()}"
    first = Lab(Settings(), name)
    first.start()
    assert first.gateway.process is not None
    pid = first.gateway.process.pid
    with Lab(Settings(), name) as second:
        first.gateway.process.wait(10)
        assert not runs(pid)
        assert second.gateway.process is not None
        assert runs(second.gateway.process.pid)
    # the other lab of this session was left alone
    assert lab.gateway.process is not None
    assert runs(lab.gateway.process.pid)
    first.stop()


def test_an_instance_that_cannot_start_says_why(lab: Lab) -> None:
    instance = Instance("broken", find_installation(), f"{lab.gateway.base}-broken", ami_port=free_ports().gateway_ami)
    frame = lab.gateway_files()["asterisk.conf"]
    instance.write({"asterisk.conf": frame, "modules.conf": "[modules\nload = nothing\n"})
    with pytest.raises(InstanceError, match="Asterisk broken did not start"):
        instance.start(Login("nobody", "nothing"))
    instance.remove()


def test_a_stopped_lab_answers_nowhere() -> None:
    lab = Lab(Settings(), f"stopped-{os.getpid()}")
    lab.start()
    port = lab.ports.gateway_ami
    lab.remove()
    with pytest.raises(ManagerLinkError):
        ManagerLink("127.0.0.1", port, 1.0)
