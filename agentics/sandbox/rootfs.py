"""A root directory made of Debian packages, as one tar, with no image registry: by mmdebstrap on this machine where
that can be, else by the same mmdebstrap in a Debian container. It alone may run apt-get and mmdebstrap.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from agentics.sandbox.steps import run, step

MIRROR_VARIABLE = "AGENTICS_DEBIAN_MIRROR"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class Rootfs(BaseModel):
    """Packages of a Debian suite without recommendations. `customize` is a script of the definition that gets the new
    root directory as its argument; `leave_out` and `keep` are dpkg's path patterns; `settings` Dockerfile instructions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    suite: str
    packages: tuple[str, ...]
    customize: str
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

    def run_rootfs_builder(self, job: BuilderJob, output: Path, log: Callable[[str], None]) -> None:
        """Bring `job.output` to `output`. Raises EngineError when the job does not end well."""


def make_rootfs(engine: BuilderEngine, recipe: Rootfs, directory: Path, tar: Path, log: Callable[[str], None]) -> None:
    """Write the root directory of that recipe to `tar`. Raises EngineError."""
    if _can_make_here(engine.architecture()):
        _install_mmdebstrap(log)
        _run(
            command(recipe, customize=directory / recipe.customize, tar=tar, mirror=os.environ.get(MIRROR_VARIABLE)),
            log,
        )
        return
    log(f"no root, no apt-get or another architecture than the engine's: using a container of {job_image(recipe)}")
    with step(log, "making a root directory"):
        engine.run_rootfs_builder(job(recipe, directory, mirror=os.environ.get(MIRROR_VARIABLE)), tar, log)


def command(recipe: Rootfs, *, customize: Path, tar: Path, mirror: str | None) -> tuple[str, ...]:
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
        f'--customize-hook=sh {shlex.quote(str(customize))} "$1"',
        recipe.suite,
        str(tar),
        *(_sources(recipe.suite, mirror.rstrip("/")) if mirror else ()),
    )


def job_image(recipe: Rootfs) -> str:
    return f"debian:{recipe.suite}"


def job(recipe: Rootfs, directory: Path, *, mirror: str | None) -> BuilderJob:
    """The same in a container."""
    made = command(recipe, customize=Path("/inputs") / recipe.customize, tar=Path("/rootfs.tar"), mirror=mirror)
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


def _install_mmdebstrap(log: Callable[[str], None]) -> None:
    if shutil.which("mmdebstrap"):
        return
    log("installing mmdebstrap with apt-get: it makes the base image")
    _run(("apt-get", "update", "-qq"), log)
    quiet = ("-y", "-qq", "-o", "Dpkg::Use-Pty=0", "--no-install-recommends")
    _run(("apt-get", "install", *quiet, "mmdebstrap", "debian-archive-keyring"), log)


def _run(argv: Sequence[str], log: Callable[[str], None]) -> None:
    hint = f"is the Debian archive reachable? {MIRROR_VARIABLE} names a mirror"
    run(argv, log, env={"DEBIAN_FRONTEND": "noninteractive"}, hint=hint)
