"""The source of the house, read once for the rules."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

HOUSE = Path(__file__).parents[2]
ROOMS = ("runtime", "ani", "billing", "dialplan", "ivr", "migrations", "sounds", "web")
LARGEST_FILE_READ = 1_000_000


@cache
def modules(*rooms: str) -> tuple[Path, ...]:
    """Every module of these rooms, relative to the house."""
    return tuple(
        path.relative_to(HOUSE)
        for room in rooms or ROOMS
        for path in sorted((HOUSE / room).rglob("*.py"))
        if path.is_file()
    )


@cache
def source(module: Path) -> str:
    """The text of a module."""
    return (HOUSE / module).read_text(encoding="utf-8")


@cache
def parsed(module: Path) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(source(module), str(module))


def calls(module: Path) -> Iterator[tuple[int, str]]:
    """Every call of a module: its line and the dotted name of what is called."""
    for node in ast.walk(parsed(module)):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func)


def committed_texts() -> Iterator[tuple[str, str]]:
    """Name and text of every file that is committed or about to be."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=HOUSE,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    for name in listed:
        path = HOUSE / name
        if path.is_file() and path.stat().st_size < LARGEST_FILE_READ:
            content = path.read_bytes()
            if b"\0" not in content:
                yield name, content.decode("utf-8", errors="replace")
