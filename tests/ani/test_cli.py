"""The commands of lines, as staff run them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ani.cli import attach
from tests.terminal import Terminal

LISTINGS = "Phone,last_name,address\n604-555-0123,Lee,1 Main St\nhello,Roe,\n"
PERSONS = "ani,last_name,birth_on,ssn_last_four\n6045550123,Lee,1980-05-01,7391\n6045550124,Roe,1980-05-01,73911\n"


@pytest.fixture
def terminal(installation: Callable[[str], None], sqlite_url: str) -> Terminal:
    installation(sqlite_url)
    return Terminal(attach)


def test_listings_are_loaded_and_shown(terminal: Terminal) -> None:
    Path("lines.csv").write_text(LISTINGS)
    ask = ("listing", "import", "lines.csv", "--source", "acme", "--map", "phone=ani", "--json")
    rehearsed = terminal.run(*ask, "--dry-run")
    assert (rehearsed.code, rehearsed.document["loaded"]) == (4, 1)
    assert terminal.run("listing", "show", "6045550123").code == 3
    loaded = terminal.run(*ask)
    assert loaded.code == 4
    assert loaded.document == {
        "file": "lines.csv",
        "loaded": 1,
        "rejected": 1,
        "unchanged": 0,
        "reject_file": "lines.csv.rejected.csv",
        "dry_run": False,
        "ignored_columns": [],
    }
    assert Path("lines.csv.rejected.csv").read_text().splitlines()[1] == "3,ani: not a telephone number,hello,Roe,"
    assert terminal.run(*ask).document["unchanged"] == 1
    (listing,) = terminal.must("listing", "show", "+16045550123", "--json").document["listings"]
    assert (listing["last_name"], listing["country"], listing["valid_until"]) == ("Lee", "CA", None)
    assert "1 Main St" in terminal.must("listing", "show", "6045550123").out


def test_persons_are_loaded_without_showing_a_digit(terminal: Terminal) -> None:
    Path("persons.csv").write_text(PERSONS)
    answer = terminal.run("identity", "import", "persons.csv", "--source", "bureau", "--reject-file", "bad.csv")
    assert answer.code == 4
    assert answer.out == "1 loaded, 0 unchanged, 1 rejected\n"
    assert answer.err == "rejected rows: bad.csv\n"
    assert "7391" not in answer.out + answer.err + Path("bad.csv").read_text()


@pytest.mark.parametrize(
    ("ask", "header", "meant"),
    [
        (("listing", "import", "--source", "acme"), "ani,name,adress", "address"),
        (("identity", "import", "--source", "bureau"), "ani,last_name,birth_on,ssn_last_for", "ssn_last_four"),
        (("negative", "import"), "ani,reason,untill", "until"),
    ],
)
def test_a_column_that_is_nearly_a_field_is_not_passed_over(
    terminal: Terminal, ask: tuple[str, ...], header: str, meant: str
) -> None:
    Path("rows.csv").write_text(f"{header}\n")
    refused = terminal.run(*ask, "rows.csv")
    assert (refused.code, refused.out) == (2, "")
    assert f"no column {header.rsplit(',', 1)[1]}; {meant} is meant?" in refused.err


def test_a_line_is_blocked_listed_and_unblocked(terminal: Terminal) -> None:
    block = ("negative", "block", "6045550123", "--reason", "in-dispute", "--note", "case 12")
    terminal.must(*block, "--dry-run")
    assert terminal.must("negative", "list", "--json").document == {"blocks": []}
    assert terminal.must(*block).out == "+16045550123: blocked (in-dispute)\n"
    assert terminal.run(*block).code == 3
    terminal.must("negative", "block", "6045550123", "--reason", "minor", "--until", "2999-12-31")
    documents = terminal.must("negative", "show", "6045550123", "--json").document["blocks"]
    assert [(found["reason"], found["note"], found["until"]) for found in documents] == [
        ("minor", "", "2999-12-31T00:00:00Z"),
        ("in-dispute", "case 12", None),
    ]
    lifted = terminal.must("negative", "unblock", "6045550123", "--note", "paid", "--json")
    assert lifted.document == {"ani": "+16045550123", "lifted": ["in-dispute", "minor"], "dry_run": False}
    assert terminal.run("negative", "unblock", "6045550123", "--note", "paid").code == 3
    assert terminal.must("negative", "list").out.count("\n") == 1
    assert terminal.must("negative", "list", "--all", "--reason", "minor").out.count("\n") == 2


def test_blocks_are_loaded_from_a_file(terminal: Terminal) -> None:
    Path("blocked.csv").write_text("ani,reason\n6045550123,chargeback\n6045550124,inactive\n")
    assert terminal.must("negative", "import", "blocked.csv").out == "2 loaded, 0 unchanged, 0 rejected\n"
    assert terminal.must("negative", "import", "blocked.csv").out == "0 loaded, 2 unchanged, 0 rejected\n"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("listing", "import", "none.csv", "--source", "acme"), 2, "No such file"),
        (("listing", "import", "lines.csv", "--source", "acme"), 2, "no column for ani"),
        (("listing", "import", "lines.csv", "--source", "acme", "--map", "phone"), 2, "COLUMN=FIELD"),
        (("listing", "import", "lines.csv", "--source", "x" * 41), 2, "--source"),
        (
            ("listing", "import", "lines.csv", "--source", "a", "--map", "Phone=ani", "--reject-file", "own.csv"),
            2,
            "is",
        ),
        (("listing", "show", "hello"), 2, "not a telephone number"),
        (("listing", "show", "6045550123"), 3, "no listing"),
        (("negative", "show", "6045550123"), 3, "never blocked"),
        (("negative", "unblock", "6045550123", "--note", " "), 1, "with a note"),
        (("negative", "block", "+15550142000", "--reason", "minor"), 2, "not a telephone number"),
        (("negative", "block", "6045550123", "--reason", "minor", "--until", "soon"), 2, "--until"),
        (("negative", "block", "6045550123", "--reason", "minor", "--until", "2020-01-01"), 1, "past"),
        (("negative", "block", "6045550123", "--reason", "nonsense"), 2, "nonsense"),
    ],
)
def test_a_mistake_ends_in_one_clear_line(terminal: Terminal, arguments: tuple[str, ...], code: int, says: str) -> None:
    Path("lines.csv").write_text(LISTINGS)
    Path("own.csv").write_text("not,a reject file\n")
    answer = terminal.run(*arguments)
    assert answer.code == code
    assert says in answer.err
    assert answer.out == ""
    assert Path("own.csv").read_text() == "not,a reject file\n"


def test_blocks_are_written_and_read_again(terminal: Terminal) -> None:
    terminal.must("negative", "block", "6045550123", "--reason", "minor", "--note", "a, b", "--until", "2999-12-31")
    terminal.must("negative", "block", "6045550124", "--reason", "chargeback", "--end-calls")
    assert terminal.must("negative", "export", "blocked.csv").out == "2 written to blocked.csv\n"
    again = terminal.must("negative", "import", "blocked.csv", "--json").document
    assert (again["loaded"], again["unchanged"], again["rejected"]) == (0, 2, 0)
    terminal.must("negative", "unblock", "6045550124", "--note", "paid")
    assert terminal.must("negative", "export", "blocked.csv", "--json").document["written"] == 1
    assert terminal.must("negative", "export", "all.csv", "--all", "--json").document["written"] == 2
    assert "2999-12-31T00:00:00+00:00" in Path("all.csv").read_text()
