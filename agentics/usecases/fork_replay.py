"""`fork` and `replay`: one committed trial again, changed or as it was, beside the schedule of its run.

Nothing of the parent is touched, and no lock of the run is needed: it may go on, or stand frozen, meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import JsonValue

from agentics.config import Config
from agentics.control.signals import StopSignal, stopping
from agentics.errors import Refused, UsageError
from agentics.model.document.record import Ids
from agentics.model.evidence.trial_evidence import Checkpoint, TrialEvidence
from agentics.model.evidence.verdict import Verdict
from agentics.model.plan.trial_plan import Plan
from agentics.model.run.control import ForkManifest, ReplayManifest, ReuseStep
from agentics.model.run.directory import Scope
from agentics.pipeline.attempt_tools import Resume
from agentics.pipeline.progress import Observer
from agentics.policy.run import replay as policy
from agentics.request.campaign import Campaign, EvalRequest, SolutionPlan, compile_request
from agentics.request.job import ModelPlan
from agentics.request.resolved_experiment import request_from
from agentics.request.scopes import scope_of, trial_slot
from agentics.request.trial_images import ReadyImages
from agentics.rundir.derived import ParentTrial, beside, make_trial, new_id, source_of
from agentics.rundir.files.atomic import make_directory, utc_now, write_document
from agentics.rundir.files.layout import DERIVED
from agentics.rundir.files.lease import operating
from agentics.rundir.integrity.trust import recorded_experiment
from agentics.rundir.open_run import OpenRun
from agentics.rundir.reader import RunView, derived_trials, read_run
from agentics.rundir.scope import differences
from agentics.runner.evidence_store import AttemptEvidence, newest_of, stopped_at, whole_checkpoints
from agentics.runner.run_events import ListenerGone
from agentics.runner.run_resources import RunResources, attempts_without_engine, open_resources
from agentics.runner.trial_runner import run_trial
from agentics.stages.restore import is_whole


@dataclass(frozen=True, kw_only=True)
class ForkRequest:
    """`changes`: bindings that differ from the parent's. `at`: the selector of the checkpoint to start from.
    `accept_alterations`: as in an EvalRequest. `trust`: carry out what the run says, also where another user or
    machine made it."""

    trial_id: str
    at: str
    changes: Mapping[str, JsonValue]
    strict: bool = False
    dry_run: bool = False
    accept_alterations: bool = False
    trust: bool = False


@dataclass(frozen=True, kw_only=True)
class ReplayRequest:
    """`fresh_setup`, `accept_alterations`: as in an EvalRequest. `trust`: as in a ForkRequest."""

    trial_id: str
    strict: bool = False
    fresh_setup: bool = False
    accept_alterations: bool = False
    trust: bool = False


@dataclass(frozen=True, kw_only=True)
class Derived:
    """What came of it. `status` None: it was only planned."""

    directory: Path
    manifest: ForkManifest | ReplayManifest
    status: str | None
    reason: str | None = None

    def facts(self) -> dict[str, Any]:
        """For the envelope, under the operation's name."""
        kind = self.manifest.operation
        facts = self.manifest.model_dump(mode="json", exclude={"schema_version", "operation", "created_at"})
        return {**facts, f"{kind}_dir": str(self.directory), "harness_status": self.status, "reason": self.reason}


