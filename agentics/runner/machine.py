"""This machine: where scratch space is, and the engine that is here. Its client is imported only when asked."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentics.config import EVALUATOR_UID, Config
from agentics.errors import ConfigError, EngineMissing, StorageError
from agentics.model.evidence.trial_evidence import UserMode
from agentics.sandbox import places, uids
from agentics.sandbox.engine import Container, Engine, EngineFacts, Image, Link, Linked, Running
from agentics.sandbox.image_building import BuildFolders
from agentics.sandbox.images import ImageStore
from agentics.sandbox.places import Scratch
from agentics.sandbox.settings import EngineSettings
from agentics.sandbox.setups import RemovedSetups, SetupStore
from agentics.sandbox.uids import Uids

if TYPE_CHECKING:
    from agentics.sandbox.docker.engine import DockerEngine


def cache_dir() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "agentics"


def scratch_root(config: Config) -> Path:
    """Where places are made: the operator's choice, or a directory that says nothing but our name."""
    if config.sandbox.scratch is not None:
        return config.sandbox.scratch
    if platform.system() == "Linux":
        return Path(f"/var/tmp/agentics-{os.geteuid()}")  # noqa: S108 - 0700, and survives a reboot for the reaper
    return cache_dir() / "scratch"


def setup_store(config: Config, scratch: Scratch, *, fresh: bool = False) -> SetupStore:
    """What challenge setups left on this machine. `fresh`: earlier products are replaced, and not used."""
    return SetupStore(
        scratch_root=scratch_root(config), scratch=scratch, keep_bytes=config.setup.keep_bytes, fresh=fresh
    )


@contextmanager
def open_scratch(config: Config) -> Iterator[Scratch]:
    """Raises ConfigError when there can be no scratch space there."""
    root = scratch_root(config)
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        msg = f"{root}: {error.strerror}"
        raise ConfigError(msg, hint="set [sandbox] scratch in agentics.toml") from error
    with Scratch(root, config.sandbox.places) as scratch:
        yield scratch


class NoEngine:
    """Where nothing runs in containers: an engine that has none."""

    def facts(self) -> EngineFacts:
        return EngineFacts(
            name="none",
            version="",
            api_version="",
            host_platform=f"{platform.system().lower()}/{platform.machine()}",
            cgroup_version="",
            cgroup_driver="",
            rootless=False,
            seccomp=False,
            cpus=os.cpu_count() or 1,
            memory_bytes=0,
            kernel=platform.release(),
            shares_files=True,
            shares_pipes=True,
            measures_usage=False,
        )

    def image_store(self) -> ImageStore:
        raise _no_engine()

    def image(self, reference: str, platform: str | None) -> Image:  # noqa: ARG002 - as the protocol has it
        raise _no_engine()

    def start(self, container: Container, *, gated: bool = False) -> Running:  # noqa: ARG002 - as the protocol has it
        raise _no_engine()

    def run_linked(self, solution: Container, evaluator: Container, link: Link) -> Linked:  # noqa: ARG002 - as above
        raise _no_engine()

    def pause(self, labels: Mapping[str, str]) -> int:  # noqa: ARG002 - as the protocol has it
        return 0

    def unpause(self, labels: Mapping[str, str]) -> int:  # noqa: ARG002 - as the protocol has it
        return 0

    def remove(self, labels: Mapping[str, str]) -> int:  # noqa: ARG002 - as the protocol has it
        return 0

    def live(self) -> frozenset[str]:
        return frozenset()

    def reap(self, *, everything: bool = False) -> int:  # noqa: ARG002 - as the protocol has it
        return 0


def _no_engine() -> EngineMissing:
    return EngineMissing("nothing of this run was to need a container engine")


@contextmanager
def open_engine(config: Config, scratch: Scratch) -> Iterator[DockerEngine]:
    """Raises EngineMissing. Waits, when closing, until everything that was being removed is gone."""
    from agentics.sandbox.docker.engine import connect  # noqa: PLC0415 - requests and docker-py cost 0.2 s to import

    settings = EngineSettings(cache=cache_dir())
    engine = connect(config.sandbox.engine, scratch=scratch.plain(), settings=settings)
    try:
        yield engine
    finally:
        engine.close()


def user_mode(facts: EngineFacts) -> UserMode:
    """As root, participants and evaluators get users of their own. Otherwise what containers write must stay ours to
    read and to remove: then they run as we do, which a rootless engine calls 0."""
    if facts.rootless:
        return "namespace"
    return "own" if os.geteuid() == 0 else "operator"


def evaluator_uid(facts: EngineFacts) -> int:
    """Who runs what is the challenge's or the operator's."""
    return {"namespace": 0, "own": EVALUATOR_UID, "operator": os.geteuid()}[user_mode(facts)]


def solution_uids(config: Config, facts: EngineFacts) -> Uids:
    """Who may run what is a participant's."""
    if user_mode(facts) == "own":
        return Uids(numbers=config.sandbox.uid_range, locks=scratch_root(config))
    only = evaluator_uid(facts)
    return Uids(numbers=range(only, only + 1), locks=None)


@contextmanager
def open_images(config: Config) -> Iterator[ImageStore]:
    """The engine's images. Raises EngineMissing."""
    from agentics.sandbox.docker.engine import connect_api  # noqa: PLC0415 - as above
    from agentics.sandbox.docker_images import DockerImages  # noqa: PLC0415

    with connect_api(config.sandbox.engine) as api:
        yield DockerImages(api.client)


def labelled(config: Config, labels: Mapping[str, str]) -> list[str]:
    """The containers of the engine that have these labels, each as `<id> <state>`. Raises EngineError."""
    from agentics.sandbox.docker.engine import connect_api  # noqa: PLC0415 - as above

    with connect_api(config.sandbox.engine) as api:
        return [f"{one['Id']} {one['State']}" for one in api.containers(dict(labels))]


def build_folders(scratch: Scratch) -> BuildFolders:
    """Where this machine makes images. What a build leaves goes with the scratch space."""
    return BuildFolders(scratch=scratch.plain(), locks=cache_dir() / "images")


def clean_setups(config: Config) -> RemovedSetups:
    """Remove what is kept of challenge setups and not in use. Needs no engine. Raises ConfigError, and StorageError
    when the store cannot be read."""
    with open_scratch(config) as scratch:
        store = setup_store(config, scratch)
        try:
            return store.remove_all()
        except OSError as error:
            msg = f"{store.root}: {error.strerror}"
            raise StorageError(msg, hint="its owner can remove it") from error


@dataclass(frozen=True, kw_only=True)
class Cleaned:
    """How many containers and scratch directories were removed, and the directories that cannot be."""

    containers: int
    scratch_directories: int
    left: tuple[Path, ...]


def clean(config: Config, *, everything: bool) -> Cleaned:
    """Remove what dead processes left, scratch directories that were set aside included. `everything`: containers of
    living processes too. Raises EngineMissing."""
    with open_scratch(config) as scratch, open_engine(config, scratch) as engine:
        containers, count = reap(config, engine, everything=everything)
        root = scratch_root(config)
        count += places.retry(root)
        return Cleaned(containers=containers, scratch_directories=count, left=tuple(places.set_aside(root)))


def reap(config: Config, engine: Engine, *, everything: bool = False) -> tuple[int, int]:
    """Remove what dead processes left: how many containers and scratch directories. Raises EngineError.

    Containers go first: one that still runs would write to the scratch directory that is being removed.
    """
    containers = engine.reap(everything=everything)
    uids.reap(scratch_root(config))
    return containers, places.reap(scratch_root(config))
