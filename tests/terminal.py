"""A terminal for tests: runs the command in this process and keeps what it said."""

import io
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from typing import Any
from unittest import mock

import orjson
import typer.main

from runtime import command


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return orjson.loads(self.out)


class Terminal:
    """Runs `tollgate`; with `rooms`, only the commands these attach."""

    def __init__(self, *rooms: Callable[[typer.Typer], None]) -> None:
        self._rooms = rooms

    def run(self, *arguments: str, keyed: str = "") -> Answer:
        """Run one command line; `keyed` is what stands on its standard input."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), mock.patch("sys.stdin", io.StringIO(keyed)):
            code = command.run(arguments, _program(self._rooms))
        return Answer(code, out.getvalue(), err.getvalue())

    def must(self, *arguments: str, keyed: str = "") -> Answer:
        """Run one command line that has to succeed."""
        answer = self.run(*arguments, keyed=keyed)
        assert answer.code == 0, answer
        return answer


@cache
def _program(rooms: tuple[Callable[[typer.Typer], None], ...]) -> Callable[..., object]:
    """The commands of these rooms, else all; put together once, which takes longer than most of them."""
    if not rooms:
        return typer.main.get_command(command.build_app())
    app = typer.Typer(no_args_is_help=True)
    app.callback()(_nothing)
    for attach in rooms:
        attach(app)
    return typer.main.get_command(app)


def _nothing() -> None:
    """Only the rooms under test."""
