"""What every test may ask for: a database of its own on SQLite or PostgreSQL, a clock that is set, a key.

The schema is migrated once per session and copied for each test. PostgreSQL is a private server (`postgres_server.py`).
"""

import itertools
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy.engine import Engine

from runtime import database, keys, schema
from tests.clock import SettableClock
from tests.postgres_server import PostgresServer
from tests.postgres_server import running as postgres_running
from tests.sharing_out import Sharing

pytest_plugins = ("tests.ended", "tests.host", "tests.proof.told")
_counter = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--proof` runs the promises at their full counts, as `make proof` does."""
    parser.addoption("--proof", action="store_true", help="run every promise at its full count")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Sharing:
    """Which worker runs what: see `tests/sharing_out.py`."""
    return Sharing(config, log)


@pytest.fixture
def times(request: pytest.FixtureRequest) -> Callable[[int, int], int]:
    """How often to do something: the small count, or with --proof the full one."""
    return lambda small, full: full if request.config.getoption("--proof") else small


@pytest.fixture
def logs_as_they_were() -> Iterator[None]:
    """What a test sets of logging is undone after it."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


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
def postgres_server() -> Iterator[PostgresServer]:
    """A private PostgreSQL server."""
    with postgres_running() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    """The name of a migrated PostgreSQL database, to be copied."""
    postgres_server.command("CREATE DATABASE template_tollgate")
    _migrate(postgres_server.address("template_tollgate"))
    return "template_tollgate"


@pytest.fixture
def postgres_url(postgres_server: PostgresServer, postgres_template: str) -> Iterator[str]:
    """The address of a migrated, empty PostgreSQL database of this test alone."""
    name = f"test_{next(_counter)}"
    postgres_server.command(f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
    yield postgres_server.address(name)
    postgres_server.command(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgres_engine(postgres_url: str) -> Iterator[Engine]:
    """An engine on a migrated, empty PostgreSQL database of this test alone."""
    yield from _engine(postgres_url)


@pytest.fixture(scope="session")
def durable_postgres_server() -> Iterator[PostgresServer]:
    """The same with the durability it has in service: what it says was written is on the disk."""
    with postgres_running(dict.fromkeys(("fsync", "synchronous_commit", "full_page_writes"), "on")) as server:
        yield server


@pytest.fixture
def durable_postgres_engine(durable_postgres_server: PostgresServer) -> Iterator[Engine]:
    """An engine on a migrated, empty database that keeps what it says was written."""
    name = f"durable_{next(_counter)}"
    durable_postgres_server.command(f"CREATE DATABASE {name}")
    _migrate(durable_postgres_server.address(name))
    yield from _engine(durable_postgres_server.address(name))
    durable_postgres_server.command(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty_postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The address of a PostgreSQL database without any table."""
    name = f"empty_{next(_counter)}"
    postgres_server.command(f"CREATE DATABASE {name}")
    yield postgres_server.address(name)
    postgres_server.command(f"DROP DATABASE {name} WITH (FORCE)")


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
