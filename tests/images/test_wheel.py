"""What an installed agentics has of the image definitions."""

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
    for name in ("agentics", "images"):
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
