"""From a request to trials: every bundle and solution read, checked and planned before anything is started."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue

from agentics.archive import SolutionPackage, read_solution
from agentics.bundle import Bundle, load_challenge, tree_digest
from agentics.config import Config
from agentics.errors import UsageError
from agentics.model.challenge import Target
from agentics.model.design import AdapterCommand, Design, Integration, Slot
from agentics.model.outcome import ExitPolicy
from agentics.model.plan import Plan
from agentics.model.record import Mode
from agentics.model.rundir import TrialRuntime
from agentics.pipeline.bench import Resume
from agentics.policy.planning import plan
from agentics.policy.schedule import slots
from agentics.policy.topologies.parts import Request as PlanRequest
from agentics.rundir.names import variant_directories
from agentics.runner.limits import network_access
from agentics.runner.ownstages import with_own
from agentics.runner.progress import Kind, Progress


@dataclass(frozen=True, kw_only=True)
class EvalRequest:
    """What was asked, by options or by an experiment file. `solutions` and `overlays` are (name, path); an overlay's
    name is a challenge. `bindings` and `integration` are by variant name; `experiment` names and describes it."""

    bundles: tuple[Path, ...]
    solutions: tuple[tuple[str | None, Path], ...]
    overlays: tuple[tuple[str | None, Path], ...] = ()
    target: str | None = None
    mode: Mode = "validation"
    tasks: tuple[str, ...] = ()
    limit: int | None = None
    run_id: str | None = None
    output_path: Path = Path("outputs")
    exit_policy: ExitPolicy = "relaxed"
    images: tuple[tuple[str, str], ...] = ()
    jobs: int | None = None
    fail_fast: bool = False
    resume: bool = True
    design: Design = field(default_factory=Design)
    bindings: Mapping[str, Mapping[str, JsonValue]] = field(default_factory=dict)
    integration: Mapping[str, Integration] = field(default_factory=dict)
    adapter: AdapterCommand | None = None
    trial_timeout_s: float | None = None
    experiment: Mapping[str, JsonValue] = field(default_factory=dict)
    fresh: bool = False
    argv: tuple[str, ...] = ()
    cli_args: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Task:
    """A bundle on a target. `ref` is `<challenge>.<target>`, and names the task everywhere."""

    ref: str
    bundle: Bundle
    target: Target
    overlays: tuple[Path, ...]
    bundle_digest: str
    overlay_digests: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One variant on one task, one replication: a slot to be filled. `index` counts tasks. `ext`: what it was made
    from, if it is a fork, a replay or a regrade; `resume`: what it does not have to do again."""

    index: int
    task: Task
    variant: str
    package: SolutionPackage
    plan: Plan
    slot: Slot
    bindings: Mapping[str, JsonValue] = field(default_factory=dict)
    integration: Integration = "cli_basic"
    replicated: bool = False
    ext: Mapping[str, JsonValue] = field(default_factory=dict)
    resume: Resume | None = None

    def progress(self, kind: Kind, *, trial_id: str | None = None, **facts: object) -> Progress:
        """What is told of this trial."""
        return Progress(
            kind=kind,
            trial_id=trial_id,
            task=self.task.ref,
            variant=self.variant,
            replication=self.slot.repl_idx + 1 if self.replicated else None,
            facts=facts,
        )

    def runtime(self) -> TrialRuntime:
        """What is recorded of how the trial is run."""
        asked = {access for stage in self.plan.stages if (access := network_access(stage)) is not None}
        mode = "full" if "enabled" in asked else "none"
        return TrialRuntime(
            integration_level=self.integration, network_mode_requested=mode, network_mode_effective=mode
        )


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """Everything that a run will do. `directories` maps a variant's directory to its name."""

    request: EvalRequest
    config: Config
    directories: Mapping[str, str]
    trials: tuple[Trial, ...]

    def requested(self) -> dict[str, tuple[str, ...]]:
        """Task references by variant directory, in the tasks' own order whatever the schedule's is."""
        tasks = dict(sorted({trial.index: trial.task.ref for trial in self.trials}.items()))
        return {directory: tuple(tasks.values()) for directory in self.directories}


def compile_request(request: EvalRequest, config: Config) -> Campaign:
    """Raises UsageError and InvalidDocument; nothing has been started or written."""
    packages = {package.name: package for package in _packages(request.solutions)}
    directories = variant_directories(packages)
    names = tuple(directories.values())
    tasks = _selected(_tasks(request), request.tasks)
    plans = {
        (name, task.ref): with_own(_plan(task, packages[name], request), config.stages)
        for name in names
        for task in tasks
    }
    trials = tuple(
        Trial(
            index=slot.task_idx,
            task=tasks[slot.task_idx],
            variant=(name := names[slot.variant_idx]),
            package=packages[name],
            plan=plans[name, tasks[slot.task_idx].ref],
            slot=slot,
            bindings=request.bindings.get(name, {}),
            integration=request.integration.get(name, "cli_basic"),
            replicated=request.design.replications > 1,
        )
        for slot in slots(request.design, variants=len(names), tasks=len(tasks))
    )
    return Campaign(request=request, config=config, directories=directories, trials=trials)


