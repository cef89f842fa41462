"""Rules of the house that a linter does not know: sizes, banned calls, one sentence in `__init__`, clean text."""

import ast
import re
from pathlib import Path

import pytest

from tests.house.tree import HOUSE, ROOMS, calls, committed_texts, modules, parsed, source

LONGEST_MODULE = 400
LONGEST_TEST_MODULE = 600
LONGEST_FUNCTION = 60
BANNED_NAMES = frozenset({"utils", "helpers", "helper", "manager", "data", "info", "misc", "common"})
BANNED_CALLS = frozenset(
    {"print", "eval", "exec", "os.system", "os.popen", "pickle.loads", "pickle.load", "breakpoint"}
)
CLOCK_CALLS = frozenset(
    {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.monotonic", "time.time_ns"}
)
MAY_ASK_THE_CLOCK = ("runtime/clock.py", "dialplan/lab/", "dialplan/asterisk/manager_link.py", "ivr/agi/", "ivr/ami/")
MAY_SLEEP = ("dialplan/lab/",)
PRODUCT = modules(*ROOMS)
HAND_WRITTEN = tuple(module for module in PRODUCT if "versions" not in module.parts)
TESTS = modules("tests")


@pytest.mark.parametrize("module", HAND_WRITTEN, ids=str)
def test_a_module_can_be_read_at_a_sitting(module: Path) -> None:
    assert source(module).count("\n") <= LONGEST_MODULE


@pytest.mark.parametrize("module", TESTS, ids=str)
def test_so_can_a_module_of_tests(module: Path) -> None:
    assert source(module).count("\n") <= LONGEST_TEST_MODULE


def test_a_function_does_one_thing() -> None:
    long = [
        f"{module}:{node.lineno} {node.name} has {length} lines"
        for module in HAND_WRITTEN
        for node in ast.walk(parsed(module))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > LONGEST_FUNCTION
    ]
    assert long == []


def test_names_say_what_a_module_is() -> None:
    assert [str(module) for module in PRODUCT if BANNED_NAMES & set(module.with_suffix("").parts)] == []


def test_init_holds_one_sentence() -> None:
    for module in (module for module in PRODUCT if module.name == "__init__.py"):
        tree = parsed(module)
        sentence = ast.get_docstring(tree)
        assert sentence, module
        assert len(tree.body) == 1, module
        assert sentence.endswith("."), module
        assert "\n" not in sentence, module


def test_everything_public_says_what_it_promises() -> None:
    silent = []
    for module in HAND_WRITTEN:
        tree = parsed(module)
        if not ast.get_docstring(tree):
            silent.append(str(module))
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith(
                "_"
            ):
                if not ast.get_docstring(node):
                    silent.append(f"{module}:{node.lineno} {node.name}")
                if isinstance(node, ast.ClassDef):
                    silent += [
                        f"{module}:{part.lineno} {node.name}.{part.name}"
                        for part in node.body
                        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)
                        and not part.name.startswith("_")
                        and not ast.get_docstring(part)
                    ]
    assert silent == []


def test_no_banned_call() -> None:
    assert [
        f"{module}:{line} {name}" for module in PRODUCT for line, name in calls(module) if name in BANNED_CALLS
    ] == []


def test_only_the_clock_is_asked_for_the_time() -> None:
    asked = [
        f"{module}:{line} {name}"
        for module in PRODUCT
        if not str(module).startswith(MAY_ASK_THE_CLOCK)
        for line, name in calls(module)
        if name in CLOCK_CALLS or name.endswith((".utcnow", "datetime.now"))
    ]
    assert asked == []


def test_nothing_sleeps_in_a_thread() -> None:
    sleeping = [
        f"{module}:{line}"
        for module in PRODUCT
        if not str(module).startswith(MAY_SLEEP)
        for line, name in calls(module)
        if name in {"time.sleep", "sleep"}
    ]
    assert sleeping == []


def test_no_binary_fraction_touches_money() -> None:
    found = [
        f"{module}:{node.lineno}"
        for module in modules("billing")
        for node in ast.walk(parsed(module))
        if (isinstance(node, ast.Name) and node.id == "float")
        or (isinstance(node, ast.Constant) and isinstance(node.value, float))
        if "_s: float" not in source(module).splitlines()[node.lineno - 1]  # a wait in seconds
    ]
    assert found == []


def test_sql_stands_only_in_stores() -> None:
    spread = [
        str(module)
        for module in modules("ani", "billing", "dialplan", "ivr")
        if module.stem not in {"tables", "store"} and not module.stem.endswith("_store")
        if re.search(r"^\s*(import sqlalchemy|from sqlalchemy import)", source(module), re.MULTILINE)
        if re.search(r"\bsa\.(select|insert|update|delete|text)\(", source(module))
    ]
    assert spread == []


def test_exceptions_of_the_linters_have_a_reason() -> None:
    bare = [
        f"{module}:{number}"
        for module in (*PRODUCT, *TESTS)
        for number, line in enumerate(source(module).splitlines(), 1)
        if (found := re.search(r"#\s*(?:noqa|type:\s*ignore)(?::\s*[A-Z0-9, ]+|\[[a-z, -]+\])?(?P<reason>.*)$", line))
        and 'r"' not in line
        and len(re.findall(r"\w+", found["reason"])) < 2
    ]
    assert bare == []


def test_no_test_is_passed_over() -> None:
    passed_over = re.compile(r"\b(skip|skipif|xfail|importorskip|SkipTest)\b")
    found = [
        f"{module}:{node.lineno}"
        for module in TESTS
        for node in ast.walk(parsed(module))
        if isinstance(node, ast.Attribute | ast.Name)
        and passed_over.fullmatch(node.attr if isinstance(node, ast.Attribute) else node.id)
    ]
    assert found == []


def test_nothing_names_this_machine_or_a_registry() -> None:
    places = [
        "/" + r"work/",
        r"(?<![\w.-])/" + r"root\b",
        r"\.\./" + "shared",
        "pypi" + r"\.org",
        "python" + "hosted",
        "npmjs" + r"\.(com|org)",
        "deb" + r"\.debian\.org",
        "proxy" + r"\.golang\.org",
        "registry" + r"\.",
    ]
    pattern = re.compile("|".join(places))
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in committed_texts()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


def test_documents_do_not_point_at_nothing() -> None:
    link = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
    lost = [
        f"{name}: {target}"
        for name, text in committed_texts()
        if name.endswith(".md")
        for target in link.findall(text)
        if not (HOUSE / name).parent.joinpath(target).exists()
    ]
    assert lost == []


def test_only_an_edge_catches_everything() -> None:
    swallowed = [
        f"{module}:{node.lineno}"
        for module in HAND_WRITTEN
        for node in ast.walk(parsed(module))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"})
        and not any(isinstance(part, ast.Raise) for part in ast.walk(node))
        and "#" not in source(module).splitlines()[node.lineno - 1]
    ]
    assert swallowed == []