def fork(root: Path, wanted: ForkRequest, config: Config, observer: Observer) -> Derived:
    """Raises UsageError for what cannot be forked, and for a checkpoint that it has none of; Refused
    (strict_source_unavailable) for a strict fork without a checkpoint that its solution can go on from exactly."""
    view = read_run(root)
    parent = committed(view, wanted.trial_id)
    _check_has_checkpoints(view, parent, trust=wanted.trust)
    bound = {**parent.given.bindings, **wanted.changes}
    request = request_of(view, parent, trust=wanted.trust)
    bindings = {**request.bindings, parent.trial.ids.variant_id: bound}
    request = replace(request, bindings=bindings, accept_alterations=wanted.accept_alterations)
    with _opened(view, request, parent, config, observer, "fork") as made:
        found = _checkpoints(made.run, parent, wanted.at)
        name = newest_of(found)
        if wanted.strict and (made.trial.integration != "sdk_full" or name is None):
            msg = f"{wanted.trial_id} has no checkpoint at {wanted.at} that an exact copy could go on from"
            hint = "a strict fork needs integration sdk_full and a checkpoint; leave --strict out"
            raise Refused(msg, code="strict_source_unavailable", hint=hint)
        if name is None and policy.names_a_checkpoint(wanted.at):
            raise _no_such_checkpoint(made.run, parent, wanted.at)
        steps, resume = _reused(made, parent, found)
        manifest = ForkManifest(
            fork_id=made.name,
            parent_trial_id=wanted.trial_id,
            selector=wanted.at,
            source_checkpoint=name,
            fallback_mode="checkpoint" if name is not None else "input_only",
            strict=wanted.strict,
            integration_level=made.trial.integration,
            replay_grade=policy.grade(made.trial.integration, made.differs),
            created_at=utc_now(),
            bindings=bound,
            reuse=steps,
        )
        if wanted.dry_run:
            return Derived(directory=made.directory, manifest=manifest, status=None)
        ext: dict[str, JsonValue] = {
            "fork": {
                "parent_run_id": view.manifest.run_id,
                "parent_trial_id": wanted.trial_id,
                "selector": wanted.at,
                "source_checkpoint": name,
                "strict": wanted.strict,
            }
        }
        judgement = _carry_out(made, manifest, replace(made.trial, ext=ext, resume=resume))
        return _derived(made, manifest, judgement)


def replay(root: Path, wanted: ReplayRequest, config: Config, observer: Observer) -> Derived:
    """From the checkpoints that the trial itself went on from, if it did.

    Raises UsageError, and Refused (strict_source_unavailable) for a strict replay of what cannot be repeated exactly.
    """
    view, trial_id, strict = read_run(root), wanted.trial_id, wanted.strict
    parent = committed(view, trial_id)
    request = request_of(view, parent, trust=wanted.trust)
    request = replace(request, fresh_setup=wanted.fresh_setup, accept_alterations=wanted.accept_alterations)
    with _opened(view, request, parent, config, observer, "replay") as made:
        began, found = _began_from(made.run, view, parent)
        differs = made.differs if len(found) == len(began) else (*made.differs, "checkpoint")
        manifest = ReplayManifest(
            replay_id=made.name,
            parent_trial_id=trial_id,
            strict=strict,
            integration_level=made.trial.integration,
            replay_grade=policy.grade(made.trial.integration, differs, midway=bool(began)),
            created_at=utc_now(),
            differences=differs,
            source_checkpoint=newest_of(found),
        )
        if strict and manifest.replay_grade != "strict":
            why = f"; {', '.join(differs)} differ" if differs else ""
            why += f"; it went on from {', '.join(sorted(set(began.values())))}" if began else ""
            msg = f"a replay of {trial_id} is {manifest.replay_grade}, not strict{why}"
            raise Refused(msg, code="strict_source_unavailable", hint="leave --strict out")
        ext: dict[str, JsonValue] = {
            "replay": {"parent_run_id": view.manifest.run_id, "parent_trial_id": trial_id, "strict": strict}
        }
        resume = Resume(checkpoints=found) if found else None
        judgement = _carry_out(made, manifest, replace(made.trial, ext=ext, resume=resume))
        return _derived(made, manifest, judgement)


def committed(view: RunView, trial_id: str) -> ParentTrial:
    """A trial of the schedule, a fork or a replay that has a result. Raises UsageError."""
    trials = (*view.trials, *derived_trials(view.layout))
    found = next((trial for trial in trials if trial.ids.trial_id == trial_id), None)
    if found is None:
        have = ", ".join(trial.ids.trial_id for trial in trials) or "none"
        msg = f"run {view.manifest.run_id} has no trial {trial_id!r}"
        raise UsageError(msg, code="trial_not_found", hint=f"there is {have}")
    source = source_of(found)
    if source is None:
        msg = f"{trial_id} has no result: only a committed trial can be made from"
        raise UsageError(msg, code="trial_not_committed")
    return source


