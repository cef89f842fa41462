"""A disk that can be filled and freed: a tmpfs, and, for where nothing may be mounted, a bound on the size of files."""

import contextlib
import os
import resource
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psycopg
from sqlalchemy.engine import Engine

from runtime import database, schema
from tests.postgres_server import PostgresServer, running

BOUND_FILES = "sqlite-bound-files"
"""The disk for which nothing is mounted."""
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


@dataclass(frozen=True, slots=True)
class Place:
    """A database on a disk that can be filled; `whole` is the address of a server of which all is on that disk."""

    disk: SmallDisk
    engine: Engine
    whole: str = ""


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
        folder.rmdir()


@contextmanager
def sqlite(disk: SmallDisk, template: Path) -> Iterator[Place]:
    """SQLite on a small disk."""
    file = disk.folder / "tollgate.db"
    shutil.copyfile(template, file)
    engine = database.create_engine(f"sqlite:///{file}")
    yield Place(disk, engine)
    engine.dispose()


@contextmanager
def postgres_tables(server: PostgresServer, template: str) -> Iterator[Place]:
    """A tablespace of PostgreSQL on a small disk, its journal elsewhere."""
    folder = server.home / "small"
    with tmpfs(folder, "24m") as disk:
        server.own(folder)
        server.command(f"CREATE TABLESPACE small LOCATION '{folder}'")
        server.command(f"CREATE DATABASE full_disk TEMPLATE {template} TABLESPACE small")
        engine = database.create_engine(server.address("full_disk"))
        yield Place(disk, engine)
        engine.dispose()
        server.command("DROP DATABASE full_disk WITH (FORCE)")
        server.command("DROP TABLESPACE small")


@contextmanager
def postgres_whole() -> Iterator[Place]:
    """A server of PostgreSQL on a small disk with tables, journal and all; started again whenever it gives up."""
    durable = {"synchronous_commit": "on", "max_wal_size": "4MB", "min_wal_size": "2MB"}
    with tempfile.TemporaryDirectory(prefix="tollgate-small-") as above:
        Path(above).chmod(0o755)
        with (
            tmpfs(Path(above) / "disk", "112m") as disk,
            running(durable, disk.folder) as server,
            started_again(server),
        ):
            engine = database.create_engine(server.address("postgres"))
            with database.transaction(engine) as connection:
                schema.upgrade(connection)
            yield Place(disk, engine, server.address("postgres"))
            engine.dispose()


@contextmanager
def started_again(server: PostgresServer) -> Iterator[None]:
    """As the system's service manager does: `Restart=on-failure`."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.3):
            if server.has_ended():
                with contextlib.suppress(psycopg.OperationalError):
                    server.start()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


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
