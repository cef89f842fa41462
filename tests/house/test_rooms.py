"""Rules across rooms: every table is migrated, every noun is pure, every refusal is said aloud, every setting told."""

import importlib
import inspect
import tomllib
from enum import StrEnum
from pathlib import Path

from pydantic import SecretStr

from migrations.tables import MODULES
from runtime.settings import known_settings
from tests.house.tree import HOUSE, modules

SHELLS = frozenset({"__init__", "tables", "store", "service", "cli"})
UNSPOKEN_REFUSALS = frozenset(
    {
        "ConsumptionRefusal",
        "CreditRefusal",
        "MovementRefusal",
        "ImportRefusal",
        "EnvironmentRefusal",
        "AllocationRefusal",
        "OwnBlockRefusal",
    }
)
"""What is refused to staff is said on the terminal, to a switch by closing its connection, to services in JSON."""


def test_every_table_is_migrated() -> None:
    declared = {
        _dotted(module) for module in modules("ani", "billing", "dialplan", "ivr", "runtime") if module.stem == "tables"
    }
    assert declared == set(MODULES)


def test_every_noun_is_held_to_be_pure() -> None:
    contracts = tomllib.loads((HOUSE / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    pure = set(next(row for row in contracts if row["name"].startswith("Pure modules"))["source_modules"])
    nouns = {
        _dotted(module)
        for module in modules("ani", "billing", "dialplan")
        if (HOUSE / module).with_name("tables.py").exists()
        and module.stem not in SHELLS
        and not module.stem.endswith("_store")
    }
    assert nouns <= pure


def test_every_refusal_is_said_aloud() -> None:
    refusals = importlib.import_module("ivr.refusals").REFUSALS
    missing = [
        f"{kind.__module__}.{kind.__name__}.{member.name}"
        for module in modules("ani", "billing", "ivr")
        if module.stem not in {"tables", "cli", "__init__"}
        for _, kind in inspect.getmembers(importlib.import_module(_dotted(module)), inspect.isclass)
        if issubclass(kind, StrEnum)
        and kind.__name__.endswith(("Refusal", "NegativeReason"))
        and kind.__name__ not in UNSPOKEN_REFUSALS
        for member in kind
        if member not in refusals
    ]
    assert missing == []


def test_every_prompt_of_a_refusal_exists() -> None:
    refusals = importlib.import_module("ivr.refusals").REFUSALS
    with (HOUSE / "sounds" / "prompts.toml").open("rb") as file:
        prompts = _keys(tomllib.load(file))
    assert {outcome.prompt for outcome in refusals.values()} - prompts == set()


def test_every_setting_is_described_as_it_is() -> None:
    text = (HOUSE / "docs" / "configuration.md").read_text(encoding="utf-8")
    rows = [
        f"| `{row.section}.{row.key}` | `{row.variable}` | {_shown(row.default)} | {row.description} |"
        for row in known_settings()
    ]
    assert [row for row in rows if row not in text] == []
    assert text.count("| `TOLLGATE_") == len(rows)


def test_the_tree_of_tests_mirrors_the_house() -> None:
    rooms = {
        module.parts[0]
        for module in modules("ani", "billing", "dialplan", "ivr", "runtime", "sounds", "migrations", "web")
    }
    tested = {module.parts[1] for module in modules("tests") if len(module.parts) > 2}
    assert rooms <= tested
    assert tested - rooms <= {"bench", "house", "live", "load", "proof", "scenarios", "simulation"}


def _shown(default: object) -> str:
    if isinstance(default, SecretStr) or default in ("", ()):
        return "empty"
    return f"`{', '.join(str(part) for part in default)}`" if isinstance(default, tuple) else f"`{default}`"


def _keys(table: dict[str, object]) -> set[str]:
    return {
        key for name, value in table.items() for key in ({name} | (_keys(value) if isinstance(value, dict) else set()))
    }


def _dotted(module: Path) -> str:
    return ".".join(module.with_suffix("").parts)
