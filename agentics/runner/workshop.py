"""What all trials of a run share: the engine, scratch space, staged bundles, and how to be told to stop."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib import resources
from pathlib import Path
from typing import Any

from agentics.bundle import assemble
from agentics.config import Config
from agentics.model.record import Ids, Mode
from agentics.pipeline.bench import Users
from agentics.policy.setups import SeenChallenge
from agentics.rundir.held import Run
from agentics.runner.campaign import Campaign, Task
from agentics.runner.events import Emitter
from agentics.runner.floor import Floor
from agentics.runner.hosts import ALL_GPUS, Containers, Processes
from agentics.runner.images import Images, ready
from agentics.runner.job import mounts_of
from agentics.runner.machine import NoEngine, open_engine, open_scratch, setup_store, users
from agentics.runner.progress import Observer, Progress
from agentics.runner.signals import Stop
from agentics.runner.slotted import Slotted
from agentics.runner.workers import Hosts, Workers
from agentics.sandbox.engine import Engine
from agentics.sandbox.fingerprint import content
from agentics.sandbox.labels import OWNER, RUN, this_process
from agentics.sandbox.places import Scratch
from agentics.sandbox.sealing import seal
from agentics.sandbox.setups import SetupStore


@dataclass(kw_only=True)
class Workshop:
    """Open for one invocation. `staged` keeps each task's bundle once, however many variants are tried on it.
    `setups`: None where nothing is kept of challenge setups."""

    campaign: Campaign
    run: Run
    engine: Engine
    scratch: Scratch
    users: Users
    config: Config
    mode: Mode
    observer: Observer
    events: Emitter
    stop: Stop
    floor: Floor
    guest: Path
    jobs: int | None
    overrides: tuple[tuple[str, str], ...]
    labels: dict[str, str]
    workers: Workers
    setups: SetupStore | None
    bundles: dict[tuple[str, int], Path] = field(default_factory=dict)
    tree_digests: dict[Path, str] = field(default_factory=dict)
    staging: threading.Lock = field(default_factory=threading.Lock)

    def staged(self, task: Task, uid: int) -> Path:
        """The bundle as its evaluator sees it: overlaid in official mode, public only otherwise, readable by that user
        alone. Raises InvalidDocument when an overlay does not fit."""
        with self.staging:
            if (task.ref, uid) not in self.bundles:
                dest = self.scratch.plain()
                assemble(task.bundle, task.overlays, dest, self.mode)
                seal(dest, uid)
                self.bundles[task.ref, uid] = dest
            return self.bundles[task.ref, uid]

    def seen_challenge(self, task: Task, uid: int) -> SeenChallenge:
        """What a setup of that task finds at /challenge. Raises as `staged` does, and OSError."""
        root = self.staged(task, uid)
        with self.staging:
            if root not in self.tree_digests:
                # Digests of bundles leave modes out, and a setup may run or copy what it finds.
                self.tree_digests[root] = content(root, times=False)
            digest = self.tree_digests[root]
        return SeenChallenge(bundle_digest=task.bundle_digest, overlay_digests=task.overlay_digests, tree_digest=digest)

    @property
    def network_digest(self) -> str:
        """A digest of what the operator sets for containers with a network; empty where that is nothing."""
        return ""

    def images(self, trial: Slotted) -> Images:
        """Raises EngineError when an image cannot be had."""
        return ready(trial.plan, self.config, self.engine, self.overrides)

    def is_undisturbed(self, task: Task) -> bool:
        name = task.bundle.challenge.challenge_name
        return any(fnmatchcase(name, pattern) for pattern in self.config.cases.undisturbed)

    def tell(self, kind: Any, trial: Slotted, ids: Ids, **facts: Any) -> None:  # noqa: ANN401 - by kind
        self.observer(trial.progress(kind, trial_id=ids.trial_id, **facts))


@contextmanager
def open_workshop(campaign: Campaign, run: Run, observer: Observer, events: Emitter, stop: Stop) -> Iterator[Workshop]:
    """Raises EngineMissing and EngineError. Removes what dead runs left on this host before anything is started."""
    config = campaign.config
    with ExitStack() as stack:
        scratch = stack.enter_context(open_scratch(config))
        engine = stack.enter_context(open_engine(config, scratch)) if needs_engine(campaign) else NoEngine()
        engine.reap()
        labels = {RUN: run.run_id, OWNER: this_process().label()}
        workers = Workers(
            hosts=_hosts(campaign, engine, scratch, labels),
            mounts=mounts_of(campaign.models),
            tell=lambda text: observer(Progress(kind="note", facts={"text": text})),
        )
        stack.callback(workers.close)
        yield Workshop(
            campaign=campaign,
            run=run,
            engine=engine,
            scratch=scratch,
            users=users(engine.facts()),
            config=config,
            mode=campaign.request.mode,
            observer=observer,
            events=events,
            stop=stop,
            floor=Floor(engine, labels, stop.event),
            guest=_guest(scratch),
            jobs=campaign.request.jobs or config.cases.jobs,
            overrides=campaign.request.images,
            labels=labels,
            workers=workers,
            setups=setup_store(config, scratch, fresh=campaign.request.fresh_setup) if config.setup.reuse else None,
        )


def needs_engine(campaign: Campaign) -> bool:
    """Whether anything runs in a container: workers may be processes of this machine."""
    return bool(campaign.solutions) or not campaign.config.lighteval.is_local


def _hosts(campaign: Campaign, engine: Engine, scratch: Scratch, labels: dict[str, str]) -> Hosts:
    config = campaign.config
    if config.lighteval.is_local:
        return Processes(python=Path(config.lighteval.worker), scratch=scratch)

    def image() -> str:
        found = ready(campaign.models[0].plan, config, engine, campaign.request.images)
        return found["worker"].use.id

    facts = engine.facts()
    uid = users(facts).evaluator
    return Containers(
        engine=engine, scratch=scratch, image=image, uid=uid, labels=labels, gpus=ALL_GPUS if facts.gpus else 0
    )


def _guest(scratch: Scratch) -> Path:
    """The scripts that run inside coexecuted containers, at a path that tells nothing."""
    dest = scratch.plain()
    for item in resources.files("agentics.sandbox.guest").iterdir():
        if item.name.endswith(".py") and item.name != "__init__.py":
            (dest / item.name).write_bytes(item.read_bytes())
            (dest / item.name).chmod(0o555)
    dest.chmod(0o755)
    return dest
