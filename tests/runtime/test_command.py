"""How commands end: one clear line and an exit code that means something."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from billing.cli import root
from runtime import command, command_configuration, command_database
from runtime.faults import BusyError, NotFoundError, StaffError
from tests.terminal import Terminal

Install = Callable[[str], None]
NEWEST = max(path.name[:4] for path in Path("migrations/versions").glob("[0-9]*.py"))


@pytest.fixture
def terminal() -> Terminal:
    """The database, configuration and billing commands."""
    return Terminal(command_database.attach, command_configuration.attach, root.attach)


def test_the_database_is_made_once_with_its_key(terminal: Terminal, empty_url: str, installation: Install) -> None:
    installation(empty_url)
    Path("pepper").unlink()
    assert terminal.run("account", "list").code == 1
    assert terminal.run("db", "check").code == 1
    rehearsed = terminal.must("db", "upgrade", "--dry-run", "--json").document
    assert (rehearsed["before"], rehearsed["key_made"], Path("pepper").exists()) == (None, True, False)
    made = terminal.must("db", "upgrade", "--json").document
    assert (made["before"], made["revision"], made["key_made"]) == (None, NEWEST, True)
    assert Path("pepper").stat().st_mode & 0o777 == 0o600
    key = Path("pepper").read_text()
    again = terminal.must("db", "upgrade", "--json").document
    assert (again["before"], again["key_made"], Path("pepper").read_text()) == (NEWEST, False, key)
    assert terminal.must("db", "current", "--json").document["needed"] == NEWEST
    assert terminal.must("db", "check", "--json").document == {"ok": True, "faults": []}


def test_looking_does_not_make_a_database(terminal: Terminal, installation: Install, tmp_path: Path) -> None:
    installation(f"sqlite:///{tmp_path}/none/tollgate.db")
    for words in (("account", "list"), ("db", "current"), ("db", "check")):
        answer = terminal.run(*words)
        assert answer.code == 1
        assert "run `tollgate db upgrade`" in answer.err
    terminal.must("db", "upgrade", "--dry-run")
    assert not (tmp_path / "none").exists()


def test_db_check_finds_what_is_wrong(
    terminal: Terminal, sqlite_url: str, installation: Install, tmp_path: Path
) -> None:
    installation(sqlite_url)
    terminal.must("db", "check")
    (tmp_path / "pepper").chmod(0o644)
    with sqlite3.connect(tmp_path / "tollgate.db") as connection:
        connection.execute("DROP TABLE route")
    connection.close()
    answer = terminal.run("db", "check")
    assert answer.code == 1
    assert "tables differ" in answer.err
    assert "others may read this key" in answer.err


def test_another_revision_is_refused(
    terminal: Terminal, sqlite_url: str, installation: Install, tmp_path: Path
) -> None:
    installation(sqlite_url)
    with sqlite3.connect(tmp_path / "tollgate.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    answer = terminal.run("account", "list")
    assert answer.code == 1
    assert "revision 9999, which is newer than this program" in answer.err
    assert terminal.run("db", "current").code == 1


def test_a_locked_database_is_exit_code_75(
    terminal: Terminal, sqlite_url: str, installation: Install, tmp_path: Path
) -> None:
    installation(sqlite_url)
    other = sqlite3.connect(tmp_path / "tollgate.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        answer = terminal.run("operator", "create", "acme", "Acme")
    finally:
        other.close()
    assert answer.code == 75
    assert answer.err == "tollgate: database: it is busy: another program has been writing for too long; try again\n"


def test_a_read_only_database_is_said_to_be_so(
    terminal: Terminal, sqlite_url: str, installation: Install, tmp_path: Path
) -> None:
    installation(f"sqlite:///file:{tmp_path}/tollgate.db?mode=ro&uri=true")
    assert terminal.run("operator", "list").code == 0
    answer = terminal.run("operator", "create", "acme", "Acme")
    assert answer.code == 1
    assert answer.err.startswith("tollgate: database: it is read-only")


@pytest.mark.postgres
def test_a_read_only_server_is_said_to_be_so(terminal: Terminal, postgres_url: str, installation: Install) -> None:
    installation(f"{postgres_url}&options=-c%20default_transaction_read_only%3Don")
    answer = terminal.run("operator", "create", "acme", "Acme")
    assert answer.code == 1
    assert answer.err.startswith("tollgate: database: it is read-only")


def test_a_server_that_is_not_there_is_exit_code_75(terminal: Terminal, installation: Install, tmp_path: Path) -> None:
    installation(f"postgresql://nobody:hidden@/x?host={tmp_path}")
    answer = terminal.run("operator", "list")
    assert answer.code == 75
    assert answer.err.startswith("tollgate: database: the server cannot be reached")
    assert "hidden" not in answer.err


def test_a_file_that_is_no_database_is_said_to_be_so(terminal: Terminal, installation: Install, tmp_path: Path) -> None:
    (tmp_path / "tollgate.db").write_bytes(b"x" * 4096)
    installation(f"sqlite:///{tmp_path}/tollgate.db")
    answer = terminal.run("operator", "list")
    assert answer.code == 1
    assert "not an SQLite database" in answer.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (command.CommandError("why", command.ExitCode.LOCKED), 5),
        (StaffError("why"), 1),
        (NotFoundError("why"), 3),
        (BusyError("why"), 75),
    ],
)
def test_faults_and_their_exit_codes(error: Exception, code: int) -> None:
    def attach(app: typer.Typer) -> None:
        def fail() -> None:
            raise error

        app.command("fail")(fail)

    answer = Terminal(attach).run("fail")
    assert answer.code == code
    assert answer.err.startswith("tollgate: ")


def test_an_interrupt_is_exit_code_130() -> None:
    def attach(app: typer.Typer) -> None:
        def fail() -> None:
            raise KeyboardInterrupt

        app.command("fail")(fail)

    assert Terminal(attach).run("fail").code == 130


def test_our_own_faults_are_not_hidden() -> None:
    def attach(app: typer.Typer) -> None:
        def fail() -> None:
            raise ZeroDivisionError

        app.command("fail")(fail)

    with pytest.raises(ZeroDivisionError):
        Terminal(attach).run("fail")


def test_usage_is_exit_code_2(terminal: Terminal) -> None:
    for words in (("nonsense",), ("account", "list", "--nonsense"), ("account", "credit")):
        answer = terminal.run(*words)
        assert answer.code == 2
        assert answer.out == ""


def test_a_closed_pipe_ends_quietly(sqlite_url: str, installation: Install) -> None:
    installation(sqlite_url)
    code = "import sys; from runtime.command import run; from billing.cli import root; import typer\n"
    code += "app = typer.Typer(); root.attach(app); sys.exit(run(['operator', 'list'], app))"
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run([sys.executable, "-c", code], stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, b"")


def test_no_line_moves_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    command.print_done("ended: \x1b[2J\x07\r\nyes")
    command.print_record({"reason": "\x1b]0;owned\x07"})
    command.print_table("calls", ("name",), [("\x9b31m\x00",)])
    out = capsys.readouterr().out
    assert out == "ended: ?[2J???yes\nreason  ?]0;owned?\nname\n?31m?\n"
