"""Which mirror apt's own configuration names, in both of its formats."""

from pathlib import Path

import pytest

from dialplan.lab.mirror import mirror


@pytest.fixture
def apt(tmp_path: Path) -> Path:
    (tmp_path / "sources.list.d").mkdir()
    return tmp_path


def test_one_line_format(apt: Path) -> None:
    (apt / "sources.list").write_text(
        "# deb http://commented.example/debian bookworm main\n"
        "deb cdrom:[Debian 12]/ bookworm main\n"
        "deb-src http://source.example/debian bookworm main\n"
        "deb http://secure.example/debian-security bookworm-security main\n"
        "deb [arch=amd64 signed-by=/x.gpg] http://first.example/debian/ bookworm main contrib\n"
        "deb http://second.example/debian bookworm main\n"
    )
    assert mirror(apt) == "http://first.example/debian"


def test_deb822_format(apt: Path) -> None:
    (apt / "sources.list.d/debian.sources").write_text(
        "Types: deb\nEnabled: no\nURIs: http://off.example/debian\nSuites: bookworm\nComponents: main\n"
        "\n"
        "Types: deb deb-src\n# a comment\nURIs:\n  http://first.example/debian\n  http://second.example/debian\n"
        "Suites: bookworm\n bookworm-updates\nComponents: main\nSigned-By:\n"
        " -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc: def\n"
    )
    assert mirror(apt) == "http://first.example/debian"


def test_other_vendors_and_security_are_passed_over(apt: Path) -> None:
    (apt / "sources.list.d/other.list").write_text("deb https://packages.example/apt stable main\n")
    (apt / "sources.list.d/security.sources").write_text(
        "Types: deb\nURIs: http://one.example/debian\nSuites: bookworm-security\nComponents: main\n"
    )
    assert mirror(apt) is None


def test_a_file_of_mirrors(apt: Path) -> None:
    (apt / "mirrors.list").write_text("https://listed.example/debian\n")
    (apt / "sources.list").write_text(f"deb mirror+file:{apt}/mirrors.list bookworm main\n")
    assert mirror(apt) == "https://listed.example/debian"


def test_nothing_at_all(tmp_path: Path) -> None:
    assert mirror(tmp_path) is None
