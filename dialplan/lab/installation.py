"""Which Asterisk this machine has: the installed one when it is new enough, else the one in a root of its own."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

MINIMUM_VERSION = 20
LINKS = 40

# What `make install` fills when the machine has no Asterisk.
ROOT = Path("var/asterisk-root")


class NoAsteriskError(Exception):
    """This machine has no Asterisk that can be used; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Installation:
    """An Asterisk that can be run: `root` is the directory it sees as `/`, None for the machine's own."""

    version: str
    root: Path | None

    def command(self, *arguments: str) -> list[str]:
        """The command line of `asterisk` with these arguments, in its root."""
        return [*self._enter(), "asterisk", *arguments]

    def outside(self, path: str) -> Path:
        """The path as this machine sees it of what Asterisk calls `path`."""
        return Path(path) if self.root is None else self.root / path.lstrip("/")

    def followed(self, path: str) -> str:
        """The path after its symbolic links, read as Asterisk reads them: an absolute one begins at its root."""
        for _ in range(LINKS):
            if not self.outside(path).is_symlink():
                return path
            path = os.path.normpath(Path(path).parent / self.outside(path).readlink())
        raise NoAsteriskError(f"{path}: too many symbolic links")

    def module_dir(self) -> str:
        """Where its modules are; raises NoAsteriskError when they are nowhere."""
        for pattern in ("usr/lib/*/asterisk/modules", "usr/lib/asterisk/modules", "usr/local/lib/asterisk/modules"):
            for found in sorted((self.root or Path("/")).glob(pattern)):
                return "/" + str(found.relative_to(self.root or "/"))
        raise NoAsteriskError("Asterisk has no modules directory; run `make install`")

    def data_dir(self) -> str:
        """Where its sounds and its documentation are."""
        for candidate in ("/usr/share/asterisk", "/var/lib/asterisk"):
            if self.outside(candidate).joinpath("sounds").is_dir():
                return candidate
        raise NoAsteriskError("Asterisk has no sounds directory; install asterisk-core-sounds-en")

    def _enter(self) -> list[str]:
        return [] if self.root is None else ["chroot", str(self.root.resolve())]


def find_installation(root: Path = ROOT) -> Installation:
    """The Asterisk to run; raises NoAsteriskError when there is none, or none that may be started by this user."""
    installed = _version([]) if shutil.which("asterisk") else None
    if installed is not None and major(installed) >= MINIMUM_VERSION:
        return Installation(installed, None)
    if (root / "usr/sbin/asterisk").exists():
        if os.geteuid() != 0:
            raise NoAsteriskError(f"only root may start the Asterisk in {root}")
        version = _version(["chroot", str(root.resolve())])
        if version is not None:
            return Installation(version, root)
    raise NoAsteriskError(f"there is no Asterisk >= {MINIMUM_VERSION} here; run `make install`")


def major(version: str) -> int:
    """The first number of a version, 0 when there is none."""
    found = re.match(r"[0-9]+", version)
    return int(found[0]) if found else 0


def _version(enter: list[str]) -> str | None:
    """What `asterisk -V` prints after the name; None when it does not run."""
    try:
        told = subprocess.run(  # noqa: S603 - fixed words and a directory of ours
            [*enter, "asterisk", "-V"], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"Asterisk (?:certified/)?([0-9][0-9.]*)", told.stdout)
    return found[1] if found else None
