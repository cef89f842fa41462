"""A disk that can be filled and freed: a tmpfs, and, for where nothing may be mounted, a bound on the size of files."""

import contextlib
import os
import resource
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

_FILLER = "filler"
_PIECE = bytes(16_384)
_MOUNT = ("mount", "-t", "tmpfs", "-o")


class SmallDisk(Protocol):
    """Somewhere to put a database."""

    folder: Path

    def fill(self, but_bytes: int) -> None:
        """From now on so much more can be written, about."""

    def free(self) -> None:
        """There is room again."""


class Tmpfs:
    """A file system of its own, filled by a file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, but_bytes: int) -> None:
        """Write until the system says ENOSPC, then take a little back."""
        with (self.folder / _FILLER).open("ab", buffering=0) as filler:
            with contextlib.suppress(OSError):
                while True:
                    filler.write(_PIECE)
            filler.truncate(max(0, filler.tell() - but_bytes))

    def free(self) -> None:
        """Remove what filled it."""
        (self.folder / _FILLER).unlink()


class BoundFiles:
    """A directory whose files may grow no longer: this process may write no file beyond so many bytes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self, but_bytes: int) -> None:
        """Set the bound."""
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(_PIECE) + but_bytes, self._limits[1]))

    def free(self) -> None:
        """Lift it."""
        resource.setrlimit(resource.RLIMIT_FSIZE, self._limits)


@contextmanager
def tmpfs(folder: Path, size: str) -> Iterator[SmallDisk]:
    """A disk of this size (`4m`) at a directory that is made."""
    folder.mkdir()
    subprocess.run([*_MOUNT, f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield Tmpfs(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def bound_files(folder: Path) -> Iterator[SmallDisk]:
    """The next best thing, for SQLite, which writes from this process."""
    folder.mkdir()
    disk = BoundFiles(folder)
    try:
        yield disk
    finally:
        disk.free()


def may_mount() -> bool:
    """Whether this process may make a tmpfs; in a container it often may not."""
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as folder:
        if subprocess.run([*_MOUNT, "size=64k", "tmpfs", folder], check=False, capture_output=True).returncode:
            return False
        subprocess.run(["umount", "--lazy", folder], check=True)
    return True
