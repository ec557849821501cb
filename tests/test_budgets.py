"""The budgets of this repository: sizes, names, depth of inheritance, where imports stand, and no import cycle."""

from __future__ import annotations

import ast
import enum
import graphlib
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest
from pydantic import BaseModel

import agentics

ROOT = Path(__file__).parents[1]
PACKAGE = sorted((ROOT / "agentics").rglob("*.py"))
# typer reads a command's options from its parameters: there a signature may be long.
COMMANDS = {path for path in PACKAGE if path.is_relative_to(ROOT / "agentics" / "cli")}
SOURCES = [
    path for folder in ("agentics", "benchmarks", "scripts", "tests") for path in sorted((ROOT / folder).rglob("*.py"))
]

WORKER = [
    ROOT / "agentics" / "lighteval" / "entry" / f"{name}.py"
    for name in (
        *("answers", "asking", "catalogue", "describe", "details"),
        *("evaluate", "hubwatch", "models", "server", "surroundings", "tasks"),
    )
]

FILE_LINES = 400
FUNCTION_LINES = 50
PARAMETERS = 6
VAGUE_MODULES = {"utils", "util", "helpers", "helper", "common", "misc"}
VAGUE_CLASSES = ("Manager", "Handler", "Processor")
# Imports inside functions, each for a reason. What is heavy is imported when it is needed, so that `agentics --help`
# and shell completion do not wait for it.
LATE_IMPORTS = {
    # The worker's scripts: what only the worker's environment has, and what costs ten seconds.
    **{f"agentics/lighteval/entry/{path.name}": "LightEval and what it brings" for path in WORKER},
    "agentics/cli/failure.py": "what finds secrets costs 0.2 s; only what fails needs it",
    "agentics/cli/machine.py": "the attack suite costs 0.3 s, and only `doctor --attack` needs it",
    "agentics/cli/figure.py": "matplotlib is an extra, and costs 0.5 s to import",
    "agentics/request/campaign.py": "the rules of JobSpecs cost 0.1 s; most evaluations have none",
    "agentics/runner/tensorboard.py": "tensorboardX is an extra, and numpy costs 0.1 s",
    "agentics/storage/store.py": "fsspec costs 0.05 s; most commands store nothing",
    "agentics/runner/machine.py": "docker-py and requests cost 0.2 s; most commands never talk to an engine",
}


def too_long(source: str) -> str | None:
    lines = source.count("\n")
    return f"{lines} lines" if lines > FILE_LINES else None


def long_functions(tree: ast.AST) -> Iterator[str]:
    for node in _functions(tree):
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        if lines > FUNCTION_LINES:
            yield f"{node.name}: {lines} lines"


def long_bodies(tree: ast.AST) -> Iterator[str]:
    for node in _functions(tree):
        lines = (node.end_lineno or node.lineno) - node.body[0].lineno + 1
        if lines > FUNCTION_LINES:
            yield f"{node.name}: a body of {lines} lines"


