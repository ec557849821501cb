"""What all trials of a run share: the engine, scratch space, staged bundles, and how to be told to stop."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import Any

from agentics.archive.tree import DIRECTORY_MODE, file_mode
from agentics.bundle import assemble
from agentics.config import Config, runtime_of
from agentics.content import digest_of
from agentics.control.active_attempts import ActiveAttempts
from agentics.control.signals import StopSignal
from agentics.errors import EngineError
from agentics.model.document.record import Ids, Mode
from agentics.model_worker.launch import ALL_GPUS, ROLE, ContainerLauncher, ProcessLauncher
from agentics.model_worker.pool import WorkerLauncher, WorkerPool
from agentics.pipeline.attempt_tools import Users
from agentics.pipeline.progress import Observer, Progress
from agentics.pipeline.stdout import printed_to
from agentics.policy.bundle.setups import ChallengeDigests
from agentics.policy.network import stages_with_network
from agentics.policy.publish.redact import Redactor
from agentics.request.campaign import Campaign, PlannedTask
from agentics.request.job import mounts_of
from agentics.request.planned_trial import PlannedTrial
from agentics.request.redaction import redactor_of
from agentics.request.trial_images import ReadyImages, ready, used
from agentics.rundir.files.atomic import storing
from agentics.rundir.open_run import OpenRun
from agentics.runner.image_builds import ImageBuilds, image_builds
from agentics.runner.machine import (
    NoEngine,
    evaluator_uid,
    open_engine,
    open_scratch,
    reap,
    setup_store,
    solution_uids,
    user_mode,
)
from agentics.runner.run_events import EventEmitter
from agentics.runner.runtimes import check_runtimes
from agentics.sandbox.engine import Engine
from agentics.sandbox.fingerprint import content
from agentics.sandbox.labels import OWNER, RUN, this_process
from agentics.sandbox.network import NetworkAccess, host_environment, open_network
from agentics.sandbox.places import Scratch
from agentics.sandbox.sealing import seal
from agentics.sandbox.setups import SetupStore
from agentics.sandbox.uids import Uids

_APART_UIDS = range(20_000, 60_000)  # within what a rootless engine maps


@dataclass(kw_only=True)
class RunResources:
    """Open for one invocation. `staged` keeps each task's bundle once, however many variants are tried on it.
    `setups`: None where nothing is kept of challenge setups."""

    campaign: Campaign
    run: OpenRun
    engine: Engine
    scratch: Scratch
    uids: Uids
    config: Config
    mode: Mode
    observer: Observer
    events: EventEmitter
    stop: StopSignal
    active_attempts: ActiveAttempts
    guest: Path
    jobs: int | None
    overrides: tuple[tuple[str, str], ...]
    labels: dict[str, str]
    workers: WorkerPool
    builds: ImageBuilds
    network: NetworkAccess | None
    setups: SetupStore | None
    bundles: dict[tuple[str, int], Path] = field(default_factory=dict)
    tree_digests: dict[Path, str] = field(default_factory=dict)
    staging: threading.Lock = field(default_factory=threading.Lock)
    load_doubted: threading.Event = field(default_factory=threading.Event)

    def users(self, uid: int) -> Users:
        """The users of an attempt whose solution is `uid`."""
        facts = self.engine.facts()
        evaluator = evaluator_uid(facts)
        # Also where all that we lay out must be ours: inside of one container two users can be told apart.
        apart = uid if uid != evaluator else secrets.choice(_APART_UIDS)
        return Users(solution=uid, evaluator=evaluator, apart=apart, mode=user_mode(facts))

    def staged(self, task: PlannedTask, uid: int) -> Path:
        """The bundle as its evaluator sees it: overlaid in official mode, public only otherwise, readable by that user
        alone. Raises InvalidDocument when an overlay does not fit."""
        with self.staging:
            if (task.ref, uid) not in self.bundles:
                dest = self.scratch.plain()
                assemble(task.bundle, task.overlays, dest, self.mode)
                seal(dest, uid)
                self.bundles[task.ref, uid] = dest
            return self.bundles[task.ref, uid]

    def challenge_digests(self, task: PlannedTask, uid: int) -> ChallengeDigests:
        """What a setup of that task finds at /challenge. Raises as `staged` does, and OSError."""
        root = self.staged(task, uid)
        with self.staging:
            if root not in self.tree_digests:
                # Digests of bundles leave modes out, and a setup may run or copy what it finds.
                self.tree_digests[root] = content(root, times=False)
            digest = self.tree_digests[root]
        return ChallengeDigests(
            bundle_digest=task.bundle_digest, overlay_digests=task.overlay_digests, tree_digest=digest
        )

    @property
    def network_digest(self) -> str:
        """A digest of what the operator sets for containers with a network; empty where they get none."""
        return digest_of(self.network.use.model_dump(mode="json")) if self.network is not None else ""

    def images(self, trial: PlannedTrial, *, build: bool = True) -> ReadyImages:
        """`build`: make those of our own images that the engine lacks.

        Raises EngineError when an image cannot be had, and Stopped when the run was asked to stop meanwhile."""
        if build:
            self.builds.ensure(used(trial.plan, self.config, self.overrides))
        return ready(trial.plan, self.config, self.engine, self.overrides)

    def is_undisturbed(self, task: PlannedTask) -> bool:
        name = task.bundle.challenge.challenge_name
        return any(fnmatchcase(name, pattern) for pattern in self.config.cases.undisturbed)

    def doubt(self, trial: PlannedTrial, ids: Ids, attempt: int, why: str) -> None:
        """Tell programs that the machine was too busy for what an attempt measured; tell people so once in a run."""
        self.events.emit("load_doubtful", trial_id=ids.trial_id, attempt=attempt)
        with self.staging:
            first = not self.load_doubted.is_set()
            self.load_doubted.set()
        if first:
            self.tell("load_doubtful", trial, ids, text=why)

    def tell(self, kind: Any, trial: PlannedTrial, ids: Ids, **facts: Any) -> None:  # noqa: ANN401 - by kind
        self.observer(trial.progress(kind, trial_id=ids.trial_id, **facts))


@contextmanager
def open_resources(
    campaign: Campaign,
    run: OpenRun,
    observer: Observer,
    events: EventEmitter,
    stop: StopSignal,
    attempts: ActiveAttempts,
) -> Iterator[RunResources]:
    """What the trials of a run share. `attempts` get the engine that is opened here. What dead runs left on this host
    is removed before anything is started.

    Raises EngineMissing and EngineError."""
    config = campaign.config
    run.redactor = redactor_of(campaign)  # also of what has no invocation of its own: forks, replays and regrades
    with ExitStack() as stack:
        with storing(run.layout.stage_log):
            run.layout.runtime.mkdir(exist_ok=True)  # a run that is thrown away has none
            stack.enter_context(printed_to(run.layout.stage_log))
        scratch = stack.enter_context(open_scratch(config))
        engine = stack.enter_context(open_engine(config, scratch)) if needs_engine(campaign) else NoEngine()
        removed = reap(config, engine)
        if run.unfinished or any(removed):
            # The engine may still be carrying out a request of a dead process, and make a container after that look.
            stack.callback(_reap_again, config, engine)
        check_runtimes((trial.plan for trial in campaign.trials), config, engine.facts())
        attempts.engine = engine
        network = open_network(config, scratch) if needs_network(campaign) else None
        workers = _worker_pool(campaign, run, observer, attempts, scratch, network)
        stack.callback(workers.close)
        yield RunResources(
            campaign=campaign,
            run=run,
            engine=engine,
            scratch=scratch,
            uids=solution_uids(config, engine.facts()),
            config=config,
            mode=campaign.request.mode,
            observer=observer,
            events=events,
            stop=stop,
            active_attempts=attempts,
            guest=_guest(scratch),
            jobs=campaign.request.jobs or config.cases.jobs,
            overrides=campaign.request.images,
            labels=dict(attempts.labels),
            workers=workers,
            builds=image_builds(engine, scratch, stop.event, observer),
            network=network,
            setups=setup_store(config, scratch, fresh=campaign.request.fresh_setup) if config.setup.reuse else None,
        )


def attempts_without_engine(run: OpenRun, stop: StopSignal) -> ActiveAttempts:
    """For a process that is about to work on this run and has no engine yet."""
    return ActiveAttempts(NoEngine(), {RUN: run.run_id, OWNER: this_process().label()}, stop.event)


def _reap_again(config: Config, engine: Engine) -> None:
    with suppress(EngineError):
        reap(config, engine)


def needs_engine(campaign: Campaign) -> bool:
    """Whether anything runs in a container: workers may be processes of this machine."""
    return bool(campaign.solutions) or not campaign.config.lighteval.is_local


def needs_network(campaign: Campaign) -> bool:
    """Whether a container of any trial declares network."""
    return any(stages_with_network(trial.plan) for trial in campaign.trials)


def _worker_pool(
    campaign: Campaign,
    run: OpenRun,
    observer: Observer,
    attempts: ActiveAttempts,
    scratch: Scratch,
    network: NetworkAccess | None,
) -> WorkerPool:
    return WorkerPool(
        hosts=_worker_launcher(campaign, run.redactor, attempts, scratch, network),
        mounts=mounts_of(campaign.models),
        limits=campaign.config.lighteval.limits,
        tell=lambda text: observer(Progress(kind="note", facts={"text": text})),
    )


def _worker_launcher(
    campaign: Campaign, redactor: Redactor, attempts: ActiveAttempts, scratch: Scratch, network: NetworkAccess | None
) -> WorkerLauncher:
    config = campaign.config
    if config.lighteval.is_local:
        python, uses_hub = Path(config.lighteval.worker), any(job.checked.hub for job in campaign.jobs)
        given = host_environment(config) if uses_hub else {}
        return ProcessLauncher(python=python, scratch=scratch, redactor=redactor, network=given)

    engine = attempts.engine

    def image() -> str:
        found = ready(campaign.models[0].plan, config, engine, campaign.request.images)
        return found["worker"].use.id

    facts = engine.facts()
    return ContainerLauncher(
        engine=engine,
        scratch=scratch,
        image=image,
        uid=evaluator_uid(facts),
        labels=dict(attempts.labels),
        gpus=ALL_GPUS if facts.gpus else 0,
        network=network,
        runtime=runtime_of(config, campaign.models[0].plan.target, ROLE) if campaign.models else None,
        redactor=redactor,
    )


def _guest(scratch: Scratch) -> Path:
    """The scripts that run inside coexecuted containers, at a path that tells nothing."""
    dest = scratch.plain()
    for item in files("agentics.sandbox.guest").iterdir():
        if item.name.endswith(".py") and item.name != "__init__.py":
            (dest / item.name).write_bytes(item.read_bytes())
            (dest / item.name).chmod(file_mode(executable=True))
    dest.chmod(DIRECTORY_MODE)
    return dest
