"""One running Asterisk with directories of its own; started, found when stale, and stopped without leftovers."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dialplan.asterisk.configuration import Directories
from dialplan.asterisk.manager_link import ManagerLink, ManagerLinkError
from dialplan.lab.installation import Installation

START_TIMEOUT_S = 40.0
STOP_TIMEOUT_S = 5.0


class InstanceError(Exception):
    """An Asterisk did not start; the message ends with what it last wrote to its log."""


@dataclass(frozen=True, slots=True)
class Login:
    """A user of the manager interface."""

    username: str
    secret: str = field(repr=False)


@dataclass(slots=True)
class Instance:
    """An Asterisk below `base`, a path as it sees it.

    It dies with the thread that started it, even when its process is killed: start it from the main thread.
    """

    name: str
    installation: Installation
    base: str
    ami_host: str = "127.0.0.1"
    ami_port: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def directories(self) -> Directories:
        """Where its files are, as it sees them."""
        return Directories(
            config_dir=f"{self.base}/etc",
            module_dir=self.installation.module_dir(),
            state_dir=f"{self.base}/state",
            sounds_dir=f"{self.base}/share",
            spool_dir=f"{self.base}/spool",
            run_dir=f"{self.base}/run",
            log_dir=f"{self.base}/log",
        )

    @property
    def outside(self) -> Path:
        """Its base directory as this machine sees it."""
        return self.installation.outside(self.base)

    @property
    def log_file(self) -> Path:
        """What it writes to its log."""
        return self.outside / "log/messages.log"

    def write(self, files: Mapping[str, str], sounds: Path | None = None) -> None:
        """Lay out its directories anew with these configuration files, and `sounds` as the prompts `tollgate/...`.

        Raises FileNotFoundError when the packaged sounds, with the numbers, are not there.
        """
        self.stop_stale()
        shutil.rmtree(self.outside, ignore_errors=True)
        for directory in ("etc", "state/agi-bin", "state/keys/stir_shaken/cache", "share", "spool/cache", "run", "log"):
            (self.outside / directory).mkdir(parents=True, exist_ok=True)
        for path, text in files.items():
            target = self.outside / "etc" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch(mode=0o600)
            target.write_text(text, encoding="utf-8")
        self._share(sounds)
        if self.installation.root is not None:
            # without a name for itself and without DNS every call waits seconds for a resolver
            hosts = self.installation.outside("/etc/hosts")
            hosts.write_text(f"127.0.0.1 localhost {os.uname().nodename}\n", encoding="utf-8")

    def start(self, login: Login) -> None:
        """Start it and wait until it is fully up; raises InstanceError when it is not in time."""
        # setpriv: should this process be killed, the kernel ends the switch too
        command = ["setpriv", "--pdeathsig", "KILL", *self.installation.command("-f", "-C", self._config_file)]
        with (self.outside / "log/console.log").open("wb") as console:
            self.process = subprocess.Popen(  # noqa: S603 - fixed words and directories of ours
                command, stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True
            )
        (self.outside / "pid").write_text(str(self.process.pid), encoding="utf-8")
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._is_up(login):
            if self.process.poll() is not None or time.monotonic() > deadline:
                last = self._last_words()
                self.stop()
                raise InstanceError(f"Asterisk {self.name} did not start:\n{last}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it; it is gone when this returns. Stopping what does not run does nothing."""
        if self.process is not None:
            _end(self.process)
            self.process = None
        (self.outside / "pid").unlink(missing_ok=True)

    def stop_stale(self) -> bool:
        """End one that an earlier run left behind in these directories; false when there is none."""
        try:
            pid = int((self.outside / "pid").read_text(encoding="utf-8"))
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return False
        if self._config_file.encode() not in command:
            return False
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while _lives(pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        return True

    def remove(self) -> None:
        """Stop it and delete its directories."""
        self.stop()
        shutil.rmtree(self.outside, ignore_errors=True)

    @property
    def _config_file(self) -> str:
        return f"{self.base}/etc/asterisk.conf"

    def _is_up(self, login: Login) -> bool:
        try:
            with ManagerLink(self.ami_host, self.ami_port, timeout_s=2.0) as link:
                link.login(login.username, login.secret)
                link.event("FullyBooted", timeout_s=START_TIMEOUT_S)
        except ManagerLinkError:
            return False
        return True

    def _last_words(self) -> str:
        words = ""
        for name in ("log/messages.log", "log/console.log"):
            path = self.outside / name
            if path.exists():
                words += path.read_text(encoding="utf-8", errors="replace")[-2000:]
        return words

    def sounds_dirs(self) -> tuple[str, ...]:
        """Where this machine sees its sounds: the links to the packaged ones lead nowhere outside its root."""
        packaged = self.installation.followed(f"{self.installation.data_dir()}/sounds/en")
        return str(self.outside / "share/sounds/en"), str(self.installation.outside(packaged))

    def _share(self, sounds: Path | None) -> None:
        """Its share directory: the packaged one by links, with the prompts of Tollgate among the sounds."""
        data = self.installation.data_dir()
        share = self.outside / "share"
        for entry in self.installation.outside(data).iterdir():
            if entry.name != "sounds":
                (share / entry.name).symlink_to(f"{data}/{entry.name}")
        english = share / "sounds/en"
        english.mkdir(parents=True)
        packaged = self.installation.followed(f"{data}/sounds/en")
        for entry in self.installation.outside(packaged).iterdir():
            (english / entry.name).symlink_to(f"{packaged}/{entry.name}")
        if sounds is not None and sounds.is_dir():
            shutil.copytree(sounds, english / "tollgate", copy_function=_link_or_copy)


def _link_or_copy(source: str, target: str) -> None:
    """A second name for the same file where the file system allows, a copy where not."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask, wait, kill."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
        except ProcessLookupError:
            process.wait()
            return
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            continue
        return


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
