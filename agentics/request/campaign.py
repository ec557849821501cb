"""From a request to trials: every bundle and solution read, checked and planned before anything is started."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from agentics.archive import SolutionPackage, read_solution
from agentics.archive.origin import naming
from agentics.bundle import Bundle, load_challenge, tree_digest
from agentics.config import Config
from agentics.content import as_digest, sha256_of_file
from agentics.errors import UsageError
from agentics.model.bundle.challenge import Target
from agentics.model.document.record import Mode
from agentics.model.plan.trial_plan import Plan
from agentics.model.run.design import AdapterCommand, Design, Integration
from agentics.model.run.outcome import DEFAULT_EXIT_POLICY, ExitPolicy
from agentics.policy.planning import plan
from agentics.policy.run.schedule import slots
from agentics.policy.topologies.parts import PlanRequest
from agentics.request.job import ModelPlan, PlannedJob
from agentics.request.operator_stages import with_own
from agentics.request.planned_trial import PlannedTrial
from agentics.rundir.files.names import variant_directories


@dataclass(frozen=True, kw_only=True)
class EvalRequest:
    """What was asked, by options or by an experiment file. `solutions` and `overlays` are (name, path); an overlay's
    name is a challenge. `baseline`: the variant that comes first, and that others are compared with.
    `bindings` and `integration` are by variant name; `experiment` names and describes it.
    `jobspecs` are files of model evaluations; `answers_from`: runs whose stored answers need not be asked for again;
    `fresh_setup`: challenge setups run anew, once each, and what they leave replaces what is kept.
    `accept_alterations`: a run that is not what it was is gone on with all the same, and says so for good."""

    bundles: tuple[Path, ...]
    solutions: tuple[tuple[str | None, Path], ...]
    overlays: tuple[tuple[str | None, Path], ...] = ()
    target: str | None = None
    mode: Mode = "validation"
    tasks: tuple[str, ...] = ()
    limit: int | None = None
    run_id: str | None = None
    output_path: Path = Path("outputs")
    exit_policy: ExitPolicy = DEFAULT_EXIT_POLICY
    images: tuple[tuple[str, str], ...] = ()
    jobs: int | None = None
    fail_fast: bool = False
    resume: bool = True
    design: Design = field(default_factory=Design)
    baseline: str | None = None
    bindings: Mapping[str, Mapping[str, JsonValue]] = field(default_factory=dict)
    integration: Mapping[str, Integration] = field(default_factory=dict)
    adapter: AdapterCommand | None = None
    trial_timeout_s: float | None = None
    experiment: Mapping[str, JsonValue] = field(default_factory=dict)
    jobspecs: tuple[Path, ...] = ()
    answers_from: tuple[Path, ...] = ()
    fresh: bool = False
    fresh_setup: bool = False
    accept_alterations: bool = False
    argv: tuple[str, ...] = ()
    cli_args: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PlannedTask:
    """A bundle on a target. `ref` is `<challenge>.<target>`, and names the task everywhere."""

    ref: str
    bundle: Bundle
    target: Target
    overlays: tuple[Path, ...]
    bundle_digest: str
    overlay_digests: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SolutionPlan(PlannedTrial):
    """A solution on a task."""

    task: PlannedTask
    package: SolutionPackage


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """Everything that a run will do. `directories` maps a variant's directory to its name."""

    request: EvalRequest
    config: Config
    directories: Mapping[str, str]
    trials: tuple[SolutionPlan | ModelPlan, ...]

    @property
    def solutions(self) -> tuple[SolutionPlan, ...]:
        """The trials of solutions on challenges."""
        return tuple(trial for trial in self.trials if isinstance(trial, SolutionPlan))

    @property
    def models(self) -> tuple[ModelPlan, ...]:
        """The trials of models on tasks."""
        return tuple(trial for trial in self.trials if isinstance(trial, ModelPlan))

    @property
    def jobs(self) -> tuple[PlannedJob, ...]:
        """Each once, in the order of their variants."""
        return tuple({id(trial.job): trial.job for trial in self.models}.values())

    def requested(self) -> dict[str, tuple[str, ...]]:
        """Task references by variant directory, in the tasks' own order whatever the schedule's is."""
        refs: dict[str, dict[int, str]] = {directory: {} for directory in self.directories}
        directory_of = {name: directory for directory, name in self.directories.items()}
        for trial in self.trials:
            refs[directory_of[trial.variant]][trial.index] = trial.ref
        return {directory: tuple(ref for _, ref in sorted(tasks.items())) for directory, tasks in refs.items()}