def parent_trial(campaign: Campaign, parent: ParentTrial) -> SolutionPlan | ModelPlan:
    """The parent's slot as it would be filled today. Raises UsageError where the bundles have no such task."""
    ids = parent.trial.ids
    found = next((trial for trial in campaign.trials if trial_slot(trial) == parent.trial.slot), None)
    if found is None:
        have = ", ".join(dict.fromkeys(trial.ref for trial in campaign.trials))
        msg = f"{ids.trial_id} is {ids.variant_id} on {ids.task_id}, which cannot be made of the bundles that there are"
        raise UsageError(msg, code="task_not_in_bundles", hint=f"they have {have}")
    return found


def request_of(view: RunView, parent: ParentTrial | None, *, trust: bool) -> EvalRequest:
    """What the run was made with; with a parent, what that was given. Raises Refused (run_untrusted)."""
    found = request_from(recorded_experiment(view.layout, trust=trust), output_path=view.layout.root.parent)
    if parent is None:
        return found
    given = {parent.trial.ids.variant_id: parent.given.bindings}
    return replace(found, bindings={**found.bindings, **given})


def _check_has_checkpoints(view: RunView, parent: ParentTrial, *, trust: bool) -> None:
    experiment = recorded_experiment(view.layout, trust=trust)
    jobs = experiment.ext.request.jobspecs if experiment.ext.request is not None else ()
    ids = parent.trial.ids
    if ids.variant_id in {job.variant for job in jobs}:
        msg = f"{ids.trial_id} is a model's: it has no bindings and no checkpoints to fork from"
        raise UsageError(
            msg, code="fork_unsupported", hint="run a changed JobSpec with `agentics job run --answers RUN`"
        )


def without_the_solution(plan: Plan) -> Plan:
    """The plan of an evaluation whose cases are all there already."""
    stages = tuple(
        stage.model_copy(update={"enabled": stage.name not in policy.OF_THE_SOLUTION}) for stage in plan.stages
    )
    return plan.model_copy(update={"stages": stages})


@dataclass(frozen=True, kw_only=True)
class _Made:
    """A derived trial that can be run. `differs`: in what today's scope is not the parent's."""

    name: str
    directory: Path
    run: OpenRun
    resources: RunResources
    trial: SolutionPlan | ModelPlan
    images: ReadyImages
    scope: Scope
    differs: tuple[str, ...]


@contextmanager
def _opened(
    view: RunView,
    request: EvalRequest,
    parent: ParentTrial,
    config: Config,
    observer: Observer,
    kind: Literal["fork", "replay"],
) -> Iterator[_Made]:
    campaign = compile_request(request, config)
    trial, name, stop = parent_trial(campaign, parent), new_id(kind), StopSignal()
    with (
        operating(view.layout, kind),
        stopping(stop),
        beside(view.layout, view.manifest.run_id, accept_alterations=request.accept_alterations) as run,
        open_resources(campaign, run, observer, ListenerGone(), stop, attempts_without_engine(run, stop)) as resources,
    ):
        images = resources.images(trial)
        scope = scope_of(trial, request, images)
        yield _Made(
            name=name,
            directory=view.layout.root / DERIVED[kind] / name,
            run=run,
            resources=resources,
            trial=trial,
            images=images,
            scope=scope,
            differs=differences(parent.trial.metadata.scope, scope),
        )


def _reused(
    made: _Made, parent: ParentTrial, checkpoints: Mapping[str, Checkpoint]
) -> tuple[tuple[ReuseStep, ...], Resume | None]:
    """What of the parent stands for new work, said and as the attempt gets it."""
    evidence = parent.evidence
    keep = AttemptEvidence(made.run.artifacts, parent.trial.root)
    whole = evidence is not None and why_incomplete(evidence, keep) is None
    steps = policy.reuse(made.trial.plan, made.differs, newest_of(checkpoints), whole=whole)
    if evidence is not None and any(step.stage == "cases" and step.action == "reuse" for step in steps):
        return steps, Resume(cases={case.run_name: case for case in evidence.cases}, submission=evidence.submission)
    return steps, Resume(checkpoints=checkpoints) if checkpoints else None


