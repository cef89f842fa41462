"""A private PostgreSQL server: its own directory, no network port, stopped when the tests end or die."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg

BINARIES = Path(os.environ.get("POSTGRES_BINARIES", "/usr/lib/postgresql/15/bin"))
PORT = 5432
"""The name of its socket; no network port is opened."""
_START_LIMIT_S = 60.0
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class PostgresServer:
    """One server; what it was told to write survives when it is stopped and started again."""

    def __init__(self, options: Mapping[str, str], under: Path | None = None) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="tollgate-postgres-", dir=under))
        self._user = _postgres_user()
        self._process: subprocess.Popen[bytes] | None = None
        self._options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.home),
            "port": str(PORT),
            "shared_buffers": "32MB",
            "max_connections": "120",
            "log_min_messages": "panic",
            **_FAST,
            **options,
        }
        self.own(self.home)
        files = ["-D", str(self._files), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        if under is not None:
            files.append("--wal-segsize=1")
        subprocess.run(
            [BINARIES / "initdb", *files], user=self._user, check=True, cwd=self.home, stdout=subprocess.DEVNULL
        )

    @property
    def _files(self) -> Path:
        return self.home / "files"

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.home / f".s.PGSQL.{PORT}"

    def address(self, name: str) -> str:
        """The address of a database."""
        return f"postgresql://postgres@/{name}?host={self.home}"

    def own(self, folder: Path) -> None:
        """Give a directory to the user the server runs as."""
        if self._user is not None:
            owner = pwd.getpwnam(self._user)
            os.chown(folder, owner.pw_uid, owner.pw_gid)

    def command(self, statement: str) -> None:
        """Do something to the server as a whole."""
        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(
            [
                *_dying_with_the_tests(),
                BINARIES / "postgres",
                "-D",
                str(self._files),
                *(part for name, value in self._options.items() for part in ("-c", f"{name}={value}")),
            ],
            user=self._user,
            cwd=self.home,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline_s = time.monotonic() + _START_LIMIT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                raise psycopg.OperationalError("the private PostgreSQL server does not answer")
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop it: SIGTERM waits for its clients, SIGINT throws them out, SIGQUIT is a crash."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)
            process.wait(10)

    def has_ended(self) -> bool:
        """Whether it ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def remove(self) -> None:
        """Stop it and leave nothing behind."""
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.address("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def running(options: Mapping[str, str] | None = None, under: Path | None = None) -> Iterator[PostgresServer]:
    """A server that answers; removed at the end. `under` a directory that is small, its journal is in small pieces."""
    server = PostgresServer(options or {}, under)
    try:
        server.start()
        yield server
    finally:
        server.remove()


def _postgres_user() -> str | None:
    """PostgreSQL refuses to run as root: it runs as the user the package made, or as we are."""
    return "postgres" if os.geteuid() == 0 else None


def _dying_with_the_tests() -> list[str]:
    """Stops the server even when the tests are killed."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "QUIT", "--"] if setpriv else []