def compile_request(request: EvalRequest, config: Config) -> Campaign:
    """Raises UsageError and InvalidDocument; nothing has been started or written."""
    packages = {package.name: package for package in _packages(request.solutions)}
    jobs = {job.variant: job for job in _jobs(request, config)}
    directories = variant_directories(_ordered([*packages, *jobs], request.baseline))
    names = tuple(directories.values())
    tasks = _selected(_tasks(request), request.tasks) if request.bundles or not jobs else []
    plans = {
        (name, task.ref): with_own(_plan(task, package, request), config.stages)
        for name, package in packages.items()
        for task in tasks
    }
    refs = [*(task.ref for task in tasks), *_job_refs(jobs.values(), request.tasks, unknown_is_fatal=not tasks)]
    found = slots(request.design, variants=len(names), tasks=len(refs))
    trials: list[SolutionPlan | ModelPlan] = []
    for slot in found:
        name, ref = names[slot.variant_idx], refs[slot.task_idx]
        # A solution is tried on challenges, a model on its own job's tasks: the other pairs have no slot.
        slot = slot.model_copy(update={"schedule_idx": len(trials)})  # noqa: PLW2901
        shared = {"index": slot.task_idx, "slot": slot, "replicated": request.design.replications > 1}
        if name in jobs and ref in jobs[name].plans:
            trials.append(jobs[name].trial(ref, **shared))
        elif (name, ref) in plans:
            task = tasks[slot.task_idx]
            trials.append(_trial(request, packages[name], task, plans[name, ref], shared))
    return Campaign(request=request, config=config, directories=directories, trials=tuple(trials))


def _ordered(names: Sequence[str], baseline: str | None) -> list[str]:
    """The baseline first, then as they are. Raises UsageError where there is no such variant."""
    if baseline is not None and baseline not in names:
        near = get_close_matches(baseline, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(names)}"
        msg = f"/baseline: no variant is called {baseline!r}"
        raise UsageError(msg, code="unknown_variant", hint=hint)
    return sorted(names, key=lambda name: name != baseline)


def _jobs(request: EvalRequest, config: Config) -> list[PlannedJob]:
    if not request.jobspecs:
        return []
    from agentics.request.job_file import compile_jobs  # noqa: PLC0415 - the rules of JobSpecs cost 0.1 s to import

    return compile_jobs(request.jobspecs, config, limit=request.limit)


def _trial(
    request: EvalRequest, package: SolutionPackage, task: PlannedTask, planned: Plan, shared: Mapping[str, Any]
) -> SolutionPlan:
    return SolutionPlan(
        ref=task.ref,
        task=task,
        variant=package.name,
        package=package,
        plan=planned,
        bindings=request.bindings.get(package.name, {}),
        integration=request.integration.get(package.name, "cli_basic"),
        **shared,
    )


def _job_refs(jobs: Iterable[PlannedJob], wanted: Sequence[str], *, unknown_is_fatal: bool) -> list[str]:
    """The tasks of all jobs, each once: all, or those named."""
    refs = list(dict.fromkeys(ref for job in jobs for ref in job.plans))
    if not wanted:
        return refs
    unknown = [name for name in wanted if name not in refs]
    if unknown and unknown_is_fatal:
        msg = f"no task is called {unknown[0]!r}"
        raise UsageError(msg, code="unknown_task", hint=f"there is {', '.join(refs)}")
    return [ref for ref in refs if ref in wanted]


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
        with naming(path):
            package = read_solution(path, name=name)
        yield package


def _tasks(request: EvalRequest) -> list[PlannedTask]:
    bundles = [load_challenge(path) for path in request.bundles]
    names = [bundle.challenge.challenge_name for bundle in bundles]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        msg = f"two bundles are called {twice[0]!r}"
        raise UsageError(msg, code="task_collision")
    overlays = _overlays(request, names)
    return [task for bundle in bundles for task in _targets(bundle, request, overlays)]


def _targets(bundle: Bundle, request: EvalRequest, overlays: Mapping[str, tuple[Path, ...]]) -> Iterable[PlannedTask]:
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
    own = overlays.get(name, ())
    with naming(bundle.root):
        digest = tree_digest(bundle.root)
    for target in targets:
        yield PlannedTask(
            ref=f"{name}.{target.name}",
            bundle=bundle,
            target=target,
            overlays=own,
            bundle_digest=as_digest(digest),
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
        with naming(path):
            return as_digest(tree_digest(path))
    try:
        with path.open("rb") as file:
            return sha256_of_file(file)
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise UsageError(msg, code="overlay_missing", hint="--overlay takes a directory or a ZIP") from error


def _selected(tasks: Sequence[PlannedTask], wanted: Sequence[str]) -> list[PlannedTask]:
    """All, or those named by their reference or by their challenge's name."""
    if not wanted:
        return list(tasks)
    known = {name for task in tasks for name in (task.ref, task.bundle.challenge.challenge_name)}
    unknown = [name for name in wanted if name not in known]
    if unknown:
        msg = f"no task is called {unknown[0]!r}"
        raise UsageError(msg, code="unknown_task", hint=f"there is {', '.join(task.ref for task in tasks)}")
    return [task for task in tasks if {task.ref, task.bundle.challenge.challenge_name} & set(wanted)]


def _plan(task: PlannedTask, package: SolutionPackage, request: EvalRequest) -> Plan:
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
    except UsageError as error:
        msg = f"{package.name}: {error.message}"
        raise UsageError(msg, code=error.code, hint=error.hint) from error
    except ValueError as error:
        msg = f"{task.ref}: {error}"
        raise UsageError(msg, code="nothing_to_evaluate") from error
