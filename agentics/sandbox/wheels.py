"""Python packages for an image, installed by this machine's pip into a folder that becomes a layer.

The image's Python need not be this machine's: only wheels are taken, and what has none is built first, if it is pure.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from agentics.errors import EngineError

Log = Callable[[str], None]

_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_GLIBC = ("2_28", "2_17", "2_12", "2_5")
_OLD_NAMES = ("manylinux2014", "manylinux2010", "manylinux1")
_TAIL_LINES = 15
_NOT_FOUND = "No matching distribution found"


class Python(BaseModel):
    """`version` is that of the image's Python; `requirements` a file of pinned wheels, `sources` one of what has none.
    `index` is tried as well where this machine's own settings of pip do not lead to all of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    requirements: str
    sources: str | None = None
    index: str | None = None


def install_wheels(python: Python, definition: Path, dest: Path, architecture: str, log: Log) -> None:
    """Fill `dest`. Raises EngineError (image_build_failed) with the end of what pip said."""
    with tempfile.TemporaryDirectory(prefix="agentics-wheels-") as built:
        if python.sources is not None:
            log("building the wheels of packages that have none")
            sources = ("-r", str(definition / python.sources))
            _pip(("wheel", "--no-deps", "--wheel-dir", built, *sources), python.index)
        log("installing Python packages with this machine's pip; some hundred MB are downloaded unless pip has them")
        where = ("--target", str(dest), "--no-deps", "--no-compile", *_platform(python.version, architecture))
        _pip(("install", *where, "-r", str(definition / python.requirements)), python.index)
        wheels = sorted(str(path) for path in Path(built).glob("*.whl"))
        if wheels:
            _pip(("install", *where, *wheels), None)


def pip() -> tuple[str, ...]:
    """The pip of this environment, or of the machine where this environment has none. Raises EngineError."""
    for python in (sys.executable, "python3"):
        found = subprocess.run((python, "-m", "pip", "--version"), capture_output=True, check=False)
        if found.returncode == 0:
            return (python, "-m", "pip")
    msg = "no pip was found: neither in this environment nor as `python3 -m pip`"
    raise EngineError(msg, code="image_build_failed", retryable=False, hint="python3 -m ensurepip, or install pip")


def _platform(version: str, architecture: str) -> tuple[str, ...]:
    machine = _MACHINES.get(architecture, architecture)
    names = (*(f"manylinux_{glibc}_{machine}" for glibc in _GLIBC), *(f"{name}_{machine}" for name in _OLD_NAMES))
    abi = f"cp{version.replace('.', '')}"
    return (
        *("--only-binary", ":all:", "--implementation", "cp", "--python-version", version),
        *(word for tag in (abi, "abi3", "none") for word in ("--abi", tag)),
        *(word for name in (*names, "any") for word in ("--platform", name)),
    )


def _pip(words: Sequence[str], index: str | None) -> None:
    """With this machine's own settings first: where they are enough, nobody else is asked."""
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input")
    said = _run((*pip(), *words, *quiet))
    if said is not None and _NOT_FOUND in said and index is not None:
        said = _run((*pip(), *words, *quiet, "--extra-index-url", index))
    if said is not None:
        tail = "\n".join(said.splitlines()[-_TAIL_LINES:])
        msg = f"pip {words[0]} failed:\n{tail}"
        raise EngineError(msg, code="image_build_failed")


def _run(argv: Sequence[str]) -> str | None:
    """What it said on stderr if it failed; None if it did not."""
    ended = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return ended.stderr if ended.returncode else None
