"""The documents as tests read them: their text, their code blocks, the tables of their sections, and the generator."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def code_blocks(text: str, *languages: str) -> list[str]:
    return [found[2] for found in re.finditer(r"^```(\w*)\n(.*?)^```", text, re.M | re.S) if found[1] in languages]


def commands(text: str) -> list[str]:
    """What follows a `$` in the console blocks of a document."""
    lines = "\n".join(code_blocks(text, "console")).splitlines()
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def section(text: str, title: str) -> str:
    """The text below a heading, up to the next heading of its level or above."""
    found = re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^#{{1,3}} |\Z)", text, re.M | re.S)
    assert found is not None, title
    return found[2]


def first_column(text: str, head: str) -> list[str]:
    """The words in the first column of the table whose first heading is `head`."""
    found = re.search(rf"^\| {re.escape(head)} \|.*\n\| ---.*\n((?:\|.*\n)+)", text, re.M)
    assert found is not None, head
    return [re.findall(r"`([^`]+)`", row.split(" | ")[0])[0] for row in found[1].splitlines()]


def load_script(name: str) -> ModuleType:
    """A script as a module; it finds the modules beside it, as it does when it is run."""
    if str(ROOT / "scripts") not in sys.path:
        sys.path.append(str(ROOT / "scripts"))
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def generator() -> ModuleType:
    return load_script("generate_docs")


@pytest.fixture(scope="session")
def cli_page() -> str:
    return (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