def solution_name(name: str | None, path: Path) -> str:
    """What a variant is called when nobody says: the folder's or archive's own name."""
    return name or path.resolve().name.removesuffix(".zip")


def _packages(solutions: Sequence[tuple[str | None, Path]]) -> Iterable[SolutionPackage]:
    seen: set[str] = set()
    for given, path in solutions:
        name = solution_name(given, path)
        if name in seen:
            msg = f"two solutions are called {name!r}"
            raise UsageError(msg, code="variant_collision", hint="name them: --solution NAME=PATH")
        seen.add(name)
        yield read_solution(path, name=name)


def _tasks(request: EvalRequest) -> list[Task]:
    bundles = [load_challenge(path) for path in request.bundles]
    names = [bundle.challenge.challenge_name for bundle in bundles]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        msg = f"two bundles are called {twice[0]!r}"
        raise UsageError(msg, code="task_collision")
    overlays = _overlays(request, names)
    return [task for bundle in bundles for task in _targets(bundle, request, overlays)]


def _targets(bundle: Bundle, request: EvalRequest, overlays: Mapping[str, tuple[Path, ...]]) -> Iterable[Task]:
    name = bundle.challenge.challenge_name
    targets = [t for t in bundle.challenge.targets if request.target in (None, t.name)]
    if not targets:
        have = ", ".join(t.name for t in bundle.challenge.targets)
        msg = f"{name} has no target {request.target!r}"
        raise UsageError(msg, code="unknown_target", hint=f"it declares {have}")
    if request.mode == "validation":
        targets = [t for t in targets if t.validation_enabled]
        if not targets:
            msg = f"{name} does not offer validation on {request.target or 'any target'}"
            raise UsageError(msg, code="validation_disabled", hint="use --mode official with its overlay")
    digest, own = tree_digest(bundle.root), overlays.get(name, ())
    for target in targets:
        yield Task(
            ref=f"{name}.{target.name}",
            bundle=bundle,
            target=target,
            overlays=own,
            bundle_digest=f"sha256:{digest}",
            overlay_digests=tuple(_overlay_digest(path) for path in own),
        )


def _overlays(request: EvalRequest, names: Sequence[str]) -> dict[str, tuple[Path, ...]]:
    if request.overlays and request.mode != "official":
        msg = "an overlay holds private data, and validation uses public data only"
        raise UsageError(msg, code="overlay_in_validation", hint="add --mode official, or leave --overlay out")
    chosen: dict[str, tuple[Path, ...]] = {}
    for name, path in request.overlays:
        if name is None and len(names) > 1:
            msg = f"{path}: which of the {len(names)} bundles is this overlay for?"
            raise UsageError(msg, code="ambiguous_overlay", hint="say --overlay CHALLENGE=PATH")
        whose = name or names[0]
        if whose not in names:
            msg = f"{path}: no bundle here is called {whose!r}"
            raise UsageError(msg, code="unknown_challenge", hint=f"there is {', '.join(names)}")
        chosen[whose] = (*chosen.get(whose, ()), path)
    return chosen


def _overlay_digest(path: Path) -> str:
    if path.is_dir():
        return f"sha256:{tree_digest(path)}"
    try:
        with path.open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise UsageError(msg, code="overlay_missing", hint="--overlay takes a directory or a ZIP") from error


def _selected(tasks: Sequence[Task], wanted: Sequence[str]) -> list[Task]:
    """All, or those named by their reference or by their challenge's name."""
    if not wanted:
        return list(tasks)
    known = {name for task in tasks for name in (task.ref, task.bundle.challenge.challenge_name)}
    unknown = [name for name in wanted if name not in known]
    if unknown:
        msg = f"no task is called {unknown[0]!r}"
        raise UsageError(msg, code="unknown_task", hint=f"there is {', '.join(task.ref for task in tasks)}")
    return [task for task in tasks if {task.ref, task.bundle.challenge.challenge_name} & set(wanted)]


def _plan(task: Task, package: SolutionPackage, request: EvalRequest) -> Plan:
    wanted = PlanRequest(
        challenge=task.bundle.challenge,
        target=task.target,
        manifest=package.manifest,
        mode=request.mode,
        limit=request.limit,
        bindings=request.bindings.get(package.name, {}),
        integration=request.integration.get(package.name, "cli_basic"),
    )
    try:
        return plan(wanted)
    except ValueError as error:
        msg = f"{task.ref}: {error}"
        raise UsageError(msg, code="nothing_to_evaluate") from error
