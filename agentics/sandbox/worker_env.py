"""The worker's environment without a container: a virtual environment with what images/lighteval has, for a machine
whose GPU no container of ours can use.

A file in the directory says that it is ours, and, once all is in, from which definition: its content is the state.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from agentics.errors import EngineError, UsageError
from agentics.sandbox.images import DEFINITIONS, Definition, definitions
from agentics.sandbox.steps import Steps
from agentics.sandbox.wheels import Elsewhere, Pip, Python

IMAGE = "lighteval"
_MARK = ".agentics-worker"
_UNFINISHED = "unfinished"
_VERSIONS = ("3.11", "3.12", "3.13")  # what the locked packages have wheels for
_ASK_PYTHON = "import sys, venv, ensurepip; print(*sys.version_info[:2], sep='.')"
_ASK_WORKER = (
    "import json, torch, lighteval.pipeline; from importlib.metadata import version as v; "
    "print(json.dumps({'lighteval': v('lighteval'), 'torch': torch.__version__, 'cuda': torch.cuda.is_available()}))"
)
# Else litellm asks the network for a table of prices when it is imported.
_ALONE = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "HF_HUB_OFFLINE": "1"}


@dataclass(frozen=True, kw_only=True)
class WorkerEnv:
    """`python` is its interpreter, for `worker` under [lighteval]; `cuda`: torch finds a GPU; `made`: it was not there
    before, or not whole."""

    python: Path
    lighteval: str
    torch: str
    cuda: bool
    made: bool


def make_worker_env(
    directory: Path, python: str, steps: Steps, *, cpu: bool = False, images: Path = DEFINITIONS
) -> WorkerEnv:
    """Make the environment in `directory`, or finish or renew one of ours that is there. `cpu`: torch without CUDA.

    Raises UsageError (python_unsupported, directory_in_use) before anything is written, EngineError (worker_env_failed)
    with the end of what pip or the new environment said; the same call then goes on where it stopped.
    """
    definition = definitions(images)[IMAGE]
    kind = "cpu" if cpu else "any"
    wanted = f"{definition.digest} {kind}"
    made = _state(directory, kind) != wanted
    interpreter = directory.absolute() / "bin" / "python"
    try:
        if made:
            _check_python(python)
            _start(directory, f"{_UNFINISHED} {kind}", python, steps)
            _install(definition, interpreter, steps, cpu=cpu)
        with steps.step("importing LightEval once"):
            found = _ask_worker(interpreter)
    except EngineError as error:
        raise EngineError(error.message, code="worker_env_failed", hint=error.hint) from error
    if made:
        (directory / _MARK).write_text(wanted, encoding="utf-8")
    return replace(found, made=made)


def _state(directory: Path, kind: str) -> str | None:
    """None: nothing is there yet. Raises UsageError where something is that is not ours, or has another torch: pip
    would take the one for the other."""
    if (directory / _MARK).is_file():
        state = (directory / _MARK).read_text(encoding="utf-8")
        if not state.endswith(f" {kind}"):
            msg = f"{directory} was made {'without' if kind == 'cpu' else 'with'} --cpu"
            raise UsageError(msg, code="directory_in_use", hint="name another directory, or remove this one")
        return state
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        msg = f"{directory} is in use, and was not made by this command"
        raise UsageError(msg, code="directory_in_use", hint="name a directory that is new or empty")
    return None


def _check_python(python: str) -> None:
    try:
        asked = subprocess.run((python, "-I", "-c", _ASK_PYTHON), capture_output=True, text=True, check=False)
    except OSError as error:
        msg = f"{python} cannot be run: {error.strerror}"
        raise UsageError(msg, code="python_unsupported", hint="--python names an interpreter") from error
    if asked.returncode:
        msg = f"{python} cannot make virtual environments: {_last(asked.stderr)}"
        raise UsageError(msg, code="python_unsupported", hint="on Debian and Ubuntu: apt-get install python3-venv")
    version = asked.stdout.strip()
    if version not in _VERSIONS:
        msg = f"{python} is Python {version or 'of no version'}; the locked packages are for {', '.join(_VERSIONS)}"
        raise UsageError(msg, code="python_unsupported", hint="--python python3.12, for example")


def _start(directory: Path, state: str, python: str, steps: Steps) -> None:
    """An environment whose interpreter works is kept: what pip has put there need not be fetched again."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / _MARK).write_text(state, encoding="utf-8")
    with steps.step("making the virtual environment"):
        steps.run((python, "-I", "-m", "venv", str(directory)))


def _install(definition: Definition, interpreter: Path, steps: Steps, *, cpu: bool) -> None:
    packages = definition.python
    assert packages is not None, "images/lighteval is made of Python packages"
    pip = Pip((str(interpreter), "-I", "-m", "pip"), steps, scratch=interpreter.parent.parent)
    locked = ("install", "--no-deps", "--require-hashes", "-r")
    with steps.step("installing Python packages"):
        for name in filter(None, (packages.requirements, packages.sources)):
            pip(*locked, str((definition.directory / name).resolve()))
        pip.elsewhere(*_torch(packages, cpu=cpu))


def _torch(packages: Python, *, cpu: bool) -> tuple[Elsewhere, Sequence[str]]:
    """With CUDA it is the same version as PyPI packs it, and brings NVIDIA's packages, which it pins."""
    elsewhere = packages.elsewhere
    assert elsewhere is not None, "images/lighteval has torch from elsewhere"
    if cpu:
        return elsewhere, ("install", "--no-deps")
    public = tuple(package.partition("+")[0] for package in elsewhere.packages)
    return elsewhere.model_copy(update={"packages": public}), ("install",)


def _ask_worker(interpreter: Path) -> WorkerEnv:
    """In a directory of its own: LightEval's import leaves files in the one it finds itself in."""
    with TemporaryDirectory() as scratch:
        asked = subprocess.run(
            (str(interpreter), "-I", "-c", _ASK_WORKER),
            cwd=scratch,
            env={**os.environ, **_ALONE},
            capture_output=True,
            text=True,
            check=False,
        )
    if asked.returncode:
        msg = f"{interpreter} cannot import LightEval: {_last(asked.stderr)}"
        raise EngineError(msg, hint="remove the directory and make it anew")
    return WorkerEnv(python=interpreter, made=False, **json.loads(_last(asked.stdout)))


def _last(said: str) -> str:
    return (said.strip().splitlines() or ["it says nothing"])[-1]