def crowded_functions(tree: ast.AST) -> Iterator[str]:
    for node in _functions(tree):
        names = [one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        count = len(names) - (names[:1] in (["self"], ["cls"]))
        if count > PARAMETERS:
            yield f"{node.name}: {count} parameters"


def late_imports(tree: ast.AST) -> Iterator[str]:
    for node in _functions(tree):
        for inner in ast.walk(node):
            if isinstance(inner, ast.Import | ast.ImportFrom):
                yield f"{node.name}: line {inner.lineno}"


def vague_classes(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name.endswith(VAGUE_CLASSES):
            yield node.name


def deep_ancestry(kind: type, package: str) -> list[str]:
    """The classes of the package that this one inherits from, when there is more than one level of them."""
    inherited = [one for one in kind.__mro__[1:] if one.__module__.partition(".")[0] == package and not _is_exempt(one)]
    return [one.__name__ for one in inherited] if len(inherited) > 1 else []


def first_cycle(imports: dict[str, set[str]]) -> list[str]:
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _is_exempt(kind: type) -> bool:
    """Exceptions are a tree by nature, enums and protocols hold no behaviour, a model without fields only settings."""
    if issubclass(kind, BaseException | enum.Enum) or getattr(kind, "_is_protocol", False):
        return True
    return issubclass(kind, BaseModel) and not kind.model_fields


def _tree(path: Path) -> ast.AST:
    return ast.parse(path.read_text(encoding="utf-8"))


def _over(paths, check) -> dict[str, list[str]]:
    found = {path.relative_to(ROOT).as_posix(): list(check(_tree(path))) for path in paths}
    return {path: what for path, what in found.items() if what}


def test_no_file_is_longer_than_one_can_hold_in_mind():
    lengths = {str(path.relative_to(ROOT)): too_long(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert {path: lines for path, lines in lengths.items() if lines} == {}


def test_no_function_is_longer_than_a_screen():
    assert _over(set(SOURCES) - COMMANDS, long_functions) == {}
    assert _over(COMMANDS, long_bodies) == {}


def test_no_function_takes_more_than_six_parameters():
    assert _over(set(PACKAGE) - COMMANDS, crowded_functions) == {}


def test_imports_stand_at_the_top_except_the_documented_ones():
    found = _over(PACKAGE, late_imports)
    assert {path: what for path, what in found.items() if path not in LATE_IMPORTS} == {}


def test_every_documented_late_import_still_exists():
    assert LATE_IMPORTS.keys() <= _over(PACKAGE, late_imports).keys()


def test_modules_are_named_for_what_they_know():
    assert [path for path in PACKAGE if {path.stem, path.parent.name} & VAGUE_MODULES] == []


def test_classes_are_named_for_what_they_are():
    assert _over(PACKAGE, vague_classes) == {}


def test_inheritance_is_one_level_deep():
    names = [one.name for one in pkgutil.walk_packages(agentics.__path__, "agentics.")]
    # `endpoint` needs LightEval, which is in the worker's environment only.
    left_out = ("__main__", "lighteval.entry.endpoint")
    modules = [importlib.import_module(name) for name in names if not name.endswith(left_out)]
    kinds = {kind for module in modules for _, kind in inspect.getmembers(module, inspect.isclass)}
    ours = [kind for kind in kinds if kind.__module__.partition(".")[0] == "agentics"]
    assert {str(kind): deep for kind in ours if (deep := deep_ancestry(kind, "agentics"))} == {}


def test_no_module_imports_itself_through_others():
    graph = grimp.build_graph("agentics", exclude_type_checking_imports=False, cache_dir=None)
    assert first_cycle({name: set(graph.find_modules_directly_imported_by(name)) for name in graph.modules}) == []


@pytest.mark.parametrize(
    ("check", "source"),
    [
        (long_functions, "def f():\n" + "    pass\n" * FUNCTION_LINES),
        (long_bodies, "def f(\n    a,\n):\n" + "    pass\n" * (FUNCTION_LINES + 1)),
        (crowded_functions, "def f(a, b, c, /, d, e, *, g, h): ..."),
        (crowded_functions, "class A:\n    def f(self, a, b, c, d, e, g, h): ..."),
        (late_imports, "async def f():\n    if True:\n        import os\n"),
        (late_imports, "class A:\n    def f(self):\n        from os import path\n"),
        (vague_classes, "class StageHandler: ..."),
    ],
)
def test_a_budget_notices_what_is_over_it(check, source):
    assert len(list(check(ast.parse(source)))) == 1


@pytest.mark.parametrize(
    ("check", "source"),
    [
        (long_functions, "def f():\n" + "    pass\n" * (FUNCTION_LINES - 1)),
        (long_bodies, "def f(\n    a,\n):\n" + "    pass\n" * FUNCTION_LINES),
        (crowded_functions, "def f(a, b, c, d, e, g): ..."),
        (crowded_functions, "class A:\n    def f(self, a, b, c, d, e, g): ..."),
        (late_imports, "import os\ndef f(): ..."),
        (vague_classes, "class Handlers: ..."),
    ],
)
def test_a_budget_leaves_alone_what_keeps_to_it(check, source):
    assert list(check(ast.parse(source))) == []


def test_a_file_of_401_lines_is_too_long():
    assert too_long("\n" * FILE_LINES) is None
    assert too_long("\n" * (FILE_LINES + 1))


def test_a_second_level_of_inheritance_is_noticed_and_the_exempt_kinds_are_not():
    here = __name__.partition(".")[0]

    class Plain: ...

    class Once(Plain): ...

    class Twice(Once): ...

    class Settings(BaseModel): ...

    class Noun(Settings):
        name: str

    class Special(Noun): ...

    class Broken(Exception): ...

    class Worse(Broken): ...

    class Worst(Worse): ...

    assert deep_ancestry(Twice, here) == ["Once", "Plain"]
    assert [kind for kind in (Once, Special, Worst) if deep_ancestry(kind, here)] == []


def test_a_cycle_is_noticed():
    assert first_cycle({"a": {"b"}, "b": {"c"}, "c": {"a"}})
    assert first_cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []
