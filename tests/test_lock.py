"""What set-up installs is what the project asks for, and says nothing about where it was fetched."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8")
RUN_LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
LOCKED = {
    canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", LOCK, re.MULTILINE)
}


def test_every_dependency_is_locked_at_a_version_that_it_allows():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [Requirement(text) for text in project["dependencies"] + project["optional-dependencies"]["dev"]]
    assert [str(one) for one in asked if LOCKED.get(canonicalize_name(one.name), "") not in one.specifier] == []


def test_what_evaluating_needs_is_a_part_of_what_development_needs_at_the_same_versions():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    blocks = {block.split(" ")[0]: block for block in blocks_of(RUN_LOCK)}
    assert {pin: set(hashes(block)) for pin, block in blocks.items()} == {
        block.split(" ")[0]: set(hashes(block)) for block in blocks_of(LOCK) if block.split(" ")[0] in blocks
    }
    names = {canonicalize_name(pin.partition("==")[0]) for pin in blocks}
    assert {canonicalize_name(Requirement(text).name) for text in project["dependencies"]} < names
    assert "setuptools" in names


def blocks_of(lock):
    return [block for block in re.split(r"^(?=\S)", lock, flags=re.MULTILINE) if "==" in block]


def hashes(block):
    return re.findall(r"--hash=(\S+)", block)


def test_every_locked_version_has_a_hash():
    assert all("--hash=sha256:" in block for block in blocks_of(LOCK) + blocks_of(RUN_LOCK))
    assert len(LOCKED) > 20


def test_the_lock_names_no_index():
    assert not re.search(r"https?://|file:|--(extra-)?index-url|--find-links|@ ", LOCK + RUN_LOCK)
