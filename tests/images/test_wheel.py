"""What an installed agentics has of the image definitions and of the attack suite."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from agentics.sandbox.images import definitions

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The content of a wheel that was built from a copy of this tree."""
    tree, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, tree)
    for name in ("agentics", "attacks", "images"):
        shutil.copytree(ROOT / name, tree / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    build = f"from setuptools import build_meta; build_meta.build_wheel({str(out)!r})"
    subprocess.run([sys.executable, "-I", "-c", build], cwd=tree, check=True, capture_output=True)
    with zipfile.ZipFile(next(out.glob("*.whl"))) as wheel:
        wheel.extractall(out / "installed")
    return out / "installed"


def test_a_wheel_defines_the_same_images_as_the_tree(installed):
    packed = definitions(installed / "agentics" / "sandbox" / "definitions")
    assert {name: one.digest for name, one in packed.items()} == {
        name: one.digest for name, one in definitions().items()
    }


def test_a_wheel_has_the_same_attacks_as_the_tree(installed):
    packed, own = (files_of(place) for place in (installed / "agentics" / "attacks" / "cases", ROOT / "attacks"))
    assert packed == own
    assert len(packed) > 100


def files_of(folder):
    """The content of each file by its path, without what tools leave."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    shown = [path for path in paths if "__pycache__" not in path.parts and not path.parts[0].startswith(".")]
    return {path: (folder / path).read_bytes() for path in shown}
