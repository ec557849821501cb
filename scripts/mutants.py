#!/usr/bin/env python3
"""Break lines of modules one by one, and see whether a test notices: mutmut on a copy of the tree.

    .venv/bin/python scripts/mutants.py [MODULE.py ...]

Without a module: those that differ from the branch main. The tests are those of the module's package that need no
container engine, and every test file that imports the module. What no test noticed is listed with the changed line: a
test is missing there, or the change makes no difference.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COPY = ROOT / ".setup" / "mutants"
MUTMUT = Path(sys.executable).with_name("mutmut")


def changed() -> list[str]:
    """The modules of the package that differ from main, those that are not committed included."""
    said = subprocess.run(
        ["git", "diff", "--name-only", "--diff-filter=AM", "main", "--", "agentics/*.py"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return said.stdout.split()


def tests_of(module: str) -> set[str]:
    """Where the tests of a module are: the folder of its package, and the files that import it."""
    parts = Path(module).with_suffix("").parts
    package, name = ".".join(parts[:-1]), parts[-1]
    ways = (f"{package}.{name} import", f"from {package} import {name}")
    files = (ROOT / "tests").rglob("test_*.py")
    found = {str(path.relative_to(ROOT)) for path in files if any(way in path.read_text("utf-8") for way in ways)}
    folder = ROOT / "tests" / parts[1]
    return found | ({str(folder.relative_to(ROOT))} if folder.is_dir() else set())


def lay_out(modules: list[str]) -> None:
    """Copy what git knows of the tree, with mutmut's configuration at the end of pyproject.toml."""
    shutil.rmtree(COPY, ignore_errors=True)
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split(
        "\n"
    )
    for name in filter(None, listed):
        (COPY / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, COPY / name, follow_symlinks=False)
    tests = sorted(set().union(*map(tests_of, modules)))
    beside = sorted(path.name for path in COPY.iterdir() if path.name not in ("tests", "pyproject.toml"))
    settings = {
        "source_paths": modules,
        "also_copy": beside,
        "pytest_add_cli_args": ["-m", "not docker and not slow"],
        "pytest_add_cli_args_test_selection": tests,
    }
    with (COPY / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("\n[tool.mutmut]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items()))


def main(modules: list[str]) -> int:
    modules = modules or changed()
    if not modules:
        print("no module differs from main; name one")
        return 0
    lay_out(modules)
    ended = subprocess.run([MUTMUT, "run"], cwd=COPY, check=False)
    if ended.returncode != 0:
        return ended.returncode
    subprocess.run([MUTMUT, "export-cicd-stats"], cwd=COPY, check=True, capture_output=True)
    said = json.loads((COPY / "mutants" / "mutmut-cicd-stats.json").read_text(encoding="utf-8"))
    results = subprocess.run([MUTMUT, "results"], cwd=COPY, check=True, capture_output=True, text=True).stdout
    for line in results.splitlines():
        name, _, status = line.strip().partition(": ")
        if status == "survived":
            print(subprocess.run([MUTMUT, "show", name], cwd=COPY, check=True, capture_output=True, text=True).stdout)
    tried = said["total"] - said["skipped"]
    share = f"{said['killed'] + said['timeout']} of {tried}"
    print(
        f"{share} mutants were noticed; {said['survived']} survived, {said['no_tests']} are in lines that no test runs"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
