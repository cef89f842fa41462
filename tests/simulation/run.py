"""`make simulate SEED=1 SESSIONS=1000000`: worlds from seeds, on every processor, until one goes wrong or all are told.

A world is a town with a database of its own, on SQLite or (`DATABASE=postgresql`) on a server started for it. Worlds
have the seeds SEED, SEED+1 and so on, so the world that went wrong is played again alone, by its seed.
"""

import argparse
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from runtime import database, schema
from tests.postgres_server import running
from tests.simulation.intents import ViolationError
from tests.simulation.world import Told, World

WORLD = 2_500
"""Sessions in one world, when nothing else is said: so many seconds, and the audit's memory."""
WORLDS_A_PROCESS = 8
"""A process keeps something of each world's database and begins anew after so many: 170 worlds made two gigabytes."""
REPORT_EVERY_S = 15.0
SQLITE, POSTGRESQL = "sqlite", "postgresql"
_TEMPLATE = "empty"
_MEMORY = Path("/dev/shm")  # a database that is thrown away may live in memory


@dataclass(frozen=True, slots=True)
class Violated:
    """A world that went wrong."""

    seed: int
    sessions: int
    step: int
    what: str
    story: tuple[str, ...]
    on: str = ""
    """What is to be said of the database to play it again."""

    def __str__(self) -> str:
        lines = [
            f"VIOLATION in the world of seed {self.seed}, step {self.step}:",
            f"  {self.what}",
            "what happened to that account:",
            *(f"  {line}" for line in self.story),
            f"again: make simulate SEED={self.seed} SESSIONS={self.sessions}{self.on}",
        ]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Server:
    """A private PostgreSQL server with a migrated, empty database to copy."""

    address: str
    """With `{}` for the name of a database."""

    def command(self, statement: str) -> None:
        """Do something to the server as a whole."""
        with psycopg.connect(self.address.format("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())


@contextmanager
def server() -> Iterator[Server]:
    """Such a server, while it is needed."""
    with running() as started:
        made = Server(started.address("{}"))
        made.command(f"CREATE DATABASE {_TEMPLATE}")
        engine = database.create_engine(made.address.format(_TEMPLATE))
        with database.transaction(engine) as connection:
            schema.upgrade(connection)
        engine.dispose()
        yield made


@contextmanager
def workshop() -> Iterator[Path]:
    """A directory with a migrated, empty database to copy."""
    place = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="tollgate-simulation-", dir=place) as name:
        engine = database.create_engine(f"sqlite:///{name}/template.db")
        with database.transaction(engine) as connection:
            schema.upgrade(connection)
        with engine.connect() as connection:
            connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
        engine.dispose()
        yield Path(name)


def play(place: Path | Server, seed: int, sessions: int) -> Told | Violated:
    """One world, on a copy of the empty database."""
    if isinstance(place, Server):
        world = f"world_{seed}"
        place.command(f"CREATE DATABASE {world} TEMPLATE {_TEMPLATE}")
        try:
            return play_on(place.address.format(world), seed, sessions)
        finally:
            place.command(f"DROP DATABASE {world} WITH (FORCE)")
    with tempfile.TemporaryDirectory(dir=place) as name:
        shutil.copyfile(place / "template.db", Path(name) / "world.db")
        return play_on(f"sqlite:///{name}/world.db", seed, sessions)


def play_on(url: str, seed: int, sessions: int) -> Told | Violated:
    """One world, on the empty database at this address."""
    world = World(url, seed, sessions)
    try:
        return world.play()
    except ViolationError as violation:
        what = violation.what
        if violation.__cause__ is not None:
            what += "\n" + "".join(traceback.format_exception(violation.__cause__))
        on = f" DATABASE={POSTGRESQL}" if url.startswith(POSTGRESQL) else ""
        return Violated(seed, sessions, world.step, what, tuple(world.story_of(violation.account_id)), on)


def _play(wanted: tuple[Path | Server, int, int]) -> Told | Violated:
    return play(*wanted)


def worlds(seed: int, sessions: int) -> list[tuple[int, int]]:
    """Seed and number of sessions of each world."""
    whole, rest = divmod(sessions, WORLD)
    sizes = [WORLD] * whole + ([rest] if rest else [])
    return [(seed + number, size) for number, size in enumerate(sizes)]


def simulate(seed: int, sessions: int, jobs: int, kind: str = SQLITE) -> int:
    """Play them all, in this process when `jobs` are fewer than two; 0, or 1 at the first violation."""
    print(f"seed {seed}, {sessions} sessions, {max(1, jobs)} processes, {kind}", flush=True)
    started_s = said_s = time.monotonic()
    told: list[Told] = []
    opened: AbstractContextManager[Path | Server] = server() if kind == POSTGRESQL else workshop()
    with opened as place, _played([(place, *one) for one in worlds(seed, sessions)], jobs) as answers:
        for answer in answers:
            if isinstance(answer, Violated):
                print(answer, flush=True)
                return 1
            told.append(answer)
            if time.monotonic() - said_s >= REPORT_EVERY_S:
                said_s = time.monotonic()
                _report(told, said_s - started_s)
    _report(told, time.monotonic() - started_s)
    print("0 violations", flush=True)
    return 0


@contextmanager
def _played(wanted: list[tuple[Path | Server, int, int]], jobs: int) -> Iterator[Iterator[Told | Violated]]:
    """What comes of each world, as it is told; the worlds still being told are given up at the end."""
    if jobs < 2 or len(wanted) < 2:
        yield map(_play, wanted)
        return
    with multiprocessing.get_context("spawn").Pool(jobs, maxtasksperchild=WORLDS_A_PROCESS) as pool:
        yield pool.imap_unordered(_play, wanted)


def _report(told: list[Told], seconds: float) -> None:
    sessions = sum(one.sessions for one in told)
    print(
        f"{sessions} sessions ({sum(one.granted for one in told)} granted) in {len(told)} worlds,"
        f" {sum(one.steps for one in told)} steps, {sum(one.commits for one in told)} commits looked at,"
        f" {sum(one.faults for one in told)} faults, {sum(one.kills for one in told)} kills"
        f" - {seconds:.0f} s, {sessions / seconds:.0f} sessions/s",
        flush=True,
    )


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="simulate calls, services, recharges and everything that goes wrong")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sessions", type=int, default=1_000_000)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--database", choices=(SQLITE, POSTGRESQL), default=SQLITE)
    wanted = parser.parse_args()
    return simulate(wanted.seed, wanted.sessions, max(1, wanted.jobs), wanted.database)


if __name__ == "__main__":
    sys.exit(main())
