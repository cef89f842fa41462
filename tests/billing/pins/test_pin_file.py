"""PINs of an outside system from a file: each once, whatever happens to the file (PIN-5)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from billing.cli import root
from runtime import command_database
from tests.terminal import Terminal

FILE = """key,pin,account,expires_at
a1,71000001,100,
a2,71000002,,2099-01-01
a3,81000003,,
a4,7100,,
a1,71000001,100,2098-01-01
"""


@pytest.fixture
def terminal(empty_url: str, installation: Callable[[str], None], tmp_path: Path) -> Terminal:
    installation(empty_url)
    terminal = Terminal(root.attach, command_database.attach)
    terminal.must("db", "upgrade")
    terminal.must("operator", "create", "acme", "Acme Telephone")
    terminal.must("account", "create", "acme", "--number", "100")
    terminal.must("pin", "range", "create", "acme", "mail", "--prefix", "71")
    (tmp_path / "pins.csv").write_text(FILE)
    return terminal


def test_a_file_may_be_imported_again(terminal: Terminal, tmp_path: Path) -> None:
    words = ("pin", "import", "pins.csv", "--operator", "acme", "--range", "mail", "--json")
    rehearsed = terminal.run(*words, "-n")
    assert (rehearsed.code, terminal.must("pin", "usage", "acme", "--json").document) == (4, [])
    first = terminal.run(*words)
    assert (first.code, first.document["loaded"], first.document["rejected"]) == (4, 2, 3)
    again = terminal.run(*words).document
    assert (again["loaded"], again["unchanged"], again["rejected"]) == (0, 2, 3)
    rejects = Path(first.document["reject_file"]).read_text()
    for reason in ("pin-not-in-range", "pin: eight digits", "used for another allocation"):
        assert reason in rejects
    assert "71000001" not in rejects
    assert "81000003" not in rejects
    one, two = terminal.must("pin", "usage", "acme", "--json").document
    assert (one["key"], one["account"], one["state"], one["range"]) == ("a1", "100", "waiting", "mail")
    assert two["expires_at"].startswith("2099-01-01")
    assert terminal.must("pin", "usage", "acme", "--used-since", "2020-01-01", "--json").document == []
    assert terminal.must("pin", "usage", "acme").out.startswith("id\tkey\taccount\trange\tstate")
    shown = terminal.must("account", "show", "100", "--json").document
    assert len(shown["pins"]) == 1
    assert terminal.run("pin", "import", "nothing.csv", "--operator", "acme").code == 2
    assert terminal.run("pin", "import", "pins.csv", "--operator", "nobody").code == 3
