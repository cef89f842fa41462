"""Rules of the command line: every command shows how it is used, speaks JSON, rehearses, and starts quickly."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from runtime.command import build_app
from tests.house.tree import committed_texts

WITHOUT_JSON = frozenset({"gateway run", "web run"})
"""Commands that answer nothing: they run until they are stopped."""
READ_ONLY = frozenset(
    {
        "list",
        "show",
        "test",
        "explain",
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
WRITES_ELSEWHERE = frozenset({"asterisk render", "call hangup", "demo up", "negative export"})
"""Not the database of this installation: these write files or a database of their own, or tell the switch."""
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