def why_incomplete(evidence: TrialEvidence, keep: AttemptEvidence) -> str | None:
    """Why the cases of an attempt cannot stand for new ones; None where they can."""
    if evidence.cases_expected != len(evidence.cases) or not evidence.cases or evidence.submission is None:
        return "its cases did not all end"
    if any(case.listing is not None for case in evidence.cases):
        return "its cases left more than is kept: [evidence] in agentics.toml says how much that is"
    return None if all(is_whole(keep, case) for case in evidence.cases) else "not all that its cases left is there"


def _whole_checkpoints(run: OpenRun, parent: ParentTrial) -> dict[str, tuple[Checkpoint, ...]]:
    return whole_checkpoints(run, parent.trial.root, parent.evidence)


def _checkpoints(run: OpenRun, parent: ParentTrial, selector: str) -> dict[str, Checkpoint]:
    """The checkpoint that the selector means, of every case that has one."""
    found: dict[str, Checkpoint] = {}
    events = {case.alias: case.events_ref for case in parent.evidence.cases} if parent.evidence else {}
    for alias, own in _whole_checkpoints(run, parent).items():
        ref = events.get(alias)
        chosen = policy.selected(selector, own, run.artifacts.read(ref) if ref else b"")
        if chosen is not None:
            found[alias] = chosen
    if not found:
        policy.selected(selector, ())  # a selector that means nothing is wrong, also where there is no checkpoint
    return found


def _no_such_checkpoint(run: OpenRun, parent: ParentTrial, selector: str) -> UsageError:
    have = dict.fromkeys(each.name for own in _whole_checkpoints(run, parent).values() for each in own)
    msg = f"{parent.trial.ids.trial_id} has no {selector}"
    return UsageError(msg, code="checkpoint_not_found", hint=f"there is {', '.join(have) or 'no checkpoint of it'}")


def _began_from(run: OpenRun, view: RunView, parent: ParentTrial) -> tuple[dict[str, str], dict[str, Checkpoint]]:
    """The names of the checkpoints that the trial's cases went on from, and those of them that are still whole, each by
    the case's alias."""
    match parent.given.ext:
        case {"resume": {"attempt": int(attempt), "checkpoints": dict(names)}}:
            own = [*stopped_at(parent.trial.root / "attempts" / str(attempt))]
            keep = AttemptEvidence(run.artifacts, parent.trial.root)
            found = {each.alias: each for each in own if names.get(each.alias) == each.name and is_whole(keep, each)}
            return {alias: str(name) for alias, name in names.items()}, found
        case {"fork": {"parent_trial_id": str(origin), "selector": str(selector), "source_checkpoint": str(name)}}:
            found = _checkpoints(run, committed(view, origin), selector)
            return {alias: each.name for alias, each in found.items()} or {"": name}, found
        case {"replay": {"parent_trial_id": str(origin)}}:
            return _began_from(run, view, committed(view, origin))
        case _:
            return {}, {}


def _carry_out(made: _Made, manifest: ForkManifest | ReplayManifest, trial: SolutionPlan | ModelPlan) -> Verdict:
    parent = manifest.parent_trial_id
    variant, task, repl = trial_slot(trial)
    ids = Ids(run_id=made.run.run_id, trial_id=f"{parent}_{made.name}", variant_id=variant, task_id=task, repl_idx=repl)
    if trial.resume is not None and trial.resume.submission is not None:
        trial = replace(trial, plan=without_the_solution(trial.plan))
    make_directory(made.directory)
    make_trial(made.run, ids, made.scope, trial.runtime())
    write_document(made.directory / "manifest.json", manifest)
    return run_trial(made.resources, trial, ids, made.images)


def _derived(made: _Made, manifest: ForkManifest | ReplayManifest, judgement: Verdict) -> Derived:
    return Derived(directory=made.directory, manifest=manifest, status=judgement.status, reason=judgement.reason)
