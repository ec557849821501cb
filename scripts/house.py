#!/usr/bin/env python3
"""Measure how the package is built: import ranks, folder sizes, names that are defined twice, and the like.

    .venv/bin/python scripts/house.py

`tests/test_house.py` holds each measure to its limit, so that none gets worse unseen.
"""

from __future__ import annotations

import ast
import graphlib
import re
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import grimp

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "agentics"
TOPOLOGIES = ("separated_evaluator", "piped_stdio", "coexecuted_benchmark", "model_worker")
AT_HOME = ("policy/topologies/", "policy/bundle/checks.py", "policy/trust.py", "model/")
"""Where the names of topologies belong: their own modules, the rules of bundles and of trust, and the models."""
METAPHORS = frozenset(
    {
        "bench",
        "book",
        "desk",
        "filling",
        "floor",
        "keeper",
        "lane",
        "lent",
        "room",
        "shop",
        "slotted",
        "ticket",
        "workshop",
    }
)
"""Words that say nothing of what a thing is to somebody who reads it for the first time."""

_ALIASES = ("Literal", "Annotated", "Callable", "Mapping", "tuple", "dict", "list")


def sources() -> list[Path]:
    """Every module of the package; links to folders of the repository are not followed."""
    return sorted(path for path in PACKAGE.rglob("*.py") if not any(part.is_symlink() for part in path.parents))


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def lines() -> int:
    """Lines of Python in the package."""
    return sum(_lines(path) for path in sources())


def median_lines() -> int:
    """The median length of a module, in lines."""
    return int(statistics.median(_lines(path) for path in sources()))


def _lines(path: Path) -> int:
    return path.read_text(encoding="utf-8").count("\n")


def import_ranks() -> int:
    """The number of modules in the longest chain of imports, those for typing included. Raises graphlib.CycleError."""
    graph = grimp.build_graph("agentics", exclude_type_checking_imports=False, cache_dir=None)
    imported = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    ranks: dict[str, int] = {}
    for name in graphlib.TopologicalSorter(imported).static_order():
        ranks[name] = 1 + max((ranks[each] for each in imported[name]), default=0)
    return max(ranks.values())


def largest_folder() -> tuple[str, int]:
    """The folder without subfolders that has the most modules, `__init__` not counted."""
    counts = Counter(path.parent for path in sources() if path.name != "__init__.py")
    parents = {folder.parent for folder in counts}
    leaves = {folder: count for folder, count in counts.items() if folder not in parents}
    folder, count = max(leaves.items(), key=lambda found: found[1])
    return str(folder.relative_to(ROOT)), count


def doubled_names() -> dict[str, list[str]]:
    """Names of types (classes and aliases) that several modules define."""
    where: dict[str, set[str]] = defaultdict(set)
    for path in sources():
        for name in _types(_tree(path)):
            where[name].add(str(path.relative_to(ROOT)))
    return {name: sorted(paths) for name, paths in where.items() if len(paths) > 1}


def _types(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and _is_type(node.value):
            yield node.targets[0].id
        elif isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation).endswith("TypeAlias"):
            yield ast.unparse(node.target)


def _is_type(value: ast.expr) -> bool:
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.BitOr):
        return isinstance(value.left, ast.Name | ast.BinOp) and ast.unparse(value)[0].isupper()
    return isinstance(value, ast.Subscript) and ast.unparse(value.value).split(".")[-1] in _ALIASES


def compared_topologies() -> list[str]:
    """Comparisons with the name of a topology outside its own module, as `file:line`."""
    found = []
    for path in sources():
        place = path.relative_to(PACKAGE).as_posix()
        if not place.startswith(AT_HOME):
            found += [f"{place}:{node.lineno}" for node in ast.walk(_tree(path)) if _compares_a_topology(node)]
    return found


def _compares_a_topology(node: ast.AST) -> bool:
    if not isinstance(node, ast.Compare):
        return False
    constants = (each for side in (node.left, *node.comparators) for each in ast.walk(side))
    return any(isinstance(each, ast.Constant) and each.value in TOPOLOGIES for each in constants)


def request_places() -> list[str]:
    """Calls that build an evaluation request, as `file:line`."""
    return [
        f"{path.relative_to(PACKAGE).as_posix()}:{node.lineno}"
        for path in sources()
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "EvalRequest"
    ]


def metaphors() -> list[str]:
    """Names of modules and types that have a word of METAPHORS in them, as `file: name`."""
    named = [(path, path.stem) for path in sources()]
    named += [(path, name) for path in sources() for name in _types(_tree(path))]
    return [f"{path.relative_to(PACKAGE).as_posix()}: {name}" for path, name in named if METAPHORS & words_of(name)]


def words_of(name: str) -> set[str]:
    """The words of a name in snake_case or CamelCase, in lower case and without the `s` of a plural."""
    return {word.lower().removesuffix("s") for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def measures() -> dict[str, Any]:
    """Every measure by its name."""
    return {
        "lines of Python": lines(),
        "modules": len(sources()),
        "median lines of a module": median_lines(),
        "import ranks": import_ranks(),
        "largest folder without subfolders": "{} ({})".format(*largest_folder()),
        "type names in several modules": len(doubled_names()),
        "comparisons with a topology's name": len(compared_topologies()),
        "places that build a request": len(request_places()),
        "metaphors in names": len(metaphors()),
    }


if __name__ == "__main__":
    for name, value in measures().items():
        sys.stdout.write(f"{name:<40}{value}\n")
