"""The real gateway process, as a user starts it: started, killed, frozen, and its log read."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dialplan.lab.polling import wait_for

_SETPRIV = shutil.which("setpriv") or "setpriv"


class GatewayEndedError(Exception):
    """The gateway ended instead of starting; the message is the end of its log."""


class GatewayProcess:
    """`tollgate gateway run` with settings from the environment; its log goes to a file."""

    def __init__(self, environment: Mapping[str, str], log_file: Path) -> None:
        self._environment = {**os.environ, **environment}
        self.log_file = log_file
        self._rights: tuple[str, ...] = ()
        self._process: subprocess.Popen[bytes] | None = None

    def hand_over(self) -> subprocess.Popen[bytes]:
        """Ask it to end, start the next one beside it, and give the one that ends."""
        leaving, self._process = self._process, None
        if leaving is None:
            raise GatewayEndedError("no gateway runs")
        begun = len(self.log_lines("draining"))
        os.killpg(leaving.pid, signal.SIGTERM)
        wait_for(lambda: len(self.log_lines("draining")) > begun, "the gateway drains", 5.0)
        self.start()
        return leaving

    def start(self) -> None:
        """Start it and wait until it is ready and has its switch."""
        begun = len(self.log_lines("switch-up"))
        self.launch()
        wait_for(lambda: self._is_ready(begun), "the gateway has its switch", 20.0)

    def launch(self) -> None:
        """Start it and wait for nothing."""
        with self.log_file.open("ab") as log:
            # setpriv: should this process be killed, the kernel ends the gateway too
            self._process = subprocess.Popen(  # noqa: S603 - fixed words
                [
                    _SETPRIV,
                    "--pdeathsig",
                    "KILL",
                    *self._rights,
                    str(Path(sys.executable).parent / "tollgate"),
                    "gateway",
                    "run",
                ],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def change(self, **variables: str) -> None:
        """Other settings for the next start."""
        self._environment.update(variables)

    def heed_file_modes(self) -> None:
        """From the next start what a file's mode forbids is refused, as it is to everybody but root."""
        if os.geteuid() == 0:
            self._rights = ("--bounding-set", "-dac_override,-dac_read_search")

    def another(self, log_file: Path) -> "GatewayProcess":
        """A second one with the same settings."""
        return GatewayProcess(self._environment, log_file)

    def wait(self, timeout_s: float) -> int:
        """Wait until it ends by itself, and give its exit code."""
        if self._process is None:
            return 0
        code, self._process = self._process.wait(timeout_s), None
        return code

    def is_up(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End it as a crash does."""
        self._signal(signal.SIGKILL)
        self._wait()

    def stop(self) -> int:
        """Ask it to end, and give its exit code; nothing when it does not run."""
        if self._process is None:
            return 0
        self._signal(signal.SIGCONT)
        self._signal(signal.SIGTERM)
        return self._wait()

    def freeze(self) -> None:
        """Let it stand still."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    @property
    def cpu_s(self) -> float:
        """Seconds of processor it has used."""
        if self._process is None:
            return 0.0
        fields = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def log_lines(self, event: str | None = None) -> list[dict[str, Any]]:
        """What it logged, all or of one event."""
        if not self.log_file.exists():
            return []
        rows = []
        for line in self.log_file.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                rows.append(json.loads(line))
        return [row for row in rows if event is None or row.get("event") == event]

    def _is_ready(self, begun: int) -> bool:
        if not self.is_up():
            raise GatewayEndedError(self.log_file.read_text(encoding="utf-8")[-3000:])
        return len(self.log_lines("switch-up")) > begun

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _wait(self) -> int:
        if self._process is None:
            return 0
        code = self._process.wait(40)
        self._process = None
        return code
