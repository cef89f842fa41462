"""What every test may ask for: a database of its own on SQLite or PostgreSQL, a clock that is set, a key.

The schema is migrated once per session and copied for each test. PostgreSQL is a private server: its own directory, no
network port, stopped when the tests end or die.
"""

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import Engine

from runtime import database, keys, schema
from tests.clock import SettableClock

POSTGRES_BINARIES = Path(os.environ.get("POSTGRES_BINARIES", "/usr/lib/postgresql/15/bin"))
_START_LIMIT_S = 60.0
_counter = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--proof` runs the promises at their full counts, as `make proof` does."""
    parser.addoption("--proof", action="store_true", help="run every promise at its full count")


@pytest.fixture
def times(request: pytest.FixtureRequest) -> Callable[[int, int], int]:
    """How often to do something: the small count, or with --proof the full one."""
    return lambda small, full: full if request.config.getoption("--proof") else small


@pytest.fixture
def clock() -> SettableClock:
    """A clock that stands still until it is set."""
    return SettableClock()


@pytest.fixture
def pepper() -> keys.Pepper:
    """A key of the keyed hashes."""
    return keys.Pepper(bytes(range(keys.PEPPER_BYTES)))


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The address of a migrated, empty SQLite database of this test alone."""
    path = tmp_path / "tollgate.db"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def sqlite_engine(sqlite_url: str) -> Iterator[Engine]:
    """An engine on a migrated, empty SQLite database of this test alone."""
    yield from _engine(sqlite_url)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Callable[[str], str]]:
    """A private PostgreSQL server; gives the address of a database by name."""
    postgres = _postgres_user()
    home = Path(tempfile.mkdtemp(prefix="tollgate-postgres-"))
    if postgres is not None:
        os.chown(home, pwd.getpwnam(postgres).pw_uid, pwd.getpwnam(postgres).pw_gid)
    files = home / "files"

    def run(name: str, *arguments: str) -> None:
        subprocess.run(
            [POSTGRES_BINARIES / name, *arguments], user=postgres, check=True, cwd=home, stdout=subprocess.DEVNULL
        )

    def address(name: str) -> str:
        return f"postgresql://postgres@/{name}?host={home}"

    run("initdb", "-D", str(files), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
    options = {
        "listen_addresses": "",
        "unix_socket_directories": str(home),
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "shared_buffers": "32MB",
        "max_connections": "120",
        "log_min_messages": "panic",
    }
    server = subprocess.Popen(
        [
            *_dying_with_the_tests(),
            POSTGRES_BINARIES / "postgres",
            "-D",
            str(files),
            *(part for name, value in options.items() for part in ("-c", f"{name}={value}")),
        ],
        user=postgres,
        cwd=home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(server, address("postgres"))
        yield address
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.send_signal(3)
            server.wait(10)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Callable[[str], str]) -> str:
    """The name of a migrated PostgreSQL database, to be copied."""
    _command(postgres_server, "CREATE DATABASE template_tollgate")
    _migrate(postgres_server("template_tollgate"))
    return "template_tollgate"


@pytest.fixture
def postgres_url(postgres_server: Callable[[str], str], postgres_template: str) -> Iterator[str]:
    """The address of a migrated, empty PostgreSQL database of this test alone."""
    name = f"test_{next(_counter)}"
    _command(postgres_server, f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
    yield postgres_server(name)
    _command(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgres_engine(postgres_url: str) -> Iterator[Engine]:
    """An engine on a migrated, empty PostgreSQL database of this test alone."""
    yield from _engine(postgres_url)


@pytest.fixture
def empty_postgres_url(postgres_server: Callable[[str], str]) -> Iterator[str]:
    """The address of a PostgreSQL database without any table."""
    name = f"empty_{next(_counter)}"
    _command(postgres_server, f"CREATE DATABASE {name}")
    yield postgres_server(name)
    _command(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def engine(request: pytest.FixtureRequest) -> Engine:
    """The test runs twice: on SQLite and on PostgreSQL, each time on an empty database of its own."""
    found: Engine = request.getfixturevalue(f"{request.param}_engine")
    return found


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The test runs twice: the address of a database without any table, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    found: str = request.getfixturevalue("empty_postgres_url")
    return found


def _engine(url: str) -> Iterator[Engine]:
    engine = database.create_engine(url)
    yield engine
    engine.dispose()


def _migrate(url: str) -> None:
    engine = database.create_engine(url)
    with database.transaction(engine) as connection:
        schema.upgrade(connection)
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
    engine.dispose()


def _postgres_user() -> str | None:
    """PostgreSQL refuses to run as root: it runs as the user the package made, or as we are."""
    return "postgres" if os.geteuid() == 0 else None


def _dying_with_the_tests() -> list[str]:
    """Stops the server even when the tests are killed."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "QUIT", "--"] if setpriv else []


def _wait_for(server: subprocess.Popen[bytes], url: str) -> None:
    deadline_s = time.monotonic() + _START_LIMIT_S
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline_s:
                raise
            time.sleep(0.02)
        else:
            return


def _command(postgres_server: Callable[[str], str], statement: str) -> None:
    with psycopg.connect(postgres_server("postgres"), autocommit=True) as connection:
        connection.execute(statement.encode())


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pepper: keys.Pepper) -> Callable[[str], None]:
    """Configures commands run in this test: an empty directory, a key file, and the database at the address given."""
    for name in [name for name in os.environ if name.startswith("TOLLGATE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    key_file = tmp_path / "pepper"
    key_file.write_text(bytes(range(keys.PEPPER_BYTES)).hex() + "\n")
    key_file.chmod(0o600)

    def configure(url: str) -> None:
        (tmp_path / "tollgate.toml").write_text(
            f'[database]\nurl = "{url}"\nbusy_timeout_s = 0.2\n[security]\npepper_file = "{key_file}"\n'
        )

    return configure
