"""A root directory made of Debian packages, as one tar, with no image registry: by mmdebstrap on this machine where
that can be, else by the same mmdebstrap in a Debian container. It alone may run apt-get and mmdebstrap.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from agentics.sandbox.steps import StepLog, Steps

MIRROR_VARIABLE = "AGENTICS_DEBIAN_MIRROR"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# Its mounts and processes go with it, however it ends, and it goes with the process that started it.
_CONTAINED = (
    *("setpriv", "--pdeathsig", "KILL"),
    *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
)
_TOLD = "I: "  # how mmdebstrap marks the lines that say what it is doing


class Rootfs(BaseModel):
    """Packages of a Debian suite without recommendations. `customize`: scripts, each given the new root directory as
    its argument; paths are relative to the folder of all definitions. `leave_out` and `keep` are dpkg's path patterns;
    `settings` Dockerfile instructions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    suite: str
    packages: tuple[str, ...]
    customize: tuple[str, ...]
    leave_out: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class BuilderJob:
    """Run `argv` as root in a container of `image`, with `inputs` under /inputs and a network; it writes `output`."""

    image: str
    argv: tuple[str, ...]
    inputs: Path
    output: str
    env: Mapping[str, str] = field(default_factory=dict)


class BuilderEngine(Protocol):
    """What is asked of an engine where mmdebstrap has to run in a container."""

    def architecture(self) -> str:
        """As Debian calls it: amd64, arm64."""

    def run_rootfs_builder(self, job: BuilderJob, output: Path, steps: Steps) -> None:
        """Bring `job.output` to `output`. Raises EngineError when the job does not end well, and Stopped."""


def make_rootfs(engine: BuilderEngine, recipe: Rootfs, directory: Path, tar: Path, steps: Steps) -> None:
    """Write the root directory of that recipe to `tar`, beside which there has to be room for twice as much. The
    scripts of the recipe are below `directory`. Raises EngineError and Stopped."""
    mirror = os.environ.get(MIRROR_VARIABLE)
    with steps.step("making a root directory of Debian packages"):
        if _can_make_here(engine.architecture()):
            _install_mmdebstrap(steps)
            words = command(recipe, directory=directory, tar=tar, mirror=mirror)
            _run((*_CONTAINED, *words), replace(steps, output=_with_news(steps)), scratch=tar.parent)
            return
        steps.log(f"no root, no apt-get or another architecture than the engine's: using {job_image(recipe)}")
        engine.run_rootfs_builder(job(recipe, directory, mirror=mirror), tar, steps)


def command(recipe: Rootfs, *, directory: Path, tar: Path, mirror: str | None) -> tuple[str, ...]:
    """The same on a host and in a container. `mirror` is where a whole Debian mirror lies (…/debian); its security
    archive is expected beside it (…/debian-security). None: Debian's own.
    """
    return (
        "mmdebstrap",
        "--variant=minbase",
        f"--include={','.join(recipe.packages)}",
        '--aptopt=APT::Install-Recommends "false"',
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in recipe.leave_out),
        *(f"--dpkgopt=path-include={pattern}" for pattern in recipe.keep),
        *(f'--customize-hook=sh {shlex.quote(str(directory / script))} "$1"' for script in recipe.customize),
        recipe.suite,
        str(tar),
        *(_sources(recipe.suite, mirror.rstrip("/")) if mirror else ()),
    )


def job_image(recipe: Rootfs) -> str:
    return f"debian:{recipe.suite}"


def job(recipe: Rootfs, directory: Path, *, mirror: str | None) -> BuilderJob:
    """The same in a container."""
    made = command(recipe, directory=Path("/inputs"), tar=Path("/rootfs.tar"), mirror=mirror)
    script = (
        "set -eu; apt-get update -q; apt-get install -yq --no-install-recommends mmdebstrap; "
        # An ordinary container may not mount; mmdebstrap then goes without /proc and /sys, which these packages can.
        f"exec {shlex.join((made[0], '--mode=root', '--skip=check/canmount', *made[1:]))}"
    )
    return BuilderJob(
        image=job_image(recipe),
        argv=("sh", "-c", script),
        inputs=directory,
        output="/rootfs.tar",
        env={"DEBIAN_FRONTEND": "noninteractive"},
    )


def _sources(suite: str, mirror: str) -> tuple[str, ...]:
    return (
        f"deb {mirror} {suite} main",
        f"deb {mirror} {suite}-updates main",
        f"deb {mirror}-security {suite}-security main",
    )


def _can_make_here(engine_architecture: str) -> bool:
    return (
        os.geteuid() == 0
        and shutil.which("apt-get") is not None
        and _ARCHITECTURES.get(platform.machine()) == engine_architecture
    )


def _install_mmdebstrap(steps: Steps) -> None:
    if shutil.which("mmdebstrap"):
        return
    steps.log("installing mmdebstrap with apt-get: it makes the root directory")
    _run(("apt-get", "update", "-qq"), steps)
    quiet = ("-y", "-qq", "-o", "Dpkg::Use-Pty=0", "--no-install-recommends")
    _run(("apt-get", "install", *quiet, "mmdebstrap", "debian-archive-keyring"), steps)


def _with_news(steps: Steps) -> StepLog:
    """Takes the lines of mmdebstrap: those that say what it is doing are news, and others output."""

    def tell(line: str) -> None:
        if line.startswith(_TOLD):
            steps.log(line.removeprefix(_TOLD))
        else:
            steps.output(line)

    return tell


def _run(argv: tuple[str, ...], steps: Steps, scratch: Path | None = None) -> None:
    hint = f"is the Debian archive reachable? {MIRROR_VARIABLE} names a mirror"
    where = {"TMPDIR": str(scratch)} if scratch else {}
    steps.run(argv, env={"DEBIAN_FRONTEND": "noninteractive", **where}, hint=hint)
