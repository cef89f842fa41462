"""Rules of the command line: every command shows how it is used, speaks JSON, rehearses, and starts quickly."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from runtime.command import build_app
from tests.house.tree import HOUSE, committed_texts
from tests.terminal import Terminal

WITHOUT_JSON = frozenset({"gateway run", "web run"})
"""Commands that answer nothing: they run until they are stopped."""
READ_ONLY = frozenset(
    {
        "list",
        "show",
        "test",
        "explain",
        "plans",
        "statements",
        "live",
        "current",
        "check",
        "accesses",
        "env",
        "doctor",
        "run",
        "audit",
        "imports",
        "prompts",
        "report",
        "usage",
    }
)
WRITES_ELSEWHERE = frozenset({"asterisk render", "demo up", "negative export"})
"""Not the database of this installation: these write files or a database of their own."""
CAN_BE_UNDONE = frozenset({"route remove"})
DESTRUCTIVE = frozenset({"close", "revoke", "remove", "hangup", "block", "unblock", "void"})
HEAVY = ("sqlalchemy", "alembic", "pydantic_settings", "psycopg", "phonenumbers", "panoramisk", "asyncio")


def _leaves(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", None)
    if children is None:
        yield " ".join(words), command
        return
    for name, child in children.items():
        yield from _leaves(child, (*words, name))


COMMANDS = dict(_leaves(typer.main.get_command(build_app())))


def _options(command: Any) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts}


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_shows_an_example(words: str) -> None:
    command = COMMANDS[words]
    assert command.help
    text = f"{command.help} {command.epilog or ''}"
    assert "Example: " in text
    assert f"tollgate {words}" in text


@pytest.mark.parametrize("words", COMMANDS)
def test_every_option_says_what_it_is(words: str) -> None:
    assert [parameter.name for parameter in COMMANDS[words].params if not getattr(parameter, "help", None)] == []


@pytest.mark.parametrize("words", sorted(set(COMMANDS) - WITHOUT_JSON))
def test_every_command_speaks_json(words: str) -> None:
    assert "--json" in _options(COMMANDS[words])


@pytest.mark.parametrize("words", sorted(set(COMMANDS) - WRITES_ELSEWHERE))
def test_every_writer_rehearses(words: str) -> None:
    if words.rsplit(maxsplit=1)[-1] not in READ_ONLY:
        assert "--dry-run" in _options(COMMANDS[words])


@pytest.mark.parametrize(
    "words",
    sorted(words for words in COMMANDS if words.rsplit(maxsplit=1)[-1] in DESTRUCTIVE and words not in CAN_BE_UNDONE),
)
def test_what_takes_away_asks_why(words: str) -> None:
    assert _options(COMMANDS[words]) & {"--reason", "--note"}


def test_nothing_heavy_is_loaded_before_a_command_runs() -> None:
    code = "import sys; from runtime.command import build_app; build_app(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert [name for name in HEAVY if name in loaded] == []


def _written_commands() -> Iterator[tuple[str, list[str]]]:
    """Every `tollgate ...` line of the documents, as words."""
    for name, text in committed_texts():
        if name.endswith(".md"):
            for line in text.splitlines():
                found = re.match(r"(?:\s{4,}|\$ )(?:[A-Z_]+=\S+ )*tollgate (.+)", line) or re.match(
                    r"tollgate (.+)", line
                )
                if found:
                    yield name, shlex.split(re.split(r" [<|>&] ", found[1])[0], comments=True)


def _examples() -> Iterator[tuple[str, list[str]]]:
    """Every example of the commands' own help, as words."""
    for words, command in COMMANDS.items():
        text = " ".join(f"{command.help} {command.epilog or ''}".split())
        for found in re.findall(r"Example: (?:[A-Z_]+=\S+ )*tollgate (.+?)(?= Example:|$)", text):
            yield words, shlex.split(re.split(r" [<|>&] ", found)[0], comments=True)


@pytest.mark.parametrize(("where", "words"), [*_written_commands(), *_examples()], ids=str)
def test_every_command_that_is_written_down_can_be_typed(where: str, words: list[str]) -> None:
    length = next((length for length in (1, 2, 3) if " ".join(words[:length]) in COMMANDS), None)
    assert length, f"{where}: there is no `tollgate {' '.join(words)}`"
    command = COMMANDS[" ".join(words[:length])]
    command.make_context("tollgate", list(words[length:]))


NOTES_ITSELF = """#!/bin/sh
printf '%s\\0' "$TOLLGATE_CONFIG" "$@" >> "$NOTED"
printf '\\n' >> "$NOTED"
"""


def _copied_from_the_readme(folder: Path) -> list[list[str]]:
    """What a shell makes of README's first block of commands in this folder: each `tollgate`, as words."""
    text = (HOUSE / "README.md").read_text().split("## What next", 1)[1]
    block = re.search(r"(?:^    .+\n)+", text, re.MULTILINE)
    assert block
    folder.joinpath("billing").symlink_to(HOUSE / "billing")
    program, noted = folder / ".venv/bin/tollgate", folder / "noted"
    program.parent.mkdir(parents=True)
    program.write_text(NOTES_ITSELF)
    program.chmod(0o755)
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block[0]],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "NOTED": str(noted)},
        check=True,
    )
    typed = [line.split("\0")[:-1] for line in noted.read_text().splitlines()]
    assert {words[0] for words in typed} == {str(folder / "tollgate.toml")}
    return [words[1:] for words in typed]


def test_what_the_readme_says_to_do_next_can_be_done(
    installation: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = _copied_from_the_readme(tmp_path)
    assert len(typed) > 10
    monkeypatch.setenv("TOLLGATE_CONFIG", str(tmp_path / "tollgate.toml"))
    monkeypatch.chdir(tmp_path)
    terminal = Terminal()
    for words in typed:
        terminal.must(*words)
    (account,) = terminal.must("account", "list", "--json").document
    assert account["balance"]["amount"] == "20.000000"
    assert terminal.must("number", "list", "--json").document[0]["profile_name"] == "talk"
    assert terminal.must("call", "list", "--json").document == []
