"""Python packages for an image, installed by this machine's pip, with its settings, into a folder that becomes a layer.

The image's Python need not be this machine's: only wheels are taken, and what has none is built first, if it is pure.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from agentics.archive.hostile import remove
from agentics.errors import EngineError
from agentics.sandbox.steps import Steps

_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_GLIBC = ("2_28", "2_27", "2_26", "2_24", "2_17", "2_12", "2_5")  # all that wheels are named after, up to Debian 12's
_OLD_NAMES = ("manylinux2014", "manylinux2010", "manylinux1")
_NOT_FOUND = "No matching distribution found"
_HINT = "is a package index reachable? pip's own settings count: `pip config list`, PIP_INDEX_URL, PIP_FIND_LINKS"


class Elsewhere(BaseModel):
    """Packages, each pinned, that every index packs for itself, so that no hash holds for all. `index` is asked where
    this machine's settings of pip lead to none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    packages: tuple[str, ...]
    index: str


class Python(BaseModel):
    """`version` is that of the image's Python. `requirements`: a file of wheels, `sources`: one of what has none and is
    pure Python; every package pinned with its hashes, none brings others. `leave_out`: glob patterns of what nobody
    needs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    requirements: str
    sources: str | None = None
    elsewhere: Elsewhere | None = None
    leave_out: tuple[str, ...] = ()


def install_wheels(python: Python, definition: Path, dest: Path, architecture: str, steps: Steps) -> None:
    """Fill `dest`, beside which there has to be room for as much again. Raises EngineError (image_build_failed) and
    Stopped."""
    pip = Pip(_pip(), steps, scratch=dest.parent)
    where = ("install", "--target", str(dest), "--no-deps", "--no-compile", *_platform(python.version, architecture))
    with tempfile.TemporaryDirectory(prefix="built-", dir=dest.parent) as built:
        if python.sources is not None:
            with steps.step("building the wheels of packages that have none"):
                sources = ("--require-hashes", "-r", _file(definition, python.sources))
                pip("wheel", "--no-deps", "--wheel-dir", built, *sources)
        with steps.step("installing Python packages with this machine's pip"):
            pip(*where, "--require-hashes", "-r", _file(definition, python.requirements))
            if python.elsewhere is not None:
                pip.elsewhere(python.elsewhere, where)
            if wheels := sorted(str(path) for path in Path(built).glob("*.whl")):
                pip(*where, *wheels)
    _leave_out(dest, python.leave_out)


class Pip:
    """A pip by its command. What it unpacks on the way lies in `scratch`: a /tmp in memory may be too small."""

    def __init__(self, command: Sequence[str], steps: Steps, scratch: Path) -> None:
        self._command, self._steps, self._scratch = tuple(command), steps, scratch

    def __call__(self, *words: str) -> None:
        """Raises EngineError (image_build_failed) with the end of what pip said."""
        calm = ("--disable-pip-version-check", "--no-input", "--progress-bar", "off")
        self._steps.run((*self._command, *words, *calm), env={"TMPDIR": str(self._scratch)}, hint=_HINT)

    def elsewhere(self, wanted: Elsewhere, words: Sequence[str]) -> None:
        """With this machine's own settings first: where they are enough, nobody else is asked."""
        try:
            self(*words, *wanted.packages)
        except EngineError as error:
            if _NOT_FOUND not in error.message:
                raise
            self._steps.log(f"not found where this machine's pip looks: asking {wanted.index}")
            self(*words, "--extra-index-url", wanted.index, *wanted.packages)


def _pip() -> tuple[str, ...]:
    """The pip of this environment, or of the machine where this environment has none. Raises EngineError."""
    for python in filter(None, (sys.executable, shutil.which("python3"))):
        found = subprocess.run((python, "-I", "-m", "pip", "--version"), capture_output=True, check=False)
        if found.returncode == 0:
            return (python, "-I", "-m", "pip")
    msg = "no pip was found: neither in this environment nor as `python3 -m pip`"
    raise EngineError(msg, code="pip_missing", retryable=False, hint="python3 -m ensurepip, or install pip")


def _platform(version: str, architecture: str) -> tuple[str, ...]:
    machine = _MACHINES.get(architecture, architecture)
    names = (*(f"manylinux_{glibc}_{machine}" for glibc in _GLIBC), *(f"{name}_{machine}" for name in _OLD_NAMES))
    abi = f"cp{version.replace('.', '')}"
    return (
        *("--only-binary", ":all:", "--implementation", "cp", "--python-version", version),
        *(word for tag in (abi, "abi3", "none") for word in ("--abi", tag)),
        *(word for name in (*names, "any") for word in ("--platform", name)),
    )


def _file(definition: Path, name: str) -> str:
    return str((definition / name).resolve())


def _leave_out(site: Path, patterns: Sequence[str]) -> None:
    """What a package's list of its files says of these stays: nobody uninstalls anything from an image."""
    for path in [path for pattern in patterns for path in site.glob(pattern)]:
        if path.is_dir() and not path.is_symlink():
            remove(path)
        else:
            path.unlink(missing_ok=True)
